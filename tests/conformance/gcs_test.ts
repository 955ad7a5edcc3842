/** The storage contract over GCS, as the fake of tests/support behaves; then what only GCS has, and answers that are not its own. */
import { gzipSync } from "node:zlib";
import type { GcsStorageConfig } from "../../backends/config.ts";
import type { ReadOptions, Storage } from "../../backends/contract.ts";
import { openGcs } from "../../backends/gcs.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { Crc32c } from "../../src/stream/crc32c.ts";
import { collect } from "../../src/stream/sources.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { type Fault, FaultProxy } from "../support/fault_proxy.ts";
import { GcsFake } from "../support/gcs_fake.ts";
import { inChunks, noise } from "../support/noise.ts";
import { storageSuite } from "./storage_suite.ts";

/** Goes up in several chunks. */
const LONG = 9 * 1024 * 1024 + 3;

let fake: GcsFake;
let folder: TestFolder;
let keyFile: string;
Deno.test.beforeAll(async () => {
  fake = await GcsFake.start();
  folder = await TestFolder.make();
  keyFile = await folder.file("key.json", await fake.keyFileText());
});
Deno.test.afterAll(async () => {
  await fake[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

storageSuite("gcs", () => {
  const storage = openGcs(fake.config(fake.makeBucket(), keyFile));
  return Promise.resolve({ storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() });
});

Deno.test("CRC-32C has the values of its specification, in one piece and in many", () => {
  const hex = (bytes: Uint8Array) => Uint8Array.fromBase64(new Crc32c().update(bytes).base64()).toHex();
  assertEquals(hex(new TextEncoder().encode("123456789")), "e3069283");
  assertEquals(hex(new Uint8Array(32)), "8a9136aa");
  assertEquals(hex(new Uint8Array(32).fill(0xff)), "62a8ab43");
  assertEquals(hex(Uint8Array.from({ length: 32 }, (_, index) => index)), "46dd794e");
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index * 7);
  const pieces = new Crc32c();
  for (let at = 0; at < bytes.length; at += 13) pieces.update(bytes.subarray(at, at + 13));
  assertEquals(pieces.base64(), new Crc32c().update(bytes).base64());
});

async function contentOf(storage: Storage, path: string, options?: ReadOptions): Promise<Uint8Array | undefined> {
  const read = await storage.read(path, options);
  return read === undefined ? undefined : await collect(read, 1e9);
}

/** The call fails with this kind and these words, and tells no secret. */
async function refused(kind: ErrorKind, parts: readonly string[], action: () => Promise<unknown>): Promise<void> {
  const error = await assertThrows<WalferryError>(action);
  assertEquals(error.kind, kind, error.text ?? String(error));
  for (const part of parts) assertIncludes(error.text, part);
  assert(!/ya29\.|PRIVATE KEY|assertion=[^*]|upload_id=[^*]/.test(error.text), `a secret is in ${error.text}`);
}

interface Place {
  readonly storage: Storage;
  readonly proxy: FaultProxy;
  readonly bucket: string;
  /** Another store object in the same bucket. */
  open(more?: Partial<GcsStorageConfig>): Storage;
}

/** Registers a test with a store behind a proxy that can make trouble. */
function behindProxy(name: string, run: (place: Place) => Promise<void>): void {
  Deno.test(`gcs: ${name}`, async () => {
    await using proxy = await FaultProxy.start(fake.port);
    const bucket = fake.makeBucket();
    await using opened = new AsyncDisposableStack();
    const open = (more: Partial<GcsStorageConfig> = {}) =>
      opened.use(openGcs(fake.config(bucket, keyFile, {
        endpoint: `http://127.0.0.1:${proxy.port}`,
        network: { ioTimeoutMs: 2000, retryMs: 5000 },
        ...more,
      })));
    await run({ storage: open(), proxy, bucket, open });
  });
}

/** The fault for the first request that this is true of. */
function once(proxy: FaultProxy, isIt: (method: string, url: string) => boolean, fault: Fault): void {
  let left = 1;
  proxy.plan = ({ method, url }) => left > 0 && isIt(method, url) && left-- > 0 ? fault : undefined;
}

behindProxy("a batch whose answer is cut is asked for again", async ({ storage, proxy }) => {
  for (const name of ["a", "b", "c"]) await storage.write(name, noise(1));
  once(proxy, (_method, url) => url.startsWith("/batch"), { kind: "cut answer", afterBytes: 20 });
  await storage.removeMany(["a", "b", "c"]);
  for (const name of ["a", "b", "c"]) assertEquals(await storage.info(name), undefined);
});

behindProxy("a batch in a bucket that is not there has removed nothing", async ({ open }) => {
  await refused(
    "FileRemove",
    ["bucket does not exist", "check repo-gcs-bucket"],
    () => open({ bucket: "none" }).removeMany(["a", "b"]),
  );
});

behindProxy("a 200 that is not GCS's is no content, no object, and costs no object", async ({ storage, proxy }) => {
  const old = noise(1000);
  await storage.write("f", old);
  const deleted = () => proxy.requests.filter(({ method, url }) => method === "DELETE" && !url.includes("upload_id"));
  for (const body of ["<html>log in</html>", "{}", "null", "[]", '{"size":"3"}']) {
    for (const action of [() => contentOf(storage, "f"), () => storage.info("f"), () => storage.write("f", noise(3))]) {
      proxy.plan = () => ({ kind: "answer", status: 200, body });
      await refused("Protocol", ["log-in page"], action);
    }
    // The second chunk of an upload that began well.
    let chunks = 0;
    proxy.plan = ({ method }) => method === "PUT" && ++chunks === 2 ? { kind: "answer", status: 200, body } : undefined;
    await refused("Protocol", ["log-in page"], () => storage.write("f", inChunks(noise(LONG))));
    proxy.plan = () => undefined;
    assertEquals(await contentOf(storage, "f"), old, `after ${body}`);
  }
  assertEquals(deleted(), []);
});

behindProxy("errors of every shape become one line", async ({ storage, proxy }) => {
  for (const body of ["null", "[]", '{"error":"x"}', '{"error":{"errors":[null]}}', "\n<html>\n<b>no</b>", ""]) {
    proxy.plan = () => ({ kind: "answer", status: 403, body });
    await refused("Access", ["(HTTP 403)", "Storage Object Admin"], () => storage.write("f", noise(1)));
  }
  const body = "you sent: authorization: Bearer ya29.secret-x upload_id=abcdef";
  proxy.plan = () => ({ kind: "answer", status: 400, body });
  await refused("FileWrite", ["upload_id=***"], () => storage.write("f", noise(1)));
  proxy.plan = () => ({ kind: "answer", status: 404, body: "<html>no such page</html>" });
  await refused("FileRead", ["log-in page"], () => contentOf(storage, "f"));
});

for (
  const [what, status, headers] of [
    ["ignores the range", 200, {}],
    ["gives another range", 206, { "content-range": "bytes 0-9/1000" }],
    ["does not say which range it gives", 206, {}],
    ["changed the content", 206, { "content-range": "bytes 500-509/1000", "x-goog-stored-content-length": "2000" }],
    ["is not GCS", 206, { "content-range": "bytes 500-509/1000", "x-goog-generation": "" }],
  ] as ReadonlyArray<readonly [string, number, Record<string, string>]>
) {
  behindProxy(`whoever answers a read and ${what} is not believed`, async ({ storage, proxy }) => {
    proxy.plan = () => ({
      kind: "answer",
      status,
      headers: { "content-length": "10", "x-goog-generation": "1", ...headers },
      body: "0123456789",
    });
    await refused("Protocol", ["log-in page"], () => contentOf(storage, "f", { offsetBytes: 500, lengthBytes: 10 }));
  });
}

behindProxy("a range that comes in pieces is read to its end", async ({ storage, proxy }) => {
  const bytes = noise(1000);
  await storage.write("f", bytes);
  once(proxy, (method) => method === "GET", {
    kind: "answer",
    status: 206,
    headers: {
      "content-length": "4",
      "content-range": "bytes 500-503/1000",
      "x-goog-generation": String(fake.buckets.get([...fake.buckets.keys()].at(-1)!)!.get("repo/f")!.generation),
    },
    body: "abcd",
  });
  const read = (await contentOf(storage, "f", { offsetBytes: 500, lengthBytes: 100 }))!;
  assertEquals(read.length, 100);
  assertEquals(new TextDecoder().decode(read.subarray(0, 4)), "abcd");
  assertEquals(read.slice(4), bytes.slice(504, 600));
});

behindProxy("content that does not have the store's checksum fails the read", async ({ storage, proxy }) => {
  proxy.plan = () => ({
    kind: "answer",
    status: 200,
    headers: { "content-length": "4", "x-goog-generation": "1", "x-goog-hash": "crc32c=AAAAAA==" },
    body: "abcd",
  });
  await refused("FileRead", ["checksum"], () => contentOf(storage, "f"));
});

behindProxy("an object that is replaced while it is read fails the read", async ({ storage, proxy }) => {
  await storage.write("f", noise(3_000_000));
  once(proxy, (method) => method === "GET", { kind: "cut answer", afterBytes: 1_000_000 });
  const read = (await storage.read("f"))!;
  await storage.write("f", noise(3_000_000));
  await refused("FileRead", ["replaced"], () => collect(read, 1e9));
});

behindProxy("what is stored as gzip comes as it is stored, whole and in part", async ({ storage, bucket }) => {
  const bytes = gzipSync(new Uint8Array(100_000).map((_, index) => index * index));
  const stored = new Uint8Array(bytes);
  const { access_token: token } = fake.giveToken();
  const head = { name: "repo/f", contentEncoding: "gzip" };
  const answer = await fetch(`${fake.endpoint}/upload/storage/v1/b/${bucket}/o?uploadType=multipart`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "multipart/related; boundary=b" },
    body: new Blob([`--b\r\n\r\n${JSON.stringify(head)}\r\n--b\r\n\r\n`, stored, "\r\n--b--"]),
  });
  assertEquals((await answer.json()).size, String(stored.length));
  assertEquals(await contentOf(storage, "f"), stored);
  assertEquals(await contentOf(storage, "f", { offsetBytes: 5, lengthBytes: 50 }), stored.slice(5, 55));
});

