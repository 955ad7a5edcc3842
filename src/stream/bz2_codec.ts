/** bz2: bzip2 streams, block by block, so that memory holds one block whatever the length of the stream. */
import { WalferryError } from "../errors.ts";
import { BitReader, BitWriter, bz2Crc } from "./bz2_bits.ts";
import { writeBlock } from "./bz2_compress.ts";
import { readBlock } from "./bz2_decompress.ts";
import type { ByteStream } from "./byte_stream.ts";
import { BUILT_IN, type Codec } from "./codec.ts";

/** A level stands for so many bytes in a block. */
const LEVEL_BYTES = 100_000;
/** The original leaves this much of a block free. */
const BLOCK_MARGIN = 19;
/** A compressed block of the highest level is never longer; decoding starts when so much is at hand. */
const COMPRESSED_BLOCK_MAX = 1_200_000;
const RUN_MIN = 4;
const RUN_MAX = 255;

export const bz2Codec: Codec = { origin: BUILT_IN, compress, decompress };

async function* compress(source: ByteStream, level: number): AsyncGenerator<Uint8Array> {
  const writer = new BitWriter();
  for (const byte of [0x42, 0x5a, 0x68, 0x30 + level]) writer.put(8, byte);
  const block = new BlockBuilder(level * LEVEL_BYTES - BLOCK_MARGIN);
  let combined = 0;
  const end = () => {
    const crc = block.crc;
    combined = ((combined << 1) | (combined >>> 31)) ^ crc;
    writeBlock(writer, block.take(), crc);
  };
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      at += block.add(chunk, at);
      if (!block.isFull) continue;
      end();
      yield writer.takeBytes();
    }
  }
  if (!block.isEmpty) end();
  writer.put(24, 0x177245);
  writer.put(24, 0x385090);
  writer.put32(combined >>> 0);
  writer.align();
  yield writer.takeBytes();
}

/** Gathers a block with its runs shortened: four equal bytes are followed by the number of more. */
class BlockBuilder {
  readonly #limit: number;
  readonly #bytes: Uint8Array;
  #size = 0;
  #crc = -1;
  #runByte = -1;
  #runLength = 0;

  constructor(limit: number) {
    this.#limit = limit;
    // The run that is open when the limit is reached still ends in this block.
    this.#bytes = new Uint8Array(limit + RUN_MIN + 1);
  }

  get isEmpty(): boolean {
    return this.#size === 0 && this.#runLength === 0;
  }
  get isFull(): boolean {
    return this.#size >= this.#limit;
  }
  /** Checksum of the original bytes of this block. */
  get crc(): number {
    return ~this.#crc >>> 0;
  }

  /** Takes bytes until the block is full; gives how many. */
  add(chunk: Uint8Array, from: number): number {
    let at = from;
    for (; at < chunk.length && this.#size < this.#limit; at++) {
      const byte = chunk[at]!;
      if (byte === this.#runByte && this.#runLength < RUN_MAX) {
        this.#runLength += 1;
        continue;
      }
      this.#endRun();
      if (this.#size >= this.#limit) break;
      this.#runByte = byte;
      this.#runLength = 1;
    }
    this.#crc = bz2Crc(this.#crc, chunk.subarray(from, at));
    return at - from;
  }

  #endRun(): void {
    for (let one = 0; one < Math.min(this.#runLength, RUN_MIN); one++) this.#bytes[this.#size++] = this.#runByte;
    if (this.#runLength >= RUN_MIN) this.#bytes[this.#size++] = this.#runLength - RUN_MIN;
    this.#runByte = -1;
    this.#runLength = 0;
  }

  /** The block; the builder is empty afterwards. */
  take(): Uint8Array {
    this.#endRun();
    const block = this.#bytes.slice(0, this.#size);
    this.#size = 0;
    this.#crc = -1;
    return block;
  }
}

async function* decompress(source: ByteStream): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const reader = new BitReader(new Uint8Array(0));
  let ended = false;
  /** Makes sure that a whole block is at hand, or everything that is left. */
  const fill = async () => {
    while (!ended && reader.restBytes < COMPRESSED_BLOCK_MAX) {
      const next = await iterator.next();
      if (next.done) ended = true;
      else reader.append(next.value);
    }
  };
  try {
    for (let streams = 0;; streams++) {
      await fill();
      if (streams > 0 && reader.restBytes === 0) return;
      yield* readStream(reader, fill);
      reader.align();
    }
  } finally {
    await iterator.return?.();
  }
}

async function* readStream(reader: BitReader, fill: () => Promise<void>): AsyncGenerator<Uint8Array> {
  const damaged = (what: string) => new WalferryError("Format", `compressed data is damaged: ${what}`);
  if (reader.take(24) !== 0x425a68) throw damaged("no bzip2 stream");
  const level = reader.take(8) - 0x30;
  if (level < 1 || level > 9) throw damaged("unknown bzip2 level");
  let combined = 0;
  for (;;) {
    await fill();
    const high = reader.take(24);
    const low = reader.take(24);
    if (high === 0x177245 && low === 0x385090) {
      if (reader.take32() !== combined >>> 0) throw damaged("bzip2 checksum does not match");
      return;
    }
    if (high !== 0x314159 || low !== 0x265359) throw damaged("no bzip2 block");
    const { bytes, crc } = readBlock(reader, level * LEVEL_BYTES);
    combined = ((combined << 1) | (combined >>> 31)) ^ crc;
    yield bytes;
  }
}
