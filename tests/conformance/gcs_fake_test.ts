/** The stand-in for GCS, judged by clients that know the real one: Google's own library and rclone. */
import { Storage } from "@google-cloud/storage";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { GcsFake } from "../support/gcs_fake.ts";
import { noise } from "../support/noise.ts";
import { testWith } from "../support/requirements.ts";

Deno.test({
  name: "Google's library finds the stand-in as it knows the real one",
  // The library keeps connections and timers of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using fake = await GcsFake.start();
    const bucketName = fake.makeBucket();
    // Tokens are judged by the way that this program gets them (tests/faults/gcs_faults_test.ts).
    fake.anonymous = true;
    const client = new Storage({ apiEndpoint: fake.endpoint, projectId: "test", retryOptions: { autoRetry: false } });
    const bucket = client.bucket(bucketName);
    assertEquals((await bucket.exists())[0], true);
    assertEquals((await client.bucket("not-there").exists())[0], false);
    const small = noise(1000);
    const large = noise(3 * 1024 * 1024 + 17);
    await bucket.file("dir/small").save(small as never, { resumable: false, validation: "crc32c" });
    await bucket.file("dir/large").save(
      large as never,
      { resumable: true, validation: "crc32c", chunkSize: 1024 * 1024 } as never,
    );
    for (const [name, bytes] of [["dir/small", small], ["dir/large", large]] as const) {
      const [content] = await bucket.file(name).download();
      assertEquals(new Uint8Array(content), bytes, name);
    }
    const [part] = await bucket.file("dir/large").download({ start: 100, end: 199 });
    assertEquals(new Uint8Array(part), large.slice(100, 200));
    const [metadata] = await bucket.file("dir/small").getMetadata();
    assertEquals(Number(metadata.size), 1000);
    assertEquals((await bucket.getFiles({ prefix: "dir/" }))[0].map(({ name }) => name), ["dir/large", "dir/small"]);
    const failed = await bucket.file("dir/small").save("x", {
      resumable: false,
      preconditionOpts: { ifGenerationMatch: 0 },
    }).then(() => undefined, (error) => error as { code: number });
    assertEquals(failed?.code, 412);
    await bucket.file("dir/small").delete();
    assertEquals((await bucket.file("dir/small").exists())[0], false);
  },
});

testWith(["rclone"], "rclone finds the stand-in as it knows the real one", async () => {
  await using fake = await GcsFake.start();
  fake.anonymous = true;
  const bucket = fake.makeBucket();
  await using folder = await TestFolder.make();
  const env = {
    RCLONE_CONFIG_G_TYPE: "google cloud storage",
    RCLONE_CONFIG_G_ENDPOINT: `${fake.endpoint}/storage/v1/`,
    RCLONE_CONFIG_G_ANONYMOUS: "true",
    RCLONE_CONFIG: "/dev/null",
    HOME: folder.path,
  };
  const rclone = (...args: string[]) => runAs(["rclone", "--retries=1", "--low-level-retries=1", ...args], { env });
  await folder.directory("out");
  const small = await folder.file("small", noise(1000));
  const large = await folder.file("large", noise(20 * 1024 * 1024 + 5));
  await rclone("copyto", small, `g:${bucket}/dir/small`);
  await rclone("copyto", large, `g:${bucket}/dir/large`);
  assertEquals((await rclone("lsf", "-R", `g:${bucket}`)).trim().split("\n").sort(), [
    "dir/",
    "dir/large",
    "dir/small",
  ]);
  await rclone("copyto", `g:${bucket}/dir/large`, `${folder.path}/out/large`);
  await runAs(["cmp", large, `${folder.path}/out/large`]);
  await rclone("check", "--one-way", `${folder.path}/out`, `g:${bucket}/dir`);
  await rclone("deletefile", `g:${bucket}/dir/small`);
  assert(!(await rclone("lsf", `g:${bucket}/dir`)).includes("small"));
});
