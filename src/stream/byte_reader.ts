/** Reading exact numbers of bytes from a stream, for formats that are read field by field. */
import type { ByteStream } from "./byte_stream.ts";

/** A stream with a cursor. Whoever makes one must close it. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #ended = false;

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, fewer only at the end of the stream. The array may be a view of a chunk. */
  async take(count: number): Promise<Uint8Array> {
    if (this.#chunk.length - this.#at >= count) {
      this.#at += count;
      return this.#chunk.subarray(this.#at - count, this.#at);
    }
    const bytes = new Uint8Array(count);
    let size = 0;
    while (size < count && await this.#fill()) {
      const piece = this.#chunk.subarray(this.#at, this.#at + count - size);
      bytes.set(piece, size);
      size += piece.length;
      this.#at += piece.length;
    }
    return size === count ? bytes : bytes.subarray(0, size);
  }

  async #fill(): Promise<boolean> {
    while (this.#at >= this.#chunk.length && !this.#ended) {
      const next = await this.#source.next();
      if (next.done) this.#ended = true;
      else {
        this.#chunk = next.value;
        this.#at = 0;
      }
    }
    return this.#at < this.#chunk.length;
  }

  /** Closes the source. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
