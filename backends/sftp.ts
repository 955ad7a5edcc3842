/** Repositories in a directory of another host, over SSH. The host needs nothing but its SFTP server. */
import { WalferryError } from "../src/errors.ts";
import type { ByteStream } from "../src/stream/byte_stream.ts";
import type { SftpStorageConfig } from "./config.ts";
import type {
  EntryType,
  ListOptions,
  ReadOptions,
  Storage,
  StorageEntry,
  StorageFeatures,
  WriteOptions,
} from "./contract.ts";
import { baseName, checkFilePath, checkPath, parentPath, TEMP_SUFFIX } from "./path_rules.ts";
import { untilAborted } from "./sftp/abort.ts";
import { SftpConnection } from "./sftp/connection.ts";
import * as files from "./sftp/files.ts";
import type { FileAttributes } from "./sftp/packets.ts";
import { ConnectionLost, type SftpSession } from "./sftp/session.ts";
import { makeDirectories, removeBelow, syncDirectory, together } from "./sftp/trees.ts";

/** Mode of files in a repository (repository-format §10). */
const FILE_MODE = 0o640;
/** Type bits of a mode (stat(2)). */
const TYPES: Readonly<Record<number, EntryType>> = { 0o100000: "file", 0o040000: "path", 0o120000: "link" };

export class SftpStorage implements Storage {
  readonly type = "sftp";
  readonly features: StorageFeatures = {
    directories: true,
    symlinks: false,
    hardlinks: false,
    // Not every server refuses a name that is taken.
    conditionalWrite: false,
    removeBatch: 1,
    chunksPass: false,
  };
  readonly location: string;
  readonly #root: string;
  readonly #connection: SftpConnection;
  /** Directories that this object made or saw: saves round trips for every file of a backup. */
  readonly #knownPaths = new Set<string>();
  /** Temporary files of writes that failed, not removed yet. */
  readonly #leftBehind = new Set<string>();

  constructor(config: SftpStorageConfig) {
    const place = `sftp://${config.user}@${config.host}${config.port === 22 ? "" : `:${config.port}`}`;
    this.location = `${place}${config.path}`;
    this.#root = config.path;
    this.#connection = new SftpConnection(config, place);
  }

  async *list(path: string, options: ListOptions = {}): AsyncGenerator<StorageEntry> {
    checkPath(path);
    yield* this.#walk(path, "", options);
  }

