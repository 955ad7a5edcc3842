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
import { drain, readFileStream } from "../stream/sources.ts";
import { attempt, lstat } from "./local_files.ts";

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
    const kept = request.delta && await isRight(request);
    if (!kept) await write(request, storeOf, advance);
    finishFile(request);
    if (kept) advance(request.sizeBytes);
    return { status: kept ? "kept" : request.source === undefined && request.sizeBytes > 0 ? "zeroed" : "written" };
  });
}

/** Whether the file that is there has the right content already. */
async function isRight(request: WriteRequest): Promise<boolean> {
  const found = lstat(request.path);
  if (found === undefined || !found.isFile || request.source === undefined) return false;
  if (found.size > request.sizeBytes) {
    attempt(
      "FileWrite",
      `unable to truncate '${request.path}'`,
      () => Deno.truncateSync(request.path, request.sizeBytes),
    );
  } else if (found.size < request.sizeBytes) return false;
  if (request.trustBefore !== undefined && found.size === request.sizeBytes) {
    const modified = Math.floor((found.mtime?.getTime() ?? 0) / 1000);
    if (modified === request.timestamp && modified < request.trustBefore) return true;
  }
  if (request.sizeBytes === 0) return true;
  const meter = new Sha1Meter();
  await drain(meter.through(readFileStream(request.path)));
  return meter.digestHex() === request.checksum;
}

async function write(
  request: WriteRequest,
  storeOf: (key: number) => Promise<Storage>,
  advance: Advance,
): Promise<void> {
  const { path, source, sizeBytes } = request;
  removeUnlessFile(path);
  using file = attempt(
    "FileOpen",
    `unable to open file '${path}' for write`,
    () => Deno.openSync(path, { write: true, create: true, truncate: true, mode: request.mode & 0o600 }),
  );
  if (source === undefined || sizeBytes === 0) {
    attempt("FileWrite", `unable to write '${path}'`, () => file.truncateSync(sizeBytes));
    advance(sizeBytes);
  } else {
    const meter = new Sha1Meter();
    for await (const chunk of meter.through(await contentOf(source, await storeOf(source.key)))) {
      attempt("FileWrite", `unable to write '${path}'`, () => {
        for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
      });
      advance(chunk.length);
      if (meter.sizeBytes > sizeBytes) break;
    }
    const actual = meter.digestHex();
    if (actual !== request.checksum) {
      throw new WalferryError(
        "Checksum",
        `error restoring '${path}': actual checksum '${actual}' does not match expected checksum '${request.checksum}'`,
      );
    }
  }
  attempt("FileSync", `unable to sync file '${path}'`, () => file.syncSync());
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
