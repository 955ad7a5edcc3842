/** The storage contract over Azure: shared key over plain HTTP and over TLS; then what only Azure has. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { openAzure } from "../../backends/azure.ts";
import { makeClient } from "../../backends/azure/client.ts";
import type { AzureStorageConfig } from "../../backends/config.ts";
import type { Storage } from "../../backends/contract.ts";
import type { WalferryError } from "../../src/errors.ts";
import { collect } from "../../src/stream/sources.ts";
import { TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { Azurite, AZURITE_PROGRAMS } from "../support/azurite.ts";
import { makeCertificates } from "../support/certificates.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { inChunks, noise } from "../support/noise.ts";
import { skipTest, whySkipped } from "../support/requirements.ts";
import { storageSuite } from "./storage_suite.ts";

/** Goes up in several blocks. */
const LONG = 9 * 1024 * 1024;

async function names(storage: Storage, path: string, recurse = false): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of storage.list(path, { recurse })) found.push(name);
  return found.sort();
}

/** A token whose claims are those that Azure gives to a managed identity. */
function bearerToken(endMs: number): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    aud: "https://storage.azure.com",
    iss: "https://sts.windows.net/tests/",
    iat: now - 10,
    nbf: now - 10,
  };
  const part = (value: unknown) =>
    btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
  return `${part({ alg: "none", typ: "JWT" })}.${part({ ...claims, exp: Math.floor(endMs / 1000) })}.${
    part("signature")
  }`;
}

