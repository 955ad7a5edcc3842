/** Content over connections of the runtime's own, from servers that answer in every way that there is, byte by byte as it is written here. */
import { DirectContent } from "../../backends/direct_content.ts";
import type { DirectTarget } from "../../backends/direct_connection.ts";
import type { ArrivalOptions } from "../../backends/object/arrivals.ts";
import { concatenate } from "../../src/stream/sources.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeCertificates } from "../support/certificates.ts";

/** Of tests in which nobody is silent. */
const SILENCE_MS = 20_000;
const SHORT_SILENCE_MS = 600;
const encoder = new TextEncoder();
const REQUEST = () =>
  Promise.resolve({ path: "/bucket/key?x-id=GetObject", headers: { host: "store", range: "bytes=0-" } });

/** What a server does with the connections that it gets, one function each. */
type Script = (connection: Deno.Conn, request: () => Promise<string>) => Promise<void>;

class ScriptedServer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #serving: Promise<void>;
  readonly requests: string[] = [];
  connections = 0;

  constructor(scripts: readonly Script[], tls?: { readonly cert: string; readonly key: string }) {
    this.#listener = tls === undefined
      ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
      : Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...tls });
    this.#serving = this.#serve(scripts);
  }

  async #serve(scripts: readonly Script[]): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      for await (const connection of this.#listener) {
        const script = scripts[this.connections++];
        running.push(script === undefined ? closed(connection) : this.#run(script, connection));
      }
    } catch (error) {
      // A handshake that fails ends the iteration.
      if (!(error instanceof Error)) throw error;
    }
    await Promise.all(running);
  }

  async #run(script: Script, connection: Deno.Conn): Promise<void> {
    const memory = new Uint8Array(65_536);
    const request = async () => {
      let text = "";
      while (!text.endsWith("\r\n\r\n")) {
        const count = await connection.read(memory);
        if (count === null) throw new Deno.errors.UnexpectedEof("the client left");
        text += new TextDecoder().decode(memory.subarray(0, count));
      }
      this.requests.push(text);
      return text;
    };
    try {
      await script(connection, request);
    } catch (error) {
      // The client ended the connection: that is its right.
      if (
        !(error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.BrokenPipe ||
          error instanceof Deno.errors.InvalidData ||
          error instanceof Deno.errors.ConnectionReset)
      ) throw error;
    } finally {
      await closed(connection);
    }
  }

  target(more: Partial<DirectTarget> = {}): DirectTarget {
    const { port } = this.#listener.addr as Deno.NetAddr;
    return { protocol: "http:", host: "127.0.0.1", port, hostName: "127.0.0.1", authorities: [], ...more };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}

function closed(connection: Deno.Conn): Promise<void> {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
  return Promise.resolve();
}

async function send(connection: Deno.Conn, ...pieces: (string | Uint8Array)[]): Promise<void> {
  for (const piece of pieces) {
    const bytes = typeof piece === "string" ? encoder.encode(piece) : piece;
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  }
}

const answers = (...pieces: (string | Uint8Array)[]): Script => async (connection, request) => {
  await request();
  await send(connection, ...pieces);
};

/** Never ends by itself: until the client leaves. */
async function stay(connection: Deno.Conn): Promise<void> {
  await connection.read(new Uint8Array(1));
}

const CONTENT = Uint8Array.from({ length: 700_001 }, (_, at) => at * 31 >> 3);
const OK = (length: number, more = "") => `HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: ${length}\r\n${more}\r\n`;

/** Takes a request and says nothing. */
const silent: Script = async (connection, request) => {
  await request();
  await stay(connection);
};

/** Sends some of what it promised. */
const half: Script = async (connection, request) => {
  await request();
  await send(connection, OK(10), "half");
  await stay(connection);
};

async function received(
  content: DirectContent,
  options: Partial<ArrivalOptions> = {},
): Promise<{ readonly bytes: Uint8Array; readonly pieces: number; readonly error: unknown }> {
  const answer = await content.get(REQUEST, options.signal);
  if (answer === undefined) throw new Error("the store's own client is to ask");
  const pieces: Uint8Array[] = [];
  let error: unknown;
  try {
    const all = { sizeBytes: answer.sizeBytes, silenceMs: SILENCE_MS, chunksPass: true, ...options };
    for await (const piece of answer.body.arrivals(all)) pieces.push(piece.slice());
  } catch (thrown) {
    error = thrown;
  }
  return {
    bytes: concatenate(pieces, pieces.reduce((sum, { length }) => sum + length, 0)),
    pieces: pieces.length,
    error,
  };
}

/** From the first byte on. */
const directTo = (target: DirectTarget, silenceMs = SILENCE_MS) => new DirectContent(() => target, silenceMs, 0);

const codeOf = (error: unknown) => (error as { readonly code?: string } | undefined)?.code;

