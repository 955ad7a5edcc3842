/**
 * The worker's side of restoring a block incremental file (repository-format §7.8): the blocks that are not there yet are fetched, wherever
 * their backups have them, and written in their places.
 */
import { WalferryError } from "../errors.ts";
import type { BlockMapItem } from "../format/block_map.ts";
import type { Advance } from "../process/worker_pool.ts";
import { blockFilePath, readBlockMap } from "../repository/block_files.ts";
import { ByteReader } from "../stream/byte_reader.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptBytes, decryptFilter } from "../stream/cipher.ts";
import { decompressBytes, decompressFilter } from "../stream/compress.ts";
import type { CompressType } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { sha1 } from "../stream/sha1.ts";
import { FileSink } from "../stream/file_sink.ts";
import { PartReader } from "../stream/part_reader.ts";
import { drain, readFileStream } from "../stream/sources.ts";
import { planBlockReads, type PlannedRead, type PlannedSuperBlock } from "./block_plan.ts";
import { withPlace } from "./damage.ts";
import { attempt, localFailure } from "./local_files.ts";
import type { Readable } from "./near_reads.ts";
import type { BlockSource } from "./write_request.ts";
import { writeSparsely } from "./zero_runs.ts";

/** Super blocks up to this size are taken apart in memory. Bytes. */
const WHOLE_BYTES = 2 * 1024 * 1024;

export interface BlockWriting {
  readonly file: Deno.FsFile;
  readonly path: string;
  readonly sizeBytes: number;
  /** The map. */
  readonly source: {
    readonly path: string;
    readonly offsetBytes?: number;
    readonly lengthBytes?: number;
    readonly compressType: CompressType;
    readonly cipherPass: string | undefined;
  };
  readonly blocks: BlockSource;
  /** Checksums of the blocks that the file has already; absent = it is empty. */
  readonly existing: readonly Uint8Array[] | undefined;
  readonly storage: Readable;
  readonly advance: Advance;
}

/**
 * Makes the file what the map says.
 * @returns SHA-1 of the file as it is afterwards
 * @throws WalferryError `FileMissing`, `Format`, `Crypto` for what is stored; `FileWrite`; the store's own
 */
export async function writeBlocks(writing: BlockWriting): Promise<string> {
  const { path, sizeBytes, source, blocks, existing = [], storage, advance, file } = writing;
  const { shape } = blocks;
  const place = { path: source.path, offsetBytes: source.offsetBytes!, lengthBytes: source.lengthBytes!, shape };
  const items = await readBlockMap(storage, place, source.cipherPass, sizeBytes);
  const reads = planBlockReads(items, (item, fileBlock) => !isThere(item, existing[fileBlock]));
  using output = new BlockOutput(writing, isForward(reads));
  const bytesOf = (fileBlock: number) => Math.min(shape.blockBytes, sizeBytes - fileBlock * shape.blockBytes);
  // What is there already counts at once, so that the end is everything.
  items.forEach((item, fileBlock) => isThere(item, existing[fileBlock]) && advance(bytesOf(fileBlock)));
  for (const read of reads) await fetchBlocks(read, writing, output);
  attempt("FileWrite", `unable to write '${path}'`, () => {
    output.flush();
    file.truncateSync(sizeBytes);
  });
  return output.digestHex() ?? await digestOf(path);
}

/** Whether the file is written from its front to its end. */
function isForward(reads: readonly PlannedRead[]): boolean {
  let next = 0;
  for (const { superBlocks } of reads) {
    for (const { blocks } of superBlocks) {
      for (const { fileBlock } of blocks) if (fileBlock !== next++) return false;
    }
  }
  return true;
}

function isThere({ checksum }: BlockMapItem, existing: Uint8Array | undefined): boolean {
  return existing !== undefined && checksum.every((byte, at) => existing[at] === byte);
}

async function fetchBlocks(read: PlannedRead, writing: BlockWriting, output: BlockOutput): Promise<void> {
  const { blocks, storage } = writing;
  const directory = blocks.directories[read.reference];
  if (directory === undefined) {
    throw new WalferryError("Format", `block map of '${blocks.name}' names a backup that the manifest does not`);
  }
  const path = blockFilePath(directory, blocks.name, read.bundleId);
  const stored = await storage.read(path, {
    offsetBytes: read.offset,
    lengthBytes: read.lengthBytes,
    chunksPass: true,
  });
  if (stored === undefined) {
    throw new WalferryError("FileMissing", `unable to open missing file '${storage.location}/${path}' for read`);
  }
  await using parts = new PartReader(stored, read.offset);
  for (const superBlock of read.superBlocks) {
    try {
      await parts.skipTo(superBlock.offset);
      await writeSuperBlock(superBlock, parts, writing, output);
      // The codec may have left the end of what it had understood.
      await parts.finishPart();
    } catch (error) {
      const { location } = storage;
      throw withPlace(error, {
        path: writing.path,
        location,
        stored: path,
        offsetBytes: superBlock.offset,
        isMap: false,
      });
    }
  }
}

async function writeSuperBlock(
  superBlock: PlannedSuperBlock,
  parts: PartReader,
  writing: BlockWriting,
  output: BlockOutput,
): Promise<void> {
  const { storedBytes, superBlockBytes } = superBlock;
  const stored = parts.part(storedBytes);
  if (superBlockBytes > WHOLE_BYTES || storedBytes > 2 * WHOLE_BYTES) {
    return await writeStreamed(superBlock, contentOf(stored, writing.source), writing, output);
  }
  const bytes = await output.gather(stored, storedBytes);
  writeWhole(superBlock, await wholeContentOf(bytes, superBlockBytes, writing.source), writing, output);
}