const reason = whySkipped(AZURITE_PROGRAMS);
if (reason !== undefined) skipTest("azure", reason);
else {
  let folder: TestFolder;
  const servers: Azurite[] = [];
  Deno.test.beforeAll(async () => {
    folder = await TestFolder.make();
    servers.push(await Azurite.start(), await Azurite.start(await makeCertificates(folder.path)));
  });
  Deno.test.afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  for (const [index, name] of ["azure", "azure over TLS"].entries()) {
    storageSuite(name, async () => {
      const server = servers[index]!;
      const storage = openAzure(server.config(await server.makeContainer()));
      return { storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
    });
  }

  /** Registers a test with a store behind a proxy that can make trouble. */
  const behindProxy = (name: string, run: (storage: Storage, proxy: FaultProxy, container: string) => Promise<void>) =>
    Deno.test(`azure: ${name}`, async () => {
      const server = servers[0]!;
      await using proxy = await FaultProxy.start(server.port);
      const container = await server.makeContainer();
      await using storage = openAzure(server.config(container, {
        endpoint: `http://127.0.0.1:${proxy.port}`,
        network: { ioTimeoutMs: 1000, retryMs: 5000 },
      }));
      await run(storage, proxy, container);
    });

  for (
    const [what, part, left] of [
      // What the store says of one blob is believed (here it is not true); what it says nothing of is removed singly.
      ["refused as a whole", "\r\nHTTP/1.1 503 Server Busy\r\nx-ms-error-code: ServerBusy\r\n\r\n", []],
      ["answered for its first blob only", "Content-ID: 0\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", ["a"]],
    ] as const
  ) {
    behindProxy(`a batch that is ${what}: no other blob counts as removed`, async (storage, proxy) => {
      for (const name of ["a", "b", "c"]) await storage.write(name, noise(1));
      proxy.plan = ({ url }) =>
        url.includes("comp=batch")
          ? {
            kind: "answer",
            status: 202,
            headers: { "content-type": "multipart/mixed; boundary=b" },
            body: `--b\r\nContent-Type: application/http\r\n${part}\r\n--b--`,
          }
          : undefined;
      await storage.removeMany(["a", "b", "c"]);
      assertEquals(await names(storage, ""), [...left]);
    });
  }

  behindProxy("a 404 that is not Azure's own is no proof of absence", async (storage, proxy) => {
    await storage.write("f", noise(1));
    for (const body of ["<html>no such page</html>", '{"code":"other"}', ""]) {
      proxy.plan = () => ({ kind: "answer", status: 404, body });
      for (const ask of [() => storage.read("f"), () => storage.info("f")]) {
        assertIncludes((await assertThrows<WalferryError>(ask)).text, "HTTP 404");
      }
    }
  });

  behindProxy("a conditional upload whose last answer is lost has succeeded", async (storage, proxy) => {
    let left = 1;
    proxy.plan = ({ url }) => url.includes("comp=blocklist") && left-- > 0 ? { kind: "lose answer" } : undefined;
    await storage.write("f", inChunks(noise(LONG)), { ifAbsent: true });
    assertEquals((await storage.info("f"))?.sizeBytes, LONG);
    const error = await assertThrows<WalferryError>(() =>
      storage.write("f", inChunks(noise(LONG)), { ifAbsent: true })
    );
    assertEquals(error.kind, "FileExists", "somebody else's blocks are somebody else's");
  });

  behindProxy(
    "what pgBackRest left unfinished under a name stands in nobody's way",
    async (storage, _proxy, container) => {
      const { container: client, agent } = makeClient(servers[0]!.config(container));
      const blob = client.getBlockBlobClient("repo/f");
      const stage = (id: string) => blob.stageBlock(id, noise(10), 10);
      await stage("0123456789ABCDEFx0000000");
      await storage.write("f", inChunks(noise(LONG)));
      assertEquals((await storage.info("f"))?.sizeBytes, LONG);
      // Another program's ids may be of another length: then the message says what to do.
      await client.getBlockBlobClient("repo/g").stageBlock(btoa("short"), noise(10), 10);
      const error = await assertThrows<WalferryError>(() => storage.write("g", inChunks(noise(LONG))));
      assertIncludes(error.text, "unfinished upload of another program");
      agent.destroy();
    },
  );

  Deno.test("azure: odd names come back from listings of the whole container, and go in a batch", async () => {
    const server = servers[0]!;
    await using storage = openAzure(server.config(await server.makeContainer(), { path: "/" }));
    const odd = [" lead", "trail ", "a  b", "<x>&amp;", "000", "1e5", "0x10", "true", "50%", "a%2Fb", "a+b", "#h?q&x"]
      .concat(["quote'\"", "tab\tx", "ümlaut-日本", "e\u0301", "\u{1F600}", "colon:", "trail."]).sort();
    for (const name of odd) await storage.write(name, noise(3));
    assertEquals(await names(storage, ""), odd);
    assertEquals(await names(storage, "", true), odd);
    await storage.removeMany(odd);
    assertEquals(await names(storage, ""), []);
  });

  Deno.test("azure: the account may be part of the host name, and the connection may go elsewhere", async () => {
    const server = servers[0]!;
    await using storage = openAzure(server.config(await server.makeContainer(), {
      endpoint: `http://blob.localhost:${server.port}`,
      uriStyle: "host",
      connect: { host: "127.0.0.1", port: server.port },
    }));
    await storage.write("d/long", inChunks(noise(LONG)));
    await storage.write("d/short", noise(3));
    assertEquals(await names(storage, "d"), ["long", "short"]);
    await storage.removeMany(["d/long", "d/short"]);
    assertEquals(await names(storage, "d"), []);
  });

  Deno.test("azure: a managed identity's token opens everything, batches too, and is asked for once", async () => {
    const endMs = Date.now() + 3_600_000;
    let asked = 0;
    const metadata = createServer((_request, response) => {
      asked++;
      response.end(JSON.stringify({ access_token: bearerToken(endMs), expires_on: String(Math.floor(endMs / 1000)) }));
    });
    const listening = Promise.withResolvers<void>();
    metadata.listen(0, "127.0.0.1", listening.resolve);
    await listening.promise;
    const server = servers[1]!;
    const credentials: AzureStorageConfig["credentials"] = {
      type: "auto",
      metadataUrl: `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`,
    };
    try {
      await using storage = openAzure(server.config(await server.makeContainer(), { credentials }));
      await storage.write("long", inChunks(noise(LONG)));
      await storage.write("short", noise(3));
      assertEquals((await collect((await storage.read("long"))!, LONG)).length, LONG);
      assertEquals(await names(storage, ""), ["long", "short"]);
      await storage.removeMany(["long", "short"]);
      assertEquals(await names(storage, ""), []);
      assertEquals(asked, 1);
    } finally {
      const closed = Promise.withResolvers<void>();
      metadata.close(() => closed.resolve());
      metadata.closeAllConnections();
      await closed.promise;
    }
  });

  for (const protocol of ["http", "https"]) {
    Deno.test(`azure: a server that accepts and never answers ends in time (${protocol})`, async () => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const taken: Deno.Conn[] = [];
      const accepting = (async () => {
        for await (const connection of listener) taken.push(connection);
      })();
      const startMs = performance.now();
      try {
        await using storage = openAzure(servers[0]!.config("nobody", {
          endpoint: `${protocol}://127.0.0.1:${listener.addr.port}`,
          tls: { verify: true },
          network: { ioTimeoutMs: 300, retryMs: 700 },
        }));
        const error = await assertThrows<WalferryError>(() => storage.info("f"));
        assertEquals(error.kind, "HostConnect", error.text);
        assertEquals(performance.now() - startMs < 5000, true);
      } finally {
        listener.close();
        await accepting;
        for (const connection of taken) connection.close();
      }
    });
  }
}
