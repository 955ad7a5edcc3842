/** Requests that are on their way at once, bounded by their bytes; and content cut into requests that are worth their cost. */
import type { ByteStream } from "../../src/stream/byte_stream.ts";

export class Flight {
  readonly #bytesMax: number;
  #bytes = 0;
  #requests = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Waits until so many bytes more may be sent. @throws what a request before has failed with */
  async room(bytes: number): Promise<void> {
    while (this.#requests > 0 && this.#bytes + bytes > this.#bytesMax) await this.#landing();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Counts a request until it is answered; it may fail, which shows at the next call of the others. */
  add(bytes: number, request: Promise<unknown>): void {
    this.#bytes += bytes;
    this.#requests++;
    const landed = () => {
      this.#bytes -= bytes;
      this.#requests--;
      this.#wake?.();
    };
    request.then(landed, (error) => {
      this.#failure ??= { error };
      landed();
    });
  }

  /** Waits until every request is answered, well or not. */
  async settled(): Promise<void> {
    while (this.#requests > 0) await this.#landing();
  }

  /** Waits until every request is answered. @throws what the first of them failed with */
  async finished(): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #landing(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }
}

/** Content below this is put together with what follows: a request costs the same whatever it carries. */
const GATHERED_BYTES = 64 * 1024;

/**
 * Cuts a stream into pieces of at most `maxBytes`, and puts small ones together.
 * @param beforeChunk hears how long the stream is with each chunk, and may throw
 */
export async function* pieces(
  source: ByteStream,
  maxBytes: number,
  beforeChunk: (totalBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const smallBytes = Math.min(GATHERED_BYTES, maxBytes);
  let gathered = new Uint8Array(smallBytes);
  let held = 0;
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    beforeChunk(total);
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + maxBytes);
      if (held > 0 && held + piece.length > smallBytes) {
        yield gathered.subarray(0, held);
        // What was handed over may still be on its way.
        gathered = new Uint8Array(smallBytes);
        held = 0;
      }
      if (piece.length < smallBytes) {
        gathered.set(piece, held);
        held += piece.length;
      } else yield piece;
      at += piece.length;
    }
  }
  if (held > 0) yield gathered.subarray(0, held);
}
