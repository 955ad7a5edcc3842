/**
 * The worker's side of restoring: files are read from a repository, decrypted, decompressed, verified and written in place. What is near to
 * each other in a repository is read together (near_reads.ts). The main side is writer.ts.
 */
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import { type ErrorKind, serializeError, WalferryError } from "../errors.ts";
import type { Advance } from "../process/worker_pool.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptBytes, decryptFilter } from "../stream/cipher.ts";
import { decompressBytes, decompressFilter } from "../stream/compress.ts";
import { sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { FileSink } from "../stream/file_sink.ts";
import { collect, openForRead } from "../stream/sources.ts";
import { writeBlocks } from "./block_writer.ts";
import { withPlace } from "./damage.ts";
import { examine, type Existing, modifiedSeconds } from "./existing_file.ts";
import { attempt, LocalFailure, localFailure, lstat, openForWrite } from "./local_files.ts";
import { NearReads, type Readable } from "./near_reads.ts";
import type {
  StoredSource,
  WriteJobRequest,
  WriteJobResult,
  WriteRequest,
  WriteResult,
  WriteSetup,
} from "./write_request.ts";
import { writeSparsely } from "./zero_runs.ts";

/** Files up to this size are restored from memory. Bytes. */
const WHOLE_BYTES = 1024 * 1024;

/** What the stored form of such a file may have at most. Bytes. */
const WHOLE_STORED_BYTES = 2 * WHOLE_BYTES;

/** Files that are made durable together: the first of them takes most of the others along in the file system's journal. */
const SYNCED_TOGETHER = 32;

/** Opens the stores on their first use and restores files. */
export async function start(
  setup: WriteSetup,
): Promise<(request: WriteJobRequest, advance: Advance) => Promise<WriteJobResult>> {
  const stores = new Map<number, Promise<Storage>>();
  const storeOf = (key: number): Promise<Storage> => {
    let store = stores.get(key);
    if (store === undefined) {
      store = openStorage(setup.stores.find((entry) => entry.key === key)!.storage);
      stores.set(key, store);
    }
    return store;
  };
  return await Promise.resolve(({ files }: WriteJobRequest, advance: Advance) =>
    new WriteJob(files, storeOf, advance).run()
  );
}

/** A file whose content is right, but perhaps not durable yet. */
interface Unsynced {
  readonly at: number;
  readonly file: Deno.FsFile;
}

class WriteJob {
  readonly #files: readonly WriteRequest[];
  readonly #storeOf: (key: number) => Promise<Storage>;
  readonly #advance: Advance;
  readonly #results: (WriteResult | undefined)[];
  readonly #reads = new Map<number, NearReads>();
  #unsynced: Unsynced[] = [];

  constructor(files: readonly WriteRequest[], storeOf: (key: number) => Promise<Storage>, advance: Advance) {
    this.#files = files;
    this.#storeOf = storeOf;
    this.#advance = advance;
    this.#results = files.map(() => undefined);
  }

  /** A file that fails is told in its result, and the others go on. */
  async run(): Promise<WriteJobResult> {
    const existing = this.#files.map((request, at) => this.#examine(request, at));
    for (const [at, request] of this.#files.entries()) {
      if (this.#results[at] !== undefined) continue;
      try {
        const file = await this.#write(request, existing[at]);
        this.#results[at] = { status: request.source === undefined && request.sizeBytes > 0 ? "zeroed" : "written" };
        this.#syncLater(at, file);
      } catch (error) {
        this.#fail(at, error);
      }
    }
    this.#sync();
    return { files: this.#results as WriteResult[] };
  }

  #fail(at: number, error: unknown): void {
    this.#results[at] = { status: "failed", error: serializeError(error), isLocal: error instanceof LocalFailure };
  }

  /** All local files are looked at first, so that only what is needed is read from the repository. */
  #examine(request: WriteRequest, at: number): Existing | undefined {
    if (!request.delta) return undefined;
    try {
      const existing = examine(request);
      if (!existing.isRight) return existing;
      setOwnerAndMode(request, existing.found);
      this.#advance(request.sizeBytes);
      this.#results[at] = { status: "kept" };
      // A restore that was cut off may have written it and not made it durable: then it does not have its time.
      if (!hasTime(request, existing.found)) this.#syncLater(at, openForRead(request.path));
    } catch (error) {
      this.#fail(at, localFailure(error));
    }
    return undefined;
  }

  async #readsOf(key: number): Promise<NearReads> {
    const known = this.#reads.get(key);
    if (known !== undefined) return known;
    const storage = await this.#storeOf(key);
    const needed = this.#files.filter(({ source }, at) => source?.key === key && this.#results[at] === undefined);
    const reads = new NearReads(storage, needed.map(({ source }) => source!));
    this.#reads.set(key, reads);
    return reads;
  }

  /** @returns the file, still open: its content is right and it is not durable yet */
  async #write(request: WriteRequest, existing: Existing | undefined): Promise<Deno.FsFile> {
    const { path, source, sizeBytes } = request;
    removeUnlessFile(path);
    const blocks = existing?.blockChecksums;
    const file = openForWrite(path, blocks === undefined);
    try {
      if (source === undefined || sizeBytes === 0) {
        attempt("FileWrite", `unable to write '${path}'`, () => file.truncateSync(sizeBytes));
        this.#advance(sizeBytes);
      } else {
        const reads = await this.#readsOf(source.key);
        try {
          assertChecksum(request, await this.#writeContent(file, request, source, reads, blocks));
        } catch (error) {
          const { path: stored, offsetBytes } = source;
          const isMap = source.blocks !== undefined;
          throw withPlace(error, { path, location: reads.location, stored, offsetBytes, isMap });
        }
      }
      setOwnerAndMode(request, undefined);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Gives the SHA-1 of what was written. */
  async #writeContent(
    file: Deno.FsFile,
    request: WriteRequest,
    source: StoredSource,
    reads: NearReads,
    existing: readonly Uint8Array[] | undefined,
  ): Promise<string> {
    const { path, sizeBytes } = request;
    const advance = this.#advance;
    if (source.blocks !== undefined) {
      return await writeBlocks({
        file,
        path,
        sizeBytes,
        source,
        blocks: source.blocks,
        existing,
        storage: reads,
        advance,
      });
    }
    if (sizeBytes > WHOLE_BYTES || (source.lengthBytes ?? 0) > WHOLE_STORED_BYTES) {
      return await writeStream(file, request, await contentOf(source, reads), advance);
    }
    const content = await wholeContentOf(source, reads, sizeBytes);
    // What is not right is not written.
    const checksum = sha1Hex(content);
    assertChecksum(request, checksum);
    writeContent(file, content, path, sizeBytes);
    advance(sizeBytes);
    return checksum;
  }

  /** Takes the file over. */
  #syncLater(at: number, file: Deno.FsFile): void {
    this.#unsynced.push({ at, file });
    if (this.#unsynced.length >= SYNCED_TOGETHER) this.#sync();
  }

  /**
   * Makes files durable, and only then gives them their times: a later delta restore with `--force` believes a file of the right size and
   * time without reading it, so that after a power cut none may have its time and not its content. The times come behind all the files
   * because one between two of them would be more for the journal to write.
   */
  #sync(): void {
    const unsynced = this.#unsynced;
    this.#unsynced = [];
    for (const { at, file } of unsynced) {
      this.#attempt(at, "FileSync", `unable to sync file '${this.#files[at]!.path}'`, () => file.syncSync());
    }
    for (const { at, file } of unsynced) {
      const { path, timestamp } = this.#files[at]!;
      if (this.#results[at]!.status !== "failed" && timestamp !== undefined) {
        this.#attempt(at, "FileWrite", `unable to set time of '${path}'`, () => file.utimeSync(timestamp, timestamp));
      }
      file.close();
    }
  }

  /** A call whose failure is the file's. */
  #attempt(at: number, kind: ErrorKind, what: string, action: () => void): void {
    try {
      attempt(kind, what, action);
    } catch (error) {
      this.#fail(at, error);
    }
  }
}

