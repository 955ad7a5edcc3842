/**
 * The worker's side of copying: one file of the cluster is read once, hashed once, its pages checked once, compressed once for each distinct
 * setting, encrypted for each repository, and written to all of them. The main side is copier.ts.
 */
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import type { StorageConfig } from "../../backends/config.ts";
import { isWalferryError, type SerializedError, serializeError } from "../errors.ts";
import { readControlBytes } from "../postgres/control_file.ts";
import { PageChecker, type PageCheckResult } from "../postgres/page_checksum.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { encryptFilter } from "../stream/cipher.ts";
import { compressFilter } from "../stream/compress.ts";
import { compressExtension, type CompressSetting } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { collect, openForRead, readFully, streamOf } from "../stream/sources.ts";
import { tee } from "../stream/tee.ts";
import type { Advance } from "../process/worker_pool.ts";

/** One repository of a copy. */
export interface CopyTarget {
  readonly key: number;
  readonly storage: StorageConfig;
  /** Directory of the backup in the repository: `backup/<stanza>/<label>`. */
  readonly directory: string;
  readonly compress: CompressSetting;
  /** Passphrase of the backup's files, only in an encrypted repository. */
  readonly cipherPass: string | undefined;
}

/** What a worker is told once. */
export interface CopySetup {
  readonly targets: readonly CopyTarget[];
  /** Data directory: where the control file is read from. */
  readonly pgPath: string;
  readonly pgVersionForce: string | undefined;
  readonly pageBytes: number;
  readonly pageHeaderCheck: boolean;
  /** `buffer-size`: bytes of one read. */
  readonly bufferBytes: number;
}

/** How a file is read: as it is, or as the control file, whose reads can be torn. */
export type CopySource = "file" | "control";

/** One file to copy. */
export interface CopyRequest {
  /** Manifest name: also the path below the backup's directory. */
  readonly name: string;
  /** Absolute path in the cluster. */
  readonly path: string;
  readonly source: CopySource;
  /** Bytes to read at most: what the file grew by later is WAL's to replay. */
  readonly sizeBytes: number;
  /** Number of the first page through all segments of its relation; absent = pages are not checked. */
  readonly firstBlock: number | undefined;
  /** Keys of the repositories to write to. */
  readonly keys: readonly number[];
}

/** What became of a file in one repository. */
export type StoredFile =
  | { readonly key: number; readonly sizeBytes: number; readonly checksum: string | undefined }
  | { readonly key: number; readonly error: SerializedError };

/** What became of a file. */
export type CopyResult =
  | { readonly status: "missing" }
  | {
    readonly status: "copied";
    /** Bytes read: fewer than asked for when the server truncated the file. */
    readonly sizeBytes: number;
    readonly checksum: string;
    readonly pages: PageCheckResult | undefined;
    readonly stored: readonly StoredFile[];
  };

/** Files up to this size are handed to a store in one piece, so that it can write them with one request. Bytes. */
const WHOLE_BYTES = 1024 * 1024;

/** Starts a worker of the job `backup-copy`: opens every repository's store once. */
export async function start(
  setup: CopySetup,
): Promise<(request: CopyRequest, advance: Advance) => Promise<CopyResult>> {
  const storages = new Map<number, Storage>();
  for (const target of setup.targets) storages.set(target.key, await openStorage(target.storage));
  return (request, advance) => copyFile(setup, storages, request, advance);
}

async function copyFile(
  setup: CopySetup,
  storages: ReadonlyMap<number, Storage>,
  request: CopyRequest,
  advance: Advance,
): Promise<CopyResult> {
  using source = openSource(setup, request);
  if (source === undefined) return { status: "missing" };
  const checker = request.firstBlock === undefined ? undefined : new PageChecker({
    pageBytes: setup.pageBytes,
    firstBlock: request.firstBlock,
    headerCheck: setup.pageHeaderCheck,
    reread: (offset) => source.reread(offset, setup.pageBytes),
  });
  const plain = new Sha1Meter();
  const failure: { error?: unknown } = {};
  const read = pipeline(watched(source.stream, checker, advance, failure), plain.through);
  const targets = setup.targets.filter((target) => request.keys.includes(target.key));
  const stored = await storeAll(read, targets, storages, request);
  // A source that failed is no fault of the repositories, which all report it.
  if (failure.error !== undefined) throw failure.error;
  if (stored.every((one) => "error" in one)) return failed(stored);
  return {
    status: "copied",
    sizeBytes: plain.sizeBytes,
    checksum: plain.digestHex(),
    pages: checker?.finish(),
    stored,
  };
}

/** Every repository failed: nothing is known of the content, since nobody read it to its end. */
function failed(stored: readonly StoredFile[]): CopyResult {
  return { status: "copied", sizeBytes: 0, checksum: "", pages: undefined, stored };
}

/** Passes the source on, with its progress, its page check, and a note of its own failure. */
async function* watched(
  source: ByteStream,
  checker: PageChecker | undefined,
  advance: Advance,
  failure: { error?: unknown },
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const result = await iterator.next();
      if (!result.done) checker?.update(result.value);
      return result;
    } catch (error) {
      failure.error = error;
      throw error;
    }
  };
  for (let chunk = await next(); !chunk.done; chunk = await next()) {
    advance(chunk.value.length);
    yield chunk.value;
  }
}