  async *#walk(path: string, below: string, options: ListOptions): AsyncGenerator<StorageEntry> {
    const { prefix = "", signal } = options;
    const what = `unable to list path '${this.#shown(path)}'`;
    // A connection that had ended shows here, where nothing was given out yet: this much is tried again.
    const opened = await this.#run(what, "PathOpen", signal, async (session) => {
      const handle = await files.openDirectory(session, this.#absolute(path));
      if (handle === undefined) return undefined;
      return await holding(session, handle, signal, async () => {
        return { session, handle, page: await files.readPage(session, handle) };
      });
    });
    if (opened === undefined) return;
    const { session, handle } = opened;
    try {
      for (let { page } = opened; page !== undefined;) {
        for (const { name, attributes } of page) {
          signal?.throwIfAborted();
          if (name.endsWith(TEMP_SUFFIX) && !options.unfinished) continue;
          const relative = `${below}${name}`;
          if (!relative.startsWith(prefix) && !prefix.startsWith(`${relative}/`)) continue;
          const inner = path === "" ? name : `${path}/${name}`;
          const entry = await this.#entry(inner, relative, attributes, signal);
          if (entry === undefined) continue;
          if (relative.startsWith(prefix)) yield entry;
          if (options.recurse && entry.type === "path") yield* this.#walk(inner, `${relative}/`, options);
        }
        page = await this.#connection.on(session, what, "PathOpen", signal, () => files.readPage(session, handle));
      }
    } finally {
      // Nothing depends on its answer, and a round trip for each directory is saved.
      void files.abandonHandle(session, handle);
    }
  }

  /** An entry as it is given out; `undefined` for a link that went away in the meantime. */
  async #entry(
    path: string,
    name: string,
    found: FileAttributes,
    signal: AbortSignal | undefined,
  ): Promise<StorageEntry | undefined> {
    const type = TYPES[found.mode & 0o170000] ?? "special";
    const sizeBytes = type === "file" ? found.sizeBytes : 0;
    const entry = { name, type, sizeBytes, modifiedTime: found.modifiedTime };
    if (type !== "link") return entry;
    const what = `unable to read link '${this.#shown(path)}'`;
    const absolute = this.#absolute(path);
    const destination = await this.#run(
      what,
      "FileInfo",
      signal,
      (session) => files.linkDestination(session, absolute),
    );
    return destination === undefined ? undefined : { ...entry, destination };
  }

  async info(path: string, signal?: AbortSignal): Promise<StorageEntry | undefined> {
    checkPath(path);
    const what = `unable to get info for '${this.#shown(path)}'`;
    const absolute = this.#absolute(path);
    const found = await this.#run(what, "FileInfo", signal, (session) => files.attributesOf(session, absolute));
    return found === undefined ? undefined : await this.#entry(path, baseName(path), found, signal);
  }

  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    checkFilePath(path);
    const { offsetBytes = 0, lengthBytes = Infinity, signal } = options;
    const what = `unable to read '${this.#shown(path)}'`;
    const open = () =>
      this.#run(what, "FileOpen", signal, async (session) => {
        const handle = await files.openIfThere(session, this.#absolute(path));
        if (handle === undefined) return undefined;
        return await holding(session, handle, signal, async () => {
          return { session, handle, attributes: await files.handleAttributes(session, handle) };
        });
      });
    const first = await open();
    if (first === undefined) return undefined;
    const { attributes } = first;
    const end = Math.min(attributes.sizeBytes, offsetBytes + lengthBytes);
    const fail = (error: unknown) => this.#connection.failure(what, "FileRead", error);
    return (async function* () {
      let opened = first;
      let given = offsetBytes;
      let givenBefore = -1;
      for (;;) {
        const { session, handle } = opened;
        const chunks = files.readRange(session, handle, given, end);
        try {
          for (;;) {
            signal?.throwIfAborted();
            const next = await untilAborted(signal, chunks.next());
            if (next.done) return;
            given += next.value.length;
            yield next.value;
          }
        } catch (error) {
          signal?.throwIfAborted();
          // A connection that brought something is worth another one.
          if (!(error instanceof ConnectionLost) || given === givenBefore) throw fail(error);
          givenBefore = given;
        } finally {
          const released = release(chunks).then(() => files.abandonHandle(session, handle));
          // What was aborted is not waited for: its connection may be silent.
          if (!signal?.aborted) await released;
        }
        const again = await open();
        if (
          again === undefined || again.attributes.sizeBytes !== attributes.sizeBytes ||
          again.attributes.modifiedTime !== attributes.modifiedTime
        ) {
          if (again !== undefined) await files.abandonHandle(again.session, again.handle);
          throw new WalferryError("FileRead", `${what}: it was replaced while it was read`);
        }
        opened = again;
      }
    })();
  }

  async write(path: string, source: Uint8Array | ByteStream, options: WriteOptions = {}): Promise<void> {
    checkFilePath(path);
    if (options.ifAbsent) throw new WalferryError("Assert", "conditional writes do not work on a sftp repository");
    const what = `unable to write '${this.#shown(path)}'`;
    const { signal } = options;
    if (source instanceof Uint8Array) {
      // What is in memory can be sent again from the start.
      await this.#run(what, "FileWrite", signal, (session) => this.#writeOn(session, path, once(source), options));
      return;
    }
    let begun = false;
    let sourceFailure: { readonly error: unknown } | undefined;
    const watched = (async function* () {
      begun = true;
      try {
        yield* source;
      } catch (error) {
        sourceFailure = { error };
        throw error;
      }
    })();
    try {
      await this.#connection.once(
        what,
        "FileWrite",
        signal,
        (session) => this.#writeOn(session, path, watched, options),
      );
    } catch (error) {
      // The source's own error is its caller's: it says nothing about this store.
      if (sourceFailure !== undefined && !signal?.aborted) throw sourceFailure.error;
      throw error;
    } finally {
      // A source that was never asked must hear that it will not be.
      if (!begun) await source[Symbol.asyncIterator]().return?.();
    }
  }

  async #writeOn(session: SftpSession, path: string, source: ByteStream, options: WriteOptions): Promise<void> {
    const { lengthBytes, signal } = options;
    const absolute = this.#absolute(path);
    const temporary = `${absolute}.${crypto.randomUUID().slice(0, 8)}${TEMP_SUFFIX}`;
    await this.#removeLeftBehind(session);
    try {
      const handle = await this.#createTemporary(session, temporary, parentPath(path));
      try {
        const written = await files.writeStream(session, handle, source, (total) => {
          signal?.throwIfAborted();
          if (lengthBytes !== undefined && total > lengthBytes) {
            throw wrongLength(`more than the ${lengthBytes} bytes announced`);
          }
        });
        if (lengthBytes !== undefined && written !== lengthBytes) {
          throw wrongLength(`${written} bytes instead of the ${lengthBytes} announced`);
        }
        if (options.modifiedTime !== undefined) await files.setModifiedTime(session, handle, options.modifiedTime);
        await files.syncHandle(session, handle);
      } catch (error) {
        await files.abandonHandle(session, handle);
        throw error;
      }
      // Where there is no sync, or the host keeps its files elsewhere (a bucket, NFS), this is where it says that it could not.
      await files.closeHandle(session, handle);
      // Nobody may wait for this any more, and the name must then stay as it is.
      signal?.throwIfAborted();
      await files.replaceFile(session, temporary, absolute);
    } catch (error) {
      this.#leftBehind.add(temporary);
      await this.#removeLeftBehind(session);
      throw error;
    }
    if (options.syncDirectory ?? true) await syncDirectory(session, this.#absolute(parentPath(path)));
  }

  /** Removes temporary files of failed writes. With the connection gone they wait for the next one; no listing shows them. */
  async #removeLeftBehind(session: SftpSession): Promise<void> {
    await Promise.all([...this.#leftBehind].map(async (temporary) => {
      this.#leftBehind.delete(temporary);
      try {
        await files.removeFile(session, temporary);
      } catch (error) {
        // A server that refuses would refuse again, and the failure of the write is what gets reported.
        if (error instanceof ConnectionLost) this.#leftBehind.add(temporary);
      }
    }));
  }

  async #createTemporary(session: SftpSession, temporary: string, parent: string): Promise<files.Handle> {
    const flags = files.OPEN.write | files.OPEN.create | files.OPEN.exclusive;
    const open = () => files.openFile(session, temporary, flags, FILE_MODE);
    if (!this.#knownPaths.has(parent)) await this.#makeDirectories(session, parent);
    try {
      return await open();
    } catch (error) {
      if (!files.isMissing(error)) throw error;
      // Somebody removed the directory since it was seen.
      this.#knownPaths.delete(parent);
      await this.#makeDirectories(session, parent);
      return await open();
    }
  }

  async #makeDirectories(session: SftpSession, path: string): Promise<void> {
    await makeDirectories(session, this.#absolute(path));
    this.#knownPaths.add(path);
  }

  async remove(path: string, signal?: AbortSignal): Promise<void> {
    checkFilePath(path);
    await this.#run(`unable to remove '${this.#shown(path)}'`, "FileRemove", signal, async (session) => {
      await files.removeFile(session, this.#absolute(path));
    });
  }

  async removeMany(paths: Iterable<string> | AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
    await together(paths, signal, (path) => this.remove(path, signal));
  }

  async removeTree(path: string, signal?: AbortSignal): Promise<void> {
    checkFilePath(path);
    this.#knownPaths.clear();
    await this.#run(`unable to remove path '${this.#shown(path)}'`, "PathRemove", signal, async (session) => {
      const found = await files.attributesOf(session, this.#absolute(path));
      if (found === undefined) return;
      if (!files.isDirectory(found)) await files.removeFile(session, this.#absolute(path));
      else await removeBelow(session, this.#absolute(path), signal);
    });
  }

  async makePath(path: string): Promise<void> {
    checkPath(path);
    await this.#run(
      `unable to create path '${this.#shown(path)}'`,
      "PathCreate",
      undefined,
      (session) => this.#makeDirectories(session, path),
    );
  }

  async syncPath(path: string): Promise<void> {
    checkPath(path);
    await this.#run(
      `unable to sync path '${this.#shown(path)}'`,
      "PathSync",
      undefined,
      (session) => syncDirectory(session, this.#absolute(path)),
    );
  }

  async symlink(): Promise<void> {
    await Promise.reject(new WalferryError("Assert", "links do not work on a sftp repository"));
  }

  async hardlink(): Promise<void> {
    await Promise.reject(new WalferryError("Assert", "links do not work on a sftp repository"));
  }

  async #run<T>(
    what: string,
    kind: "FileInfo" | "PathOpen" | "FileOpen" | "FileWrite" | "FileRemove" | "PathRemove" | "PathCreate" | "PathSync",
    signal: AbortSignal | undefined,
    action: (session: SftpSession) => Promise<T>,
  ): Promise<T> {
    return await this.#connection.run(what, kind, signal, action);
  }

  #absolute(path: string): string {
    if (path === "") return this.#root;
    return this.#root === "/" ? `/${path}` : `${this.#root}/${path}`;
  }

  /** For messages: the place and the path. */
  #shown(path: string): string {
    return path === "" ? this.location : `${this.location}/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
    this.#knownPaths.clear();
  }
}

/** Does something with a handle that is kept; it is closed when that fails, and when nobody waits for it any more. */
async function holding<T>(
  session: SftpSession,
  handle: files.Handle,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  try {
    const result = await action();
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    await files.abandonHandle(session, handle);
    throw error;
  }
}

/** Ends a reading; what went wrong with it was told to whoever read. */
async function release(chunks: AsyncGenerator<Uint8Array>): Promise<void> {
  await chunks.return(undefined).catch(() => undefined);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

function wrongLength(reason: string): WalferryError {
  return new WalferryError("FileWrite", reason);
}
