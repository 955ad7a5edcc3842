/**
 * A repository in a directory of this host (also over NFS, or CIFS without links). Calls block their thread, which is several times cheaper,
 * in worker threads or in commands that have nothing else to do; where other repositories are asked beside it, they do not (file_calls.ts).
 */
import { type ErrorKind, WalferryError } from "../src/errors.ts";
import { memoryForReading } from "../src/stream/aligned_memory.ts";
import type { ByteStream } from "../src/stream/byte_stream.ts";
import type { FileSink } from "../src/stream/file_sink.ts";
import type { PosixStorageConfig } from "./config.ts";
import type {
  EntryType,
  ListOptions,
  ReadOptions,
  Storage,
  StorageEntry,
  StorageFeatures,
  WriteOptions,
} from "./contract.ts";
import { directCalls, type FileCalls, limitedCalls } from "./file_calls.ts";
import { baseName, checkFilePath, checkPath, parentPath, TEMP_SUFFIX } from "./path_rules.ts";

/** Modes in a repository (repository-format §10). */
const FILE_MODE = 0o640;
const PATH_MODE = 0o750;
/** Chunk of a read in bytes. */
const READ_BYTES = 512 * 1024;
/** Read where a file should have ended, in bytes. */
const END_BYTES = 1024;

export class PosixStorage implements Storage {
  readonly type: "posix" | "cifs";
  readonly features: StorageFeatures;
  readonly location: string;
  readonly #calls: FileCalls;
  /** Directories that this object made or saw: saves a call per file of a backup. */
  readonly #knownPaths = new Set<string>();

  constructor(config: PosixStorageConfig) {
    this.type = config.type;
    this.location = config.path;
    this.#calls = config.callLimitMs === undefined ? directCalls : limitedCalls(config.callLimitMs);
    const links = config.type === "posix";
    this.features = {
      directories: true,
      symlinks: links,
      hardlinks: links,
      conditionalWrite: links,
      removeBatch: 1,
      chunksPass: true,
    };
  }

  async *list(path: string, options: ListOptions = {}): AsyncGenerator<StorageEntry> {
    checkPath(path);
    yield* this.#walk(this.#absolute(path), "", options);
  }

