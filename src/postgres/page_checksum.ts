/** PostgreSQL's page checksum (repository-format §9) and the walk over the pages of a relation file while it streams by. */
import type { ByteStream, Filter } from "../stream/byte_stream.ts";

/** Lanes of the checksum, one 32-bit column each. Source: `checksum_impl.h`. */
const LANES = 32;
const PRIME = 16777619;
const SEEDS = Int32Array.of(
  ...[
    [0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c],
    [0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb],
    [0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4],
    [0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756],
  ].flat(),
);

/** Byte offsets of `pd_checksum` and `pd_upper` in a page header. */
const CHECKSUM_OFFSET = 8;
const UPPER_OFFSET = 14;
/** Pages in one segment file of a relation (1 GiB of 8 KiB pages, `RELSEG_SIZE`), by page size. */
const SEGMENT_BYTES = 0x4000_0000;
/** A last page shorter than this is a misaligned file, not a bad page (behaviour spec §4.9). */
const PARTIAL_PAGE_MIN = 512;

/**
 * Checksum that belongs on a page, from 1 to 65535.
 * @param page the page as little-endian 32-bit words
 * @param blockNumber number of the page in its relation, through all segments
 */
export function pageChecksum(page: Int32Array, blockNumber: number): number {
  const sums = SEEDS.slice();
  const checksumWord = CHECKSUM_OFFSET / 4;
  for (let row = 0; row < page.length; row += LANES) {
    for (let lane = 0; lane < LANES; lane++) {
      const at = row + lane;
      // The stored checksum itself counts as zero.
      const word = at === checksumWord ? page[at]! & 0xffff0000 : page[at]!;
      const mixed = sums[lane]! ^ word;
      sums[lane] = Math.imul(mixed, PRIME) ^ (mixed >>> 17);
    }
  }
  let result = 0;
  for (let lane = 0; lane < LANES; lane++) {
    let sum = sums[lane]!;
    sum = Math.imul(sum, PRIME) ^ (sum >>> 17);
    sum = Math.imul(sum, PRIME) ^ (sum >>> 17);
    result ^= sum;
  }
  return ((result ^ blockNumber) >>> 0) % 65535 + 1;
}

/** What is wrong with the pages of a file. */
export interface PageCheckResult {
  readonly valid: boolean;
  /** Bad pages, ascending, neighbours merged; `undefined` when the file is misaligned (or nothing is wrong). */
  readonly errors: Array<[first: number, last: number]> | undefined;
}

/** How a page is asked for again: the bytes that stand in the file now, or `undefined` when the page is gone. */
export type PageReader = (pageInFile: number) => Uint8Array | undefined;

/**
 * Checks the pages of one relation segment as they pass through {@link through}. A page that fails is read again: if its bytes are
 * others now, the server was writing it and WAL replay will make it right.
 */
export class PageChecker {
  readonly #pageBytes: number;
  readonly #firstBlock: number;
  readonly #reread: PageReader;
  readonly #headerCheck: boolean;
  readonly #bad: Array<[number, number]> = [];
  #page = 0;
  #misaligned = false;

  /**
   * @param segment number behind the dot of the file name, 0 without one
   * @param headerCheck `page-header-check`: with false a page that looks new is checked like any other
   */
  constructor(options: { pageBytes: number; segment: number; reread: PageReader; headerCheck: boolean }) {
    this.#pageBytes = options.pageBytes;
    this.#firstBlock = options.segment * (SEGMENT_BYTES / options.pageBytes);
    this.#reread = options.reread;
    this.#headerCheck = options.headerCheck;
  }

  readonly through: Filter = (source) => this.#check(source);

  async *#check(source: ByteStream): AsyncGenerator<Uint8Array> {
    let rest = new Uint8Array(0);
    for await (const chunk of source) {
      rest = this.#checkPages(rest, chunk);
      yield chunk;
    }
    if (rest.length === 0) return;
    this.#misaligned = true;
    if (rest.length >= PARTIAL_PAGE_MIN) this.#report(this.#page);
  }

  /** Checks every whole page in rest + chunk; gives what is left over. */
  #checkPages(rest: Uint8Array<ArrayBuffer>, chunk: Uint8Array): Uint8Array<ArrayBuffer> {
    let at = 0;
    if (rest.length > 0) {
      const missing = this.#pageBytes - rest.length;
      const joined = new Uint8Array(rest.length + Math.min(missing, chunk.length));
      joined.set(rest);
      joined.set(chunk.subarray(0, missing), rest.length);
      if (joined.length < this.#pageBytes) return joined;
      this.#checkPage(joined);
      at = missing;
    }
    for (; at + this.#pageBytes <= chunk.length; at += this.#pageBytes) {
      this.#checkPage(chunk.subarray(at, at + this.#pageBytes));
    }
    return chunk.slice(at);
  }

  #checkPage(page: Uint8Array): void {
    const number = this.#page++;
    if (this.#isValid(page, number)) return;
    const again = this.#reread(number);
    const changed = again === undefined || again.length !== page.length || !sameBytes(again, page);
    if (!changed) this.#report(number);
  }

  #isValid(page: Uint8Array, number: number): boolean {
    const upper = page[UPPER_OFFSET]! | (page[UPPER_OFFSET + 1]! << 8);
    // A new page has never been written: all zero. Anything else with pd_upper zero is damage.
    if (upper === 0 && this.#headerCheck) return page.every((byte) => byte === 0);
    const stored = page[CHECKSUM_OFFSET]! | (page[CHECKSUM_OFFSET + 1]! << 8);
    if (upper === 0 && page.every((byte) => byte === 0)) return true;
    return pageChecksum(wordsOf(page), this.#firstBlock + number) === stored;
  }

  #report(number: number): void {
    const block = this.#firstBlock + number;
    const last = this.#bad.at(-1);
    if (last !== undefined && last[1] === block - 1) last[1] = block;
    else this.#bad.push([block, block]);
  }

  /** What was found; ask when the stream has ended. */
  result(): PageCheckResult {
    if (this.#misaligned) return { valid: false, errors: undefined };
    return this.#bad.length === 0 ? { valid: true, errors: undefined } : { valid: false, errors: this.#bad };
  }
}

/** The bytes as 32-bit words; copied only when they do not lie on a word boundary. */
function wordsOf(page: Uint8Array): Int32Array {
  const aligned = page.byteOffset % 4 === 0 ? page : page.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, index) => byte === b[index]);
}
