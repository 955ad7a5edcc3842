/** Reading exact numbers of bytes from a stream, for formats that are read field by field. */
import type { ByteStream } from "./byte_stream.ts";

/** A stream with a cursor. Whoever makes one must close it. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #ended = false;
  #memory = new Uint8Array(0);

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /**
   * The next `count` bytes, fewer only at the end of the stream. The array may be a view of a chunk: where chunks pass, it is good only until
   * more is taken.
   */
  async take(count: number): Promise<Uint8Array> {
    return this.#takeWhole(count) ?? await this.#gather(new Uint8Array(count));
  }

  /** The same, but what it gives is the caller's only until he asks for more. */
  async takePassing(count: number): Promise<Uint8Array> {
    const whole = this.#takeWhole(count);
    if (whole !== undefined) return whole;
    if (this.#memory.length < count) this.#memory = new Uint8Array(count);
    return await this.#gather(this.#memory.subarray(0, count));
  }

  /** `undefined` where the chunk ends within. */
  #takeWhole(count: number): Uint8Array | undefined {
    if (this.#chunk.length - this.#at < count) return undefined;
    this.#at += count;
    return this.#chunk.subarray(this.#at - count, this.#at);
  }

  async #gather(bytes: Uint8Array): Promise<Uint8Array> {
    const count = bytes.length;
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
