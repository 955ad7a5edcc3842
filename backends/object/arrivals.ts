/**
 * Content as it arrives from a socket, in pieces that are worth the way through a pipeline: a connection over TLS gives 16 KiB at a time, and
 * every step of every reader would be done tens of thousands of times for a file of a gibibyte.
 */
import type { Readable } from "node:stream";
import { concatenate } from "../../src/stream/sources.ts";
import { silenceError, socketError } from "../request_failure.ts";

/** Bytes of a piece at most. */
export const PIECE_BYTES = 256 * 1024;

/** How content is taken. */
export interface ArrivalOptions {
  /** Bytes that are expected: no piece is larger. */
  readonly sizeBytes: number;
  /** Longest silence that is waited for, in milliseconds. Only waiting counts: a consumer may take its time. */
  readonly silenceMs: number;
  /** All pieces are in the same memory. */
  readonly chunksPass: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The content in pieces. What came before an error is given first.
 * @throws the stream's error; one with the code `ECONNRESET` when it was closed before its end, `ETIMEDOUT` when nothing came for too long; the
 * signal's reason
 */
export async function* arrivals(body: Readable, options: ArrivalOptions): AsyncGenerator<Uint8Array> {
  const pieceBytes = Math.max(1, Math.min(PIECE_BYTES, options.sizeBytes));
  const receiver = new Receiver(body, pieceBytes, options);
  try {
    for (;;) {
      const piece = await receiver.piece();
      if (piece === undefined) return;
      yield piece;
    }
  } finally {
    receiver.close();
  }
}

/** Takes what comes into the piece that is filled, and stops the stream while that is with the reader. */
class Receiver {
  readonly #body: Readable;
  readonly #options: ArrivalOptions;
  readonly #watch: ReturnType<typeof setInterval>;
  #piece: Uint8Array;
  #filled = 0;
  /** What did not fit. */
  #rest: Uint8Array = new Uint8Array(0);
  #over: { readonly failed: boolean; readonly error?: unknown } | undefined;
  #received = 0;
  #wake: () => void = () => undefined;
  /** When the reader began to wait, or something came while it waits. `undefined` while nobody waits. */
  #sinceMs: number | undefined;

  constructor(body: Readable, pieceBytes: number, options: ArrivalOptions) {
    this.#body = body;
    this.#options = options;
    this.#piece = new Uint8Array(pieceBytes);
    this.#watch = setInterval(() => this.#look(), Math.max(1, options.silenceMs / 8));
    body.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onError).on("close", this.#onClose);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#onAbort();
    // It may have broken before anybody read.
    if (body.errored) this.#onError(body.errored);
    else if (body.readableEnded) this.#onEnd();
    else if (body.destroyed) this.#onClose();
  }

  /** The next piece, full but for the last one; `undefined` at the end. */
  async piece(): Promise<Uint8Array | undefined> {
    this.#begin();
    while (this.#filled < this.#piece.length && this.#over === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#sinceMs = performance.now();
      this.#body.resume();
      await promise;
      this.#sinceMs = undefined;
    }
    if (this.#filled > 0) return this.#piece.subarray(0, this.#filled);
    if (this.#over?.failed) throw this.#over.error;
    return undefined;
  }

  /** Makes room, and takes what did not fit before. */
  #begin(): void {
    if (this.#filled > 0 && !this.#options.chunksPass) this.#piece = new Uint8Array(this.#piece.length);
    this.#filled = 0;
    const rest = this.#rest;
    this.#rest = rest.subarray(rest.length);
    this.#take(rest);
  }

  #take(chunk: Uint8Array): void {
    const count = Math.min(chunk.length, this.#piece.length - this.#filled);
    this.#piece.set(count === chunk.length ? chunk : chunk.subarray(0, count), this.#filled);
    this.#filled += count;
    if (count < chunk.length) this.#rest = chunk.subarray(count);
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#received += chunk.length;
    if (this.#sinceMs !== undefined) this.#sinceMs = performance.now();
    // Once it is stopped the stream may still give what it was about to.
    if (this.#rest.length > 0) this.#rest = concatenate([this.#rest, chunk], this.#rest.length + chunk.length);
    else this.#take(chunk);
    if (this.#filled < this.#piece.length) return;
    this.#body.pause();
    this.#wake();
  };

  readonly #onEnd = (): void => this.#end({ failed: false });

  readonly #onError = (error: unknown): void => this.#end({ failed: true, error });

  readonly #onClose = (): void =>
    this.#end({
      failed: true,
      error: socketError("ECONNRESET", "the connection was closed"),
    });

  readonly #onAbort = (): void => this.#end({ failed: true, error: this.#options.signal!.reason });

  #look(): void {
    const { silenceMs } = this.#options;
    if (this.#sinceMs === undefined || performance.now() - this.#sinceMs < silenceMs) return;
    this.#end({
      failed: true,
      error: silenceError(silenceMs),
    });
  }

  /** The first word on how it ended counts. */
  #end(over: { readonly failed: boolean; readonly error?: unknown }): void {
    this.#over ??= over;
    this.#wake();
  }

  /** Ends the connection when not everything came. */
  close(): void {
    clearInterval(this.#watch);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    const body = this.#body;
    body.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onClose);
    // The listener for errors stays: what comes of the end of the connection is nobody's concern.
    const isComplete = this.#over === undefined ? this.#received === this.#options.sizeBytes : !this.#over.failed;
    // A reader that knows the length does not ask for the end; the connection serves the next one when it has passed.
    if (isComplete) body.resume();
    else body.destroy();
  }
}
