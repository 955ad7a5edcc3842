/** Writing to a local file that is being restored. */
import { attempt } from "./local_files.ts";

/** Writes all of it where the file's cursor is. @throws WalferryError `FileWrite` */
export function writeAll(file: Deno.FsFile, bytes: Uint8Array, path: string): void {
  attempt("FileWrite", `unable to write '${path}'`, () => {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  });
}
