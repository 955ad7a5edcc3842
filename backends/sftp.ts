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
import { SftpConnection } from "./sftp/connection.ts";
import * as files from "./sftp/files.ts";
import type { FileAttributes } from "./sftp/packets.ts";
import { ConnectionLost, type SftpSession, SftpStatusError } from "./sftp/session.ts";

/** Modes in a repository (repository-format §10). */
const FILE_MODE = 0o640;
const PATH_MODE = 0o750;
/** Removals on their way at once. */
const REMOVALS_AT_ONCE = 16;
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
  };
  readonly location: string;
  readonly #root: string;
  readonly #connection: SftpConnection;
  /** Directories that this object made or saw: saves round trips for every file of a backup. */
  readonly #knownPaths = new Set<string>();

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
    const session = await this.#connection.session(signal);
    const entries = files.readDirectory(session, this.#absolute(path));
    try {
      for await (const { name, attributes } of entries) {
        signal?.throwIfAborted();
        if (name.endsWith(TEMP_SUFFIX)) continue;
        const relative = `${below}${name}`;
        if (!relative.startsWith(prefix) && !prefix.startsWith(`${relative}/`)) continue;
        const inner = path === "" ? name : `${path}/${name}`;
        const entry = await this.#entry(session, inner, relative, attributes);
        if (relative.startsWith(prefix)) yield entry;
        if (options.recurse && entry.type === "path") yield* this.#walk(inner, `${relative}/`, options);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ConnectionLost || error instanceof SftpStatusError
        ? this.#connection.failure(what, "PathOpen", error)
        : error;
    }
  }

  async #entry(session: SftpSession, path: string, name: string, found: FileAttributes): Promise<StorageEntry> {
    const type = TYPES[found.mode & 0o170000] ?? "special";
    const sizeBytes = type === "file" ? found.sizeBytes : 0;
    const entry = { name, type, sizeBytes, modifiedTime: found.modifiedTime };
    return type === "link"
      ? { ...entry, destination: await files.linkDestination(session, this.#absolute(path)) }
      : entry;
  }

  async info(path: string, signal?: AbortSignal): Promise<StorageEntry | undefined> {
    checkPath(path);
    return await this.#run(`unable to get info for '${this.#shown(path)}'`, "FileInfo", signal, async (session) => {
      const found = await files.attributesOf(session, this.#absolute(path));
      return found === undefined ? undefined : await this.#entry(session, path, baseName(path), found);
    });
  }

  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    checkFilePath(path);
    const { offsetBytes = 0, lengthBytes = Infinity, signal } = options;
    const what = `unable to read '${this.#shown(path)}'`;
    const open = () =>
      this.#run(what, "FileOpen", signal, async (session) => {
        let handle: files.Handle;
        try {
          handle = await files.openFile(session, this.#absolute(path), files.OPEN.read);
        } catch (error) {
          if (files.isMissing(error)) return undefined;
          throw error;
        }
        return { session, handle, attributes: await files.handleAttributes(session, handle) };
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
        try {
          for await (const chunk of files.readRange(session, handle, given, end)) {
            signal?.throwIfAborted();
            given += chunk.length;
            yield chunk;
          }
          return;
        } catch (error) {
          signal?.throwIfAborted();
          // A connection that brought something is worth another one.
          if (!(error instanceof ConnectionLost) || given === givenBefore) throw fail(error);
          givenBefore = given;
        } finally {
          await files.abandonHandle(session, handle);
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
    const watched = (async function* () {
      begun = true;
      yield* source;
    })();
    try {
      await this.#connection.once(
        what,
        "FileWrite",
        signal,
        (session) => this.#writeOn(session, path, watched, options),
      );
    } finally {
      // A source that was never asked must hear that it will not be.
      if (!begun) await source[Symbol.asyncIterator]().return?.();
    }
  }

  async #writeOn(session: SftpSession, path: string, source: ByteStream, options: WriteOptions): Promise<void> {
    const { lengthBytes, signal } = options;
    const absolute = this.#absolute(path);
    const temporary = `${absolute}.${crypto.randomUUID().slice(0, 8)}${TEMP_SUFFIX}`;
    const handle = await this.#createTemporary(session, temporary, parentPath(path));
    try {
      try {
        const guarded = passingErrors(source);
        const written = await files.writeStream(session, handle, guarded, (total) => {
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
      } finally {
        await files.abandonHandle(session, handle);
      }
      await files.replaceFile(session, temporary, absolute);
    } catch (error) {
      // With the connection gone it stays behind; its name says what it is, and no listing shows it.
      await files.removeFile(session, temporary).catch(() => undefined);
      if (error instanceof SourceError) throw error.cause;
      throw error;
    }
    if (options.syncDirectory ?? true) await syncDirectory(session, this.#absolute(parentPath(path)));
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
    await makeDurable(session, this.#absolute(path));
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
      if (TYPES[found.mode & 0o170000] !== "path") await files.removeFile(session, this.#absolute(path));
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
    kind: "FileInfo" | "FileOpen" | "FileWrite" | "FileRemove" | "PathRemove" | "PathCreate" | "PathSync",
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
  }
}

/** Wraps an error of the source, so that it is told from one of the connection. */
class SourceError extends Error {}

async function* passingErrors(source: ByteStream): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw new SourceError("the source failed", { cause: error });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

function wrongLength(reason: string): WalferryError {
  return new WalferryError("FileWrite", reason);
}

/** mkdir -p, each new name made durable in the directory above. */
async function makeDurable(session: SftpSession, absolute: string): Promise<void> {
  const above = absolute.slice(0, Math.max(1, absolute.lastIndexOf("/")));
  let made: boolean;
  try {
    made = await files.makeDirectory(session, absolute, PATH_MODE);
  } catch (error) {
    if (!files.isMissing(error) || above === absolute) throw error;
    await makeDurable(session, above);
    made = await files.makeDirectory(session, absolute, PATH_MODE);
  }
  if (made) await syncDirectory(session, above);
}

/** Makes the names in a directory durable, where the server lets a directory be opened as a file, as OpenSSH does. */
async function syncDirectory(session: SftpSession, absolute: string): Promise<void> {
  if (!session.offers("fsync@openssh.com")) return;
  let handle: files.Handle;
  try {
    handle = await files.openFile(session, absolute, files.OPEN.read);
  } catch (error) {
    if (error instanceof SftpStatusError) return;
    throw error;
  }
  try {
    await files.syncHandle(session, handle);
  } catch (error) {
    // A server that opens a directory and cannot sync it is one that cannot: there is no more to be had.
    if (!(error instanceof SftpStatusError)) throw error;
  } finally {
    await files.abandonHandle(session, handle);
  }
}

/** Removes a directory with everything in it; links are removed, not followed. */
async function removeBelow(session: SftpSession, absolute: string, signal: AbortSignal | undefined): Promise<void> {
  const plain: string[] = [];
  for await (const { name, attributes } of files.readDirectory(session, absolute)) {
    const inner = `${absolute}/${name}`;
    if (TYPES[attributes.mode & 0o170000] === "path") await removeBelow(session, inner, signal);
    else plain.push(inner);
  }
  await together(plain, signal, (path) => files.removeFile(session, path));
  await files.removeDirectory(session, absolute);
}

/** Does something for many, several at once; every one is tried, then the first error is thrown. */
async function together(
  paths: Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal | undefined,
  action: (path: string) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for await (const path of paths) {
    if (signal?.aborted) break;
    if (running.size >= REMOVALS_AT_ONCE) await Promise.race(running);
    const one: Promise<void> = action(path).catch((error) => {
      failure ??= { error };
    }).then(() => void running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure.error;
}
