/**
 * HTTP/1.1 for the content of objects, over a connection of the runtime's own: bytes are read straight into the reader's memory, which takes
 * less than half of the processor time of node's client and leaves nothing to be freed (docs/decisions/0023). It knows GET and answers with
 * a length; whatever else comes is left to the store's own client. Source: RFC 9112.
 */
import type { ConnectTarget } from "./http_agents.ts";
import { silenceError, socketError } from "./request_failure.ts";

/** Head of an answer at most. Bytes. */
const HEAD_BYTES_MAX = 64 * 1024;
/** What is read at once while the head has not come. Bytes. */
const READ_BYTES = 16 * 1024;
/** So long a connection may take to come about, in milliseconds, before it is left to a client that knows more ways to a host. */
const CONNECT_MS = 10_000;

/** Where a connection leads, and who must be there. */
export interface DirectTarget extends ConnectTarget {
  /** Name in the certificate. */
  readonly hostName: string;
  /** Authorities that are trusted besides the runtime's. */
  readonly authorities: readonly string[];
}

/** The head of an answer. */
export interface DirectHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes that follow; `undefined` where the answer does not say it in plain. */
  readonly sizeBytes: number | undefined;
}

/** The connection cannot be had or understood this way; another client may. */
export class NotDirect extends Error {}

/** One connection; one request after the other. */
export class DirectConnection implements Disposable {
  readonly #connection: Deno.Conn;
  /** Where heads are read to, and what comes with them. */
  readonly #memory = new Uint8Array(HEAD_BYTES_MAX);
  /** What came behind a head: a view of that memory. */
  #ahead: Uint8Array = new Uint8Array(0);
  #leftBytes = 0;
  #isKept = false;
  #isClosed = false;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /**
   * Connects, and proves who is there.
   * @throws NotDirect, whatever keeps from it; the signal's reason
   */
  static async open(target: DirectTarget, silenceMs: number, signal?: AbortSignal): Promise<DirectConnection> {
    const { host, port, protocol, hostName, authorities } = target;
    let connection: Deno.Conn | undefined;
    const connect = async () => {
      const plain = await Deno.connect({ hostname: host, port });
      connection = plain;
      if (protocol === "http:") return plain;
      const options = { hostname: hostName, caCerts: [...authorities], alpnProtocols: ["http/1.1"] };
      const secured = await Deno.startTls(plain, options);
      connection = secured;
      await secured.handshake();
      return secured;
    };
    const connecting = connect();
    try {
      return new DirectConnection(await within(connecting, Math.min(silenceMs, CONNECT_MS), signal));
    } catch (error) {
      // What comes of it later is nobody's.
      connecting.then((late) => late.close(), () => undefined);
      closeQuietly(connection);
      signal?.throwIfAborted();
      throw new NotDirect((error as Error).message, { cause: error });
    }
  }

  /**
   * Sends a GET and gives the head of its answer.
   * @param path path and query, encoded
   * @param headers `host` among them
   * @returns `undefined` when the connection ended before anything came: it was kept for too long
   * @throws NotDirect for an answer that is none; Error with a code of sockets; the signal's reason
   */
  async get(
    path: string,
    headers: Readonly<Record<string, string>>,
    silenceMs: number,
    signal?: AbortSignal,
  ): Promise<DirectHead | undefined> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const request = `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
    if (/[\r\n\0]/.test(path) || lines.some((line) => /[\r\n\0]/.test(line.slice(0, -2)))) {
      throw new NotDirect("a header with a line feed");
    }
    try {
      return await within(this.#ask(request), silenceMs, signal);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  async #ask(request: string): Promise<DirectHead | undefined> {
    const bytes = new TextEncoder().encode(request);
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
      return await this.#head();
    } catch (error) {
      // The other side closed it while it was kept, or while it answered: then another one is asked.
      if (isCut(error)) return undefined;
      throw error;
    }
  }

  async #head(): Promise<DirectHead | undefined> {
    const memory = this.#memory;
    let size = 0;
    for (;;) {
      const count = await this.#connection.read(memory.subarray(size, Math.min(size + READ_BYTES, memory.length)));
      if (count === null || count === 0) {
        if (size === 0) return undefined;
        throw socketError("ECONNRESET", "the connection ended within the head of an answer");
      }
      const from = Math.max(0, size - 3);
      size += count;
      const end = endOfHead(memory.subarray(from, size));
      if (end === -1) {
        if (size === memory.length) throw new NotDirect("the head of the answer is too long");
        continue;
      }
      const head = parseHead(new TextDecoder("latin1").decode(memory.subarray(0, from + end)));
      this.#ahead = memory.subarray(from + end, size);
      this.#leftBytes = head.sizeBytes ?? 0;
      this.#isKept = head.sizeBytes !== undefined && !/\bclose\b/i.test(head.headers.get("connection") ?? "");
      return head;
    }
  }

  /**
   * Reads content into memory of the reader's.
   * @returns how many bytes; `undefined` when all have come
   * @throws Error with the code `ECONNRESET` when it ends too early
   */
  async read(into: Uint8Array): Promise<number | undefined> {
    if (this.#leftBytes === 0) return undefined;
    const room = into.subarray(0, Math.min(into.length, this.#leftBytes));
    const count = this.#takeAhead(room) || await this.#receive(room);
    this.#leftBytes -= count;
    return count;
  }

  #takeAhead(room: Uint8Array): number {
    const taken = this.#ahead.subarray(0, room.length);
    room.set(taken);
    this.#ahead = this.#ahead.subarray(taken.length);
    return taken.length;
  }

  async #receive(room: Uint8Array): Promise<number> {
    try {
      const count = await this.#connection.read(room);
      if (count !== null && count > 0) return count;
    } catch (error) {
      if (!isCut(error)) throw error;
    }
    throw socketError("ECONNRESET", "the connection was closed");
  }

  /** Whether the next request may go this way: all content has come, and nothing else. */
  get isFree(): boolean {
    return !this.#isClosed && this.#isKept && this.#leftBytes === 0 && this.#ahead.length === 0;
  }

  /** Ends it, also for who waits for something to come. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeQuietly(this.#connection);
  }
}

/** Behind the empty line; -1 when it has not come. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = 3; at < bytes.length; at++) {
    if (bytes[at] === 10 && bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13) return at + 1;
  }
  return -1;
}

/** @throws NotDirect */
function parseHead(text: string): DirectHead {
  const [first = "", ...lines] = text.slice(0, -4).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]);
  // Interim answers have another one behind them; they come to who waits for leave to send content.
  if (!(status >= 200)) throw new NotDirect("the answer is not HTTP/1.1");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) throw new NotDirect("a header of the answer cannot be read");
    const key = name.toLowerCase();
    const before = headers.get(key);
    // Two lengths would let one side see an end where the other does not.
    if (before !== undefined && key === "content-length") throw new NotDirect("the answer has two lengths");
    headers.set(key, before === undefined ? value! : `${before}, ${value}`);
  }
  const length = headers.get("content-length") ?? "";
  const isPlain = /^\d{1,15}$/.test(length) && !headers.has("transfer-encoding") && !headers.has("content-encoding");
  return { status, headers, sizeBytes: isPlain ? Number(length) : undefined };
}

/** The result, unless it takes too long or the signal comes first: then the promise is left to itself. */
async function within<T>(work: Promise<T>, silenceMs: number, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(silenceError(silenceMs)), silenceMs);
  const onAbort = () => reject(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    work.catch(() => undefined);
  }
}

function isCut(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.NotConnected;
}

function closeQuietly(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch (error) {
    // It is closed already, or belongs to the one over TLS.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
