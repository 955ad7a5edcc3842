/**
 * Names that are not UTF-8, which PostgreSQL never makes but a file system holds. The runtime has only strings for names: it lists U+FFFD for
 * the odd bytes, and then finds nothing under that name. Programs of the host are asked for the bytes, and told them in octal.
 */
import { attempt } from "./local_files.ts";

/** What stands for bytes that are not UTF-8. */
const REPLACEMENT = "\uFFFD";
/** Names for one call: a line of arguments has an end. */
const NAMES_AT_ONCE = 200;
/** Removes what its arguments name; the letter behind keeps a line feed at the end of a name. */
const REMOVE = 'for name; do path=$(printf %bx "$name"); rm -rf -- "${path%x}" || exit 1; done';

/** Whether a name may stand for one that is not UTF-8. */
export function mayBeUnnamable(name: string): boolean {
  return name.includes(REPLACEMENT);
}

/** Removes everything in a directory whose name is not UTF-8; gives the names as they are shown. @throws WalferryError `PathRemove` */
export function removeUnnamable(directory: string): string[] {
  const lossy = new TextDecoder();
  const names = namesAsBytes(directory).filter((name) => !isUtf8(name));
  for (let at = 0; at < names.length; at += NAMES_AT_ONCE) {
    const some = names.slice(at, at + NAMES_AT_ONCE);
    run(directory, "sh", ["-c", REMOVE, "sh", ...some.map((name) => Array.from(name, octal).join(""))]);
  }
  return names.map((name) => lossy.decode(name));
}

/** Names in a directory, each behind `./`. */
function namesAsBytes(directory: string): Uint8Array[] {
  const output = run(directory, "find", [".", "-mindepth", "1", "-maxdepth", "1", "-print0"]);
  const names: Uint8Array[] = [];
  for (let at = 0; at < output.length;) {
    const end = output.indexOf(0, at);
    names.push(output.subarray(at, end));
    at = end + 1;
  }
  return names;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/** A byte as `printf %b` reads it. */
function octal(byte: number): string {
  return `\\0${byte.toString(8).padStart(3, "0")}`;
}

function run(directory: string, program: string, args: readonly string[]): Uint8Array {
  return attempt("PathRemove", `unable to remove what has a name that is not UTF-8 in '${directory}'`, () => {
    const result = new Deno.Command(program, {
      args: [...args],
      cwd: directory,
      env: { PATH: "/usr/bin:/bin" },
    }).outputSync();
    if (!result.success) throw new Error(new TextDecoder().decode(result.stderr).trim());
    return result.stdout;
  });
}
