/** Size of the WAL segments of an archive id, which only a segment itself tells. */
import { toWalferryError } from "../errors.ts";
import { readWalHeader, WAL_HEADER_BYTES } from "../postgres/wal_header.ts";
import { ByteReader } from "../stream/byte_reader.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { decompressFilter } from "../stream/compress.ts";
import { compressTypeOfName } from "../stream/compress_type.ts";
import type { Repository } from "./repository.ts";
import { isStoreFailure } from "./store_failure.ts";
import { listWalDirectory } from "./wal_directory.ts";

/** Size of a segment where none can be read. PostgreSQL source: `DEFAULT_XLOG_SEG_SIZE`. */
export const SEGMENT_BYTES_DEFAULT = 16 * 1024 * 1024;
/** Segments that are tried for their header. */
const HEADER_TRIES = 5;

/**
 * Told by the first segment whose header can be read.
 * @param directories of the archive id at `root`, sorted
 * @throws WalferryError of the store
 */
export async function findSegmentBytes(
  repository: Repository,
  root: string,
  directories: readonly string[],
  cipherPass: string | undefined,
  signal?: AbortSignal,
): Promise<number> {
  let tries = 0;
  for (const name of directories) {
    const { segments } = await listWalDirectory(repository, root, name, signal);
    for (const { storedName } of segments) {
      if (++tries > HEADER_TRIES) return SEGMENT_BYTES_DEFAULT;
      const found = await headerBytes(repository, `${root}/${name}/${storedName}`, cipherPass);
      if (found !== undefined) return found;
    }
  }
  return SEGMENT_BYTES_DEFAULT;
}

/** Segment size in the header of a stored segment; what is wrong with it is found when it is read as a whole. */
async function headerBytes(
  repository: Repository,
  path: string,
  cipherPass: string | undefined,
): Promise<number | undefined> {
  try {
    const stream = await repository.readWith(path, cipherPass);
    if (stream === undefined) return undefined;
    const reader = new ByteReader(pipeline(stream, decompressFilter(compressTypeOfName(path))));
    try {
      // The version matters to the magic only.
      const { segmentBytes } = readWalHeader(await reader.take(WAL_HEADER_BYTES), "0");
      const isPower = segmentBytes >= 1024 * 1024 && Number.isInteger(Math.log2(segmentBytes));
      return isPower ? segmentBytes : undefined;
    } finally {
      await reader.close();
    }
  } catch (thrown) {
    const error = toWalferryError(thrown);
    if (isStoreFailure(error)) throw error;
    return undefined;
  }
}
