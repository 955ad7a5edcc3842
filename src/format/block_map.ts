/**
 * The map of a block incremental file (repository-format §7.4): where each of its blocks is stored. Bytes to values and back; what stands in
 * a map may be damaged, so that every number is held against what is possible before it is used.
 */
import { WalferryError } from "../errors.ts";
import { fromZigzag, toZigzag, VarintReader, VarintWriter } from "./varint.ts";

/** Where one block of a file is. Items of one super block differ in `block` and `checksum` only. */
export interface BlockMapItem {
  /** Index in the manifest's list of references: the backup that holds it. */
  readonly reference: number;
  /** Plain bytes of its super block. */
  readonly superBlockBytes: number;
  /** Bundle in that backup; 0 = the file stands alone. */
  readonly bundleId: number;
  /** Where its super block begins in the bundle or file, bytes. */
  readonly offset: number;
  /** Stored bytes of its super block. */
  readonly storedBytes: number;
  /** Its number inside its super block. */
  readonly block: number;
  /** First bytes of its XXH3. */
  readonly checksum: Uint8Array;
}

/** What a manifest says of the blocks of a file. */
export interface BlockShape {
  readonly blockBytes: number;
  readonly checksumBytes: number;
}

/** What is known of a reference while a map is read or written. */
interface ReferenceState {
  superBlockBytes: number;
  readonly bundleId: number;
  offset: number;
  storedBytes: number;
  /** Next block of the super block. */
  block: number;
}

/** A checksum is the beginning of a digest of this many bytes. */
const BLOCK_CHECKSUM_MAX = 16;

// Flags of a reference; two of them mean something else when the reference has appeared before.
const REFERENCE_LAST = 1;
const REFERENCE_BUNDLE = 2;
const REFERENCE_OFFSET = 4;
const REFERENCE_CONTINUES = 2;
const REFERENCE_CONTINUED_IS_LAST = 4;
// Flags of a super block.
const SUPER_LAST = 1;
const SUPER_SIZE = 2;
const SUPER_PART = 4;
/** Both carry three flags below their number. */
const FLAGS = 8;

/**
 * The blocks of a file, in its order.
 * @throws WalferryError `Format` for a map that cannot be
 */
export function parseBlockMap(bytes: Uint8Array, shape: BlockShape): BlockMapItem[] {
  if (!(shape.blockBytes > 0 && shape.checksumBytes > 0 && shape.checksumBytes <= BLOCK_CHECKSUM_MAX)) {
    throw new WalferryError("Format", `blocks of ${shape.blockBytes} bytes with checksums of ${shape.checksumBytes}`);
  }
  const reader = new VarintReader(bytes);
  if (reader.number() % 2 !== 0) throw new WalferryError("Format", "block map version must be zero");
  const items: BlockMapItem[] = [];
  const states = new Map<number, ReferenceState>();
  let lastStoredBytes = 0;
  for (let isLast = false; !isLast;) {
    const head = reader.number();
    const reference = Math.floor(head / FLAGS);
    isLast = (head & REFERENCE_LAST) !== 0;
    const known = states.get(reference);
    const isContinued = known !== undefined && (head & REFERENCE_CONTINUES) !== 0;
    const state = known ?? newState(reader, head, shape);
    if (known === undefined) states.set(reference, state);
    else if (!isContinued) {
      state.offset += state.storedBytes + ((head & REFERENCE_OFFSET) !== 0 ? reader.number() : 0);
    }
    let isLastOfGroup = false;
    for (let at = 0; !isLastOfGroup; at++) {
      let flags = SUPER_PART;
      if (isContinued && at === 0) {
        if ((head & REFERENCE_CONTINUED_IS_LAST) !== 0) flags |= SUPER_LAST;
      } else {
        const superHead = reader.number();
        flags = superHead % FLAGS;
        if (at > 0) state.offset += state.storedBytes;
        const number = Math.floor(superHead / FLAGS);
        state.storedBytes = lastStoredBytes === 0 ? number : lastStoredBytes + fromZigzag(number);
        if ((flags & SUPER_SIZE) !== 0) state.superBlockBytes = parseSuperBlockBytes(reader, shape);
        state.block = 0;
      }
      if (state.storedBytes < 0 || !Number.isSafeInteger(state.offset + state.storedBytes)) {
        throw new WalferryError("Format", "place of a super block is not possible");
      }
      lastStoredBytes = state.storedBytes;
      parseBlocks(reader, flags, reference, state, shape, items);
      isLastOfGroup = (flags & SUPER_LAST) !== 0;
    }
  }
  if (reader.left > 0) throw new WalferryError("Format", `${reader.left} bytes stand behind the block map`);
  return items;
}

function newState(reader: VarintReader, head: number, { blockBytes }: BlockShape): ReferenceState {
  const bundleId = (head & REFERENCE_BUNDLE) !== 0 ? reader.number() : 0;
  const offset = (head & REFERENCE_OFFSET) !== 0 ? reader.number() : 0;
  return { superBlockBytes: blockBytes, bundleId, offset, storedBytes: 0, block: 0 };
}

function parseSuperBlockBytes(reader: VarintReader, { blockBytes }: BlockShape): number {
  const encoded = reader.number();
  const bytes = Math.floor(encoded / 2) * blockBytes + (encoded % 2 === 1 ? reader.number() : 0);
  if (bytes === 0 || !Number.isSafeInteger(bytes)) {
    throw new WalferryError("Format", "size of a super block is not possible");
  }
  return bytes;
}

