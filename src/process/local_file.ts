/** Small files on this host: whether they are there, what they say, and writing them so that they are seen whole or not at all. */
import { WalferryError } from "../errors.ts";

const FILE_MODE = 0o640;

/** Whether something has this name; a link that leads nowhere has. */
export function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/** Text of a file; `undefined` when it is not there. @throws WalferryError `FileOpen` */
export function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** When a file was last written, in milliseconds since the epoch; `undefined` when it is not there. */
export function modifiedIfThere(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Writes a file that need not survive a crash of the host.
 * @param notOlderThanMs its time of modification is at least this, also where the clock was set back
 * @throws WalferryError `FileWrite`; nothing is left then
 */
export function replaceFile(path: string, text: string, notOlderThanMs = 0): void {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.pgbackrest.tmp`;
  try {
    Deno.writeTextFileSync(temporary, text, { mode: FILE_MODE });
    if ((modifiedIfThere(temporary) ?? 0) < notOlderThanMs) {
      const time = new Date(notOlderThanMs);
      Deno.utimeSync(temporary, time, time);
    }
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw new WalferryError("FileWrite", `unable to write '${path}': ${(error as Error).message}`, { cause: error });
  }
}

/** Removes a file. Absent is no error. @throws Deno's own errors */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