Deno.test("direct content: comes whole, whatever the pieces on the line, and the connection serves the next request", async () => {
  const thrice: Script = async (connection, request) => {
    await request();
    await send(connection, OK(CONTENT.length), CONTENT);
    await request();
    // Head and content in one piece, and the head cut in its last line.
    await send(connection, concatenate([encoder.encode(OK(5)), encoder.encode("hello")], OK(5).length + 5));
    await request();
    const head = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 1-3/9\r\nCONTENT-LENGTH:3\r\n\r\n";
    for (const sign of head) await send(connection, sign);
    await send(connection, "abc");
    await request();
    await send(connection, OK(0));
    await stay(connection);
  };
  await using server = new ScriptedServer([thrice]);
  using content = directTo(server.target());
  const first = await received(content);
  assertEquals([first.bytes.toHex() === CONTENT.toHex(), first.pieces, first.error], [true, 3, undefined]);
  assertEquals(new TextDecoder().decode((await received(content)).bytes), "hello");
  const part = (await content.get(REQUEST))!;
  assertEquals([part.head.status, part.head.headers.get("content-range"), part.sizeBytes], [206, "bytes 1-3/9", 3]);
  // A reader that knows the length does not ask for the end.
  for await (const piece of part.body.arrivals({ sizeBytes: 3, silenceMs: SILENCE_MS, chunksPass: false })) {
    assertEquals(new TextDecoder().decode(piece), "abc");
    break;
  }
  assertEquals((await received(content)).bytes.length, 0);
  assertEquals(server.connections, 1);
  assertEquals(server.requests[0], "GET /bucket/key?x-id=GetObject HTTP/1.1\r\nhost: store\r\nrange: bytes=0-\r\n\r\n");
});

Deno.test("direct content: pieces are in memory of their own where they must be", async () => {
  await using server = new ScriptedServer([answers(OK(CONTENT.length), CONTENT)]);
  using content = directTo(server.target());
  const answer = (await content.get(REQUEST))!;
  const pieces: Uint8Array[] = [];
  const options = { sizeBytes: answer.sizeBytes, silenceMs: SILENCE_MS, chunksPass: false };
  for await (const piece of answer.body.arrivals(options)) pieces.push(piece);
  assertEquals(concatenate(pieces, CONTENT.length).toHex() === CONTENT.toHex(), true);
});

Deno.test("direct content: what is no content is left to the store's own client", async () => {
  const others = [
    "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\n\r\nabc",
  ];
  await using server = new ScriptedServer([...others.map((text) => answers(text)), answers(OK(2), "ok")]);
  using content = directTo(server.target());
  for (const text of others) assertEquals(await content.get(REQUEST), undefined, text);
  // Each ended its connection, and the way is still open.
  assertEquals(new TextDecoder().decode((await received(content)).bytes), "ok");
  assertEquals(server.connections, others.length + 1);
});

Deno.test("direct content: behind an answer that is none, or where nobody can be reached, this way is not gone again", async () => {
  const noAnswers = [
    "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
    "220 mail ready\r\n\r\n",
    `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n\r\n`,
  ];
  for (const text of noAnswers) {
    await using server = new ScriptedServer([answers(text), answers(OK(2), "ok")]);
    using content = directTo(server.target());
    assertEquals(await content.get(REQUEST), undefined, text.slice(0, 60));
    assertEquals(await content.get(REQUEST), undefined);
    assertEquals(server.connections, 1);
  }
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = gone.addr as Deno.NetAddr;
  gone.close();
  for (const host of ["127.0.0.1", "no-such-host.invalid"]) {
    using content = directTo({ protocol: "http:", host, port, hostName: host, authorities: [] });
    assertEquals(await content.get(REQUEST), undefined);
  }
});

Deno.test("direct content: nothing gets into a request that is not of it", async () => {
  await using server = new ScriptedServer([]);
  const headers: Record<string, string> = { range: "bytes=0-\r\nx: y" };
  for (const request of [{ path: "/a\r\nx: y", headers: {} }, { path: "/a", headers }]) {
    using content = directTo(server.target());
    assertEquals(await content.get(() => Promise.resolve(request)), undefined);
  }
  assertEquals(server.requests, []);
});

Deno.test("direct content: a kept connection that has ended meanwhile costs nothing", async () => {
  const once = (text: string): Script => async (connection, request) => {
    await request();
    await send(connection, OK(text.length), text);
  };
  await using server = new ScriptedServer([once("first"), once("second")]);
  using content = directTo(server.target());
  assertEquals(new TextDecoder().decode((await received(content)).bytes), "first");
  assertEquals(new TextDecoder().decode((await received(content)).bytes), "second");
  assertEquals(server.connections, 2);
});

Deno.test("direct content: a connection is not used again that has more than its content, is to be closed, or was left in the middle", async () => {
  const more: Script = async (connection, request) => {
    await request();
    await send(connection, `${OK(2)}ok and more`);
    await stay(connection);
  };
  await using server = new ScriptedServer([
    more,
    answers(OK(2, "Connection: close\r\n"), "ok"),
    async (connection, request) => {
      await request();
      await send(connection, OK(CONTENT.length), CONTENT.subarray(0, 300_000));
      await stay(connection);
    },
    answers(OK(2), "ok"),
  ]);
  using content = directTo(server.target());
  assertEquals((await received(content)).bytes.length, 2);
  assertEquals((await received(content)).bytes.length, 2);
  const left = (await content.get(REQUEST))!;
  for await (
    const _piece of left.body.arrivals({ sizeBytes: left.sizeBytes, silenceMs: SILENCE_MS, chunksPass: true })
  ) break;
  assertEquals((await received(content)).bytes.length, 2);
  assertEquals(server.connections, 4);
});

