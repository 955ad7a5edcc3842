/** Azure when things go wrong: Azurite behind a proxy that makes trouble, and a configuration that is not right. */
import { openAzure } from "../../backends/azure.ts";
import type { AzureStorageConfig } from "../../backends/config.ts";
import type { Storage } from "../../backends/contract.ts";
import type { ErrorKind, WalferryError } from "../../src/errors.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { Azurite, AZURITE_PROGRAMS } from "../support/azurite.ts";
import { makeCertificates } from "../support/certificates.ts";
import { type Fault, FaultProxy } from "../support/fault_proxy.ts";
import { freePorts } from "../support/free_port.ts";
import { inChunks, noise } from "../support/noise.ts";
import { testWith } from "../support/requirements.ts";

const MIB = 1024 * 1024;

testWith([...AZURITE_PROGRAMS, "openssl"], "Azure in trouble", async (test) => {
  await using server = await Azurite.start();
  await using proxy = await FaultProxy.start(server.port);
  const secrets = [server.key];

  const step = (
    name: string,
    run: (open: (more?: Partial<AzureStorageConfig>) => Storage, container: string) => Promise<void>,
  ) =>
    test.step(name, async () => {
      const container = await server.makeContainer();
      const opened: Storage[] = [];
      proxy.plan = () => undefined;
      proxy.requests.length = 0;
      try {
        await run((more = {}) => {
          const storage = openAzure(server.config(container, {
            endpoint: `http://127.0.0.1:${proxy.port}`,
            network: { ioTimeoutMs: 1000, retryMs: 5000 },
            ...more,
          }));
          opened.push(storage);
          return storage;
        }, container);
      } finally {
        for (const storage of opened) await storage[Symbol.asyncDispose]();
      }
    });
  const sha1Of = async (storage: Storage, path: string) => sha1Hex(await collect((await storage.read(path))!, 1e9));
  const refused = async (kind: ErrorKind, parts: ReadonlyArray<string | RegExp>, action: () => Promise<unknown>) => {
    const startMs = performance.now();
    const error = await assertThrows<WalferryError>(action);
    assertEquals(error.kind, kind, error.text);
    for (const part of parts) assertIncludes(error.text, part);
    for (const secret of secrets) assertEquals(error.text.includes(secret), false, "a secret is in the message");
    assertEquals(error.message.split("\n").length, 1);
    assert(performance.now() - startMs < 4000, "a lasting error was waited for");
  };

  await step("a segment is one PUT of known length", async (open) => {
    await open().write("segment", noise(16 * MIB));
    assertEquals(proxy.requests.map(({ method, bytes }) => [method, bytes]), [["PUT", 16 * MIB]]);
  });

  for (
    const [what, method, fault] of [
      ["503", "PUT", { kind: "answer", status: 503 }],
      ["a lost answer", "PUT", { kind: "lose answer" }],
      ["a cut on the way up", "PUT", { kind: "cut request", afterBytes: 300_000 }],
      ["a stalled answer", "PUT", { kind: "stall" }],
      ["a cut on the way down", "GET", { kind: "cut answer", afterBytes: 700_000 }],
      ["a 500 to a read", "GET", { kind: "answer", status: 500 }],
    ] as ReadonlyArray<readonly [string, string, Fault]>
  ) {
    await step(`${what}: the same request again, and the content is right`, async (open) => {
      const storage = open();
      const bytes = noise(MIB + 1);
      let left = 1;
      proxy.plan = (request) => request.method === method && left-- > 0 ? fault : undefined;
      await storage.write("f", bytes);
      assertEquals(await sha1Of(storage, "f"), sha1Hex(bytes));
    });
  }

  await step(
    "blocks: any of them and the list may lose its answer; what is not committed is not seen",
    async (open) => {
      const storage = open();
      const bytes = noise(21 * MIB);
      const lost = new Set<string>();
      proxy.plan = ({ url }) => {
        const kind = url.includes("comp=blocklist") ? "list" : url.includes("comp=block&") ? "block" : "";
        if (kind === "" || lost.has(kind)) return undefined;
        lost.add(kind);
        return { kind: "lose answer" };
      };
      await storage.write("f", inChunks(bytes));
      assertEquals([...lost].sort(), ["block", "list"]);
      assertEquals(await sha1Of(storage, "f"), sha1Hex(bytes));
      const failing = async function* () {
        yield* inChunks(bytes);
        throw new Error("the source broke");
      };
      await assertThrows(() => storage.write("broken", failing()));
      assertEquals(await storage.info("broken"), undefined);
      for await (const { name } of storage.list("")) assertEquals(name, "f");
    },
  );

  await step("a content that was replaced while it is read is told", async (open) => {
    const storage = open();
    await storage.write("f", noise(3 * MIB));
    let left = 1;
    proxy.plan = ({ method }) =>
      method === "GET" && left-- > 0 ? { kind: "cut answer", afterBytes: 1_000_000 } : undefined;
    const stream = (await storage.read("f"))!;
    await storage.write("f", noise(3 * MIB));
    const error = await assertThrows<WalferryError>(() => collect(stream, 1e9));
    assertIncludes(error.text, "replaced while it was read");
  });

  await step("SAS: what it allows works, what it does not is told, its signature never", async (open, container) => {
    const sas = async (permissions: string, expires?: Date) => {
      const token = await server.sas(container, permissions, expires);
      secrets.push(new URLSearchParams(token).get("sig")!, encodeURIComponent(new URLSearchParams(token).get("sig")!));
      return open({ credentials: { type: "sas", token } });
    };
    const all = await sas("racwdl");
    await all.write("f", noise(100));
    assertEquals((await all.info("f"))?.sizeBytes, 100);
    await all.removeMany(["f", "g", "h"]);
    assertEquals(await all.info("f"), undefined);
    const reading = await sas("rl");
    await refused(
      "Access",
      ["AuthorizationPermissionMismatch", "it needs read, add"],
      () => reading.write("f", noise(1)),
    );
    const expired = await sas("racwdl", new Date(Date.now() - 60_000));
    await refused("Access", ["HTTP 403", /SAS token/], () => expired.write("f", noise(1)));
  });

  await step("wrong key, account, container and place: one line each, at once", async (open) => {
    const wrong = btoa("another key");
    secrets.push(wrong);
    await refused(
      "Access",
      ["AuthorizationFailure"],
      () => open({ credentials: { type: "shared", key: wrong } }).write("f", noise(1)),
    );
    await refused(
      "FileWrite",
      ["ContainerNotFound (HTTP 404)", "check repo-azure-container"],
      () => open({ container: "not-there" }).write("f", noise(1)),
    );
    await refused("FileInfo", ["HTTP 404"], () => open({ container: "not-there" }).info("f"));
    await refused(
      "HostConnect",
      ["nothing listens"],
      () =>
        open({ endpoint: `http://127.0.0.1:${freePorts(1)}`, network: { ioTimeoutMs: 300, retryMs: 300 } }).info("f"),
    );
    const error = await assertThrows<WalferryError>(() =>
      open({ credentials: { type: "shared", key: "not base64!" } })
    );
    assertIncludes(error.text, "repo-azure-key");
  });

  await step("TLS: an authority that nobody knows", async () => {
    await using folder = await TestFolder.make();
    const certificates = await makeCertificates(folder.path);
    await using secure = await Azurite.start(certificates);
    const container = await secure.makeContainer();
    for (const caFile of [undefined, certificates.otherCaFile]) {
      await using storage = openAzure(secure.config(container, { tls: { verify: true, caFile } }));
      await refused("Access", ["not trusted"], () => storage.write("f", noise(1)));
    }
  });

  await step("answers of something in between are not believed", async (open) => {
    for (const body of ["<html>log in to the hotel's network</html>", "{}"]) {
      proxy.plan = () => ({ kind: "answer", status: 200, body });
      await refused("Protocol", [], async () => {
        for await (const _entry of open().list("d")) { /* nothing is there to be seen */ }
      });
    }
  });

  await step("tags arrive", async (open) => {
    await open({ tags: new Map([["team", "db+co"]]) }).write("f", noise(1));
    assertEquals(proxy.requests[0]!.headers["x-ms-tags"], "team=db%2Bco");
  });
});
