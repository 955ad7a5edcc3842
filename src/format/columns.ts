/**
 * Columns of a table with very many rows. An object for each row would cost hundreds of bytes; here a number costs four, a checksum
 * twenty-four, a name little more than its last part. What holds no value costs nothing: room is made in chunks, when something is put there,
 * and the first chunk begins small, since there are also very many tables with a few rows (an incremental backup each).
 */
import { compareBytes } from "./json.ts";

/** Rows of a chunk: room is made for so many at once. */
const CHUNK_BITS = 13;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const ROW_IN_CHUNK = CHUNK_ROWS - 1;

/** Rows that the first chunk has room for in the beginning; when they are not enough, for twice as many. */
const FIRST_ROWS = 32;

/** Marks a number that does not fit beside. 0 stands for none, all others for one less than themselves. */
const ELSEWHERE = 0xffff_ffff;

/** A number or nothing in each row. Whole numbers below 2^32 - 2 are packed, others are possible. */
export class NumberColumn {
  readonly #chunks: (Uint32Array | undefined)[] = [];
  readonly #elsewhere = new Map<number, number>();

  get(row: number): number | undefined {
    const packed = this.#chunks[row >>> CHUNK_BITS]?.[row & ROW_IN_CHUNK] ?? 0;
    if (packed === ELSEWHERE) return this.#elsewhere.get(row);
    return packed === 0 ? undefined : packed - 1;
  }

  set(row: number, value: number | undefined): void {
    let chunk = this.#chunks[row >>> CHUNK_BITS];
    if (chunk === undefined || (row & ROW_IN_CHUNK) >= chunk.length) {
      if (value === undefined) return;
      chunk = this.#grow(row);
    }
    const fits = value === undefined || (Number.isInteger(value) && value >= 0 && value < ELSEWHERE - 1);
    if (!fits) this.#elsewhere.set(row, value);
    else if (chunk[row & ROW_IN_CHUNK] === ELSEWHERE) this.#elsewhere.delete(row);
    chunk[row & ROW_IN_CHUNK] = !fits ? ELSEWHERE : value === undefined ? 0 : value + 1;
  }

  #grow(row: number): Uint32Array {
    const at = row >>> CHUNK_BITS;
    while (this.#chunks.length <= at) this.#chunks.push(undefined);
    const rows = at === 0 ? roomFor(row + 1, FIRST_ROWS, CHUNK_ROWS) : CHUNK_ROWS;
    const grown = new Uint32Array(rows);
    grown.set(this.#chunks[at] ?? []);
    return this.#chunks[at] = grown;
  }
}

/** The first size that is enough of those that double, from the smallest to the largest. */
function roomFor(wanted: number, smallest: number, largest: number): number {
  let room = smallest;
  while (room < wanted && room < largest) room *= 2;
  return room;
}

const SHA1_BYTES = 20;
const SHA1_CHUNK = 4096;

/** A SHA-1 or nothing in each row: in hexadecimal outside, in 20 bytes inside. */
export class Sha1Column {
  /** Rows without one need no room for one. */
  readonly #slots = new NumberColumn();
  readonly #chunks: Uint8Array[] = [];
  #used = 0;

  has(row: number): boolean {
    return this.#slots.get(row) !== undefined;
  }

  get(row: number): string | undefined {
    const slot = this.#slots.get(row);
    return slot === undefined ? undefined : this.#bytesOf(slot).toHex();
  }

  set(row: number, hex: string | undefined): void {
    if (hex === undefined) return this.#slots.set(row, undefined);
    this.#bytesOf(this.#slotFor(row)).setFromHex(hex);
  }

  /** Takes over what another column has in a row. */
  copy(row: number, from: Sha1Column, fromRow: number): void {
    const fromSlot = from.#slots.get(fromRow);
    if (fromSlot === undefined) return this.#slots.set(row, undefined);
    this.#bytesOf(this.#slotFor(row)).set(from.#bytesOf(fromSlot));
  }

  #slotFor(row: number): number {
    const known = this.#slots.get(row);
    if (known !== undefined) return known;
    const slot = this.#used++;
    if (slot % SHA1_CHUNK === 0) {
      this.#chunks.push(new Uint8Array((slot === 0 ? FIRST_ROWS : SHA1_CHUNK) * SHA1_BYTES));
    } else if (slot * SHA1_BYTES === this.#chunks[0]!.length) {
      this.#chunks[0] = enlarged(this.#chunks[0]!, 2 * this.#chunks[0]!.length);
    }
    this.#slots.set(row, slot);
    return slot;
  }

  #bytesOf(slot: number): Uint8Array {
    const from = (slot % SHA1_CHUNK) * SHA1_BYTES;
    return this.#chunks[Math.floor(slot / SHA1_CHUNK)]!.subarray(from, from + SHA1_BYTES);
  }
}

function enlarged(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  const larger = new Uint8Array(sizeBytes);
  larger.set(bytes);
  return larger;
}

const ARENA_BITS = 16;
const ARENA_BYTES = 1 << ARENA_BITS;
/** What the first chunk has in the beginning. */
const FIRST_ARENA_BYTES = 512;
const LENGTH_BYTES = 2;
/** Instead of a length: the name fills the rest of its chunk, which is its own. */
const WHOLE_CHUNK = 0xffff;