behindProxy("content that is damaged on its way up is sent again, or refused", async ({ storage }) => {
  const old = noise(1000);
  fake.damages = 1;
  await storage.write("f", old);
  assertEquals(await contentOf(storage, "f"), old);
  fake.damages = 1;
  await refused("FileWrite", ["CRC32C", "damaged on its way"], () => storage.write("f", inChunks(noise(LONG))));
  assertEquals(fake.damages, 0);
  assertEquals(await contentOf(storage, "f"), old, "what was damaged never stood there");
});

behindProxy("a store that says that it holds other content loses only that", async ({ storage, proxy }) => {
  const bytes = noise(1000);
  fake.wrongAnswers = 1;
  await storage.write("f", bytes);
  assertEquals(await contentOf(storage, "f"), bytes, "it was sent again");
  fake.wrongAnswers = 1;
  await refused("FileWrite", ["other content than was sent"], () => storage.write("g", inChunks(noise(LONG))));
  assertEquals(await storage.info("g"), undefined);
  // What the answer speaks of is not what stands there: another writer was faster.
  once(proxy, (method) => method === "POST", {
    kind: "answer",
    status: 200,
    body: JSON.stringify({ size: "3", crc32c: "AAAAAA==", generation: "17" }),
  });
  let deletions = 0;
  const { plan } = proxy;
  proxy.plan = (request, index) => {
    if (request.method === "DELETE") deletions++;
    // Only the first try is answered; then the name holds what it held.
    return request.method === "POST" && deletions > 0 ? { kind: "answer", status: 403 } : plan(request, index);
  };
  await refused("Access", [], () => storage.write("f", noise(3)));
  assertEquals(deletions, 1);
  assertEquals(await contentOf(storage, "f"), bytes);
});

