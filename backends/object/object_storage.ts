/** The storage contract over keys in a bucket: what S3, Azure and GCS have in common. */
import { WalferryError } from "../../src/errors.ts";
import { compareBytes } from "../../src/format/json.ts";
import type { ByteStream } from "../../src/stream/byte_stream.ts";
import type { ObjectStoreConfig } from "../config.ts";
import type {
  ListOptions,
  ReadOptions,
  Storage,
  StorageEntry,
  StorageFeatures,
  StorageType,
  UnfinishedUpload,
  UnfinishedUploads,
  WriteOptions,
} from "../contract.ts";
import { baseName, checkFilePath, checkPath, TEMP_SUFFIX } from "../path_rules.ts";
import { retrying } from "../retry.ts";
import type { ListPage, ListRequest, ObjectDriver, UploadToken } from "./driver.ts";
import { openObject } from "./resumed_read.ts";
import { uploadBytes, type UploadRequest, uploadStream } from "./upload.ts";

/** Removal requests on their way at once. */
const REMOVALS_AT_ONCE = 4;

export class ObjectStorage implements Storage {
  readonly type: StorageType;
  readonly features: StorageFeatures;
  readonly location: string;
  readonly #driver: ObjectDriver;
  readonly #config: ObjectStoreConfig;
  /** Key of the root with a slash behind it; empty when the repository is all of the bucket. */
  readonly #root: string;

  constructor(driver: ObjectDriver, config: ObjectStoreConfig) {
    this.type = driver.type;
    this.#driver = driver;
    this.#config = config;
    this.#root = config.path === "/" ? "" : `${config.path.slice(1)}/`;
    this.location = `${driver.location}${config.path === "/" ? "" : config.path}`;
    this.features = {
      directories: false,
      symlinks: false,
      hardlinks: false,
      conditionalWrite: driver.conditionalWrite,
      removeBatch: driver.removeBatch,
      chunksPass: true,
    };
  }

  get unfinishedUploads(): UnfinishedUploads | undefined {
    if (this.#driver.unfinishedUploads === undefined) return undefined;
    return {
      list: (signal) => this.#listUploads(signal),
      abort: ({ path, id }, signal) =>
        retrying(this.#config.network, signal, () => this.#driver.abortUpload!(this.#key(path), id, signal)),
    };
  }

  async *#listUploads(signal?: AbortSignal): AsyncGenerator<UnfinishedUpload> {
    let token: UploadToken | undefined;
    do {
      const asked = token;
      const page = await retrying(
        this.#config.network,
        signal,
        () => this.#driver.unfinishedUploads!(this.#root, asked, signal),
      );
      for (const { key, id, startTime } of page.uploads) {
        // Some stores do not look at the prefix: what is elsewhere belongs to others.
        if (key.startsWith(this.#root)) yield { path: key.slice(this.#root.length), id, startTime };
      }
      token = page.next;
      if (token !== undefined && token.key === asked?.key && token.id === asked.id) {
        throw new WalferryError(
          "Protocol",
          `unable to list unfinished uploads of '${this.location}': the store repeats a page of the listing`,
        );
      }
    } while (token !== undefined);
  }

  async *list(path: string, options: ListOptions = {}): AsyncGenerator<StorageEntry> {
    checkPath(path);
    const below = this.#below(path);
    const request: ListRequest = {
      prefix: `${below}${options.prefix ?? ""}`,
      delimiter: options.recurse ? undefined : "/",
      signal: options.signal,
    };
    for await (const page of this.#pages(request)) {
      for (const prefix of page.prefixes) {
        const name = prefix.slice(below.length, -1);
        // Between two slashes is no name.
        if (name !== "") yield { name, type: "path", sizeBytes: 0, modifiedTime: 0 };
      }
      for (const { key, sizeBytes, modifiedTime } of page.objects) {
        const name = key.slice(below.length);
        // Some tools make empty objects whose keys end in a slash to stand for directories.
        if (name === "" || name.endsWith("/") || (name.endsWith(TEMP_SUFFIX) && !options.unfinished)) continue;
        yield { name, type: "file", sizeBytes, modifiedTime };
      }
    }
  }

  /** Pages of a listing. A store that gives the same page again, or an earlier one, would otherwise be listed for ever or twice. */
  async *#pages(request: ListRequest): AsyncGenerator<ListPage> {
    let token: string | undefined;
    let lastKey: string | undefined;
    do {
      request.signal?.throwIfAborted();
      const asked = token;
      const page = await retrying(
        this.#config.network,
        request.signal,
        () => this.#driver.list({ ...request, token: asked }),
      );
      const first = page.objects[0]?.key;
      const repeats = lastKey !== undefined && first !== undefined && compareBytes(first, lastKey) <= 0;
      if (repeats || (page.next !== undefined && page.next === asked)) {
        throw new WalferryError(
          "Protocol",
          `unable to list '${this.#driver.location}/${request.prefix}': the store repeats a page of the listing`,
        );
      }
      // Removing everything below a path would remove what is elsewhere.
      const isElsewhere = (key: string) => !key.startsWith(request.prefix);
      if (page.objects.some(({ key }) => isElsewhere(key)) || page.prefixes.some(isElsewhere)) {
        throw new WalferryError(
          "Protocol",
          `unable to list '${this.#driver.location}/${request.prefix}': the store lists what is elsewhere`,
        );
      }
      lastKey = page.objects.at(-1)?.key ?? lastKey;
      yield page;
      token = page.next;
    } while (token !== undefined);
  }

  async info(path: string, signal?: AbortSignal): Promise<StorageEntry | undefined> {
    checkPath(path);
    const name = baseName(path);
    if (path !== "") {
      const found = await retrying(this.#config.network, signal, () => this.#driver.head(this.#key(path), signal));
      if (found !== undefined) {
        return { name, type: "file", sizeBytes: found.sizeBytes, modifiedTime: found.modifiedTime };
      }
    }
    // A page may be empty and yet not the last one: where many objects were removed, some stores give several such pages.
    for await (const { objects } of this.#pages({ prefix: this.#below(path), maxEntries: 1, signal })) {
      if (objects.length > 0) return { name, type: "path", sizeBytes: 0, modifiedTime: 0 };
    }
    return undefined;
  }

  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    checkFilePath(path);
    return await openObject(this.#driver, this.#config.network, this.#key(path), {
      offsetBytes: options.offsetBytes ?? 0,
      lengthBytes: options.lengthBytes,
      chunksPass: options.chunksPass,
      signal: options.signal,
    });
  }

  async write(path: string, source: Uint8Array | ByteStream, options: WriteOptions = {}): Promise<void> {
    checkFilePath(path);
    if (options.ifAbsent && !this.features.conditionalWrite) {
      throw new WalferryError("Assert", `conditional writes do not work on '${this.location}'`);
    }
    options.signal?.throwIfAborted();
    const request: UploadRequest = {
      driver: this.#driver,
      limits: this.#config.network,
      key: this.#key(path),
      chunkBytes: this.#config.uploadChunkBytes,
      lengthBytes: options.lengthBytes,
      ifAbsent: options.ifAbsent ?? false,
      signal: options.signal,
    };
    if (source instanceof Uint8Array) await uploadBytes(request, source);
    else await uploadStream(request, source);
  }

  async remove(path: string, signal?: AbortSignal): Promise<void> {
    checkFilePath(path);
    await this.#removeKeys([this.#key(path)], signal);
  }

  async removeMany(paths: Iterable<string> | AsyncIterable<string>, signal?: AbortSignal): Promise<void> {
    const keyOf = (path: string) => {
      checkFilePath(path);
      return this.#key(path);
    };
    await this.#removeAll(
      (async function* () {
        for await (const path of paths) yield keyOf(path);
      })(),
      signal,
    );
  }

