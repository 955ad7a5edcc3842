/**
 * The worker's side of verify: stored objects are read once, front to back, and every part of them (a bundle has many, any other object
 * one) is hashed as it is stored where that hash is known, and else (or when all content is wanted) decrypted, decompressed and hashed. The
 * main side is object_reader.ts.
 */
import type { StorageConfig } from "../../backends/config.ts";
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import { isWalferryError, toWalferryError } from "../errors.ts";
import { segmentNumber } from "../format/wal_name.ts";
import { readWalHeader, WAL_HEADER_BYTES } from "../postgres/wal_header.ts";
import { contentPassed, letGo } from "../process/garbage.ts";
import type { Advance } from "../process/worker_pool.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter } from "../stream/cipher.ts";
import type { Framing } from "../stream/framing.ts";
import { decompressFilter } from "../stream/compress.ts";
import type { CompressType } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { PartReader } from "../stream/part_reader.ts";
import { isStoreFailure } from "../repository/store_failure.ts";

/** What a worker is told once. */
export interface ObjectSetup {
  readonly storage: StorageConfig;
  readonly depth: ReadDepth;
}

/** `stored`: what has a hash of its stored form is held against that one alone; `content`: everything down to its content. */
export type ReadDepth = "stored" | "content";

/** What is known of a part of an object. */
export interface PartRequest {
  readonly offsetBytes: number;
  /** Stored bytes; absent = to the end of the object, however long that is. */
  readonly lengthBytes?: number;
  /** How to get at the content; absent = it is made of pieces (block incremental), only its stored form can be held against a hash. */
  readonly form?: {
    readonly compressType: CompressType;
    readonly framing: Framing;
    readonly cipherPass: string | undefined;
  };
  /** Bytes and SHA-1 of the content. */
  readonly sizeBytes?: number;
  readonly checksum?: string;
  /** SHA-1 of the stored bytes, where it is known. */
  readonly repoChecksum?: string;
  /** A WAL segment says itself which one it is. */
  readonly segment?: { readonly name: string; readonly systemId: bigint };
}

export interface ObjectRequest {
  /** Path in the repository. */
  readonly path: string;
  /** By ascending offset. */
  readonly parts: readonly PartRequest[];
}

/** `undefined`: as it must be. */
export type Verdict = {
  readonly kind: "missing" | "checksum" | "size" | "unreadable" | "mismatch";
  readonly message: string;
} | undefined;

/** Objects that are read one behind the other. */
export interface BatchRequest {
  readonly objects: readonly ObjectRequest[];
}

/** A verdict for each part of each object, in their order. */
export interface BatchResult {
  readonly verdicts: ReadonlyArray<readonly Verdict[]>;
}

/** What a small part leaves behind when it is judged, as objects. */
const PART_BYTES = 3000;

/** What damaged content is told by. */
const BAD_CONTENT = ["Format", "Crypto", "Checksum"] as const;

/** Opens the store and reads objects. */
export async function start(
  setup: ObjectSetup,
): Promise<(request: BatchRequest, advance: Advance) => Promise<BatchResult>> {
  const storage = await openStorage(setup.storage);
  return async ({ objects }, advance) => {
    const verdicts: Verdict[][] = [];
    for (const object of objects) {
      verdicts.push(await judgeObject(object, storage, setup.depth, advance));
      letGo(object.parts.length * PART_BYTES);
    }
    return { verdicts };
  };
}

/** Reads one object; a verdict for each of its parts. @throws WalferryError of the store */
export async function judgeObject(
  { path, parts }: ObjectRequest,
  storage: Storage,
  depth: ReadDepth = "content",
  advance: Advance = () => {},
): Promise<Verdict[]> {
  const all = (verdict: Verdict) => parts.map(() => verdict);
  const first = parts[0]!.offsetBytes;
  const last = parts.at(-1)!;
  try {
    const stream = await storage.read(path, {
      offsetBytes: first,
      lengthBytes: last.lengthBytes === undefined ? undefined : last.offsetBytes + last.lengthBytes - first,
      chunksPass: true,
    });
    if (stream === undefined) return all({ kind: "missing", message: "it is gone" });
    await using reader = new PartReader(counted(stream, advance), first);
    const verdicts: Verdict[] = [];
    for (const part of parts) verdicts.push(await judgePart(part, reader, depth));
    return verdicts;
  } catch (error) {
    return all(unreadable(error));
  }
}

async function* counted(stream: ByteStream, advance: Advance): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    advance(chunk.length);
    yield chunk;
  }
}

/** @throws the error when it is the store's */
function unreadable(thrown: unknown): Verdict {
  const error = toWalferryError(thrown);
  if (isStoreFailure(error)) throw error;
  return { kind: "unreadable", message: error.message };
}

