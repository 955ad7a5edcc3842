/** What a compression type has to give; the codecs themselves are in files of their own. */
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Framing } from "./framing.ts";

/** {@link Codec.origin} of what every host has. */
export const BUILT_IN = "built in";

/** What each codec module gives. */
export interface Codec {
  /** Who does the work, in words. */
  readonly origin: string;
  compress(source: ByteStream, level: number, framing: Framing): ByteStream;
  /** @param chunksPass the reader is done with each chunk before it asks for the next: it may come in the same memory */
  decompress(source: ByteStream, framing: Framing, chunksPass?: boolean): ByteStream;
  /** Everything at once, where that is faster than the stream. */
  compressBytes?(bytes: Uint8Array, level: number, framing: Framing): Uint8Array;
  /** The same back. @throws WalferryError `Format`, also when the content is longer than `maxBytes` */
  decompressBytes?(bytes: Uint8Array, maxBytes: number, framing: Framing): Uint8Array;
}

/** Content that is longer than it may be. */
export function tooLong(maxBytes: number): WalferryError {
  return new WalferryError("Format", `content is larger than the ${maxBytes} bytes that are allowed here`);
}

/** Compressed content that is cut off. */
export function endsEarly(): WalferryError {
  return new WalferryError("Format", "unexpected eof in compressed data");
}
