/**
 * The worker's side of restoring: one file is read from a repository, decrypted, decompressed, verified and written in place. The main side
 * is writer.ts.
 */
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import { WalferryError } from "../errors.ts";
import type { Advance } from "../process/worker_pool.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter } from "../stream/cipher.ts";
import { decompressFilter } from "../stream/compress.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { writeBlocks } from "./block_writer.ts";
import { examine, type Existing } from "./existing_file.ts";
import { attempt, lstat } from "./local_files.ts";
import { writeAll } from "./write_all.ts";
import type { StoredSource, WriteRequest, WriteResult, WriteSetup } from "./write_request.ts";

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