async function judgePart(part: PartRequest, reader: PartReader, depth: ReadDepth): Promise<Verdict> {
  await reader.skipTo(part.offsetBytes);
  const isOpened = isOpenedBy(part, depth);
  const stored = new ByteMeter(part.repoChecksum !== undefined);
  const source = stored.through(reader.part(part.lengthBytes));
  const content = new ByteMeter(isOpened && part.checksum !== undefined);
  let bad: string | undefined;
  let header = new Uint8Array(0);
  try {
    for await (const chunk of content.through(isOpened ? contentOf(source, part) : source)) {
      if (header.length < WAL_HEADER_BYTES && part.segment !== undefined) header = joined(header, chunk);
      if (!isOpened) continue;
      // Beside the stored bytes, which are counted as they come.
      contentPassed(chunk.length);
      if (part.sizeBytes !== undefined && content.sizeBytes > part.sizeBytes) break;
    }
  } catch (error) {
    if (reader.failure !== undefined) return unreadable(reader.failure.error);
    if (!isWalferryError(error, ...BAD_CONTENT)) throw error;
    bad = error.message;
  }
  // A filter that gave up, or saw the end of what it understands, left the rest unread.
  const behind = await reader.finishPart();
  if (reader.failure !== undefined) return unreadable(reader.failure.error);
  if (part.lengthBytes !== undefined && stored.sizeBytes + behind < part.lengthBytes) {
    return { kind: "size", message: `${stored.sizeBytes + behind} of ${part.lengthBytes} stored bytes are there` };
  }
  if (bad !== undefined) return { kind: "checksum", message: `its content is damaged: ${bad}` };
  if (isOpened && part.sizeBytes !== undefined && content.sizeBytes !== part.sizeBytes) {
    const shown = content.sizeBytes > part.sizeBytes ? `more than ${part.sizeBytes}` : String(content.sizeBytes);
    return { kind: "size", message: `its content has ${shown} bytes, expected are ${part.sizeBytes}` };
  }
  return judgeHashes(part, stored.digestHex(), content.digestHex(), behind) ?? judgeHeader(part, header);
}

/**
 * Whether the content itself is looked at. One hash of the bytes as they were written says all that the hash of their content could say:
 * both were taken in one reading.
 */
function isOpenedBy({ form, repoChecksum }: PartRequest, depth: ReadDepth): boolean {
  return form !== undefined && (depth === "content" || repoChecksum === undefined);
}

/** Counts what flows through it, and hashes it where that is of use. */
class ByteMeter {
  readonly #hash: Sha1Meter | undefined;
  #sizeBytes = 0;

  constructor(isHashed: boolean) {
    this.#hash = isHashed ? new Sha1Meter() : undefined;
  }

  through(source: ByteStream): ByteStream {
    return this.#hash === undefined ? this.#count(source) : this.#hash.through(source);
  }

  async *#count(source: ByteStream): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#sizeBytes += chunk.length;
      yield chunk;
    }
  }

  get sizeBytes(): number {
    return this.#hash?.sizeBytes ?? this.#sizeBytes;
  }

  /** `undefined` where nothing was hashed. */
  digestHex(): string | undefined {
    return this.#hash?.digestHex();
  }
}

function contentOf(source: ByteStream, { form }: PartRequest): ByteStream {
  if (form === undefined) return source;
  const decrypt = form.cipherPass === undefined ? [] : [decryptFilter(form.cipherPass, form.framing, true)];
  return pipeline(source, ...decrypt, decompressFilter(form.compressType, form.framing, true));
}

function joined(head: Uint8Array, chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...head, ...chunk.subarray(0, WAL_HEADER_BYTES - head.length)]);
}

function judgeHashes(
  part: PartRequest,
  stored: string | undefined,
  content: string | undefined,
  behind: number,
): Verdict {
  if (content !== undefined && content !== part.checksum) {
    return { kind: "checksum", message: `its content has checksum ${content}, expected is ${part.checksum}` };
  }
  if (behind > 0) return { kind: "checksum", message: `${behind} bytes stand behind the end of its content` };
  if (stored !== undefined && stored !== part.repoChecksum) {
    return { kind: "checksum", message: `its stored bytes have checksum ${stored}, expected is ${part.repoChecksum}` };
  }
  return undefined;
}

/** A segment under the name of another one has the right hash and the wrong place. */
function judgeHeader({ segment }: PartRequest, bytes: Uint8Array): Verdict {
  if (segment === undefined) return undefined;
  try {
    const { systemId, segmentBytes, startLsn } = readWalHeader(bytes);
    if (systemId !== segment.systemId) {
      return {
        kind: "mismatch",
        message: `it was written by system ${systemId}, the archive is of ${segment.systemId}`,
      };
    }
    const expected = BigInt(segmentNumber(segment.name, segmentBytes)) * BigInt(segmentBytes);
    if (startLsn === expected) return undefined;
    return { kind: "mismatch", message: "it is another segment than its name says" };
  } catch (error) {
    // A newer server than this program knows: the hash has said what there is to say.
    if (isWalferryError(error, "VersionNotSupported")) return undefined;
    if (isWalferryError(error, "Format")) return { kind: "mismatch", message: error.message };
    throw error;
  }
}
