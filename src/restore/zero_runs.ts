/** Writing content without its long runs of zeros: they become holes, which take no room and no time. */
import { attempt } from "./local_files.ts";
import { writeAll } from "./write_all.ts";

/** Zeros shorter than this are written: holes between them would only scatter the file. Bytes, and a multiple of 4. */
const RUN_BYTES = 64 * 1024;

/**
 * Writes bytes where the cursor of a file is, which has nothing but zeros (or its end) there; the cursor is behind them afterwards.
 *
 * @returns whether the last byte was written; when not, the file must be given its length in the end
 * @throws WalferryError `FileWrite`
 */
export function writeSparsely(file: Deno.FsFile, bytes: Uint8Array, path: string): boolean {
  let from = 0;
  for (let at = 0; at + RUN_BYTES <= bytes.length; at += RUN_BYTES) {
    if (!isZero(bytes.subarray(at, at + RUN_BYTES))) continue;
    if (at > from) writeAll(file, bytes.subarray(from, at), path);
    from = at + RUN_BYTES;
    attempt("FileWrite", `unable to seek in '${path}'`, () => file.seekSync(RUN_BYTES, Deno.SeekMode.Current));
  }
  if (from < bytes.length) writeAll(file, bytes.subarray(from), path);
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
