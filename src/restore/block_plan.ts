/** Which parts of a repository are read for the blocks of a file: each super block once, neighbours in one request. */
import type { BlockMapItem } from "../format/block_map.ts";
import { GAP_BYTES } from "./near_reads.ts";

export interface PlannedBlock {
  /** Its number inside the super block. */
  readonly block: number;
  /** Its number inside the file. */
  readonly fileBlock: number;
}

export interface PlannedSuperBlock {
  readonly offset: number;
  readonly storedBytes: number;
  readonly superBlockBytes: number;
  /** Ascending. */
  readonly blocks: readonly PlannedBlock[];
}

/** One request. */
export interface PlannedRead {
  readonly reference: number;
  readonly bundleId: number;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Ascending by offset. */
  readonly superBlocks: readonly PlannedSuperBlock[];
}

/** Gathers what is needed: backup by backup, and forward in each. */
export function planBlockReads(
  items: readonly BlockMapItem[],
  isNeeded: (item: BlockMapItem, fileBlock: number) => boolean,
): PlannedRead[] {
  const needed = items.map((item, fileBlock) => ({ item, fileBlock }))
    .filter(({ item, fileBlock }) => isNeeded(item, fileBlock))
    .sort((a, b) =>
      a.item.reference - b.item.reference || a.item.offset - b.item.offset || a.item.block - b.item.block
    );
  const reads: Array<PlannedRead & { lengthBytes: number; superBlocks: PlannedSuperBlock[] }> = [];
  let last: { readonly item: BlockMapItem; readonly blocks: PlannedBlock[] } | undefined;
  for (const { item, fileBlock } of needed) {
    const planned = { block: item.block, fileBlock };
    const isSameBackup = last?.item.reference === item.reference && last.item.bundleId === item.bundleId;
    if (isSameBackup && last!.item.offset === item.offset) {
      last!.blocks.push(planned);
      continue;
    }
    const blocks = [planned];
    last = { item, blocks };
    const { reference, bundleId, offset, storedBytes, superBlockBytes } = item;
    const superBlock: PlannedSuperBlock = { offset, storedBytes, superBlockBytes, blocks };
    const read = reads.at(-1);
    const end = read === undefined ? 0 : read.offset + read.lengthBytes;
    if (read !== undefined && isSameBackup && offset >= end && offset - end <= GAP_BYTES) {
      read.superBlocks.push(superBlock);
      read.lengthBytes = offset + storedBytes - read.offset;
    } else reads.push({ reference, bundleId, offset, lengthBytes: storedBytes, superBlocks: [superBlock] });
  }
  return reads;
}
