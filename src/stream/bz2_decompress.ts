/** One block of a bzip2 stream back to bytes. Damage is an error; nothing is read outside of the arrays. */
import { WalferryError } from "../errors.ts";
import { type BitReader, bz2Crc } from "./bz2_bits.ts";

const GROUP = 50;
const CODE_BITS_MAX = 20;

function damaged(what: string): WalferryError {
  return new WalferryError("Format", `compressed data is damaged: ${what}`);
}

/** Reads what follows the magic of a block. @param maxBytes size of a block by the level of the stream */
export function readBlock(reader: BitReader, maxBytes: number): { readonly bytes: Uint8Array; readonly crc: number } {
  const crc = reader.take32();
  if (reader.take(1) === 1) throw damaged("randomised bzip2 blocks are not read");
  const origin = reader.take(24);
  const last = readSymbols(reader, maxBytes);
  if (origin >= last.length) throw damaged("bad bzip2 origin");
  const bytes = unrun(invert(last, origin));
  if ((~bz2Crc(-1, bytes) >>> 0) !== crc) throw damaged("bzip2 checksum does not match");
  return { bytes, crc };
}

/** Decodes Huffman, runs of zeros and move to front. */
function readSymbols(reader: BitReader, maxBytes: number): Uint8Array {
  const front = readUsed(reader);
  const alphabet = front.length + 2;
  if (front.length === 0) throw damaged("bzip2 block without symbols");
  const tables = reader.take(3);
  const groups = reader.take(15);
  if (tables < 2 || tables > 6 || groups === 0) throw damaged("bad bzip2 tables");
  const selectors = readSelectors(reader, tables, groups);
  const decoders = Array.from({ length: tables }, () => new HuffmanDecoder(readLengths(reader, alphabet)));
  const last = new Uint8Array(maxBytes);
  let size = 0;
  let zeros = 0;
  let weight = 1;
  for (let group = 0;; group++) {
    const decoder = decoders[selectors[group] ?? -1];
    if (decoder === undefined) throw damaged("bzip2 block has too few groups");
    for (let at = 0; at < GROUP; at++) {
      const symbol = decoder.next(reader);
      if (symbol <= 1) {
        zeros += weight << symbol;
        weight <<= 1;
        if (zeros > maxBytes) throw damaged("bzip2 block is too large");
        continue;
      }
      if (zeros > 0) {
        if (size + zeros > maxBytes) throw damaged("bzip2 block is too large");
        last.fill(front[0]!, size, size + zeros);
        size += zeros;
        zeros = 0;
        weight = 1;
      }
      if (symbol === alphabet - 1) return last.subarray(0, size);
      if (size >= maxBytes) throw damaged("bzip2 block is too large");
      const place = symbol - 1;
      const value = front[place]!;
      front.copyWithin(1, 0, place);
      front[0] = value;
      last[size++] = value;
    }
  }
}

function readUsed(reader: BitReader): Uint8Array {
  const ranges = reader.take(16);
  const used: number[] = [];
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue;
    const values = reader.take(16);
    for (let value = 0; value < 16; value++) if (values & (0x8000 >> value)) used.push(range * 16 + value);
  }
  return Uint8Array.from(used);
}

function readSelectors(reader: BitReader, tables: number, groups: number): Uint8Array {
  const order = Array.from({ length: tables }, (_, table) => table);
  return Uint8Array.from({ length: groups }, () => {
    let place = 0;
    while (reader.take(1) === 1) if (++place >= tables) throw damaged("bad bzip2 selector");
    const [table] = order.splice(place, 1);
    order.unshift(table!);
    return table!;
  });
}

function readLengths(reader: BitReader, alphabet: number): Uint8Array {
  let current = reader.take(5);
  return Uint8Array.from({ length: alphabet }, () => {
    for (;;) {
      if (current < 1 || current > CODE_BITS_MAX) throw damaged("bad bzip2 code length");
      if (reader.take(1) === 0) return current;
      current += reader.take(1) === 0 ? 1 : -1;
    }
  });
}

/** Canonical decoding, length by length. */
class HuffmanDecoder {
  readonly #limit = new Int32Array(CODE_BITS_MAX + 1).fill(-1);
  readonly #base = new Int32Array(CODE_BITS_MAX + 1);
  readonly #symbols: Uint16Array;
  readonly #shortest: number;

  constructor(lengths: Uint8Array) {
    this.#symbols = new Uint16Array(lengths.length);
    this.#shortest = Math.min(...lengths);
    let code = 0;
    let index = 0;
    for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
      this.#base[bits] = index - code;
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] !== bits) continue;
        this.#symbols[index++] = symbol;
        code += 1;
      }
      this.#limit[bits] = code - 1;
      code <<= 1;
    }
  }

  next(reader: BitReader): number {
    let code = reader.take(this.#shortest);
    for (let bits = this.#shortest; bits <= CODE_BITS_MAX; bits++) {
      if (code <= this.#limit[bits]!) return this.#symbols[this.#base[bits]! + code] ?? this.#bad();
      if (bits < CODE_BITS_MAX) code = (code << 1) | reader.take(1);
    }
    return this.#bad();
  }

  #bad(): never {
    throw damaged("bad bzip2 code");
  }
}

/** From the last column back to the block. */
function invert(last: Uint8Array, origin: number): Uint8Array {
  const starts = new Int32Array(256);
  for (const byte of last) starts[byte]! += 1;
  let sum = 0;
  for (let value = 0; value < 256; value++) {
    const count = starts[value]!;
    starts[value] = sum;
    sum += count;
  }
  const next = new Int32Array(last.length);
  for (let at = 0; at < last.length; at++) next[starts[last[at]!]!++] = at;
  const block = new Uint8Array(last.length);
  let row = next[origin]!;
  for (let at = 0; at < block.length; at++) {
    block[at] = last[row]!;
    row = next[row]!;
  }
  return block;
}

/** Four equal bytes are followed by the number of more of them. */
function unrun(block: Uint8Array): Uint8Array {
  let size = 0;
  let run = 0;
  for (let at = 0; at < block.length; at++) {
    if (run === 4) {
      size += block[at]!;
      run = 0;
      continue;
    }
    run = run > 0 && block[at] === block[at - 1] ? run + 1 : 1;
    size += 1;
  }
  const bytes = new Uint8Array(size);
  let to = 0;
  run = 0;
  for (let at = 0; at < block.length; at++) {
    const byte = block[at]!;
    if (run === 4) {
      bytes.fill(block[at - 1]!, to, to + byte);
      to += byte;
      run = 0;
      continue;
    }
    run = run > 0 && byte === block[at - 1] ? run + 1 : 1;
    bytes[to++] = byte;
  }
  return bytes;
}
