/** SHA-1 over streams and over bytes at hand. */
import type { ByteStream, Filter } from "./byte_stream.ts";
import { sha1 } from "./sha1.ts";

/** SHA-1 of some bytes as 40 lower-case hex digits. */
export function sha1Hex(bytes: Uint8Array): string {
  return sha1().hexOf(bytes);
}

/** Passes every chunk on, and fails behind the last one when they are not what they should be. @throws the error given */
export function expectSha1(expected: string, otherwise: Error): Filter {
  return (source) => hashed(source, expected, otherwise);
}

async function* hashed(source: ByteStream, expected: string, otherwise: Error): AsyncGenerator<Uint8Array> {
  const meter = new Sha1Meter();
  yield* meter.through(source);
  if (meter.digestHex() !== expected) throw otherwise;
}

/** Counts what flows through its filter. One meter serves one stream. */
export class ByteMeter {
  #sizeBytes = 0;

  /** Passes every chunk on unchanged. */
  readonly through = (source: ByteStream): ByteStream => this.#measure(source);

  async *#measure(source: ByteStream): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#sizeBytes += chunk.length;
      yield chunk;
    }
  }

  /** Bytes that have passed so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }
}

/** Counts and hashes what flows through its filter. One meter serves one stream. */
export class Sha1Meter {
  readonly #hash = sha1().begin();
  #sizeBytes = 0;
  #digest: string | undefined;

  /** Passes every chunk on unchanged. */
  readonly through = (source: ByteStream): ByteStream => this.#measure(source);

  async *#measure(source: ByteStream): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.#sizeBytes += chunk.length;
      yield chunk;
    }
  }

  /** Bytes that have passed so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Hash of what has passed, 40 hex digits. The first call ends the measurement. */
  digestHex(): string {
    this.#digest ??= this.#hash.digestHex();
    return this.#digest;
  }
}
