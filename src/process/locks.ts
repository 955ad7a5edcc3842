/**
 * Locks of a stanza on this host (behaviour spec §8.1). The files are pgBackRest's, under the names of its older releases (one file a
 * stanza) and of its newer ones (one a repository), so that both programs keep out of each other's way.
 */
import { WalferryError } from "../errors.ts";

export type LockType = "archive" | "backup" | "restore";

/** How far the holder is, as it is shown by `info`. */
export interface LockProgress {
  readonly sizeBytes: number;
  readonly doneBytes: number;
}

/** What a lock file says while it is held. */
export interface LockState {
  readonly held: boolean;
  readonly pid?: number;
  readonly progress?: LockProgress;
}

interface HeldFile {
  readonly path: string;
  readonly file: Deno.FsFile;
}

/** So often a lock file may vanish between opening and locking before that counts as an error. */
const REOPEN_MAX = 20;
/**
 * Who only looks whether a lock is held (`info`, of either program) holds it for a moment. So often, and this many milliseconds apart, a
 * lock is tried before it counts as held: a look must not cost somebody a backup.
 */
const TRIES_MAX = 4;
const TRY_WAIT = 15;

/** Lock files of a stanza for one type, in the one order in which everybody takes them. */
function lockNames(stanza: string, type: LockType, keys: readonly number[]): string[] {
  const perRepository = [...keys].sort((a, b) => a - b).map((key) => `${stanza}-${type}-${key}.lock`);
  return type === "restore" ? perRepository : [`${stanza}-${type}.lock`, ...perRepository];
}

/** Whether a file name is that of a lock, of this stanza or of any. A stanza `a` has no part in the locks of a stanza `a-b`. */
export function isLockName(name: string, stanza: string | undefined): boolean {
  const owner = /^(.+?)-(?:archive|backup|restore)(?:-\d+)?\.lock$/.exec(name)?.[1];
  return owner !== undefined && (stanza === undefined || owner === stanza);
}

/** Another process holds the lock, so that another try may help: nothing else that keeps somebody from a lock is this. */
export class LockHeld extends WalferryError {
  constructor(path: string) {
    super("LockAcquire", `unable to acquire lock on file '${path}': Resource temporarily unavailable`, {
      hint: "is another pgBackRest or walferry process running?",
    });
  }
}

/** Held locks; disposing releases them in the opposite order. */
export class StanzaLock implements Disposable {
  readonly #held: HeldFile[];
  readonly #execId: string;

  constructor(held: HeldFile[], execId: string) {
    this.#held = held;
    this.#execId = execId;
  }

  /** Whether the names are still those of the files that are locked: who cleans `/tmp` removes files that are old, and locks nobody out then. */
  get isInPlace(): boolean {
    return this.#held.every(({ path, file }) => sameFile(file, path));
  }

