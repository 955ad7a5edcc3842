/** Stop files: how an administrator halts every command of a stanza on this host (behaviour spec §7.4). */
import { WalferryError } from "../errors.ts";

/** Stop file of one stanza, or of all. */
export function stopFilePath(lockPath: string, stanza: string | undefined): string {
  return `${lockPath}/${stanza ?? "all"}.stop`;
}

/** @throws WalferryError `Stop` when this stanza, or every stanza, is stopped */
export function assertNotStopped(lockPath: string, stanza: string): void {
  if (exists(stopFilePath(lockPath, stanza))) {
    throw new WalferryError("Stop", `stop file exists for stanza ${stanza}`, {
      hint: `run 'start --stanza=${stanza}' to allow it again.`,
    });
  }
  if (exists(stopFilePath(lockPath, undefined))) {
    throw new WalferryError("Stop", "stop file exists for all stanzas", { hint: "run 'start' to allow them again." });
  }
}

/** True when the stop file of exactly this stanza (or of all) exists. */
export function isStopped(lockPath: string, stanza: string | undefined): boolean {
  return exists(stopFilePath(lockPath, stanza));
}

/** Makes the stop file; the lock path exists. @throws WalferryError `FileOpen` */
export function makeStopFile(lockPath: string, stanza: string | undefined): void {
  const path = stopFilePath(lockPath, stanza);
  try {
    Deno.openSync(path, { write: true, create: true, mode: 0o640 }).close();
  } catch (error) {
    throw new WalferryError("FileOpen", `unable to open file '${path}' for write: ${(error as Error).message}`, {
      cause: error,
      hint: "does the account that runs this own the lock path?",
    });
  }
}

/** Removes the stop file. @throws WalferryError `FileRemove` */
export function removeStopFile(lockPath: string, stanza: string | undefined): void {
  const path = stopFilePath(lockPath, stanza);
  try {
    Deno.removeSync(path);
  } catch (error) {
    throw new WalferryError("FileRemove", `unable to remove '${path}': ${(error as Error).message}`, { cause: error });
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new WalferryError("FileInfo", `unable to get info for path/file '${path}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}
