/**
 * Calls to a file system, in two ways. Directly: each blocks its thread, which is several times cheaper. Beside the thread: where a file system
 * that does not answer (NFS without its server) must not hold up what others are asked meanwhile, and a call that takes too long fails. The
 * kernel's call goes on then; nobody can take it back.
 */
import { directoryNames } from "../src/process/directory_names.ts";

/** What may be asked. Each fails with Deno's own errors; what is not there is `NotFound`. */
export interface FileCalls {
  lstat(path: string): Deno.FileInfo | Promise<Deno.FileInfo>;
  stat(path: string): Deno.FileInfo | Promise<Deno.FileInfo>;
  names(directory: string): Promise<string[]>;
  open(path: string, options: Deno.OpenOptions): Deno.FsFile | Promise<Deno.FsFile>;
  seek(file: Deno.FsFile, offsetBytes: number): number | Promise<number>;
  size(file: Deno.FsFile): number | Promise<number>;
  read(file: Deno.FsFile, buffer: Uint8Array): number | null | Promise<number | null>;
  write(file: Deno.FsFile, bytes: Uint8Array): number | Promise<number>;
  sync(file: Deno.FsFile): void | Promise<void>;
  utime(path: string, time: number): void | Promise<void>;
  rename(from: string, to: string): void | Promise<void>;
  link(from: string, to: string): void | Promise<void>;
  symlink(destination: string, path: string): void | Promise<void>;
  readLink(path: string): string | Promise<string>;
  mkdir(path: string, options: Deno.MkdirOptions): void | Promise<void>;
  remove(path: string, options?: Deno.RemoveOptions): void | Promise<void>;
}

/** Blocks the thread, but for lists. */
export const directCalls: FileCalls = {
  lstat: Deno.lstatSync,
  stat: Deno.statSync,
  names: directoryNames,
  open: Deno.openSync,
  seek: (file, offsetBytes) => file.seekSync(offsetBytes, Deno.SeekMode.Start),
  size: (file) => file.statSync().size,
  read: (file, buffer) => file.readSync(buffer),
  write: (file, bytes) => file.writeSync(bytes),
  sync: (file) => file.syncSync(),
  utime: (path, time) => Deno.utimeSync(path, time, time),
  rename: Deno.renameSync,
  link: Deno.linkSync,
  symlink: (destination, path) => Deno.symlinkSync(destination, path),
  readLink: Deno.readLinkSync,
  mkdir: Deno.mkdirSync,
  remove: Deno.removeSync,
};

/** While a call is without an answer for so many milliseconds, no further one is begun: each would hold a thread of its own. */
const STUCK_MS = 5000;

/** @param limitMs how long a call may take */
export function limitedCalls(limitMs: number): FileCalls {
  const pending = new Set<number>();
  const within = async <T>(begin: () => Promise<T>, late: (value: T) => void = () => {}): Promise<T> => {
    const [oldestMs] = pending;
    const nowMs = performance.now();
    if (oldestMs !== undefined && nowMs - oldestMs > STUCK_MS) throw noAnswer(nowMs - oldestMs);
    // Two calls of one moment are told apart.
    let begunMs = nowMs;
    while (pending.has(begunMs)) begunMs += 1e-6;
    pending.add(begunMs);
    const call = begin().finally(() => pending.delete(begunMs));
    const { promise: over, reject } = Promise.withResolvers<never>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(noAnswer(limitMs));
    }, limitMs);
    // What comes too late is nobody's.
    call.then((value) => isLate ? late(value) : undefined, () => undefined);
    try {
      return await Promise.race([call, over]);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    lstat: (path) => within(() => Deno.lstat(path)),
    stat: (path) => within(() => Deno.stat(path)),
    names: (directory) => within(() => directoryNames(directory)),
    open: (path, options) => within(() => Deno.open(path, options), (file) => file.close()),
    seek: (file, offsetBytes) => within(() => file.seek(offsetBytes, Deno.SeekMode.Start)),
    size: (file) => within(async () => (await file.stat()).size),
    read: (file, buffer) => within(() => file.read(buffer)),
    write: (file, bytes) => within(() => file.write(bytes)),
    sync: (file) => within(() => file.sync()),
    utime: (path, time) => within(() => Deno.utime(path, time, time)),
    rename: (from, to) => within(() => Deno.rename(from, to)),
    link: (from, to) => within(() => Deno.link(from, to)),
    symlink: (destination, path) => within(() => Deno.symlink(destination, path)),
    readLink: (path) => within(() => Deno.readLink(path)),
    mkdir: (path, options) => within(() => Deno.mkdir(path, options)),
    remove: (path, options) => within(() => Deno.remove(path, options)),
  };
}

function noAnswer(milliseconds: number): Error {
  return Object.assign(new Error(`no answer for ${(milliseconds / 1000).toFixed(0)} s`), { code: "ETIMEDOUT" });
}