/** Repositories with one compression setting share its output. */
function groupByCompression(targets: readonly CopyTarget[]): CopyTarget[][] {
  const groups = new Map<string, CopyTarget[]>();
  for (const target of targets) {
    const key = `${target.compress.type}/${target.compress.level ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), target]);
  }
  return [...groups.values()];
}

async function storeAll(
  read: ByteStream,
  targets: readonly CopyTarget[],
  storages: ReadonlyMap<number, Storage>,
  request: CopyRequest,
): Promise<StoredFile[]> {
  const groups = groupByCompression(targets);
  const branches = groups.length === 1 ? undefined : tee(read, groups.length);
  const stored = await Promise.all(groups.map(async (group, index) => {
    try {
      const compressed = compressFilter(group[0]!.compress)(branches?.[index] ?? read);
      return await storeGroup(compressed, group, storages, request);
    } finally {
      // A store may fail before it reads: the other branches would wait for this one.
      branches?.[index]?.drop();
    }
  }));
  return stored.flat().sort((a, b) => a.key - b.key);
}

async function storeGroup(
  compressed: ByteStream,
  group: readonly CopyTarget[],
  storages: ReadonlyMap<number, Storage>,
  request: CopyRequest,
): Promise<StoredFile[]> {
  const branches = group.length === 1 ? undefined : tee(compressed, group.length);
  return await Promise.all(group.map(async (target, index) => {
    try {
      return await storeOne(branches?.[index] ?? compressed, target, storages.get(target.key)!, request);
    } finally {
      branches?.[index]?.drop();
    }
  }));
}

/** Writes one repository's copy; a failure is its result, so that the others go on. */
async function storeOne(
  compressed: ByteStream,
  target: CopyTarget,
  storage: Storage,
  request: CopyRequest,
): Promise<StoredFile> {
  const meter = new Sha1Meter();
  const encrypt = target.cipherPass === undefined ? [] : [encryptFilter(target.cipherPass)];
  const bytes = pipeline(compressed, ...encrypt, meter.through);
  const path = `${target.directory}/${request.name}${compressExtension(target.compress.type)}`;
  try {
    // The name becomes durable with its directory, which is synced once for all files before the manifest is written.
    const whole = request.sizeBytes <= WHOLE_BYTES ? await collect(bytes, 2 * WHOLE_BYTES) : bytes;
    await storage.write(path, whole, { syncDirectory: false });
  } catch (error) {
    return { key: target.key, error: serializeError(error) };
  }
  const transformed = target.compress.type !== "none" || target.cipherPass !== undefined;
  return { key: target.key, sizeBytes: meter.sizeBytes, checksum: transformed ? meter.digestHex() : undefined };
}

/** An opened file of the cluster. */
interface OpenSource extends Disposable {
  readonly stream: ByteStream;
  reread(offsetBytes: number, lengthBytes: number): Uint8Array | undefined;
}

/** `undefined` when the server removed the file. @throws WalferryError `FileOpen`, `Checksum` (control file) */
function openSource(setup: CopySetup, request: CopyRequest): OpenSource | undefined {
  if (request.source === "control") {
    const bytes = readControlBytes(setup.pgPath, setup.pgVersionForce);
    return { stream: streamOf(bytes), reread: () => undefined, [Symbol.dispose]() {} };
  }
  try {
    return new FileSource(request.path, request.sizeBytes, setup.bufferBytes);
  } catch (error) {
    if (isWalferryError(error, "FileMissing")) return undefined;
    throw error;
  }
}

class FileSource implements OpenSource {
  readonly stream: ByteStream;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #second: Deno.FsFile | undefined;

  constructor(path: string, sizeBytes: number, bufferBytes: number) {
    this.#path = path;
    this.#file = openForRead(path);
    this.stream = this.#read(sizeBytes, bufferBytes);
  }

  async *#read(sizeBytes: number, bufferBytes: number): AsyncGenerator<Uint8Array> {
    for (let left = sizeBytes; left > 0;) {
      const buffer = new Uint8Array(Math.min(bufferBytes, left));
      const count = readFully(this.#file, buffer, this.#path);
      if (count > 0) yield buffer.subarray(0, count);
      if (count < buffer.length) return;
      left -= count;
    }
  }

  /** Reads through a second handle, so that the position of the first stays; `undefined` for a page that is gone. */
  reread(offsetBytes: number, lengthBytes: number): Uint8Array | undefined {
    try {
      this.#second ??= openForRead(this.#path);
    } catch (error) {
      if (isWalferryError(error, "FileMissing")) return undefined;
      throw error;
    }
    this.#second.seekSync(offsetBytes, Deno.SeekMode.Start);
    const page = new Uint8Array(lengthBytes);
    return readFully(this.#second, page, this.#path) === lengthBytes ? page : undefined;
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#second?.close();
  }
}
