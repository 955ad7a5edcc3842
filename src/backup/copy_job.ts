/**
 * The worker's side of copying: one file of the cluster is read once, hashed once, its pages checked once, compressed once for each distinct
 * setting, encrypted for each repository, and written to all of them. The main side is copier.ts.
 */
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import type { StorageConfig } from "../../backends/config.ts";
import { type SerializedError, serializeError } from "../errors.ts";
import { PageChecker, type PageCheckResult } from "../postgres/page_checksum.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { encryptFilter } from "../stream/cipher.ts";
import { compressFilter } from "../stream/compress.ts";
import { compressExtension, type CompressSetting } from "../stream/compress_type.ts";
import { sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { collect, drain, streamOf } from "../stream/sources.ts";
import { tee } from "../stream/tee.ts";
import type { Advance } from "../process/worker_pool.ts";
import {
  type ClusterFile,
  type ClusterFileRequest,
  type ClusterFileSettings,
  openClusterFile,
} from "./cluster_file.ts";
import { WHOLE_BYTES } from "./planner.ts";
import { readStored } from "./resumed_file.ts";

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
export interface CopySetup extends ClusterFileSettings {
  readonly targets: readonly CopyTarget[];
  readonly pageBytes: number;
  readonly pageHeaderCheck: boolean;
}

/** One file to copy. */
export interface CopyRequest extends ClusterFileRequest {
  /** Manifest name: also the path below the backup's directory. */
  readonly name: string;
  /** Number of the first page through all segments of its relation; absent = pages are not checked. */
  readonly firstBlock: number | undefined;
  /** Repositories that need it. */
  readonly targets: readonly FileTarget[];
}

/** One repository that needs a file. */
export interface FileTarget {
  readonly key: number;
  /** SHA-1 of the content that an earlier backup there holds: where it is this still, nothing is stored. */
  readonly unchangedChecksum?: string;
  /** SHA-1 of the content that an interrupted run stored: it stays when it is whole and, with `compare`, the cluster's content is the same. */
  readonly resumed?: { readonly checksum: string; readonly compare: boolean };
}

/** What became of a file in one repository. */
export type StoredFile =
  | {
    readonly key: number;
    readonly status: "stored";
    readonly sizeBytes: number;
    readonly checksum: string | undefined;
    /** Path of what an interrupted run had stored and is not whole; it was replaced. */
    readonly damaged?: string;
  }
  | {
    readonly key: number;
    readonly status: "resumed";
    readonly sizeBytes: number;
    readonly checksum: string | undefined;
  }
  | { readonly key: number; readonly status: "unchanged" }
  | { readonly key: number; readonly status: "failed"; readonly error: SerializedError };

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
  using file = openClusterFile(setup, request);
  if (file === undefined) return { status: "missing" };
  const isCompared = request.targets.some(({ unchangedChecksum, resumed }) =>
    unchangedChecksum !== undefined || resumed?.compare
  );
  const whole = isCompared && request.sizeBytes <= WHOLE_BYTES ? await collect(file.content(), WHOLE_BYTES) : undefined;
  const found = !isCompared
    ? undefined
    : whole === undefined
    ? await measure(file.content())
    : { sizeBytes: whole.length, checksum: sha1Hex(whole) };
  const { settled, damaged } = await settle(setup, storages, request, found);
  const targets = request.targets.filter(({ key }) => !settled.has(key));
  if (targets.length === 0) {
    advance(request.sizeBytes);
    const content = found ?? { sizeBytes: request.sizeBytes, checksum: request.targets[0]!.resumed!.checksum };
    return { status: "copied", ...content, pages: undefined, stored: [...settled.values()] };
  }
  // What was too large for memory is read again. It may have changed in between: this reading says what is stored.
  const content = whole === undefined ? file.content() : streamOf(whole);
  const copied = await store(setup, storages, { ...request, targets }, file, content, advance);
  const stored = copied.stored.map((
    one,
  ) => (one.status === "stored" ? { ...one, damaged: damaged.get(one.key) } : one));
  return { ...copied, stored: [...settled.values(), ...stored] };
}

type Content = { readonly sizeBytes: number; readonly checksum: string };

/**
 * Finds the repositories that need nothing, since an earlier backup or an interrupted run has this content there, and those that cannot be
 * asked.
 *
 * @param found the cluster's content, where it had to be looked at
 */
