/** Made-up files that change from backup to backup, with the block maps that they would have. */
import type { BlockMapItem, BlockShape } from "../../src/format/block_map.ts";
import { random } from "./random.ts";

export interface MadeUpMap {
  readonly shape: BlockShape;
  readonly items: BlockMapItem[];
}

/** The map of a file after each of some backups. */
export function madeUpChain(seed: number): MadeUpMap[] {
  const next = random(seed);
  const shape = { blockBytes: 8192 * (1 + next(4)), checksumBytes: 6 + next(3) };
  const maps: MadeUpMap[] = [];
  let prior: BlockMapItem[] = [];
  for (let reference = 0; reference < 1 + next(6); reference++) {
    const bundleId = next(2) === 0 ? 0 : 1 + next(300);
    const superBlocks = 1 + next(8);
    const blocks = Math.max(1, prior.length + next(9) - 3);
    const items: BlockMapItem[] = [];
    let offset = bundleId === 0 ? 0 : next(100_000);
    let open: number[] = [];
    const close = (lastBytes: number) => {
      const storedBytes = 1 + next(shape.blockBytes * superBlocks);
      const superBlockBytes = (open.length - 1) * shape.blockBytes + lastBytes;
      for (const at of open) items[at] = { ...items[at]!, superBlockBytes, storedBytes };
      offset += storedBytes;
      open = [];
    };
    for (let at = 0; at < blocks; at++) {
      const kept = prior[at];
      if (kept !== undefined && next(3) > 0) {
        items.push(kept);
        continue;
      }
      const checksum = Uint8Array.from({ length: shape.checksumBytes }, () => next(256));
      items.push({ reference, bundleId, offset, superBlockBytes: 0, storedBytes: 0, block: open.length, checksum });
      open.push(at);
      if (open.length === superBlocks) close(shape.blockBytes);
    }
    if (open.length > 0) close(1 + next(shape.blockBytes));
    maps.push({ shape, items });
    prior = items;
  }
  return maps;
}
