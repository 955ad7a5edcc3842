/** Content of objects over connections of the runtime's own, which are kept for the next request. */
import { memoryForReading } from "../src/stream/aligned_memory.ts";
import { DirectConnection, type DirectHead, type DirectTarget, NotDirect } from "./direct_connection.ts";
import { type ArrivalOptions, PIECE_BYTES } from "./object/arrivals.ts";
import { silenceError, socketError } from "./request_failure.ts";

/** Connections that wait for a request at most. */
const KEPT_MAX = 16;
/**
 * The first connection costs as much processor time (30 ms) as it saves with so much content. In worker threads, which read and ask for nothing
 * else, it saves that of the client.
 */
const FROM_BYTES = "WorkerGlobalScope" in globalThis ? 0 : 32 * 1024 * 1024;

/** An answer whose content is on its way. */
export interface DirectAnswer {
  readonly head: DirectHead;
  readonly sizeBytes: number;
  readonly body: DirectBody;
}

/** The content of one answer. Whoever does not read it ends it. */
export class DirectBody {
  readonly #connection: DirectConnection;
  readonly #release: (connection: DirectConnection) => void;

  constructor(connection: DirectConnection, release: (connection: DirectConnection) => void) {
    this.#connection = connection;
    this.#release = release;
  }

  /**
   * The content in pieces. What came before an error is given first.
   * @throws Error with the code `ECONNRESET` when it ends before its end, `ETIMEDOUT` when nothing came for too long; the signal's reason
   */
  async *arrivals({ sizeBytes, silenceMs, chunksPass, signal }: ArrivalOptions): AsyncGenerator<Uint8Array> {
    const pieceBytes = Math.max(1, Math.min(PIECE_BYTES, sizeBytes));
    let reason: { readonly error: unknown } | undefined;
    const end = (error: unknown) => {
      reason ??= { error };
      this.#connection[Symbol.dispose]();
    };
    /** Only waiting counts: a reader may take its time. */
    let sinceMs: number | undefined;
    const watch = setInterval(() => {
      if (sinceMs === undefined || performance.now() - sinceMs < silenceMs) return;
      end(silenceError(silenceMs));
    }, Math.max(1, silenceMs / 8));
    const onAbort = () => end(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      let piece = memoryForReading(pieceBytes);
      for (;;) {
        let filled = 0;
        let count: number | undefined = 0;
        let failure: { readonly error: unknown } | undefined;
        while (filled < piece.length && count !== undefined && failure === undefined) {
          sinceMs = performance.now();
          try {
            count = await this.#connection.read(piece.subarray(filled));
            filled += count ?? 0;
          } catch (error) {
            failure = reason ?? { error };
          }
          sinceMs = undefined;
        }
        if (filled > 0) yield piece.subarray(0, filled);
        if (failure !== undefined) throw failure.error;
        if (count === undefined) return;
        if (!chunksPass) piece = memoryForReading(pieceBytes);
      }
    } finally {
      clearInterval(watch);
      signal?.removeEventListener("abort", onAbort);
      this.#release(this.#connection);
    }
  }

  /** Ends the connection. */
  destroy(): void {
    this.#connection[Symbol.dispose]();
    this.#release(this.#connection);
  }
}

/** Path, query and headers of a request. */
export interface DirectRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The quicker way to the content of a store. What it does not give is asked for by the store's own client. */
export class DirectContent implements Disposable {
  readonly #targetOf: () => DirectTarget | undefined;
  /** `undefined` = not asked for yet. */
  #target: DirectTarget | undefined;
  readonly #silenceMs: number;
  readonly #fromBytes: number;
  /** Content that came by the store's own client. */
  #clientBytes = 0;
  /** Wait for a request. */
  readonly #kept: DirectConnection[] = [];
  readonly #all = new Set<DirectConnection>();
  #isClosed = false;
  /** The other side is not to be had this way. */
  #isUnfit = false;

  /**
   * @param targetOf where it leads; asked once it is worth it, `undefined` where this way must not be gone
   * @param fromBytes content that comes by the client before
   */
  constructor(targetOf: () => DirectTarget | undefined, silenceMs: number, fromBytes = FROM_BYTES) {
    this.#targetOf = targetOf;
    this.#silenceMs = silenceMs;
    this.#fromBytes = fromBytes;
  }

  /** The store's own client was given so much. */
  count(clientBytes: number): void {
    this.#clientBytes += clientBytes;
  }

  /**
   * Asks for content.
   * @param sign gives path, query and headers of the request; asked for each try
   * @returns `undefined` when the store's own client is to ask: the answer is no content, or the connection cannot be had this way
   * @throws Error with a code of sockets; WalferryError of the authorities; the signal's reason
   */
  async get(sign: () => Promise<DirectRequest>, signal?: AbortSignal): Promise<DirectAnswer | undefined> {
    if (this.#isUnfit || this.#isClosed || this.#clientBytes < this.#fromBytes) return undefined;
    const target = this.#target ??= this.#targetOf();
    if (target === undefined) {
      this.#isUnfit = true;
      return undefined;
    }
    try {
      for (let kept = this.#kept.pop(); kept !== undefined; kept = this.#kept.pop()) {
        const head = await this.#ask(kept, sign, signal);
        if (head !== undefined) return this.#answerOf(kept, head);
        this.#end(kept);
      }
      const connection = await DirectConnection.open(target, this.#silenceMs, signal);
      this.#all.add(connection);
      const head = await this.#ask(connection, sign, signal);
      if (head !== undefined) return this.#answerOf(connection, head);
      this.#end(connection);
      throw socketError("ECONNRESET", "the connection was closed");
    } catch (error) {
      if (!(error instanceof NotDirect)) throw error;
      this.#isUnfit = true;
      return undefined;
    }
  }

  async #ask(
    connection: DirectConnection,
    sign: () => Promise<DirectRequest>,
    signal: AbortSignal | undefined,
  ): Promise<DirectHead | undefined> {
    try {
      const { path, headers } = await sign();
      return await connection.get(path, headers, this.#silenceMs, signal);
    } catch (error) {
      this.#end(connection);
      throw error;
    }
  }

  #answerOf(connection: DirectConnection, head: DirectHead): DirectAnswer | undefined {
    const { status, sizeBytes } = head;
    if ((status === 200 || status === 206) && sizeBytes !== undefined) {
      return { head, sizeBytes, body: new DirectBody(connection, (one) => this.#release(one)) };
    }
    this.#end(connection);
    return undefined;
  }

  #release(connection: DirectConnection): void {
    if (connection.isFree && !this.#isClosed && this.#kept.length < KEPT_MAX) this.#kept.push(connection);
    else this.#end(connection);
  }

  #end(connection: DirectConnection): void {
    this.#all.delete(connection);
    connection[Symbol.dispose]();
  }

  /** Ends all connections, also those whose content nobody has read to its end. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#kept.length = 0;
    for (const connection of this.#all) connection[Symbol.dispose]();
    this.#all.clear();
  }
}