function parseBlocks(
  reader: VarintReader,
  flags: number,
  reference: number,
  state: ReferenceState,
  { blockBytes, checksumBytes }: BlockShape,
  items: BlockMapItem[],
): void {
  const most = Math.ceil(state.superBlockBytes / blockBytes);
  let count = most;
  if ((flags & SUPER_PART) !== 0) {
    const encoded = reader.number();
    count = Math.floor(encoded / 2) + 1;
    if (encoded % 2 === 1) state.block += reader.number();
  }
  if (state.block + count > most) throw new WalferryError("Format", "block is outside of its super block");
  // Asked before the first of them, so that a damaged number costs nothing.
  if (count > Math.floor(reader.left / checksumBytes)) {
    throw new WalferryError("Format", "block map ends within its checksums");
  }
  const { superBlockBytes, bundleId, offset, storedBytes } = state;
  for (let at = 0; at < count; at++) {
    const checksum = reader.bytes(checksumBytes);
    items.push({ reference, superBlockBytes, bundleId, offset, storedBytes, block: state.block + at, checksum });
  }
  state.block += count;
}

/**
 * Bytes of a map. Along the file the super blocks of one reference must not go back, and all lie in one bundle or none.
 */
export function renderBlockMap(items: readonly BlockMapItem[], shape: BlockShape): Uint8Array {
  const writer = new VarintWriter();
  const states = new Map<number, ReferenceState>();
  let lastStoredBytes = 0;
  writer.number(0);
  for (let from = 0; from < items.length;) {
    const first = items[from]!;
    const end = endOfRun(items, from, items.length, (item) => item.reference === first.reference);
    const isLast = end === items.length ? REFERENCE_LAST : 0;
    const known = states.get(first.reference);
    const isContinued = known !== undefined && known.offset === first.offset;
    const state = known ?? firstState(first, shape);
    states.set(first.reference, state);
    let continued = false;
    if (isContinued) {
      const endOfSuper = endOfRun(items, from, end, (item) => item.offset === first.offset);
      const isWhole = endOfSuper === end ? REFERENCE_CONTINUED_IS_LAST : 0;
      writer.number(first.reference * FLAGS + (isLast | REFERENCE_CONTINUES | isWhole));
      continued = true;
    } else if (known === undefined) {
      const flags = (first.bundleId > 0 ? REFERENCE_BUNDLE : 0) | (first.offset > 0 ? REFERENCE_OFFSET : 0);
      writer.number(first.reference * FLAGS + (isLast | flags));
      if (first.bundleId > 0) writer.number(first.bundleId);
      if (first.offset > 0) writer.number(first.offset);
    } else {
      const gap = first.offset - (state.offset + state.storedBytes);
      writer.number(first.reference * FLAGS + (isLast | (gap > 0 ? REFERENCE_OFFSET : 0)));
      if (gap > 0) writer.number(gap);
    }
    while (from < end) {
      const item = items[from]!;
      const endOfSuper = endOfRun(items, from, end, ({ offset }) => offset === item.offset);
      const count = endOfSuper - from;
      let flags = endOfSuper === end ? SUPER_LAST : 0;
      const isPart = continued || item.block !== 0 || count !== Math.ceil(item.superBlockBytes / shape.blockBytes);
      if (isPart) flags |= SUPER_PART;
      if (!continued) {
        if (item.superBlockBytes !== state.superBlockBytes) flags |= SUPER_SIZE;
        const { storedBytes } = item;
        writer.number(
          (lastStoredBytes === 0 ? storedBytes : toZigzag(storedBytes - lastStoredBytes)) * FLAGS + flags,
        );
        if ((flags & SUPER_SIZE) !== 0) renderSuperBlockBytes(writer, item, shape);
        state.superBlockBytes = item.superBlockBytes;
        state.offset = item.offset;
        state.storedBytes = storedBytes;
        state.block = 0;
      }
      continued = false;
      lastStoredBytes = item.storedBytes;
      if (isPart) {
        const gap = item.block - state.block;
        writer.number((count - 1) * 2 + (gap > 0 ? 1 : 0));
        if (gap > 0) writer.number(gap);
      }
      state.block = item.block + count;
      for (; from < endOfSuper; from++) writer.bytes(items[from]!.checksum);
    }
  }
  return writer.finish();
}

function firstState({ bundleId, offset }: BlockMapItem, { blockBytes }: BlockShape): ReferenceState {
  return { superBlockBytes: blockBytes, bundleId, offset, storedBytes: 0, block: 0 };
}

function renderSuperBlockBytes(writer: VarintWriter, item: BlockMapItem, { blockBytes }: BlockShape): void {
  const remainder = item.superBlockBytes % blockBytes;
  writer.number(Math.floor(item.superBlockBytes / blockBytes) * 2 + (remainder > 0 ? 1 : 0));
  if (remainder > 0) writer.number(remainder);
}

function endOfRun(
  items: readonly BlockMapItem[],
  from: number,
  end: number,
  belongs: (item: BlockMapItem) => boolean,
): number {
  let at = from + 1;
  while (at < end && belongs(items[at]!)) at++;
  return at;
}
