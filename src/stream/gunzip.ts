/** gz by the runtime's web stream: for what is small and alone of its kind, since node:zlib, which is quicker with much, takes longer to load. */
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";

/**
 * The content of one gzip member.
 * @throws WalferryError `Format` when it is damaged, ends early or is something else; those of the source as they are
 */
export async function* gunzip(source: ByteStream): AsyncGenerator<Uint8Array> {
  const stored = ReadableStream.from(source as AsyncIterable<Uint8Array<ArrayBuffer>>);
  try {
    yield* stored.pipeThrough(new DecompressionStream("gzip"));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new WalferryError("Format", `compressed data is damaged: ${error.message}`, { cause: error });
  }
}
