/** What a delta restore finds in a file's place: all of it right, or some of its blocks (behaviour spec §5.6). */
import { ByteReader } from "../stream/byte_reader.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { drain, readFileStream } from "../stream/sources.ts";
import { xxh3 } from "../stream/xxh3.ts";
import { attempt, lstat } from "./local_files.ts";
import type { WriteRequest } from "./write_request.ts";

export interface Existing {
  readonly isRight: boolean;
  /** Checksums of its blocks, when the file is block incremental and not right. */
  readonly blockChecksums?: readonly Uint8Array[];
}

const OF_NO_USE: Existing = { isRight: false };
const RIGHT: Existing = { isRight: true };

/** Reads the file once. One that is longer than it should be is cut first: it may only have been extended. */
export async function examine(request: WriteRequest): Promise<Existing> {
  const { path, sizeBytes, source, trustBefore, timestamp } = request;
  const found = lstat(path);
  if (found === undefined || !found.isFile || source === undefined) return OF_NO_USE;
  if (found.size > sizeBytes) {
    attempt("FileWrite", `unable to truncate '${path}'`, () => Deno.truncateSync(path, sizeBytes));
  } else if (found.size < sizeBytes && (source.blocks === undefined || found.size === 0)) return OF_NO_USE;
  if (trustBefore !== undefined && found.size === sizeBytes) {
    const modified = Math.floor((found.mtime?.getTime() ?? 0) / 1000);
    if (modified === timestamp && modified < trustBefore) return RIGHT;
  }
  if (sizeBytes === 0) return RIGHT;
  const meter = new Sha1Meter();
  const content = meter.through(readFileStream(path));
  const blockChecksums = source.blocks === undefined
    ? undefined
    : await checksumsOf(content, source.blocks.shape.blockBytes);
  if (blockChecksums === undefined) await drain(content);
  return meter.digestHex() === request.checksum ? RIGHT : { isRight: false, blockChecksums };
}

async function checksumsOf(content: AsyncIterable<Uint8Array>, blockBytes: number): Promise<Uint8Array[]> {
  const reader = new ByteReader(content);
  const checksums: Uint8Array[] = [];
  for (let block = await reader.take(blockBytes); block.length > 0; block = await reader.take(blockBytes)) {
    checksums.push(xxh3(block));
  }
  return checksums;
}
