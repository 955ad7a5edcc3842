/** The few things that restore does with local files and directories, with errors that name the path. */
import { type ErrorKind, toWalferryError, WalferryError } from "../errors.ts";
import { directoryNames } from "../process/directory_names.ts";

/** A failure of this host's files, which is the same whatever repository the content comes from. */
export class LocalFailure extends WalferryError {}

/** What went wrong with a local file where others raise their errors for any file. */
export function localFailure(thrown: unknown): LocalFailure {
  const { kind, message, hint } = toWalferryError(thrown);
  return new LocalFailure(kind, message, { hint, cause: thrown });
}

/** What stands at a path, links not followed; `undefined` when nothing does. */
export function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw failed("FileInfo", `unable to get info for path/file '${path}'`, error);
  }
}

/** What a path leads to, links followed; `undefined` when that is nothing. */
export function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw failed("FileInfo", `unable to get info for path/file '${path}'`, error);
  }
}

/**
 * A path without symbolic links, as far as it exists; what does not is appended as it is.
 * @throws WalferryError `FileInfo`
 */
export function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw failed("FileInfo", `unable to get info for path/file '${path}'`, error);
    }
    const parent = parentOf(path);
    return parent === path ? path : `${realPathOf(parent).replace(/\/$/, "")}${path.slice(path.lastIndexOf("/"))}`;
  }
}

/** The directory above; `/` is above itself. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Names in a directory. @throws WalferryError `PathOpen` */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return await directoryNames(path);
  } catch (error) {
    throw failed("PathOpen", `unable to list file info for path '${path}'`, error);
  }
}

/** Makes the names in a directory durable. @throws WalferryError `PathSync` */
export function syncDirectory(path: string): void {
  attempt("PathSync", `unable to sync path '${path}'`, () => {
    using directory = Deno.openSync(path, { read: true });
    directory.syncSync();
  });
}

/** Writes a file whole and durable. @param content its text, in pieces @throws WalferryError `FileWrite` */
export function writeDurably(path: string, content: Iterable<string | Uint8Array>, mode: number): void {
  attempt("FileWrite", `unable to write '${path}'`, () => {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true, mode });
    const encoder = new TextEncoder();
    for (const piece of content) {
      const bytes = typeof piece === "string" ? encoder.encode(piece) : piece;
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    }
    file.syncSync();
  });
}

/**
 * Opens a file for writing and makes it where there is none, for nobody else to read: it gets its mode when it is complete. A file of ours
 * that its mode protects even from us is ours to replace all the same.
 * @throws LocalFailure `FileOpen`
 */
export function openForWrite(path: string, truncate: boolean): Deno.FsFile {
  return openOurs(path, "write", { write: true, create: true, truncate, mode: 0o600 });
}

/**
 * Opens a file of the restored cluster for reading, also one of ours that its mode protects from us: it is ours to put right.
 * @throws LocalFailure `FileOpen`
 */
export function openToCompare(path: string): Deno.FsFile {
  return openOurs(path, "read", { read: true });
}

function openOurs(path: string, what: "read" | "write", options: Deno.OpenOptions): Deno.FsFile {
  return attempt("FileOpen", `unable to open file '${path}' for ${what}`, () => {
    try {
      return Deno.openSync(path, options);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
      const found = lstat(path);
      if (!found?.isFile || found.uid !== Deno.uid()) throw error;
      Deno.chmodSync(path, 0o600);
      return Deno.openSync(path, options);
    }
  });
}

/** Runs a call of the file system. @throws LocalFailure of the kind given */
export function attempt<T>(kind: ErrorKind, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failed(kind, what, error);
  }
}

function failed(kind: ErrorKind, what: string, error: unknown): WalferryError {
  if (error instanceof WalferryError) return error;
  return new LocalFailure(kind, `${what}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