behindProxy("a token that ends under many requests is fetched once for all", async ({ storage }) => {
  await storage.write("f", noise(1));
  const before = fake.tokensGiven;
  fake.revokeTokens();
  await Promise.all(Array.from({ length: 50 }, (_, index) => storage.write(`p/${index}`, noise(50_000))));
  assertEquals(fake.tokensGiven - before, 1);
  fake.revokeTokens();
  assertEquals((await storage.info("f"))?.sizeBytes, 1);
  assertEquals(fake.tokensGiven - before, 2);
});

behindProxy("a token that ends in the middle of a large file is replaced", async ({ storage, proxy }) => {
  const bytes = noise(LONG);
  let chunks = 0;
  proxy.plan = ({ method }) => {
    if (method === "PUT" && ++chunks === 2) fake.revokeTokens();
    return undefined;
  };
  await storage.write("f", inChunks(bytes));
  assertEquals(await contentOf(storage, "f"), bytes);
});

Deno.test("gcs: an abort is heard while the token server is silent, and so is the end of the store", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked = Promise.withResolvers<void>();
  const taken: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      taken.push(connection);
      asked.resolve();
    }
  })();
  try {
    const silent = await folder.file(
      "silent.json",
      await fake.keyFileText(`http://127.0.0.1:${listener.addr.port}/token`),
    );
    const storage = openGcs(fake.config(fake.makeBucket(), silent, {
      network: { ioTimeoutMs: 60_000, retryMs: 60_000 },
    }));
    const controller = new AbortController();
    const reason = new Error("stop");
    const [aborted, ended] = [storage.write("f", noise(1), { signal: controller.signal }), storage.info("f")];
    const results = Promise.allSettled([aborted, ended]);
    await asked.promise;
    controller.abort(reason);
    assertEquals(await assertThrows(() => aborted), reason);
    await storage[Symbol.asyncDispose]();
    assertEquals((await results)[1].status, "rejected");
  } finally {
    listener.close();
    await accepting;
    for (const connection of taken) connection.close();
  }
});

