/** The LZ4 block format: sequences of literals and matches. Source: the LZ4 block format description. */
import { WalferryError } from "../errors.ts";

const MATCH_MIN = 4;
/** The last match must start this many bytes before the end, and the last five bytes are literals. */
const MATCH_START_LIMIT = 12;
const LAST_LITERALS = 5;
const OFFSET_MAX = 65535;
/** A small table stays in the processor's first cache, and still finds more than the original's of half the size. */
const FAST_HASH_BITS = 13;
const CHAIN_HASH_BITS = 16;
/** From this level on candidates are searched along a chain instead of taking the first. */
const CHAIN_LEVEL = 3;
/** Up to this length copying byte by byte is quicker than asking for a copy. */
const SHORT_BYTES = 48;

/** Most bytes that compressing so many can give. */
export function lz4Bound(size: number): number {
  return size + Math.ceil(size / 255) + 16;
}

/** Compresses blocks; its tables are reused from block to block. */
export class Lz4BlockCompressor {
  readonly #table: Int32Array;
  readonly #chain: Int32Array | undefined;
  readonly #attempts: number;
  readonly #acceleration: number;

  /** @param level below 1: faster and larger; from 3 to 12: slower and smaller */
  constructor(level: number) {
    this.#attempts = level < CHAIN_LEVEL ? 1 : 1 << Math.min(level - 1, 10);
    this.#chain = level < CHAIN_LEVEL ? undefined : new Int32Array(OFFSET_MAX + 1);
    this.#table = new Int32Array(1 << (this.#chain === undefined ? FAST_HASH_BITS : CHAIN_HASH_BITS));
    this.#acceleration = level < 0 ? 1 - level : 1;
  }

  /** Compresses a block into `target`; gives the number of bytes, which is at most {@link lz4Bound}. */
  compress(source: Uint8Array, target: Uint8Array): number {
    this.#table.fill(-1);
    return this.#chain === undefined ? this.#compressFast(source, target) : this.#compressSmall(source, target);
  }

  /** Takes the first candidate. Words are read through a view: the only unaligned reads that there are. */
  #compressFast(source: Uint8Array, target: Uint8Array): number {
    const table = this.#table;
    const view = new DataView(source.buffer, source.byteOffset, source.length);
    const matchLimit = source.length - MATCH_START_LIMIT;
    const matchEnd = source.length - LAST_LITERALS;
    const begin = this.#acceleration << 6;
    let anchor = 0;
    let to = 0;
    let at = 0;
    let misses = begin;
    while (at < matchLimit) {
      const word = view.getInt32(at, true);
      const hash = hashOf(word, FAST_HASH_BITS);
      let candidate = table[hash]!;
      table[hash] = at;
      if (candidate < 0 || at - candidate > OFFSET_MAX || view.getInt32(candidate, true) !== word) {
        // The longer nothing is found, the larger the steps: incompressible data goes by fast.
        at += misses++ >> 6;
        continue;
      }
      misses = begin;
      let end = at + MATCH_MIN;
      let behind = candidate + MATCH_MIN;
      while (end + 4 <= matchEnd && view.getInt32(behind, true) === view.getInt32(end, true)) {
        end += 4;
        behind += 4;
      }
      while (end < matchEnd && source[behind] === source[end]) {
        end += 1;
        behind += 1;
      }
      while (at > anchor && candidate > 0 && source[candidate - 1] === source[at - 1]) {
        at -= 1;
        candidate -= 1;
      }
      to = putSequence(source, anchor, at, at - candidate, end - at, target, to);
      // One place inside the match is remembered too: what repeats mostly repeats from its beginning.
      if (end < matchLimit) table[hashOf(view.getInt32(end - 2, true), FAST_HASH_BITS)] = end - 2;
      at = end;
      anchor = end;
    }
    return putLiterals(source, anchor, target, to);
  }

  /** Looks at many candidates. */
  #compressSmall(source: Uint8Array, target: Uint8Array): number {
    const matchLimit = source.length - MATCH_START_LIMIT;
    let anchor = 0;
    let to = 0;
    let at = 0;
    while (at < matchLimit) {
      const match = this.#find(source, at);
      if (match.length < MATCH_MIN) {
        at += 1;
        continue;
      }
      to = putSequence(source, anchor, at, match.offset, match.length, target, to);
      const end = at + match.length;
      for (let inside = at + 1; inside < Math.min(end, matchLimit); inside++) this.#insert(source, inside);
      at = end;
      anchor = end;
    }
    return putLiterals(source, anchor, target, to);
  }

  #insert(source: Uint8Array, at: number): number {
    const hash = hashAt(source, at);
    const before = this.#table[hash]!;
    this.#chain![at & OFFSET_MAX] = before;
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
      const next = this.#chain![candidate & OFFSET_MAX]!;
      if (next >= candidate) break;
      candidate = next;
    }
    return best;
  }
}

function hashAt(bytes: Uint8Array, at: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return hashOf(word, CHAIN_HASH_BITS);
}

function hashOf(word: number, bits: number): number {
  return Math.imul(word, 2654435761) >>> (32 - bits);
}

/** Copies a part of one array into another one. */
function copy(source: Uint8Array, from: number, length: number, target: Uint8Array, to: number): void {
  if (length > SHORT_BYTES) target.set(source.subarray(from, from + length), to);
  else for (let index = 0; index < length; index++) target[to + index] = source[from + index]!;
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
  copy(source, anchor, literals, target, to);
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
    copy(source, at, literals, target, to);
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
    if (length > SHORT_BYTES && offset >= length) target.copyWithin(to, to - offset, to - offset + length);
    else for (let index = 0; index < length; index++) target[to + index] = target[to + index - offset]!;
    to += length;
  }
  return fail();
}