Deno.test("direct content: what came before a cut is given, and then the cut is told", async () => {
  await using server = new ScriptedServer([answers(OK(CONTENT.length), CONTENT.subarray(0, 300_000))]);
  using content = directTo(server.target());
  const { bytes, error } = await received(content);
  assertEquals(bytes.toHex() === CONTENT.subarray(0, 300_000).toHex(), true);
  assertEquals(codeOf(error), "ECONNRESET");
});

Deno.test("direct content: silence ends it, before the head and behind it, and a slow reader does not", async () => {
  await using server = new ScriptedServer([silent, half, answers(OK(600_000), CONTENT.subarray(0, 600_000))]);
  using content = directTo(server.target(), SHORT_SILENCE_MS);
  try {
    await content.get(REQUEST);
    assert(false, "it gave an answer");
  } catch (error) {
    assertEquals(codeOf(error), "ETIMEDOUT");
  }
  const { bytes, error } = await received(content, { silenceMs: SHORT_SILENCE_MS });
  assertEquals([new TextDecoder().decode(bytes), codeOf(error)], ["half", "ETIMEDOUT"]);
  const slow = (await content.get(REQUEST))!;
  let size = 0;
  for await (const piece of slow.body.arrivals({ sizeBytes: 600_000, silenceMs: SHORT_SILENCE_MS, chunksPass: true })) {
    size += piece.length;
    // Time passes: more than the silence that is allowed.
    const until = performance.now() + SHORT_SILENCE_MS * 1.2;
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, SHORT_SILENCE_MS / 4));
  }
  assertEquals(size, 600_000);
});

Deno.test("direct content: an abort is heard at once, before the head and behind it", async () => {
  const reason = new Error("stopped");
  await using server = new ScriptedServer([silent, half]);
  using content = directTo(server.target(), 60_000);
  for (const when of ["before the head", "behind it", "before the request"]) {
    const controller = new AbortController();
    if (when === "before the request") controller.abort(reason);
    else setTimeout(() => controller.abort(reason), 50);
    let error: unknown;
    try {
      ({ error } = await received(content, { signal: controller.signal, silenceMs: 60_000 }));
    } catch (thrown) {
      error = thrown;
    }
    assertEquals(error === reason, true, when);
  }
});

Deno.test("direct content: over TLS only from whom the certificate names and an authority vouches for", async () => {
  await using folder = await TestFolder.make();
  const certificates = await makeCertificates(folder.path);
  const [cert, key, authority] = await Promise.all(
    [certificates.certFile, certificates.keyFile, certificates.caFile].map((path) => Deno.readTextFile(path)),
  ) as [string, string, string];
  const secure = { protocol: "https:" as const, hostName: "localhost", authorities: [authority] };
  {
    await using server = new ScriptedServer([answers(OK(CONTENT.length), CONTENT)], { cert, key });
    using content = directTo(server.target(secure));
    assertEquals((await received(content)).bytes.toHex() === CONTENT.toHex(), true);
  }
  for (const wrong of [{ authorities: [] }, { hostName: "elsewhere.example" }]) {
    await using server = new ScriptedServer([answers(OK(2), "ok")], { cert, key });
    using content = directTo(server.target({ ...secure, ...wrong }));
    assertEquals(await content.get(REQUEST), undefined, JSON.stringify(wrong));
    assertEquals(server.requests, []);
  }
});

Deno.test("direct content: begins behind so much that came by the client, and asks only then where it leads", async () => {
  await using server = new ScriptedServer([answers(OK(2), "ok")]);
  let asked = 0;
  const targetOf = () => {
    asked++;
    return server.target();
  };
  using content = new DirectContent(targetOf, SILENCE_MS, 100);
  for (const bytes of [0, 60, 39]) {
    content.count(bytes);
    assertEquals([await content.get(REQUEST), asked], [undefined, 0]);
  }
  content.count(1);
  assertEquals(new TextDecoder().decode((await received(content)).bytes), "ok");
  assertEquals(asked, 1);
  using forbidden = new DirectContent(() => undefined, SILENCE_MS, 0);
  assertEquals(await forbidden.get(REQUEST), undefined);
});

Deno.test("direct content: who is done with a store ends also what was never read", async () => {
  const left = Promise.withResolvers<void>();
  await using server = new ScriptedServer([async (connection, request) => {
    await request();
    await send(connection, OK(10), "half");
    await stay(connection);
    left.resolve();
  }]);
  const content = directTo(server.target());
  assertEquals((await content.get(REQUEST))?.sizeBytes, 10);
  content[Symbol.dispose]();
  await left.promise;
  assertEquals(await content.get(REQUEST), undefined);
});
