/** What a compression type has to give; the codecs themselves are in files of their own. */
import type { ByteStream } from "./byte_stream.ts";
import type { Framing } from "./cipher.ts";

/** What each codec module gives. */
export interface Codec {
  compress(source: ByteStream, level: number, framing: Framing): ByteStream;
  decompress(source: ByteStream, framing: Framing): ByteStream;
  /** Everything at once, where that is faster than the stream. */
  compressBytes?(bytes: Uint8Array, level: number, framing: Framing): Uint8Array;
  /** The same back. @throws WalferryError `Format`, also when the content is longer than `maxBytes` */
  decompressBytes?(bytes: Uint8Array, maxBytes: number, framing: Framing): Uint8Array;
}
