/** `check` on S3: what a key lacks is told by the name of the permission; a store that keeps what it has is told of and works. */
import { PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { TestFolder } from "../support/accounts.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { hasProgram, testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, type RgwServer, startRgw } from "../support/s3_servers.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", ...RGW_PROGRAMS];
const READER = { key: "READERKEY", keySecret: "reader-secret" };

/** Gives the second account these rights on a bucket, and takes all others. */
async function allow(server: RgwServer, bucket: string, actions: readonly string[]): Promise<void> {
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: server.region,
    forcePathStyle: true,
    credentials: { accessKeyId: server.key, secretAccessKey: server.keySecret },
  });
  const Principal = { AWS: ["arn:aws:iam:::user/limited"] };
  const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  await client.send(
    new PutBucketPolicyCommand({
      Bucket: bucket,
      Policy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal, Action: actions.map((action) => `s3:${action}`), Resource }],
      }),
    }),
  );
  client.destroy();
}

testWith(NEEDS, "check on S3 names what is missing, and lives with an object lock", async (test) => {
  await using folder = await TestFolder.make();
  await using server = await startRgw();
  await server.admin(
    "user",
    "create",
    "--uid=limited",
    "--display-name=limited",
    `--access-key=${READER.key}`,
    `--secret-key=${READER.keySecret}`,
  );
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  await cluster.start();
  const bucket = await server.makeBucket();
  const stanzaWith = (name: string, key: string, keySecret: string, more: Record<string, string> = {}) =>
    TestStanza.make(folder, cluster, {
      name,
      repositories: [{
        path: "/repo",
        options: {
          type: "s3",
          "s3-bucket": bucket,
          "s3-endpoint": `http://127.0.0.1:${server.port}`,
          "s3-region": server.region,
          "s3-uri-style": "path",
          "s3-key": key,
          "s3-key-secret": keySecret,
          ...more,
        },
      }],
    });
  const owner = await stanzaWith("owner", server.key, server.keySecret);
  await owner.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, owner, "walferry");
  const limited = await stanzaWith("limited", READER.key, READER.keySecret);

  for (
    const [actions, permission] of [
      [["GetObject", "ListBucket"], "s3:PutObject"],
      [["PutObject", "GetObject", "ListBucket"], undefined],
      [["PutObject", "GetObject", "ListBucket", "DeleteObject"], undefined],
    ] as const
  ) {
    await test.step(`a key that may ${actions.join(", ")}`, async () => {
      await allow(server, bucket, actions);
      const { code, stdout } = await limited.walferry(["check"]);
      if (permission !== undefined) {
        assertEquals(code, 105, stdout);
        assertIncludes(stdout, `this needs the permission ${permission}`);
        assertIncludes(stdout, "a file cannot be written");
        return;
      }
      assertEquals(code, 0, stdout);
      const mayRemove = (actions as readonly string[]).includes("DeleteObject");
      assertEquals(stdout.includes("a file cannot be removed"), !mayRemove, stdout);
      if (!mayRemove) assertIncludes(stdout, "this needs the permission s3:DeleteObject");
      assertIncludes(stdout, "successfully archived to");
    });
  }

  await test.step("a key that is wrong, a bucket that is not there, a place where nothing listens", async () => {
    for (
      const [name, key, secret, more, part] of [
        ["k1", "NOBODY", "very-secret", {}, "InvalidAccessKeyId"],
        ["k2", server.key, "very-secret", {}, "SignatureDoesNotMatch"],
        ["k3", server.key, server.keySecret, { "s3-bucket": "no-such-bucket" }, "NoSuchBucket"],
        ["k4", server.key, server.keySecret, { "s3-endpoint": "http://127.0.0.1:1", "": "" }, "nothing listens there"],
      ] as const
    ) {
      const options = Object.fromEntries(Object.entries(more).filter(([option]) => option !== ""));
      const stanza = await stanzaWith(name, key, secret, options);
      const { code, stdout, stderr } = await stanza.walferry(["--io-timeout=2", "--log-level-console=trace", "check"]);
      assert(code !== 0);
      assertIncludes(stdout, part);
      assertEquals((stdout + stderr).includes("very-secret") || (stdout + stderr).includes(server.keySecret), false);
    }
  });

  if (!hasProgram("faketime")) return;
  await test.step("a clock that is an hour off is corrected by the store's own", async () => {
    const { code, stdout } = await owner.walferry(["info"], {
      env: { LD_PRELOAD: "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", FAKETIME: "+3600s" },
    });
    assertEquals(code, 0, stdout);
    assertIncludes(stdout, "status: error (no valid backups)");
  });
});