/** Paths in rows that are only added to. Directories, which many rows share, are kept once. */
export class PathColumn {
  /** With the slash that ends them; empty for a name without one. */
  readonly #directories: string[] = [];
  readonly #directoryIds = new Map<string, number>();
  readonly #directoryOf = new NumberColumn();
  /** Where the last part of the path is: number of the chunk, and byte in it. */
  readonly #placeOf = new NumberColumn();
  readonly #chunks: Uint8Array[] = [];
  #free = ARENA_BYTES;
  #length = 0;

  get(row: number): string {
    const { chunk, start, end } = this.#lastPart(row);
    return this.#directoryAt(row) + textOf(chunk, start, end);
  }

  /** @returns the row that it got */
  push(path: string): number {
    const slash = path.lastIndexOf("/") + 1;
    const row = this.#length++;
    this.#directoryOf.set(row, this.#directoryId(path.slice(0, slash)));
    this.#placeOf.set(row, this.#store(path, slash));
    return row;
  }

  /** Orders two rows by the bytes of their paths; the second may be one of another column. */
  compare(a: number, b: number, other: PathColumn = this): number {
    if (this.#directoryAt(a) !== other.#directoryAt(b)) return compareBytes(this.get(a), other.get(b));
    const left = this.#lastPart(a);
    const right = other.#lastPart(b);
    const leftLength = left.end - left.start;
    const rightLength = right.end - right.start;
    for (let at = 0; at < leftLength && at < rightLength; at++) {
      const difference = left.chunk[left.start + at]! - right.chunk[right.start + at]!;
      if (difference !== 0) return difference;
    }
    return leftLength - rightLength;
  }

  #directoryAt(row: number): string {
    return this.#directories[this.#directoryOf.get(row)!]!;
  }

  #directoryId(text: string): number {
    const known = this.#directoryIds.get(text);
    if (known !== undefined) return known;
    // Made anew from its bytes: a slice would keep alive the whole text that it was cut from.
    const own = decoder.decode(new TextEncoder().encode(text));
    const id = this.#directories.push(own) - 1;
    this.#directoryIds.set(own, id);
    return id;
  }

  /** Stores what follows `from`; gives its place. */
  #store(path: string, from: number): number {
    const bytes = isAscii(path, from) ? undefined : new TextEncoder().encode(path.slice(from));
    const length = bytes?.length ?? path.length - from;
    const isOwn = length >= WHOLE_CHUNK - LENGTH_BYTES;
    const endBytes = this.#free + LENGTH_BYTES + length;
    const chunk = isOwn || endBytes > ARENA_BYTES
      ? this.#addChunk(LENGTH_BYTES + length, isOwn)
      : this.#lastChunk(endBytes);
    const place = ((this.#chunks.length - 1) << ARENA_BITS >>> 0) + this.#free;
    const said = isOwn ? WHOLE_CHUNK : length;
    chunk[this.#free] = said & 0xff;
    chunk[this.#free + 1] = said >>> 8;
    const start = this.#free + LENGTH_BYTES;
    if (bytes !== undefined) chunk.set(bytes, start);
    else for (let at = 0; at < length; at++) chunk[start + at] = path.charCodeAt(from + at);
    this.#free = isOwn ? ARENA_BYTES : start + length;
    return place;
  }

  #addChunk(wantedBytes: number, isOwn: boolean): Uint8Array {
    const isFirst = this.#chunks.length === 0;
    const sizeBytes = isOwn
      ? wantedBytes
      : isFirst
      ? roomFor(wantedBytes, FIRST_ARENA_BYTES, ARENA_BYTES)
      : ARENA_BYTES;
    const chunk = new Uint8Array(sizeBytes);
    this.#chunks.push(chunk);
    this.#free = 0;
    return chunk;
  }

  /** The one that is being filled, with so much room. */
  #lastChunk(sizeBytes: number): Uint8Array {
    const last = this.#chunks.at(-1)!;
    if (sizeBytes <= last.length) return last;
    return this.#chunks[this.#chunks.length - 1] = enlarged(last, roomFor(sizeBytes, FIRST_ARENA_BYTES, ARENA_BYTES));
  }

  /** No view of its own: those cost more than what they show here. */
  #lastPart(row: number): { readonly chunk: Uint8Array; readonly start: number; readonly end: number } {
    const place = this.#placeOf.get(row)!;
    const chunk = this.#chunks[place >>> ARENA_BITS]!;
    const at = place & (ARENA_BYTES - 1);
    const length = chunk[at]! | chunk[at + 1]! << 8;
    const start = at + LENGTH_BYTES;
    return { chunk, start, end: length === WHOLE_CHUNK ? chunk.length : start + length };
  }
}

/** A name is what it is, whatever it begins with. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function isAscii(text: string, from: number): boolean {
  for (let at = from; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** Names are short and mostly plain: for those a decoder's start costs more than its work. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  const isShort = end - start <= SHORT_BYTES;
  const codes: number[] = [];
  for (let at = start; isShort && at < end; at++) {
    const byte = bytes[at]!;
    if (byte > 0x7f) break;
    codes.push(byte);
  }
  if (codes.length === end - start) return String.fromCharCode.apply(undefined, codes);
  return decoder.decode(bytes.subarray(start, end));
}

const SHORT_BYTES = 64;