  /** Removes in batches, a few at once; every batch is tried, then the first failure is thrown. */
  async #removeAll(keys: AsyncIterable<string>, signal: AbortSignal | undefined): Promise<void> {
    const running = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    const start = async (batch: readonly string[]) => {
      signal?.throwIfAborted();
      if (running.size >= REMOVALS_AT_ONCE) await Promise.race(running);
      const removal: Promise<void> = this.#removeKeys(batch, signal).catch((error) => {
        failure ??= { error };
      }).then(() => void running.delete(removal));
      running.add(removal);
    };
    try {
      let batch: string[] = [];
      for await (const key of keys) {
        batch.push(key);
        if (batch.length < this.#driver.removeBatch) continue;
        await start(batch);
        batch = [];
      }
      if (batch.length > 0) await start(batch);
    } finally {
      await Promise.all(running);
    }
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure.error;
  }

  async #removeKeys(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    await retrying(this.#config.network, signal, () => this.#driver.remove(keys, signal));
  }

  async removeTree(path: string, signal?: AbortSignal): Promise<void> {
    checkFilePath(path);
    const pages = this.#pages({ prefix: this.#below(path), signal });
    // By key, not by path: empty objects that stand for directories go too.
    await this.#removeAll(
      (async function* () {
        for await (const page of pages) yield* page.objects.map(({ key }) => key);
      })(),
      signal,
    );
  }

  async makePath(path: string): Promise<void> {
    await Promise.resolve(checkPath(path));
  }

  async syncPath(path: string): Promise<void> {
    await Promise.resolve(checkPath(path));
  }

  async symlink(): Promise<void> {
    await Promise.reject(this.#noLinks());
  }

  async hardlink(): Promise<void> {
    await Promise.reject(this.#noLinks());
  }

  #noLinks(): WalferryError {
    return new WalferryError("Assert", `links do not work in '${this.location}'`);
  }

  #key(path: string): string {
    return `${this.#root}${path}`;
  }

  /** What the keys of everything below a path begin with. */
  #below(path: string): string {
    return path === "" ? this.#root : `${this.#root}${path}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver.close();
  }
}
