/** The LZ4 block format: sequences of literals and matches. Source: the LZ4 block format description. */
import { WalferryError } from "../errors.ts";

const MATCH_MIN = 4;
/** The last match must start this many bytes before the end, and the last five bytes are literals. */
const MATCH_START_LIMIT = 12;
const LAST_LITERALS = 5;
const OFFSET_MAX = 65535;
const HASH_BITS = 16;
/** From this level on candidates are searched along a chain instead of taking the first. */
const CHAIN_LEVEL = 3;

/** Most bytes that compressing so many can give. */
export function lz4Bound(size: number): number {
  return size + Math.ceil(size / 255) + 16;
}

/** Compresses blocks; its tables are reused from block to block. */
export class Lz4BlockCompressor {
  readonly #table = new Int32Array(1 << HASH_BITS);
  readonly #chain: Int32Array | undefined;
  readonly #attempts: number;
  readonly #acceleration: number;

  /** @param level below 1: faster and larger; from 3 to 12: slower and smaller */
  constructor(level: number) {
    this.#attempts = level < CHAIN_LEVEL ? 1 : 1 << Math.min(level - 1, 10);
    this.#chain = level < CHAIN_LEVEL ? undefined : new Int32Array(OFFSET_MAX + 1);
    this.#acceleration = level < 0 ? 1 - level : 1;
  }

  /** Compresses a block into `target`; gives the number of bytes, which is at most {@link lz4Bound}. */
  compress(source: Uint8Array, target: Uint8Array): number {
    this.#table.fill(-1);
    const matchLimit = source.length - MATCH_START_LIMIT;
    let anchor = 0;
    let to = 0;
    let at = 0;
    let misses = this.#acceleration << 6;
    while (at < matchLimit) {
      const match = this.#find(source, at);
      if (match.length < MATCH_MIN) {
        // The longer nothing is found, the larger the steps: incompressible data goes by fast.
        at += this.#chain === undefined ? misses++ >> 6 : 1;
        continue;
      }
      misses = this.#acceleration << 6;
      to = putSequence(source, anchor, at, match.offset, match.length, target, to);
      const end = at + match.length;
      if (this.#chain !== undefined) {
        for (let inside = at + 1; inside < Math.min(end, matchLimit); inside++) this.#insert(source, inside);
      }
      at = end;
      anchor = end;
    }
    return putLiterals(source, anchor, target, to);
  }

  #insert(source: Uint8Array, at: number): number {
    const hash = hashAt(source, at);
    const before = this.#table[hash]!;
    if (this.#chain !== undefined) this.#chain[at & OFFSET_MAX] = before;
    this.#table[hash] = at;
    return before;
  }

  #find(source: Uint8Array, at: number): { offset: number; length: number } {
    let candidate = this.#insert(source, at);
    const best = { offset: 0, length: 0 };
    for (let attempt = 0; attempt < this.#attempts && candidate >= 0 && at - candidate <= OFFSET_MAX; attempt++) {
      const length = matchLength(source, candidate, at);
      if (length > best.length) {
        best.length = length;
        best.offset = at - candidate;
      }
      if (this.#chain === undefined) break;
      const next = this.#chain[candidate & OFFSET_MAX]!;
      if (next >= candidate) break;
      candidate = next;
    }
    return best;
  }
}

function hashAt(bytes: Uint8Array, at: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return Math.imul(word, 2654435761) >>> (32 - HASH_BITS);
}

function matchLength(bytes: Uint8Array, candidate: number, at: number): number {
  const end = bytes.length - LAST_LITERALS;
  let length = 0;
  while (at + length < end && bytes[candidate + length] === bytes[at + length]) length += 1;
  return length;
}

function putSequence(
  source: Uint8Array,
  anchor: number,
  at: number,
  offset: number,
  length: number,
  target: Uint8Array,
  to: number,
): number {
  const literals = at - anchor;
  const extra = length - MATCH_MIN;
  const token = to++;
  target[token] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
  if (literals >= 15) to = putLength(literals - 15, target, to);
  target.set(source.subarray(anchor, at), to);
  to += literals;
  target[to++] = offset & 0xff;
  target[to++] = offset >> 8;
  return extra >= 15 ? putLength(extra - 15, target, to) : to;
}

function putLiterals(source: Uint8Array, anchor: number, target: Uint8Array, to: number): number {
  const literals = source.length - anchor;
  target[to++] = Math.min(literals, 15) << 4;
  if (literals >= 15) to = putLength(literals - 15, target, to);
  target.set(source.subarray(anchor), to);
  return to + literals;
}

function putLength(rest: number, target: Uint8Array, to: number): number {
  for (; rest >= 255; rest -= 255) target[to++] = 255;
  target[to++] = rest;
  return to;
}

/**
 * Decompresses a block behind `start` of `target`, whose bytes before it are the history that matches may reach into.
 * @returns position behind the last byte written
 * @throws WalferryError `Format` for a damaged block; nothing is read or written outside of the arrays
 */
export function decompressLz4Block(source: Uint8Array, target: Uint8Array, start: number): number {
  const fail = (): never => {
    throw new WalferryError("Format", "compressed data is damaged: bad lz4 block");
  };
  let at = 0;
  let to = start;
  while (at < source.length) {
    const token = source[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      for (let byte = 255; byte === 255; literals += byte) byte = source[at++] ?? fail();
    }
    if (at + literals > source.length || to + literals > target.length) fail();
    target.set(source.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === source.length) return to;
    if (at + 2 > source.length) fail();
    const offset = source[at]! | (source[at + 1]! << 8);
    at += 2;
    let length = token & 15;
    if (length === 15) {
      for (let byte = 255; byte === 255; length += byte) byte = source[at++] ?? fail();
    }
    length += MATCH_MIN;
    if (offset === 0 || offset > to || to + length > target.length) fail();
    if (offset >= length) target.copyWithin(to, to - offset, to - offset + length);
    else for (let index = 0; index < length; index++) target[to + index] = target[to + index - offset]!;
    to += length;
  }
  return fail();
}
