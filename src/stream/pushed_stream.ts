/** A stream whose chunks are pushed into it: for a reader that pulls, such as a store, behind a writer that has chunks now and then. */
import type { ByteStream } from "./byte_stream.ts";

interface Offer {
  readonly result: IteratorResult<Uint8Array>;
  readonly taken: PromiseWithResolvers<void>;
}

/** Holds one chunk at most. One writer, one reader; each waits for the other. */
export class PushedStream implements ByteStream {
  #offer: Offer | undefined;
  #wanted: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined;
  /** The writer failed: the reader hears of it behind what was pushed. */
  #failure: { readonly error: unknown } | undefined;
  /** The reader has gone: the writer hears of it. */
  #closed: { readonly error: unknown } | undefined;
  #isEnded = false;

  /** Resolves when the reader has taken the chunk. @throws what {@link close} was given */
  push(chunk: Uint8Array): Promise<void> {
    return this.#give({ done: false, value: chunk });
  }

  /** Says that nothing more comes. @throws what {@link close} was given */
  async end(): Promise<void> {
    this.#isEnded = true;
    if (this.#wanted !== undefined) await this.#give({ done: true, value: undefined });
  }

  /** Makes the reader fail: what was pushed is not the whole. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#wanted?.reject(error);
    this.#wanted = undefined;
  }

  /** Makes the writer fail from here on: nobody reads any more. */
  close(error: unknown): void {
    this.#closed ??= { error };
    this.#offer?.taken.reject(error);
    this.#offer = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#take(),
      return: () => {
        this.close(new Error("the reader has left the stream"));
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #give(result: IteratorResult<Uint8Array>): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error);
    if (this.#wanted !== undefined) {
      this.#wanted.resolve(result);
      this.#wanted = undefined;
      return Promise.resolve();
    }
    this.#offer = { result, taken: Promise.withResolvers() };
    return this.#offer.taken.promise;
  }

  #take(): Promise<IteratorResult<Uint8Array>> {
    if (this.#offer !== undefined) {
      const { result, taken } = this.#offer;
      this.#offer = undefined;
      taken.resolve();
      return Promise.resolve(result);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    this.#wanted = Promise.withResolvers();
    return this.#wanted.promise;
  }
}