  async *#walk(directory: string, below: string, options: ListOptions): AsyncGenerator<StorageEntry> {
    // Entries are read before they are given out, a directory at a time: the iteration may be left, and callers remove while they list.
    for (const name of await this.#namesOf(directory)) {
      options.signal?.throwIfAborted();
      if (name.endsWith(TEMP_SUFFIX) && !options.unfinished) continue;
      const relative = `${below}${name}`;
      const prefix = options.prefix ?? "";
      if (!relative.startsWith(prefix) && !prefix.startsWith(`${relative}/`)) continue;
      const entry = await this.#entryOf(`${directory}/${name}`, relative);
      if (entry === undefined) continue;
      if (relative.startsWith(prefix)) yield entry;
      if (options.recurse && entry.type === "path") yield* this.#walk(`${directory}/${name}`, `${relative}/`, options);
    }
  }

  async #namesOf(directory: string): Promise<string[]> {
    try {
      return await this.#calls.names(directory);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw mapped("PathOpen", `unable to list path '${directory}'`, error);
    }
  }

  /** What stands at an absolute path; `undefined` when it is (no longer) there. */
  async #entryOf(absolute: string, name: string): Promise<StorageEntry | undefined> {
    try {
      const found = await this.#calls.lstat(absolute);
      const type: EntryType = found.isFile ? "file" : found.isDirectory ? "path" : found.isSymlink ? "link" : "special";
      const modifiedTime = (found.mtime?.getTime() ?? 0) / 1000;
      const sizeBytes = type === "file" ? found.size : 0;
      return type === "link"
        ? { name, type, sizeBytes, modifiedTime, destination: await this.#calls.readLink(absolute) }
        : { name, type, sizeBytes, modifiedTime };
    } catch (error) {
      // A path below something that is a file cannot exist either.
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
      throw mapped("FileInfo", `unable to get info for path/file '${absolute}'`, error);
    }
  }

  async info(path: string): Promise<StorageEntry | undefined> {
    checkPath(path);
    return await this.#entryOf(this.#absolute(path), baseName(path));
  }

  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    checkFilePath(path);
    const absolute = this.#absolute(path);
    let file: Deno.FsFile;
    try {
      file = await this.#calls.open(absolute, { read: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
      throw mapped("FileOpen", `unable to open file '${absolute}' for read`, error);
    }
    return new OpenFileStream(file, absolute, options, this.#calls);
  }

  async write(path: string, source: Uint8Array | ByteStream, options: WriteOptions = {}): Promise<void> {
    checkFilePath(path);
    if (options.ifAbsent && !this.features.conditionalWrite) {
      throw new WalferryError("Assert", `conditional writes do not work on a ${this.type} repository`);
    }
    const absolute = this.#absolute(path);
    const temporary = `${absolute}.${crypto.randomUUID().slice(0, 8)}${TEMP_SUFFIX}`;
    const parent = parentPath(path);
    const file = await this.#createTemporary(temporary, parent);
    try {
      try {
        const sink = options.uncached && this.#calls === directCalls ? await sinkFor(file, temporary) : undefined;
        try {
          const put = sink === undefined ? putBy(this.#calls, file) : (chunk: Uint8Array) => sink.write(chunk);
          await writeAll(put, source, absolute, options);
          if (sink !== undefined) await guard("FileWrite", `unable to write '${absolute}'`, () => sink.flush());
        } finally {
          sink?.[Symbol.dispose]();
        }
        await guard("FileSync", `unable to sync file '${temporary}'`, () => this.#calls.sync(file));
      } finally {
        file.close();
      }
      if (options.modifiedTime !== undefined) await this.#calls.utime(temporary, options.modifiedTime);
      // The content is durable under the temporary name; a crash before the rename leaves the old content, after it the new.
      if (options.ifAbsent) await this.#linkAbsent(temporary, absolute);
      else {
        const what = `unable to move '${temporary}' to '${absolute}'`;
        await guard("FileMove", what, () => this.#calls.rename(temporary, absolute));
      }
    } catch (error) {
      await this.#removeIfPossible(temporary);
      throw error;
    }
    if (options.syncDirectory ?? true) await this.syncPath(parent);
  }

  /** link(2) refuses an existing name atomically, which rename(2) does not. */
  async #linkAbsent(temporary: string, absolute: string): Promise<void> {
    try {
      await this.#calls.link(temporary, absolute);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) {
        throw new WalferryError("FileExists", `file '${absolute}' exists already`, { cause: error });
      }
      throw mapped("FileMove", `unable to create '${absolute}'`, error);
    }
    await this.#removeIfPossible(temporary);
  }

  async #createTemporary(temporary: string, parent: string): Promise<Deno.FsFile> {
    const open = () => this.#calls.open(temporary, { write: true, createNew: true, mode: FILE_MODE });
    try {
      if (!this.#knownPaths.has(parent)) await this.#makeDirectories(parent);
      return await open();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw mapped("FileOpen", `unable to open file '${temporary}' for write`, error);
      }
      // Somebody removed the directory since it was seen.
      this.#knownPaths.delete(parent);
      await this.#makeDirectories(parent);
      return await guard("FileOpen", `unable to open file '${temporary}' for write`, open);
    }
  }

  async #makeDirectories(path: string): Promise<void> {
    const absolute = this.#absolute(path);
    if ((await this.#entryOf(absolute, ""))?.type !== "path") {
      await guard("PathCreate", `unable to create path '${absolute}'`, () => this.#makeDurable(absolute));
    }
    this.#knownPaths.add(path);
  }

  /** mkdir -p, each new name made durable in the directory above. */
  async #makeDurable(absolute: string): Promise<void> {
    const above = absolute.slice(0, Math.max(1, absolute.lastIndexOf("/")));
    try {
      await this.#calls.mkdir(absolute, { mode: PATH_MODE });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists && (await this.#calls.stat(absolute)).isDirectory) return;
      if (!(error instanceof Deno.errors.NotFound) || above === absolute) throw error;
      await this.#makeDurable(above);
      return await this.#makeDurable(absolute);
    }
    if (this.type === "posix") await this.#syncDirectory(above);
  }

  async remove(path: string): Promise<void> {
    checkFilePath(path);
    const absolute = this.#absolute(path);
    try {
      await this.#calls.remove(absolute);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
      throw mapped("FileRemove", `unable to remove '${absolute}'`, error);
    }
  }

  async removeMany(paths: Iterable<string> | AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
    let first: { readonly error: unknown } | undefined;
    for await (const path of paths) {
      signal?.throwIfAborted();
      try {
        await this.remove(path);
      } catch (error) {
        first ??= { error };
      }
    }
    if (first !== undefined) throw first.error;
  }

  async removeTree(path: string, signal?: AbortSignal): Promise<void> {
    checkFilePath(path);
    this.#knownPaths.clear();
    signal?.throwIfAborted();
    const absolute = this.#absolute(path);
    try {
      // Links are removed, not followed.
      await this.#calls.remove(absolute, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
      throw mapped("PathRemove", `unable to remove path '${absolute}'`, error);
    }
  }

  async makePath(path: string): Promise<void> {
    checkPath(path);
    await this.#makeDirectories(path);
  }

  async syncPath(path: string): Promise<void> {
    checkPath(path);
    const absolute = this.#absolute(path);
    if (this.type === "cifs") return;
    await guard("PathSync", `unable to sync path '${absolute}'`, async () => {
      if (await this.#isDirectory(absolute)) await this.#syncDirectory(absolute);
    });
  }

  async symlink(path: string, destination: string): Promise<void> {
    checkFilePath(path);
    if (!this.features.symlinks) throw new WalferryError("Assert", `links do not work on a ${this.type} repository`);
    const absolute = this.#absolute(path);
    const temporary = `${absolute}.${crypto.randomUUID().slice(0, 8)}${TEMP_SUFFIX}`;
    await this.#makeDirectories(parentPath(path));
    await guard("FileWrite", `unable to create link '${absolute}'`, async () => {
      await this.#calls.symlink(destination, temporary);
      await this.#calls.rename(temporary, absolute);
    });
    await this.syncPath(parentPath(path));
  }

  async hardlink(existing: string, path: string): Promise<void> {
    checkFilePath(existing);
    checkFilePath(path);
    if (!this.features.hardlinks) throw new WalferryError("Assert", `links do not work on a ${this.type} repository`);
    await this.#makeDirectories(parentPath(path));
    const absolute = this.#absolute(path);
    const link = () => this.#calls.link(this.#absolute(existing), absolute);
    await guard("FileWrite", `unable to create link '${absolute}'`, link);
  }

  /** Also behind a link: an administrator may have moved it to another disk. */
  async #isDirectory(absolute: string): Promise<boolean> {
    try {
      return (await this.#calls.stat(absolute)).isDirectory;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
      throw error;
    }
  }

  async #syncDirectory(absolute: string): Promise<void> {
    using directory = await this.#calls.open(absolute, { read: true });
    await this.#calls.sync(directory);
  }

  /** Cleaning up behind a failure: the failure is what gets reported, so this one's own problems are not. */
  async #removeIfPossible(absolute: string): Promise<void> {
    try {
      await this.#calls.remove(absolute);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }

  #absolute(path: string): string {
    if (path === "") return this.location;
    return this.location === "/" ? `/${path}` : `${this.location}/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#knownPaths.clear();
    await Promise.resolve();
  }
}

/** An opened file as a stream; closes itself at the end and when the reader leaves. */
class OpenFileStream implements ByteStream {
  readonly #file: Deno.FsFile;
  readonly #absolute: string;
  readonly #options: ReadOptions;
  readonly #calls: FileCalls;

  constructor(file: Deno.FsFile, absolute: string, options: ReadOptions, calls: FileCalls) {
    this.#file = file;
    this.#absolute = absolute;
    this.#options = options;
    this.#calls = calls;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { chunksPass, offsetBytes = 0, lengthBytes = Infinity, signal } = this.#options;
    const what = `unable to read '${this.#absolute}'`;
    try {
      if (offsetBytes > 0) await guard("FileRead", what, () => this.#calls.seek(this.#file, offsetBytes));
      // Small files are many: each gets memory of its own size. The size is no promise, so the end is asked for with a few bytes more.
      const sizeBytes = await guard("FileRead", what, () => this.#calls.size(this.#file));
      let expected = Math.max(0, sizeBytes - offsetBytes);
      let shared: Uint8Array | undefined;
      for (let left = lengthBytes; left > 0;) {
        signal?.throwIfAborted();
        const wanted = Math.min(READ_BYTES, left, Math.max(expected, END_BYTES));
        if (chunksPass) shared ??= memoryForReading(wanted);
        const buffer = shared?.subarray(0, wanted) ?? memoryForReading(wanted);
        const count = await guard("FileRead", what, () => this.#calls.read(this.#file, buffer));
        if (count === null) return;
        left -= count;
        expected -= count;
        yield buffer.subarray(0, count);
      }
    } finally {
      this.#file.close();
    }
  }
}

/** Loaded only where long files are written: short commands start sooner without. */
async function sinkFor(file: Deno.FsFile, path: string): Promise<FileSink> {
  const { FileSink } = await import("../src/stream/file_sink.ts");
  return new FileSink(file, path, true);
}

function putBy(calls: FileCalls, file: Deno.FsFile): (chunk: Uint8Array) => Promise<void> {
  return async (chunk) => {
    for (let at = 0; at < chunk.length;) at += await calls.write(file, chunk.subarray(at));
  };
}

async function writeAll(
  write: (chunk: Uint8Array) => void | Promise<void>,
  source: Uint8Array | ByteStream,
  absolute: string,
  options: WriteOptions,
): Promise<void> {
  const expected = source instanceof Uint8Array ? undefined : options.lengthBytes;
  let written = 0;
  const put = async (chunk: Uint8Array) => {
    options.signal?.throwIfAborted();
    await guard("FileWrite", `unable to write '${absolute}'`, () => write(chunk));
    written += chunk.length;
    if (expected !== undefined && written > expected) {
      throw new WalferryError("FileWrite", `unable to write '${absolute}': more than the ${expected} bytes announced`);
    }
  };
  if (source instanceof Uint8Array) await put(source);
  else for await (const chunk of source) await put(chunk);
  if (expected !== undefined && written !== expected) {
    throw new WalferryError(
      "FileWrite",
      `unable to write '${absolute}': ${written} bytes instead of the ${expected} announced`,
    );
  }
}

async function guard<T>(kind: ErrorKind, what: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw mapped(kind, what, error);
  }
}

function mapped(kind: ErrorKind, what: string, error: unknown): WalferryError {
  if (error instanceof WalferryError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: string } | undefined)?.code;
  const hints: Readonly<Record<string, string>> = {
    ENOSPC: "the file system is full: make room, or let expire remove old backups",
    EROFS: "the file system is mounted read-only",
    EACCES: "does the account that runs this own the repository?",
    EPERM: "does the account that runs this own the repository?",
    ETIMEDOUT: "the file system does not answer: is its server there?",
    ENOTDIR: "a part of this path is a file, not a directory",
  };
  return new WalferryError(kind, `${what}: ${message}`, {
    cause: error,
    hint: code === undefined ? undefined : hints[code],
  });
}