  /** Writes how far the work is into the lock files. */
  update(progress: LockProgress): void {
    for (const { file } of this.#held) writeContent(file, this.#execId, progress);
  }

  [Symbol.dispose](): void {
    // Removed before it is closed: who opens the name afterwards makes a new file, who has the old one open sees that it is gone.
    for (const { path, file } of this.#held.reverse()) {
      try {
        // Somebody may have removed the name and another process made it anew: that one's lock is not ours to remove.
        if (sameFile(file, path)) Deno.removeSync(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      } finally {
        file.close();
      }
    }
    this.#held.length = 0;
  }
}

/**
 * Takes the locks of a stanza, without waiting.
 * @param keys repositories; type `all` takes archive, backup and restore.
 * @throws LockHeld when another process has one; WalferryError `LockAcquire`, `PathCreate` when the lock path cannot be used
 */
export function acquireLocks(
  lockPath: string,
  stanza: string,
  type: LockType | "all",
  keys: readonly number[],
  execId: string,
): StanzaLock {
  makeLockPath(lockPath);
  const types: LockType[] = type === "all" ? ["archive", "backup", "restore"] : [type];
  const held: HeldFile[] = [];
  const lock = new StanzaLock(held, execId);
  try {
    for (const name of types.flatMap((one) => lockNames(stanza, one, keys))) {
      const path = `${lockPath}/${name}`;
      held.push({ path, file: lockFile(path) });
      writeContent(held.at(-1)!.file, execId);
    }
    return lock;
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Takes one file as a lock. @throws WalferryError as {@link acquireLocks} */
export function holdLockFile(path: string, execId: string): Disposable {
  const held = [{ path, file: lockFile(path) }];
  const lock = new StanzaLock(held, execId);
  writeContent(held[0]!.file, execId);
  return lock;
}

/** Makes the directory of locks and stop files, mode 0770. */
export function makeLockPath(lockPath: string): void {
  try {
    Deno.mkdirSync(lockPath, { recursive: true, mode: 0o770 });
  } catch (error) {
    throw new WalferryError("PathCreate", `unable to create path '${lockPath}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function lockFile(path: string): Deno.FsFile {
  for (let attempt = 0; attempt < REOPEN_MAX; attempt++) {
    const file = openLockFile(path);
    if (!tryLock(file)) {
      file.close();
      throw new LockHeld(path);
    }
    // The holder before may have removed the name after it was opened here: then this lock protects nothing.
    if (sameFile(file, path)) return file;
    file.close();
  }
  throw new WalferryError("LockAcquire", `unable to acquire lock on file '${path}': it is removed again and again`);
}

function tryLock(file: Deno.FsFile): boolean {
  for (let attempt = 1; !file.tryLockSync(true); attempt++) {
    if (attempt === TRIES_MAX) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TRY_WAIT);
  }
  return true;
}

function openLockFile(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o640 });
  } catch (error) {
    throw new WalferryError("LockAcquire", `unable to acquire lock on file '${path}': ${(error as Error).message}`, {
      cause: error,
      hint: "does the account that runs this own the lock path?",
    });
  }
}

function sameFile(file: Deno.FsFile, path: string): boolean {
  try {
    const opened = file.statSync();
    const named = Deno.statSync(path);
    return opened.ino === named.ino && opened.dev === named.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function writeContent(file: Deno.FsFile, execId: string, progress?: LockProgress): void {
  const content = progress === undefined
    ? { execId, pid: Deno.pid }
    : { execId, pid: Deno.pid, sz: progress.sizeBytes, szCplt: progress.doneBytes };
  const bytes = new TextEncoder().encode(`${JSON.stringify(content)}\n`);
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(bytes);
  file.truncateSync(bytes.length);
}

/** Whether a lock of this type is held by anybody, and what its holder says of itself. */
export function readLockState(lockPath: string, stanza: string, type: LockType, keys: readonly number[]): LockState {
  for (const name of lockNames(stanza, type, keys)) {
    const state = readLockFile(`${lockPath}/${name}`);
    if (state.held) return state;
  }
  return { held: false };
}

/** Reads one lock file; a file that nobody has locked is stale and counts as not held. */
export function readLockFile(path: string): LockState {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { held: false };
    throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    // Shared, so that two who look do not take each other for the holder.
    if (file.tryLockSync(false)) return { held: false };
    const buffer = new Uint8Array(4096);
    const count = file.readSync(buffer) ?? 0;
    return { held: true, ...parseContent(new TextDecoder().decode(buffer.subarray(0, count))) };
  } finally {
    file.close();
  }
}

/** A holder may be writing just now, so content that cannot be read only means that nothing is known. */
function parseContent(text: string): { pid?: number; progress?: LockProgress } {
  let content: { pid?: unknown; sz?: unknown; szCplt?: unknown };
  try {
    content = JSON.parse(text.split("\n", 1)[0] ?? "") ?? {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
  return {
    pid: typeof content.pid === "number" ? content.pid : undefined,
    progress: typeof content.sz === "number" && typeof content.szCplt === "number"
      ? { sizeBytes: content.sz, doneBytes: content.szCplt }
      : undefined,
  };
}
