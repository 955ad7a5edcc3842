/**
 * The worker's side of restoring: one file is read from a repository, decrypted, decompressed, verified and written in place. The main side
 * is writer.ts.
 */
import type { StorageConfig } from "../../backends/config.ts";
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import { WalferryError } from "../errors.ts";
import type { Advance } from "../process/worker_pool.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter, type Framing } from "../stream/cipher.ts";
import { decompressFilter } from "../stream/compress.ts";
import type { CompressType } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { type BlockSource, writeBlocks } from "./block_writer.ts";
import { examine, type Existing } from "./existing_file.ts";
import { attempt, lstat } from "./local_files.ts";
import { writeAll } from "./write_all.ts";

/** What a worker is told once. */
export interface WriteSetup {
  readonly stores: ReadonlyArray<{ readonly key: number; readonly storage: StorageConfig }>;
}

/** Where the stored bytes of a file are. */
export interface StoredSource {
  readonly key: number;
  /** Path in the repository. */
  readonly path: string;
  /** Only inside bundles. */
  readonly offsetBytes?: number;
  readonly lengthBytes?: number;
  readonly compressType: CompressType;
  readonly framing: Framing;
  readonly cipherPass: string | undefined;
  /** The file is block incremental: what is above is its map. */
  readonly blocks?: BlockSource;
}

/** One file to restore. */
export interface WriteRequest {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-1 of the content; absent for empty files and for files of zeros. */
  readonly checksum: string | undefined;
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Modification time, seconds since the epoch. */
  readonly timestamp: number;
  /** Absent: the file is made of zeros (sparse). */
  readonly source: StoredSource | undefined;
  /** Compare with what is there and keep it when it is equal. */
  readonly delta: boolean;
  /** With `delta`: equal size and time are enough for files older than this (seconds since the epoch). */
  readonly trustBefore: number | undefined;
}

/** `kept`: what was there is right. */
export interface WriteResult {
  readonly status: "written" | "kept" | "zeroed";
}

/** Opens the stores on their first use and restores files. */
export async function start(
  setup: WriteSetup,
): Promise<(request: WriteRequest, advance: Advance) => Promise<WriteResult>> {
  const stores = new Map<number, Promise<Storage>>();
  const storeOf = (key: number): Promise<Storage> => {
    let store = stores.get(key);
    if (store === undefined) {
      store = openStorage(setup.stores.find((entry) => entry.key === key)!.storage);
      stores.set(key, store);
    }
    return store;
  };
  return await Promise.resolve(async (request: WriteRequest, advance: Advance) => {
    const existing = request.delta ? await examine(request) : undefined;
    const kept = existing?.isRight ?? false;
    if (!kept) await write(request, existing, storeOf, advance);
    finishFile(request);
    if (kept) advance(request.sizeBytes);
    return { status: kept ? "kept" : request.source === undefined && request.sizeBytes > 0 ? "zeroed" : "written" };
  });
}

async function write(
  request: WriteRequest,
  existing: Existing | undefined,
  storeOf: (key: number) => Promise<Storage>,
  advance: Advance,
): Promise<void> {
  const { path, source, sizeBytes } = request;
  removeUnlessFile(path);
  const blocks = existing?.blockChecksums;
  using file = attempt(
    "FileOpen",
    `unable to open file '${path}' for write`,
    () =>
      Deno.openSync(path, { write: true, create: true, truncate: blocks === undefined, mode: request.mode & 0o600 }),
  );
  if (source === undefined || sizeBytes === 0) {
    attempt("FileWrite", `unable to write '${path}'`, () => file.truncateSync(sizeBytes));
    advance(sizeBytes);
  } else {
    const storage = await storeOf(source.key);
    const actual = source.blocks === undefined
      ? await writeWhole(file, request, await contentOf(source, storage), advance)
      : await writeBlocks({ file, path, sizeBytes, source, blocks: source.blocks, existing: blocks, storage, advance });
    if (actual !== request.checksum) {
      throw new WalferryError(
        "Checksum",
        `error restoring '${path}': actual checksum '${actual}' does not match expected checksum '${request.checksum}'`,
      );
    }
  }
  attempt("FileSync", `unable to sync file '${path}'`, () => file.syncSync());
}

/** Gives the SHA-1 of what was written. */
async function writeWhole(
  file: Deno.FsFile,
  { path, sizeBytes }: WriteRequest,
  content: ByteStream,
  advance: Advance,
): Promise<string> {
  const meter = new Sha1Meter();
  for await (const chunk of meter.through(content)) {
    writeAll(file, chunk, path);
    advance(chunk.length);
    if (meter.sizeBytes > sizeBytes) break;
  }
  return meter.digestHex();
}

/** A link or a special file must not be written through. */
function removeUnlessFile(path: string): void {
  const found = lstat(path);
  if (found !== undefined && !found.isFile) {
    attempt("FileRemove", `unable to remove '${path}'`, () => Deno.removeSync(path));
  }
}

async function contentOf(source: StoredSource, store: Storage): Promise<ByteStream> {
  const stored = await store.read(source.path, { offsetBytes: source.offsetBytes, lengthBytes: source.lengthBytes });
  if (stored === undefined) {
    throw new WalferryError("FileMissing", `unable to open missing file '${store.location}/${source.path}' for read`);
  }
  const decrypt = source.cipherPass === undefined ? [] : [decryptFilter(source.cipherPass, source.framing)];
  return pipeline(stored, ...decrypt, decompressFilter(source.compressType, source.framing));
}

function finishFile({ path, owner, mode, timestamp }: WriteRequest): void {
  if (owner !== undefined) {
    attempt("FileOwner", `unable to set ownership for '${path}'`, () => Deno.chownSync(path, owner.uid, owner.gid));
  }
  attempt("FileMode", `unable to set mode for '${path}'`, () => Deno.chmodSync(path, mode));
  attempt("FileWrite", `unable to set time of '${path}'`, () => Deno.utimeSync(path, timestamp, timestamp));
}