function assertChecksum({ checksum }: WriteRequest, actual: string): void {
  if (actual === checksum) return;
  throw new WalferryError(
    "Checksum",
    `actual checksum '${actual}' does not match expected checksum '${checksum}'`,
  );
}

/** Gives the SHA-1 of what was written. */
async function writeStream(
  file: Deno.FsFile,
  { path, sizeBytes }: WriteRequest,
  content: ByteStream,
  advance: Advance,
): Promise<string> {
  const meter = new Sha1Meter();
  const what = `unable to write '${path}'`;
  using sink = new FileSink(file, path, true);
  let isLastWritten = true;
  for await (const chunk of meter.through(content)) {
    isLastWritten = attempt("FileWrite", what, () => writeSparsely(sink, chunk));
    advance(chunk.length);
    if (meter.sizeBytes > sizeBytes) break;
  }
  attempt("FileWrite", what, () => {
    sink.flush();
    if (!isLastWritten) file.truncateSync(sizeBytes);
  });
  return meter.digestHex();
}

function writeContent(file: Deno.FsFile, content: Uint8Array, path: string, sizeBytes: number): void {
  using sink = new FileSink(file, path, false);
  attempt("FileWrite", `unable to write '${path}'`, () => {
    const isLastWritten = writeSparsely(sink, content);
    sink.flush();
    if (!isLastWritten) file.truncateSync(sizeBytes);
  });
}

