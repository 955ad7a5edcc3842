/** GCS when things go wrong: the stand-in behind a proxy that makes trouble, and a configuration that is not right. */
import type { GcsStorageConfig } from "../../backends/config.ts";
import type { Storage } from "../../backends/contract.ts";
import { openGcs } from "../../backends/gcs.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";
import { type Fault, FaultProxy } from "../support/fault_proxy.ts";
import { GcsFake } from "../support/gcs_fake.ts";
import { inChunks, noise } from "../support/noise.ts";
import { testWith } from "../support/requirements.ts";

const MIB = 1024 * 1024;

Deno.test("GCS in trouble", async (test) => {
  await using folder = await TestFolder.make();
  await using fake = await GcsFake.start();
  await using proxy = await FaultProxy.start(fake.port);
  const keyFile = await folder.file("key.json", await fake.keyFileText());

  const step = (name: string, run: (open: (more?: Partial<GcsStorageConfig>) => Storage) => Promise<void>) =>
    test.step(name, async () => {
      const bucket = fake.makeBucket();
      const opened: Storage[] = [];
      proxy.plan = () => undefined;
      proxy.requests.length = 0;
      try {
        await run((more = {}) => {
          const storage = openGcs(fake.config(bucket, keyFile, {
            endpoint: `http://127.0.0.1:${proxy.port}`,
            network: { ioTimeoutMs: 1000, retryMs: 5000 },
            ...more,
          }));
          opened.push(storage);
          return storage;
        });
      } finally {
        for (const storage of opened) await storage[Symbol.asyncDispose]();
      }
    });
  const nth = (number: number, method: string, fault: Fault) => {
    let seen = 0;
    proxy.plan = (request) => request.method === method && ++seen === number ? fault : undefined;
  };
  const sha1Of = async (storage: Storage, path: string) => sha1Hex(await collect((await storage.read(path))!, 1e9));
  const refused = async (kind: ErrorKind, parts: readonly string[], action: () => Promise<unknown>) => {
    const error = await assertThrows<WalferryError>(action);
    assertEquals(error.kind, kind, error.text);
    for (const part of parts) assertIncludes(error.text, part);
    assert(!/ya29\.|PRIVATE KEY|assertion=/.test(error.text), "a secret is in the message");
  };

  await step("a segment is one request of known length", async (open) => {
    await open().write("segment", noise(16 * MIB));
    assertEquals(proxy.requests.length, 1);
    assertEquals(Number(proxy.requests[0]!.headers["content-length"]), proxy.requests[0]!.bytes);
  });

  for (
    const [what, number, fault] of [
      ["an answer that is lost", 3, { kind: "lose answer" }],
      ["the last answer that is lost", 4, { kind: "lose answer" }],
      ["a cut in a chunk", 2, { kind: "cut request", afterBytes: 500_000 }],
      ["a 503 to a chunk", 2, { kind: "answer", status: 503 }],
      ["a stalled chunk", 2, { kind: "stall" }],
    ] as ReadonlyArray<readonly [string, number, Fault]>
  ) {
    await step(`a large file arrives whole in spite of ${what}`, async (open) => {
      const storage = open();
      const bytes = noise(14 * MIB + 3);
      nth(number, "PUT", fault);
      await storage.write("f", inChunks(bytes));
      assertEquals(await sha1Of(storage, "f"), sha1Hex(bytes));
    });
  }

  await step("a large file arrives whole although the store takes less than it is sent", async (open) => {
    const storage = open();
    const bytes = noise(9 * MIB + 1);
    fake.chunkBytesMax = 5 * 256 * 1024;
    try {
      await storage.write("f", inChunks(bytes));
    } finally {
      fake.chunkBytesMax = Infinity;
    }
    assertEquals(await sha1Of(storage, "f"), sha1Hex(bytes));
  });

  for (
    const [what, method, fault] of [
      ["503", "POST", { kind: "answer", status: 503 }],
      ["429", "POST", { kind: "answer", status: 429 }],
      ["a lost answer", "POST", { kind: "lose answer" }],
      ["a cut on the way up", "POST", { kind: "cut request", afterBytes: 400_000 }],
      ["a cut on the way down", "GET", { kind: "cut answer", afterBytes: 700_000 }],
    ] as ReadonlyArray<readonly [string, string, Fault]>
  ) {
    await step(`a small file arrives whole in spite of ${what}`, async (open) => {
      const storage = open();
      const bytes = noise(MIB + 1);
      nth(1, method, fault);
      await storage.write("f", bytes);
      assertEquals(await sha1Of(storage, "f"), sha1Hex(bytes));
    });
  }

  await step("a token that ends in the middle is replaced, once", async (open) => {
    const storage = open();
    await storage.write("f", noise(10));
    fake.revokeTokens();
    await storage.write("f", noise(10));
    fake.revokeTokens();
    assertEquals((await storage.info("f"))?.sizeBytes, 10);
    await refused(
      "Access",
      ["HTTP 401", "check repo-gcs-key"],
      () => open({ credentials: { type: "token", token: "ya29.ended" } }).write("f", noise(1)),
    );
  });

  await step("the machine's own account, by its metadata server", async (open) => {
    const storage = open({ credentials: { type: "auto", metadataUrl: fake.endpoint } });
    await storage.write("f", noise(10));
    assertEquals((await storage.info("f"))?.sizeBytes, 10);
  });

  await step("a store that damaged what it took is not believed", async (open) => {
    let answers = 0;
    proxy.plan = ({ method }) =>
      method === "POST" && answers++ < 1
        ? { kind: "answer", status: 200, body: JSON.stringify({ size: "10", crc32c: "AAAAAA==" }) }
        : undefined;
    const storage = open();
    const bytes = noise(10);
    await storage.write("f", bytes);
    assertEquals(await sha1Of(storage, "f"), sha1Hex(bytes));
    assertEquals(answers, 2);
  });

  await step("pages without entries do not end a listing", async (open) => {
    const storage = open();
    await Promise.all(Array.from({ length: 1500 }, (_, index) => storage.write(`d/${index}`, noise(1))));
    fake.emptyPages = true;
    try {
      let count = 0;
      for await (const _entry of storage.list("d")) count++;
      assertEquals(count, 1500);
    } finally {
      fake.emptyPages = false;
    }
  });

  await step("wrong bucket, key file, key and place: one line each", async (open) => {
    await refused(
      "FileWrite",
      ["HTTP 404", "bucket does not exist", "check repo-gcs-bucket"],
      () => open({ bucket: "none" }).write("f", noise(1)),
    );
    await refused("FileInfo", ["HTTP 404", "check repo-gcs-bucket"], () => open({ bucket: "none" }).info("f"));
    await refused(
      "FileOpen",
      ["key.none"],
      () => open({ credentials: { type: "service", keyFile: `${folder.path}/key.none` } }).info("f"),
    );
    const noKey = await folder.file("no-key.json", "{}");
    await refused(
      "FileInvalid",
      ["no client_email"],
      () => open({ credentials: { type: "service", keyFile: noKey } }).info("f"),
    );
    await using other = await GcsFake.start();
    const otherKey = await folder.file("other.json", await other.keyFileText(`${fake.endpoint}/token`));
    await refused(
      "Access",
      ["Invalid JWT Signature", "check repo-gcs-key-type"],
      () => open({ credentials: { type: "service", keyFile: otherKey } }).info("f"),
    );
    await refused(
      "HostConnect",
      ["nothing listens"],
      () => open({ endpoint: "http://127.0.0.1:1", network: { ioTimeoutMs: 300, retryMs: 300 } }).info("f"),
    );
  });

  await step("answers of something in between are not believed", async (open) => {
    for (const items of ['[{"size":"1"}]', '{"name":"x"}', "[null]"]) {
      proxy.plan = () => ({ kind: "answer", status: 200, body: `{"kind":"storage#objects","items":${items}}` });
      await refused("Protocol", ["no listing"], async () => {
        for await (const _entry of open().list("d")) { /* nothing is there to be seen */ }
      });
    }
    proxy.plan = () => ({ kind: "answer", status: 200, body: "<html>log in to the hotel's network</html>" });
    await refused("Protocol", ["not that of a removal"], () => open().remove("f"));
    proxy.plan = () => ({ kind: "answer", status: 404, body: "<html>no such page</html>" });
    await assertThrows(() => open().read("f") as Promise<unknown>);
    await assertThrows(() => open().info("f"));
    for (const body of ["<html>log in to the hotel's network</html>", "{}", "[]"]) {
      proxy.plan = () => ({ kind: "answer", status: 200, body });
      await refused("Protocol", ["log-in page"], async () => {
        for await (const _entry of open().list("d")) { /* nothing is there to be seen */ }
      });
    }
  });

  await step("tags and the project that pays arrive", async (open) => {
    await open({ tags: new Map([["team", "db"]]), userProject: "payer" }).write("f", noise(1));
    assertIncludes(proxy.requests[0]!.url, "userProject=payer");
    assertEquals([...fake.buckets.values()].at(-1)!.get("repo/f")!.metadata, { team: "db" });
  });
});

testWith(["openssl"], "GCS over TLS with an authority of one's own", async () => {
  await using folder = await TestFolder.make();
  const certificates = await makeCertificates(folder.path);
  await using fake = await GcsFake.start(certificates);
  await using plain = await GcsFake.start();
  const { access_token: token } = fake.giveToken();
  const open = (caFile?: string) =>
    openGcs(fake.config(fake.makeBucket(), "", {
      credentials: { type: "token", token },
      tls: { verify: true, caFile },
      network: { ioTimeoutMs: 2000, retryMs: 2000 },
    }));
  await using trusting = open(certificates.caFile);
  await trusting.write("f", noise(1000));
  assertEquals((await collect((await trusting.read("f"))!, 1e6)).length, 1000);
  await using suspicious = open(certificates.otherCaFile);
  const error = await assertThrows<WalferryError>(() => suspicious.write("f", noise(1)));
  assertEquals(error.kind, "Access");
  assertIncludes(error.text, "not trusted");
  assert(plain.port !== fake.port);
});
