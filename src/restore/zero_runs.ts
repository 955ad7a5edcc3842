/** Writing content without its long runs of zeros: they become holes, which take no room and no time. */
import type { FileSink } from "../stream/file_sink.ts";

/** Zeros shorter than this are written: holes between them would only scatter the file. Bytes, and a multiple of 4. */
const RUN_BYTES = 64 * 1024;

/**
 * Writes the next bytes of a file that has nothing but zeros (or its end) there.
 *
 * @returns whether the last byte was written; when not, the file must be given its length in the end
 * @throws the runtime's own errors
 */
export function writeSparsely(sink: FileSink, bytes: Uint8Array): boolean {
  let from = 0;
  for (let at = 0; at + RUN_BYTES <= bytes.length; at += RUN_BYTES) {
    if (!isZero(bytes.subarray(at, at + RUN_BYTES))) continue;
    if (at > from) sink.write(bytes.subarray(from, at));
    from = at + RUN_BYTES;
    sink.skip(RUN_BYTES);
  }
  if (from < bytes.length) sink.write(bytes.subarray(from));
  return from < bytes.length;
}

/** Most content is told by its first byte: it is no zero. */
function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  if (bytes.byteOffset % 4 !== 0) return bytes.every((byte) => byte === 0);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return true;
}
