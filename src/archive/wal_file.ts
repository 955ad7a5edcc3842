/** Reading a WAL file out of `pg_wal`: whole, hashed, and of the cluster that it is said to be of. */
import { WalferryError } from "../errors.ts";
import { isWalSegmentOrPartialName } from "../format/wal_name.ts";
import { readWalHeader, WAL_HEADER_BYTES, type WalHeader } from "../postgres/wal_header.ts";
import { memoryForReading } from "../stream/aligned_memory.ts";
import { sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { collect, drain, openForRead, readFileStream, readFully } from "../stream/sources.ts";
import type { ArchivePushOptions } from "./options.ts";
import type { WalCluster } from "./push_targets.ts";

/** Files up to this size are held in memory, read once; larger segments (`--wal-segsize` up to 1 GiB) are streamed. */
export const IN_MEMORY_BYTES = 64 * 1024 * 1024;

/** A WAL file as it was read: at hand, or (very large segments) to be read again. */
export interface WalFile {
  readonly path: string;
  readonly name: string;
  /** SHA-1 of the content. */
  readonly checksum: string;
  readonly sizeBytes: number;
  readonly bytes: Uint8Array | undefined;
}

/** Memory for one segment, used again for the next one: memory that is made anew for each is given back late. */
export class SegmentMemory {
  #bytes: Uint8Array | undefined;

  /** Memory of this size, of which the caller is the only user until it gives it back. */
  take(sizeBytes: number): Uint8Array {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes?.length === sizeBytes ? bytes : memoryForReading(sizeBytes);
  }

  /** Only what nobody can be reading any more: a request that was given up may still be sending. */
  giveBack(bytes: Uint8Array | undefined): void {
    this.#bytes = bytes;
  }
}

/**
 * Reads a file.
 * @param cluster whose it must be, where that is known
 * @param memory for a segment; the caller gives it back
 * @throws WalferryError `FileInvalid`, `ArchiveMismatch`, `FileOpen`
 */
export async function readWalFile(
  path: string,
  options: ArchivePushOptions,
  cluster: WalCluster | undefined,
  memory = new SegmentMemory(),
): Promise<WalFile> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (isWalSegmentOrPartialName(name)) return await readSegment(path, name, options, cluster, memory);
  const bytes = await collect(readFileStream(path), IN_MEMORY_BYTES);
  return { path, name, checksum: sha1Hex(bytes), sizeBytes: bytes.length, bytes };
}

/** The content of a file that is too large to hold, once more. @throws WalferryError `FileInvalid` at its end when it is another now */
export async function* readAgain(file: WalFile): AsyncGenerator<Uint8Array> {
  const meter = new Sha1Meter();
  yield* meter.through(readFileStream(file.path));
  if (meter.digestHex() !== file.checksum) throw changedWhileRead(file.path);
}

async function readSegment(
  path: string,
  name: string,
  options: ArchivePushOptions,
  cluster: WalCluster | undefined,
  memory: SegmentMemory,
): Promise<WalFile> {
  const header = await collect(readFileStream(path, { limitBytes: WAL_HEADER_BYTES }), WAL_HEADER_BYTES);
  const sizeBytes = Deno.statSync(path).size;
  const expectedBytes = checkHeader(path, header, options, cluster);
  if (expectedBytes !== undefined && sizeBytes !== expectedBytes && !name.endsWith(".partial")) {
    throw new WalferryError(
      "FileInvalid",
      `WAL file '${path}' is ${sizeBytes} bytes long, a segment of this cluster is ${expectedBytes}`,
      {
        hint: "the file is truncated or is not a WAL segment: nothing was archived.",
      },
    );
  }
  if (sizeBytes <= IN_MEMORY_BYTES) {
    const bytes = memory.take(sizeBytes);
    using file = openForRead(path);
    const isWhole = readFully(file, bytes, path) === sizeBytes && readFully(file, new Uint8Array(1), path) === 0;
    if (!isWhole) throw changedWhileRead(path);
    return { path, name, checksum: sha1Hex(bytes), sizeBytes, bytes };
  }
  const meter = new Sha1Meter();
  await drain(meter.through(readFileStream(path, { chunksPass: true })));
  if (meter.sizeBytes !== sizeBytes) throw changedWhileRead(path);
  return { path, name, checksum: meter.digestHex(), sizeBytes, bytes: undefined };
}

function changedWhileRead(path: string): WalferryError {
  return new WalferryError("FileInvalid", `WAL file '${path}' changed while it was archived`);
}

function headerOf(path: string, header: Uint8Array, versionForce: string | undefined): WalHeader {
  try {
    return readWalHeader(header, versionForce);
  } catch (error) {
    if (!(error instanceof WalferryError)) throw error;
    throw new WalferryError(error.kind, `WAL file '${path}' is none: ${error.message}`, { hint: error.hint });
  }
}

/** Compares the file's header with the cluster; gives the segment size that is expected, where it is known. */
function checkHeader(
  path: string,
  header: Uint8Array,
  options: ArchivePushOptions,
  cluster: WalCluster | undefined,
): number | undefined {
  if (!options.headerCheck) return cluster?.walSegmentBytes;
  const found = headerOf(path, header, options.pgVersionForce);
  if (cluster !== undefined && (found.pgVersion !== cluster.pgVersion || found.systemId !== cluster.systemId)) {
    throw new WalferryError(
      "ArchiveMismatch",
      `WAL file '${path}' version ${found.pgVersion}, system-id ${found.systemId} do not match stanza version ${cluster.pgVersion}, ` +
        `system-id ${cluster.systemId}`,
    );
  }
  return cluster?.walSegmentBytes ?? found.segmentBytes;
}
