/** lz4: the LZ4 frame format. Written with independent blocks of a mebibyte; read in every form that the format has but dictionaries. */
import { WalferryError } from "../errors.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Framing } from "./framing.ts";
import { BUILT_IN, type Codec } from "./codec.ts";
import { decompressLz4Block, Lz4BlockCompressor, lz4Bound } from "./lz4_block.ts";
import { Xxh32, xxh32 } from "./xxh32.ts";

const MAGIC = 0x184d2204;
/** Skippable frames have one of sixteen magics from this one on. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const HISTORY_BYTES = 64 * 1024;
const BLOCK_BYTES = 1024 * 1024;
/** Code of {@link BLOCK_BYTES} in the frame header. */
const BLOCK_CODE = 6;
const BLOCK_SIZES: Readonly<Record<number, number>> = {
  4: 64 * 1024,
  5: 256 * 1024,
  6: BLOCK_BYTES,
  7: 4 * BLOCK_BYTES,
};
const UNCOMPRESSED = 0x8000_0000;

/** Bits of the first byte of a frame descriptor. */
const FLAG = {
  version: 0x40,
  independent: 0x20,
  blockChecksum: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  dictionary: 0x01,
};

export const lz4Codec: Codec = { origin: BUILT_IN, compress, decompress };

async function* compress(source: ByteStream, level: number, framing: Framing): AsyncGenerator<Uint8Array> {
  const withChecksum = framing === "normal";
  const descriptor = Uint8Array.of(
    FLAG.version | FLAG.independent | (withChecksum ? FLAG.contentChecksum : 0),
    BLOCK_CODE << 4,
  );
  yield Uint8Array.of(...little32(MAGIC), ...descriptor, (xxh32(descriptor) >> 8) & 0xff);
  const compressor = new Lz4BlockCompressor(level);
  const content = new Xxh32();
  const reader = new ByteReader(source);
  let target = new Uint8Array(0);
  try {
    for (let block = await reader.take(BLOCK_BYTES); block.length > 0; block = await reader.take(BLOCK_BYTES)) {
      content.update(block);
      const mostBytes = 4 + lz4Bound(block.length);
      if (target.length < mostBytes) target = new Uint8Array(mostBytes);
      const size = compressor.compress(block, target.subarray(4));
      if (size < block.length) {
        target.set(little32(size));
        yield target.slice(0, 4 + size);
      } else {
        yield Uint8Array.of(...little32(block.length | UNCOMPRESSED));
        yield block;
      }
    }
  } finally {
    await reader.close();
  }
  yield Uint8Array.of(0, 0, 0, 0, ...(withChecksum ? little32(content.digest()) : []));
}

async function* decompress(source: ByteStream): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  try {
    for (let frames = 0;; frames++) {
      const magic = await reader.take(4);
      if (magic.length === 0 && frames > 0) return;
      const number = read32(magic);
      if ((number & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC) await exactly(reader, read32(await exactly(reader, 4)));
      else if (number !== MAGIC) throw new WalferryError("Format", "compressed data is damaged: no lz4 frame");
      else yield* readFrame(reader);
    }
  } finally {
    await reader.close();
  }
}

async function* readFrame(reader: ByteReader): AsyncGenerator<Uint8Array> {
  const { flags, blockBytes } = await readDescriptor(reader);
  const content = new Xxh32();
  // History in front, the block behind it: linked blocks reach back over the border.
  const window = new Uint8Array(HISTORY_BYTES + blockBytes);
  let history = 0;
  for (;;) {
    const size = read32(await exactly(reader, 4));
    if (size === 0) break;
    const bytes = (size & ~UNCOMPRESSED) >>> 0;
    if (bytes > blockBytes) throw new WalferryError("Format", "compressed data is damaged: lz4 block is too large");
    // Taken together: what the reader gives is good only until more is taken.
    const checksumBytes = flags & FLAG.blockChecksum ? 4 : 0;
    const stored = await exactly(reader, bytes + checksumBytes);
    const block = stored.subarray(0, bytes);
    if (checksumBytes > 0 && read32(stored.subarray(bytes)) !== xxh32(block)) throw checksumError();
    let end: number;
    if (size & UNCOMPRESSED) {
      window.set(block, history);
      end = history + bytes;
    } else end = decompressLz4Block(block, window.subarray(0, history + blockBytes), history);
    const plain = window.slice(history, end);
    content.update(plain);
    yield plain;
    if ((flags & FLAG.independent) === 0) {
      const keep = Math.min(HISTORY_BYTES, end);
      window.copyWithin(0, end - keep, end);
      history = keep;
    }
  }
  if (flags & FLAG.contentChecksum && read32(await exactly(reader, 4)) !== content.digest()) throw checksumError();
}

async function readDescriptor(reader: ByteReader): Promise<{ flags: number; blockBytes: number }> {
  const start = (await exactly(reader, 2)).slice();
  const flags = start[0]!;
  const blockBytes = BLOCK_SIZES[(start[1]! >> 4) & 7];
  if ((flags & 0xc0) !== FLAG.version || blockBytes === undefined) {
    throw new WalferryError("Format", "compressed data is damaged: unknown lz4 frame");
  }
  if (flags & FLAG.dictionary) throw new WalferryError("Format", "lz4 frames with a dictionary cannot be read");
  const size = flags & FLAG.contentSize ? await exactly(reader, 8) : new Uint8Array(0);
  const descriptor = Uint8Array.of(...start, ...size);
  if ((await exactly(reader, 1))[0] !== ((xxh32(descriptor) >> 8) & 0xff)) throw checksumError();
  return { flags, blockBytes };
}

async function exactly(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.take(count);
  if (bytes.length < count) throw new WalferryError("Format", "unexpected eof in compressed data");
  return bytes;
}

function checksumError(): WalferryError {
  return new WalferryError("Format", "compressed data is damaged: lz4 checksum does not match");
}

function read32(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new WalferryError("Format", "unexpected eof in compressed data");
  return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
}

function little32(value: number): [number, number, number, number] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
