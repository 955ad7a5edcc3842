/**
 * A file as the blocks that an earlier backup does not have (repository-format §7.6): super blocks, each compressed and encrypted by itself,
 * and behind them the map of the whole file.
 */
import { type BlockMapItem, type BlockShape, renderBlockMap } from "../format/block_map.ts";
import { ByteReader } from "../stream/byte_reader.ts";
import type { ByteStream, Filter } from "../stream/byte_stream.ts";
import { encryptBytes } from "../stream/cipher.ts";
import { compressBytes } from "../stream/compress.ts";
import type { CompressSetting } from "../stream/compress_type.ts";
import { streamOf } from "../stream/sources.ts";
import { xxh3 } from "../stream/xxh3.ts";

/** How the blocks of one file are stored in one repository. */
export interface BlockStoring {
  readonly shape: BlockShape;
  /** Bytes of the content at most. */
  readonly sizeBytes: number;
  /** A super block is full when the blocks in it have this size together. Bytes. */
  readonly superBlockBytes: number;
  /** Index of this backup in its manifest's list of references. */
  readonly reference: number;
  /** 0: the file stands alone. */
  readonly bundleId: number;
  /** Where the stored bytes begin in the bundle. */
  readonly offset: number;
  /** The map of the file in an earlier backup. */
  readonly prior: readonly BlockMapItem[] | undefined;
  readonly compress: CompressSetting;
  readonly cipherPass: string | undefined;
  /** Whoever gets the stored bytes is done with each piece before he asks for the next. */
  readonly chunksPass: boolean;
}

/** One reading of a file. */
export class BlockStream {
  readonly #storing: BlockStoring;
  readonly #items: BlockMapItem[] = [];
  /** The super block that is being filled, and the places of its blocks in the map. */
  #open: Uint8Array | undefined;
  /** Memory of an earlier one. */
  #spare: Uint8Array | undefined;
  #openAt: number[] = [];
  #openBytes = 0;
  /** A super block holds whole blocks only. */
  readonly #fullBytes: number;
  #offset: number;
  #mapBytes = 0;

  constructor(storing: BlockStoring) {
    this.#storing = storing;
    this.#offset = storing.offset;
    const { blockBytes } = storing.shape;
    this.#fullBytes = Math.ceil(storing.superBlockBytes / blockBytes) * blockBytes;
  }

  /** Stored bytes of the map; 0 when nothing was stored, since the earlier backup has every block. Known at the end. */
  get mapBytes(): number {
    return this.#mapBytes;
  }

  /** Turns the content into what is stored. */
  readonly through: Filter = (content) => this.#store(content);

  async *#store(content: ByteStream): AsyncGenerator<Uint8Array> {
    const { shape: { blockBytes }, prior } = this.#storing;
    const reader = new ByteReader(content);
    try {
      for (
        let block = await reader.takePassing(blockBytes);
        block.length > 0;
        block = await reader.takePassing(blockBytes)
      ) {
        this.#take(block);
        if (this.#openBytes >= this.#fullBytes) yield* this.#closeSuperBlock();
        if (block.length < blockBytes) break;
      }
    } finally {
      await reader.close();
    }
    if (this.#openBytes > 0) yield* this.#closeSuperBlock();
    const isNew = this.#offset > this.#storing.offset;
    const isShorter = prior !== undefined && this.#items.length < prior.length;
    if (this.#items.length > 0 && (isNew || isShorter)) yield* this.#storeMap();
  }

  #take(block: Uint8Array): void {
    const { shape, prior, reference, bundleId } = this.#storing;
    const checksum = xxh3(block).subarray(0, shape.checksumBytes);
    const before = prior?.[this.#items.length];
    if (before !== undefined && before.checksum.every((byte, at) => byte === checksum[at])) {
      this.#items.push(before);
      return;
    }
    // Sizes are known when the super block is full.
    const place = { reference, bundleId, offset: this.#offset, block: this.#openAt.length };
    this.#openAt.push(this.#items.length);
    this.#items.push({ ...place, superBlockBytes: 0, storedBytes: 0, checksum });
    this.#open ??= this.#spare ?? new Uint8Array(Math.min(this.#fullBytes, this.#storing.sizeBytes));
    this.#open.set(block, this.#openBytes);
    this.#openBytes += block.length;
  }

  async *#closeSuperBlock(): AsyncGenerator<Uint8Array> {
    const { compress, cipherPass, chunksPass } = this.#storing;
    const content = this.#open!.subarray(0, this.#openBytes);
    const compressed = await compressBytes(compress, content, "raw");
    const stored = cipherPass === undefined ? compressed : await encryptBytes(cipherPass, compressed, "raw");
    const storedBytes = stored.length;
    yield stored;
    for (const at of this.#openAt) {
      this.#items[at] = { ...this.#items[at]!, superBlockBytes: this.#openBytes, storedBytes };
    }
    this.#offset += storedBytes;
    this.#spare = chunksPass || stored !== content ? this.#open : undefined;
    this.#open = undefined;
    this.#openAt = [];
    this.#openBytes = 0;
  }

  async *#storeMap(): AsyncGenerator<Uint8Array> {
    const { shape, cipherPass } = this.#storing;
    const map = renderBlockMap(this.#items, shape);
    const stored = cipherPass === undefined ? map : await encryptBytes(cipherPass, map, "raw");
    this.#mapBytes = stored.length;
    yield* streamOf(stored);
  }
}
