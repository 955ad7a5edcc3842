/** One stream cut into parts, one behind the other, without ever holding more than a chunk. */
import type { ByteStream } from "./byte_stream.ts";

/** Disposing closes the stream. */
export class PartReader implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at: number;
  /** Where the current part ends. */
  #end = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param at offset of the stream's first byte */
  constructor(stream: ByteStream, at: number) {
    this.#source = stream[Symbol.asyncIterator]();
    this.#at = at;
  }

  /** What reading the stream failed with, as opposed to what its readers made of it. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Passes over everything in front of an offset. */
  async skipTo(offset: number): Promise<void> {
    while (this.#at < offset && await this.#fill()) this.#take(offset - this.#at);
  }

  /** The next bytes; leaving the iteration early leaves the rest to {@link finishPart}. */
  async *part(lengthBytes = Infinity): AsyncGenerator<Uint8Array> {
    this.#end = this.#at + lengthBytes;
    while (this.#at < this.#end && await this.#fill()) yield this.#take(this.#end - this.#at);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Passes over what is left of the part; gives the number of bytes. */
  async finishPart(): Promise<number> {
    const from = this.#at;
    while (this.#at < this.#end && await this.#fill()) this.#take(this.#end - this.#at);
    return this.#at - from;
  }

  #take(most: number): Uint8Array {
    const piece = this.#chunk.subarray(0, Math.min(most, this.#chunk.length));
    this.#chunk = this.#chunk.subarray(piece.length);
    this.#at += piece.length;
    return piece;
  }

  /** @returns whether there is a byte */
  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0 && this.#failure === undefined) {
      try {
        const next = await this.#source.next();
        if (next.done) return false;
        this.#chunk = next.value;
      } catch (error) {
        this.#failure = { error };
      }
    }
    return this.#chunk.length > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }
}
