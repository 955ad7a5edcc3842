/**
 * Which files of a backup are stored in blocks, and in which (repository-format §7.7): the larger and the older a file, the larger its blocks.
 * What has blocks in the backup that this one builds on keeps their size, since blocks of other sizes cannot be compared.
 */
import type { BlockShape } from "../format/block_map.ts";
import type { ManifestFile } from "../format/manifest.ts";
import type { BlockConfig, ThresholdMap } from "../repository/config.ts";

/** How a file is stored in blocks. */
export interface BlockDecision {
  readonly shape: BlockShape;
  /** A super block is full when the blocks in it have this size together. Bytes. */
  readonly superBlockBytes: number;
  /** The file in the earlier backup whose blocks are referred to where they are the same; `reference` says which backup holds it. */
  readonly prior?: ManifestFile & { readonly reference: string };
}

/** What the choice depends on besides the file. */
export interface BlockSettings {
  readonly config: BlockConfig;
  readonly isFull: boolean;
  /** When the backup began, seconds since the epoch: what the age of a file counts to. */
  readonly timestampStart: number;
}

/** Bytes of a block's checksum where the map says nothing else. */
const BLOCK_CHECKSUM_MIN = 6;

/**
 * @param before the file in the backup that this one builds on
 * @param priorLabel label of that backup
 * @param settings absent: files are stored whole
 * @returns `undefined`: the file is stored whole
 */
export function blocksOf(
  file: ManifestFile,
  before: ManifestFile | undefined,
  priorLabel: string | undefined,
  settings: BlockSettings | undefined,
): BlockDecision | undefined {
  if (settings === undefined) return undefined;
  const { config, isFull, timestampStart } = settings;
  const superBlockBytes = isFull ? config.superFullBytes : config.superBytes;
  const isSameSize = before?.sizeBytes === file.sizeBytes;
  // Below the size of a block nothing of the earlier one could be used, unless the file is the same still.
  if (before?.blockMapBytes !== undefined && (isSameSize || file.sizeBytes >= before.blockSizeBytes!)) {
    const shape = { blockBytes: before.blockSizeBytes!, checksumBytes: before.blockChecksumBytes! };
    return { shape, superBlockBytes, prior: { ...before, reference: before.reference ?? priorLabel! } };
  }
  // What was stored whole and may be the same still is stored whole again, as the original does it.
  if (isSameSize) return undefined;
  const blockBytes = blockBytesOf(file, config, timestampStart);
  if (blockBytes === 0) return undefined;
  const checksumBytes = reached(config.checksumMap, blockBytes) ?? BLOCK_CHECKSUM_MIN;
  return { shape: { blockBytes, checksumBytes }, superBlockBytes };
}

function blockBytesOf({ sizeBytes, timestamp }: ManifestFile, config: BlockConfig, timestampStart: number): number {
  const blockBytes = reached(config.sizeMap, sizeBytes) ?? 0;
  return blockBytes * (reached(config.ageMap, timestampStart - timestamp) ?? 1);
}

/** Value of the largest threshold that is reached; the map is sorted, the largest first. */
function reached(map: ThresholdMap, value: number): number | undefined {
  return map.find(([threshold]) => value >= threshold)?.[1];
}