/** A link or a special file must not be written through. */
function removeUnlessFile(path: string): void {
  const found = lstat(path);
  if (found !== undefined && !found.isFile) {
    attempt("FileRemove", `unable to remove '${path}'`, () => Deno.removeSync(path));
  }
}

async function contentOf(source: StoredSource, reads: Readable): Promise<ByteStream> {
  const { path, offsetBytes, lengthBytes, cipherPass, compressType, framing } = source;
  const stored = await reads.read(path, { offsetBytes, lengthBytes, chunksPass: true });
  if (stored === undefined) throw missing(source, reads);
  const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, framing, true)];
  return pipeline(stored, ...decrypt, decompressFilter(compressType, framing));
}

/** The same for content that is so small that steps at once are quicker than streams. */
async function wholeContentOf(source: StoredSource, reads: NearReads, sizeBytes: number): Promise<Uint8Array> {
  const { path, offsetBytes, lengthBytes, cipherPass, compressType, framing } = source;
  let stored = await reads.bytes(path, { offsetBytes, lengthBytes });
  if (stored === "elsewhere") {
    const stream = await reads.read(path, { offsetBytes, lengthBytes });
    stored = stream && await collect(stream, WHOLE_STORED_BYTES);
  }
  if (stored === undefined) throw missing(source, reads);
  const plain = cipherPass === undefined ? stored : await decryptBytes(cipherPass, stored, framing);
  return await decompressBytes(compressType, plain, sizeBytes, framing);
}

function missing({ path }: StoredSource, { location }: Readable): WalferryError {
  return new WalferryError("FileMissing", `unable to open missing file '${location}/${path}' for read`);
}

/** @param found what is known of the file; what is as it must be is not set again */
function setOwnerAndMode({ path, owner, mode }: WriteRequest, found: Deno.FileInfo | undefined): void {
  const isOwned = owner === undefined || (found?.uid === owner.uid && found.gid === owner.gid);
  if (!isOwned) {
    attempt("FileOwner", `unable to set ownership for '${path}'`, () => Deno.chownSync(path, owner.uid, owner.gid));
  }
  if (!isOwned || ((found?.mode ?? -1) & 0o7777) !== mode) {
    attempt("FileMode", `unable to set mode for '${path}'`, () => Deno.chmodSync(path, mode));
  }
}

/** Manifests know whole seconds, and so does who compares with them. */
function hasTime({ timestamp }: WriteRequest, found: Deno.FileInfo | undefined): boolean {
  return found !== undefined && modifiedSeconds(found) === timestamp;
}
