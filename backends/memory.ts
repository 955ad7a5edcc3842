/** A repository in this process's memory, for tests and simulation. A store like the others: it passes the same conformance suite. */
import { WalferryError } from "../src/errors.ts";
import type { ByteStream } from "../src/stream/byte_stream.ts";
import { CHUNK_BYTES } from "../src/stream/byte_stream.ts";
import type { MemoryStorageConfig } from "./config.ts";
import type { ListOptions, ReadOptions, Storage, StorageEntry, StorageFeatures, WriteOptions } from "./contract.ts";
import { baseName, checkFilePath, checkPath } from "./path_rules.ts";

interface StoredFile {
  readonly bytes: Uint8Array;
  readonly modifiedTime: number;
}

/** The content of a memory store; share one between several `MemoryStorage` objects to see the same files. */
export type MemoryFiles = Map<string, StoredFile>;

export class MemoryStorage implements Storage {
  readonly type = "memory";
  readonly features: StorageFeatures = {
    directories: false,
    symlinks: false,
    hardlinks: false,
    conditionalWrite: true,
    removeBatch: 1000,
    chunksPass: true,
  };
  readonly location: string;
  readonly #files: MemoryFiles;

  constructor(config: MemoryStorageConfig, files: MemoryFiles = new Map()) {
    this.location = `memory:${config.path}`;
    this.#files = files;
  }

  async *list(path: string, options: ListOptions = {}): AsyncGenerator<StorageEntry> {
    checkPath(path);
    const root = path === "" ? "" : `${path}/`;
    const given = new Set<string>();
    for (const [name, file] of [...this.#files]) {
      options.signal?.throwIfAborted();
      if (!name.startsWith(root)) continue;
      const relative = name.slice(root.length);
      if (!relative.startsWith(options.prefix ?? "")) continue;
      const slash = relative.indexOf("/");
      if (slash === -1 || options.recurse) {
        yield { name: relative, type: "file", sizeBytes: file.bytes.length, modifiedTime: file.modifiedTime };
      } else if (!given.has(relative.slice(0, slash))) {
        given.add(relative.slice(0, slash));
        yield { name: relative.slice(0, slash), type: "path", sizeBytes: 0, modifiedTime: 0 };
      }
    }
  }

  async info(path: string): Promise<StorageEntry | undefined> {
    checkPath(path);
    const file = await Promise.resolve(this.#files.get(path));
    if (file !== undefined) {
      return { name: baseName(path), type: "file", sizeBytes: file.bytes.length, modifiedTime: file.modifiedTime };
    }
    const isPrefix = path === "" || [...this.#files.keys()].some((name) => name.startsWith(`${path}/`));
    return isPrefix ? { name: baseName(path), type: "path", sizeBytes: 0, modifiedTime: 0 } : undefined;
  }

  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    checkFilePath(path);
    const file = await Promise.resolve(this.#files.get(path));
    if (file === undefined) return undefined;
    const from = options.offsetBytes ?? 0;
    return chunksOf(file.bytes.subarray(from, from + (options.lengthBytes ?? file.bytes.length)), options);
  }

  async write(path: string, source: Uint8Array | ByteStream, options: WriteOptions = {}): Promise<void> {
    checkFilePath(path);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of source instanceof Uint8Array ? [source] : source) {
      options.signal?.throwIfAborted();
      // A copy, so that what was written cannot change behind the writer's back.
      chunks.push(chunk.slice());
      size += chunk.length;
    }
    const expected = source instanceof Uint8Array ? undefined : options.lengthBytes;
    if (expected !== undefined && expected !== size) {
      throw new WalferryError(
        "FileWrite",
        `unable to write '${path}': ${size} bytes instead of the ${expected} announced`,
      );
    }
    options.signal?.throwIfAborted();
    if (options.ifAbsent && this.#files.has(path)) {
      throw new WalferryError("FileExists", `file '${path}' exists already`);
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    this.#files.set(path, { bytes, modifiedTime: options.modifiedTime ?? Date.now() / 1000 });
  }

  async remove(path: string): Promise<void> {
    checkFilePath(path);
    await Promise.resolve(this.#files.delete(path));
  }

  async removeMany(paths: Iterable<string> | AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
    for await (const path of paths) {
      signal?.throwIfAborted();
      await this.remove(path);
    }
  }

  async removeTree(path: string): Promise<void> {
    checkFilePath(path);
    for (const name of [...this.#files.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) this.#files.delete(name);
    }
    await Promise.resolve();
  }

  async makePath(path: string): Promise<void> {
    await Promise.resolve(checkPath(path));
  }

  async syncPath(path: string): Promise<void> {
    await Promise.resolve(checkPath(path));
  }

  symlink(): Promise<void> {
    return Promise.reject(new WalferryError("Assert", "links do not work in a memory repository"));
  }

  hardlink(): Promise<void> {
    return Promise.reject(new WalferryError("Assert", "links do not work in a memory repository"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

async function* chunksOf(
  bytes: Uint8Array,
  { signal, chunksPass }: Pick<ReadOptions, "signal" | "chunksPass">,
): AsyncGenerator<Uint8Array> {
  const shared = new Uint8Array(chunksPass ? CHUNK_BYTES : 0);
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const chunk = bytes.subarray(from, from + CHUNK_BYTES);
    // As a directory reads: those who said that they are done with a chunk get the next one in its place.
    if (chunksPass) shared.set(chunk);
    yield chunksPass ? shared.subarray(0, chunk.length) : chunk.slice();
  }
}