/** Blocks that follow each other in the super block and in the file are written together. */
function writeWhole(
  { superBlockBytes, blocks: needed }: PlannedSuperBlock,
  content: Uint8Array,
  { blocks, advance }: BlockWriting,
  output: BlockOutput,
): void {
  const { blockBytes } = blocks.shape;
  for (let first = 0; first < needed.length;) {
    const { block, fileBlock } = needed[first]!;
    let count = 1;
    for (let next = needed[first + 1]; next !== undefined; next = needed[first + count]) {
      if (next.block !== block + count || next.fileBlock !== fileBlock + count) break;
      count += 1;
    }
    const end = Math.min((block + count) * blockBytes, superBlockBytes);
    if (content.length < end) throw endsEarly(blocks.name);
    const bytes = content.subarray(block * blockBytes, end);
    output.write(bytes, fileBlock, count);
    advance(bytes.length);
    first += count;
  }
}

async function writeStreamed(
  { superBlockBytes, blocks: needed }: PlannedSuperBlock,
  content: ByteStream,
  { blocks, advance }: BlockWriting,
  output: BlockOutput,
): Promise<void> {
  const { blockBytes } = blocks.shape;
  const reader = new ByteReader(content);
  try {
    let at = 0;
    for (const { block, fileBlock } of needed) {
      for (; at < block; at++) await takeBlock(reader, blockBytes, blocks.name);
      const sizeBytes = Math.min(blockBytes, superBlockBytes - block * blockBytes);
      const bytes = await takeBlock(reader, sizeBytes, blocks.name);
      at += 1;
      output.write(bytes, fileBlock, 1);
      advance(bytes.length);
    }
  } finally {
    await reader.close();
  }
}

function contentOf(stored: ByteStream, { cipherPass, compressType }: BlockWriting["source"]): ByteStream {
  const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, "raw")];
  return pipeline(stored, ...decrypt, decompressFilter(compressType, "raw"));
}

/** The same in one go. */
async function wholeContentOf(
  stored: Uint8Array,
  sizeBytes: number,
  { cipherPass, compressType }: BlockWriting["source"],
): Promise<Uint8Array> {
  const compressed = cipherPass === undefined ? stored : await decryptBytes(cipherPass, stored, "raw");
  return await decompressBytes(compressType, compressed, sizeBytes, "raw");
}

async function takeBlock(reader: ByteReader, sizeBytes: number, name: string): Promise<Uint8Array> {
  const bytes = await reader.takePassing(sizeBytes);
  if (bytes.length === sizeBytes) return bytes;
  throw endsEarly(name);
}

function endsEarly(name: string): WalferryError {
  return new WalferryError("Format", `a super block of '${name}' ends within its blocks`);
}

/** The local file. What is written front to back is hashed on the way. */
class BlockOutput implements Disposable {
  readonly #sink: FileSink;
  readonly #path: string;
  readonly #blockBytes: number;
  readonly #sizeBytes: number;
  /** Zeros need not be written where nothing was before. */
  readonly #isEmpty: boolean;
  readonly #hash = sha1().begin();
  /** Where stored bytes are gathered. */
  #memory = new Uint8Array(0);
  #hashedBytes = 0;

  /** @param isForward whether it is written from front to end, so that nobody must read it again for its hash */
  constructor({ file, path, blocks, sizeBytes, existing }: BlockWriting, isForward: boolean) {
    this.#sink = new FileSink(file, path, isForward);
    this.#path = path;
    this.#blockBytes = blocks.shape.blockBytes;
    this.#sizeBytes = sizeBytes;
    this.#isEmpty = existing === undefined;
  }

  /** Stored bytes of a super block, which may be fewer than there should be; good until the next are gathered. */
  async gather(stored: ByteStream, storedBytes: number): Promise<Uint8Array> {
    if (this.#memory.length < storedBytes) this.#memory = new Uint8Array(storedBytes);
    let count = 0;
    for await (const chunk of stored) {
      this.#memory.set(chunk, count);
      count += chunk.length;
    }
    return this.#memory.subarray(0, count);
  }

  /** Writes some blocks, of which only the last of the file may be short. */
  write(bytes: Uint8Array, fileBlock: number, count: number): void {
    const offset = fileBlock * this.#blockBytes;
    if (bytes.length !== Math.min(count * this.#blockBytes, this.#sizeBytes - offset)) {
      const which = count === 1 ? `block ${fileBlock}` : `blocks ${fileBlock}-${fileBlock + count - 1}`;
      throw new WalferryError("Format", `${which} of '${this.#path}': ${bytes.length} bytes`);
    }
    attempt("FileWrite", `unable to write '${this.#path}'`, () => {
      this.#sink.seek(offset);
      if (this.#isEmpty) writeSparsely(this.#sink, bytes);
      else this.#sink.write(bytes);
    });
    if (offset !== this.#hashedBytes) return;
    this.#hash.update(bytes);
    this.#hashedBytes = offset + bytes.length;
  }

  /** Writes what was gathered. @throws the runtime's own errors */
  flush(): void {
    this.#sink.flush();
  }

  [Symbol.dispose](): void {
    this.#sink[Symbol.dispose]();
  }

  /** `undefined` when the file was not written front to back. */
  digestHex(): string | undefined {
    return this.#hashedBytes === this.#sizeBytes ? this.#hash.digestHex() : undefined;
  }
}

async function digestOf(path: string): Promise<string> {
  const meter = new Sha1Meter();
  try {
    await drain(meter.through(readFileStream(path, { chunksPass: true })));
  } catch (error) {
    throw localFailure(error);
  }
  return meter.digestHex();
}
