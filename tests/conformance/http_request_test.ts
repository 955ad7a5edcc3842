/** What every request to an object store keeps to: sent once, given up in time, and not given up while it goes on. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { makeAgent } from "../../backends/http_agents.ts";
import { answerText, type HttpRequest, sendHttpRequest } from "../../backends/http_request.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

type Send = (more: Partial<HttpRequest>) => ReturnType<typeof sendHttpRequest>;

/** Runs with a server; requests share the connections of one agent. */
async function withServer(
  answer: (request: IncomingMessage, response: ServerResponse, index: number) => void,
  run: (send: Send, seen: readonly string[]) => Promise<void>,
): Promise<void> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => answer(request, response, seen.push(`${request.method} ${request.url}`) - 1));
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const agent = makeAgent({ endpoint: `http://127.0.0.1:${port}`, tls: { verify: true } } as never, "127.0.0.1");
  const target = { protocol: "http:" as const, host: "127.0.0.1", port };
  try {
    await run(
      (more) =>
        sendHttpRequest({ target, agent, method: "PUT", path: "/", headers: { host: "x" }, silenceMs: 2000, ...more }),
      seen,
    );
  } finally {
    agent.destroy();
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    await closed.promise;
  }
}

for (const end of ["abort", "silence", "a cut"] as const) {
  Deno.test(`a request on a kept connection that ends by ${end} is not sent again behind one's back`, async () => {
    const arrived = Promise.withResolvers<void>();
    await withServer((request, response, index) => {
      if (index !== 1) return void response.end("ok");
      arrived.resolve();
      if (end === "a cut") request.socket.destroy();
    }, async (send, seen) => {
      await answerText(await send({ path: "/first" }));
      const stop = new AbortController();
      const sent = assertThrows(() =>
        send({
          path: "/second",
          body: new Uint8Array(100),
          signal: stop.signal,
          silenceMs: end === "silence" ? 200 : 2000,
        })
      );
      await arrived.promise;
      if (end === "abort") stop.abort(new Error("stop"));
      await sent;
      await answerText(await send({ path: "/third" }));
      assertEquals(seen, ["PUT /first", "PUT /second", "PUT /third"]);
    });
  });
}

Deno.test("connections are kept for the next request", async () => {
  const ports = new Set<number>();
  await withServer((request, response) => {
    ports.add(request.socket.remotePort!);
    response.end("ok");
  }, async (send) => {
    for (let index = 0; index < 5; index++) await answerText(await send({ body: "x" }));
    assertEquals(ports.size, 1);
  });
});

Deno.test("an answer whose content stays away ends in time", async () => {
  await withServer((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("a beginning");
  }, async (send) => {
    const answer = await send({ silenceMs: 200 });
    assertEquals((await assertThrows<Error & { code?: string }>(() => answerText(answer))).code, "ETIMEDOUT");
  });
});

Deno.test("content that takes longer than the silence allowed goes up, as long as it goes on", async () => {
  const size = 12 * 1024 * 1024;
  let received = 0;
  const server = createSocketServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (received >= size) return void socket.end("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");
      // Some 4 MB a second.
      socket.pause();
      setTimeout(() => socket.resume(), chunk.length / 4000);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const agent = makeAgent({ endpoint: `http://127.0.0.1:${port}`, tls: { verify: true } } as never, "127.0.0.1");
  const target = { protocol: "http:" as const, host: "127.0.0.1", port };
  const body = new Uint8Array(size);
  const answer = await sendHttpRequest({
    target,
    agent,
    method: "PUT",
    path: "/",
    headers: { host: "x" },
    body,
    silenceMs: 1500,
  });
  assertEquals(answer.status, 201);
  await answerText(answer);
  agent.destroy();
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
});
