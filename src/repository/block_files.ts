/** Block incremental files as a repository stores them (repository-format §7): their names, and their maps read. */
import type { Storage } from "../../backends/contract.ts";
import { WalferryError } from "../errors.ts";
import { type BlockMapItem, type BlockShape, parseBlockMap } from "../format/block_map.ts";
import type { ManifestFile } from "../format/manifest.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { decryptFilter } from "../stream/cipher.ts";
import { collect } from "../stream/sources.ts";

/** A map larger than this is no map: it would describe hundreds of millions of blocks. */
const MAP_BYTES_MAX = 1024 * 1024 * 1024;

/** A block is held in memory; nobody makes them so large. */
const BLOCK_BYTES_MAX = 256 * 1024 * 1024;

/** Where the map of a file is. */
export interface BlockMapPlace {
  /** Path in the repository. */
  readonly path: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly shape: BlockShape;
}

/**
 * Path of a file with blocks in it.
 * @param directory of the backup that holds it
 * @param bundleId 0 or absent: the file stands alone
 */
export function blockFilePath(directory: string, name: string, bundleId: number | undefined): string {
  return bundleId ? `${directory}/bundle/${bundleId}` : `${directory}/${name}.pgbi`;
}

/**
 * The map is what a stored file ends with.
 * @throws WalferryError `Format` when the manifest's numbers do not fit each other
 */
export function blockMapPlace(file: ManifestFile, directory: string): BlockMapPlace {
  const { name, bundleId, bundleOffset = 0, repoSizeBytes, blockMapBytes, blockSizeBytes, blockChecksumBytes } = file;
  if (
    blockMapBytes === undefined || blockSizeBytes === undefined || blockChecksumBytes === undefined ||
    blockMapBytes > repoSizeBytes || blockMapBytes > MAP_BYTES_MAX || blockSizeBytes > BLOCK_BYTES_MAX
  ) {
    throw new WalferryError("Format", `the manifest says impossible things of the blocks of '${name}'`);
  }
  return {
    path: blockFilePath(directory, name, bundleId),
    offsetBytes: bundleOffset + repoSizeBytes - blockMapBytes,
    lengthBytes: blockMapBytes,
    shape: { blockBytes: blockSizeBytes, checksumBytes: blockChecksumBytes },
  };
}

/**
 * The blocks of a file, in its order.
 * @param sizeBytes of the file that the map describes
 * @throws WalferryError `FileMissing`, `Format`, `Crypto`; the store's own
 */
export async function readBlockMap(
  storage: Pick<Storage, "read" | "location">,
  { path, offsetBytes, lengthBytes, shape }: BlockMapPlace,
  cipherPass: string | undefined,
  sizeBytes: number,
): Promise<BlockMapItem[]> {
  const stored = await storage.read(path, { offsetBytes, lengthBytes });
  if (stored === undefined) {
    throw new WalferryError("FileMissing", `unable to open missing file '${storage.location}/${path}' for read`);
  }
  const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, "raw")];
  const bytes = await collect(pipeline(stored, ...decrypt), lengthBytes);
  const items = parseBlockMap(bytes, shape);
  const expected = Math.ceil(sizeBytes / shape.blockBytes);
  if (items.length !== expected) {
    throw new WalferryError(
      "Format",
      `block map at ${offsetBytes} of '${storage.location}/${path}' has ${items.length} blocks, expected are ${expected}`,
    );
  }
  return items;
}