behindProxy("an account that may only read is told which right it has not", async ({ storage }) => {
  await storage.write("f", noise(1));
  fake.readOnly = true;
  try {
    const parts = ["forbidden (HTTP 403)", "storage.objects.create", "Storage Object Admin", "[request fake-"];
    await refused("Access", parts, () => storage.write("g", noise(1)));
    await refused("Access", parts, () => storage.write("g", inChunks(noise(LONG))));
    await refused("Access", ["forbidden"], () => storage.remove("f"));
    assertEquals((await storage.info("f"))?.sizeBytes, 1);
  } finally {
    fake.readOnly = false;
  }
});

behindProxy("an upload that fails is given up, and its name holds what it held", async ({ storage, proxy }) => {
  const old = noise(10);
  await storage.write("f", old);
  const failing = async function* () {
    yield* inChunks(noise(LONG));
    throw new Error("the source is bad");
  };
  const isGivenUp = ({ method, url }: { method: string; url: string }) =>
    method === "DELETE" && url.includes("upload_id");
  for (const fault of [undefined, { kind: "lose answer" }, { kind: "answer", status: 503 }] as const) {
    proxy.requests.length = 0;
    if (fault === undefined) proxy.plan = () => undefined;
    else once(proxy, (method) => method === "DELETE", fault);
    assertEquals((await assertThrows(() => storage.write("f", failing()))).message, "the source is bad");
    assert(proxy.requests.some(isGivenUp), "the session is deleted");
    assertEquals(await contentOf(storage, "f"), old);
  }
});

behindProxy(
  "the certificate's and the host's name stay the endpoint's when the connection goes elsewhere",
  async ({ open, proxy }) => {
    const storage = open({
      endpoint: "http://storage.invalid",
      connect: { host: "127.0.0.1", port: proxy.port },
    });
    await storage.write("f", inChunks(noise(LONG)));
    assertEquals((await storage.info("f"))?.sizeBytes, LONG);
    for (const { headers } of proxy.requests) assertEquals(headers.host, "storage.invalid");
  },
);
