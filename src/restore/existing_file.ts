/** What a delta restore finds in a file's place: all of it right, or some of its blocks (behaviour spec §5.6). */
import { memoryForReading } from "../stream/aligned_memory.ts";
import { sha1 } from "../stream/sha1.ts";
import { readFully } from "../stream/sources.ts";
import { xxh3 } from "../stream/xxh3.ts";
import { attempt, lstat, openForWrite, openToCompare } from "./local_files.ts";
import type { WriteRequest } from "./write_request.ts";

export interface Existing {
  readonly isRight: boolean;
  /** What is known of a file that is right. */
  readonly found?: Deno.FileInfo;
  /** Checksums of its blocks, when the file is block incremental and not right. */
  readonly blockChecksums?: readonly Uint8Array[];
}

const OF_NO_USE: Existing = { isRight: false };

/** Bytes of one read. Small enough to stay in the processor's cache between reading and hashing. */
const READ_BYTES = 256 * 1024;

/** Reads the file once. One that is longer than it should be is cut first: it may only have been extended. */
export function examine(request: WriteRequest): Existing {
  const { path, sizeBytes, source, trustBefore, timestamp } = request;
  const found = lstat(path);
  if (found === undefined || !found.isFile || source === undefined) return OF_NO_USE;
  if (found.size > sizeBytes) {
    using file = openForWrite(path, false);
    attempt("FileWrite", `unable to truncate '${path}'`, () => file.truncateSync(sizeBytes));
  } else if (found.size < sizeBytes && (source.blocks === undefined || found.size === 0)) return OF_NO_USE;
  // Cutting it has changed its time.
  const right: Existing = { isRight: true, found: found.size === sizeBytes ? found : undefined };
  if (trustBefore !== undefined && found.size === sizeBytes) {
    const modified = modifiedSeconds(found);
    if (modified === timestamp && modified < trustBefore) return right;
  }
  if (sizeBytes === 0) return right;
  const { checksum, blockChecksums } = hashes(path, Math.min(found.size, sizeBytes), source.blocks?.shape.blockBytes);
  return checksum === request.checksum ? right : { isRight: false, blockChecksums };
}

/** Modification time as manifests have it: whole seconds since the epoch. */
export function modifiedSeconds({ mtime }: Deno.FileInfo): number {
  return Math.floor((mtime?.getTime() ?? 0) / 1000);
}

/** SHA-1 of a file, and the checksums of its blocks. */
function hashes(
  path: string,
  sizeBytes: number,
  blockBytes: number | undefined,
): { readonly checksum: string; readonly blockChecksums: readonly Uint8Array[] | undefined } {
  const hash = sha1().begin();
  const blockChecksums: Uint8Array[] | undefined = blockBytes === undefined ? undefined : [];
  // Whole blocks at a time.
  const unit = blockBytes ?? 1;
  const buffer = memoryForReading(Math.min(Math.ceil(READ_BYTES / unit), Math.ceil(sizeBytes / unit)) * unit);
  using file = openToCompare(path);
  for (let left = sizeBytes; left > 0;) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, left));
    const bytes = buffer.subarray(0, readFully(file, wanted, path));
    hash.update(bytes);
    for (let at = 0; blockBytes !== undefined && at < bytes.length; at += blockBytes) {
      blockChecksums!.push(xxh3(bytes.subarray(at, at + blockBytes)));
    }
    if (bytes.length < wanted.length) break;
    left -= bytes.length;
  }
  return { checksum: hash.digestHex(), blockChecksums };
}