async function settle(
  setup: CopySetup,
  storages: ReadonlyMap<number, Storage>,
  request: CopyRequest,
  found: Content | undefined,
): Promise<{ readonly settled: Map<number, StoredFile>; readonly damaged: Map<number, string> }> {
  const settled = new Map<number, StoredFile>();
  const damaged = new Map<number, string>();
  const isThis = (checksum: string) => found?.checksum === checksum && found.sizeBytes === request.sizeBytes;
  for (const { key, unchangedChecksum, resumed } of request.targets) {
    if (unchangedChecksum !== undefined && isThis(unchangedChecksum)) settled.set(key, { key, status: "unchanged" });
    else if (resumed !== undefined && (found === undefined || isThis(resumed.checksum))) {
      const target = setup.targets.find((one) => one.key === key)!;
      const path = storedPath(target, request);
      const storage = storages.get(key)!;
      try {
        const bytes = await readStored(storage, path, target.compress.type, target.cipherPass, resumed.checksum);
        if (bytes === undefined) damaged.set(key, `${storage.location}/${path}`);
        else settled.set(key, { key, status: "resumed", ...asStored(target, bytes) });
      } catch (error) {
        settled.set(key, { key, status: "failed", error: serializeError(error) });
      }
    }
  }
  return { settled, damaged };
}

/** Where a repository keeps a file of this backup. */
function storedPath({ directory, compress }: CopyTarget, { name }: CopyRequest): string {
  return `${directory}/${name}${compressExtension(compress.type)}`;
}

/** The hash of stored bytes is told only where they are not the content itself. */
function asStored({ compress, cipherPass }: CopyTarget, { sizeBytes, checksum }: Content) {
  const isTransformed = compress.type !== "none" || cipherPass !== undefined;
  return { sizeBytes, checksum: isTransformed ? checksum : undefined };
}

/** Size and hash of a content, nothing kept. */
async function measure(content: ByteStream): Promise<Content> {
  const meter = new Sha1Meter();
  await drain(meter.through(content));
  return { sizeBytes: meter.sizeBytes, checksum: meter.digestHex() };
}

type Copied = Extract<CopyResult, { status: "copied" }>;

/** Reads the content once and writes it to every repository that needs it. */
async function store(
  setup: CopySetup,
  storages: ReadonlyMap<number, Storage>,
  request: CopyRequest,
  file: ClusterFile,
  content: ByteStream,
  advance: Advance,
): Promise<Copied> {
  const checker = request.firstBlock === undefined ? undefined : new PageChecker({
    pageBytes: setup.pageBytes,
    firstBlock: request.firstBlock,
    headerCheck: setup.pageHeaderCheck,
    reread: (offset) => file.reread(offset, setup.pageBytes),
  });
  const plain = new Sha1Meter();
  const failure: { error?: unknown } = {};
  const read = pipeline(watched(content, checker, advance, failure), plain.through);
  const targets = setup.targets.filter(({ key }) => request.targets.some((target) => target.key === key));
  const stored = await storeAll(read, targets, storages, request);
  // A source that failed is no fault of the repositories, which all report it.
  if (failure.error !== undefined) throw failure.error;
  if (stored.every(({ status }) => status === "failed")) return failed(stored);
  return {
    status: "copied",
    sizeBytes: plain.sizeBytes,
    checksum: plain.digestHex(),
    pages: checker?.finish(),
    stored,
  };
}

/** Every repository failed: nothing is known of the content, since nobody read it to its end. */
function failed(stored: readonly StoredFile[]): Copied {
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
  const path = storedPath(target, request);
  try {
    // The name becomes durable with its directory, which is synced once for all files before the manifest is written.
    // A small file is handed over in one piece, so that the store can write it with one request.
    const whole = request.sizeBytes <= WHOLE_BYTES ? await collect(bytes, 2 * WHOLE_BYTES) : bytes;
    await storage.write(path, whole, { syncDirectory: false });
  } catch (error) {
    return { key: target.key, status: "failed", error: serializeError(error) };
  }
  const stored = { sizeBytes: meter.sizeBytes, checksum: meter.digestHex() };
  return { key: target.key, status: "stored", ...asStored(target, stored) };
}
