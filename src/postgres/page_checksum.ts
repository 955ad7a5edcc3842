/** PostgreSQL's data page checksum and the check of a whole relation file as it streams by (repository-format §9). */
import type { PageRange } from "../format/manifest.ts";

/** Start values of the 32 lanes. PostgreSQL source: `checksumBaseOffsets` in `src/include/storage/checksum_impl.h`. */
// deno-fmt-ignore
const LANE_START = Int32Array.of(
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
  0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
  0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
  0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
);
const LANES = 32;
/** `FNV_PRIME` there. */
const PRIME = 16777619;
/** Word of the page header whose low half is `pd_checksum` (bytes 8 and 9). */
const CHECKSUM_WORD = 2;

/**
 * Checksum of a page as it would be stored in its header; what the header holds now does not count.
 *
 * @param page whole page, a multiple of 128 bytes
 * @param blockNumber number of the page through all segments of its relation
 */
export function pageChecksum(page: Uint8Array, blockNumber: number): number {
  const aligned = page.byteOffset % 4 === 0 ? page : page.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  let sum = 0;
  for (let lane = 0; lane < LANES; lane += 8) sum ^= eightLanes(words, lane);
  return ((sum ^ blockNumber) >>> 0) % 65535 + 1;
}

/** Eight independent chains at a time fill the multiplier's pipeline; all 32 would not fit the registers. */
function eightLanes(words: Int32Array, lane: number): number {
  let a = LANE_START[lane]!;
  let b = LANE_START[lane + 1]!;
  let c = LANE_START[lane + 2]!;
  let d = LANE_START[lane + 3]!;
  let e = LANE_START[lane + 4]!;
  let f = LANE_START[lane + 5]!;
  let g = LANE_START[lane + 6]!;
  let h = LANE_START[lane + 7]!;
  let third = words[lane + CHECKSUM_WORD]!;
  if (lane === 0) third &= 0xffff0000;
  for (let at = lane; at < words.length; at += LANES) {
    a ^= words[at]!;
    a = Math.imul(a, PRIME) ^ (a >>> 17);
    b ^= words[at + 1]!;
    b = Math.imul(b, PRIME) ^ (b >>> 17);
    c ^= at === lane ? third : words[at + 2]!;
    c = Math.imul(c, PRIME) ^ (c >>> 17);
    d ^= words[at + 3]!;
    d = Math.imul(d, PRIME) ^ (d >>> 17);
    e ^= words[at + 4]!;
    e = Math.imul(e, PRIME) ^ (e >>> 17);
    f ^= words[at + 5]!;
    f = Math.imul(f, PRIME) ^ (f >>> 17);
    g ^= words[at + 6]!;
    g = Math.imul(g, PRIME) ^ (g >>> 17);
    h ^= words[at + 7]!;
    h = Math.imul(h, PRIME) ^ (h >>> 17);
  }
  return twoZeroRows(a) ^ twoZeroRows(b) ^ twoZeroRows(c) ^ twoZeroRows(d) ^ twoZeroRows(e) ^ twoZeroRows(f) ^
    twoZeroRows(g) ^
    twoZeroRows(h);
}

function twoZeroRows(lane: number): number {
  const once = Math.imul(lane, PRIME) ^ (lane >>> 17);
  return Math.imul(once, PRIME) ^ (once >>> 17);
}

/** How a relation file is checked. */
export interface PageCheckSettings {
  readonly pageBytes: number;
  /** Number of the file's first page through all segments of its relation. */
  readonly firstBlock: number;
  /** `page-header-check`: a page whose `pd_upper` is 0 must be all zero. Off where pages are encrypted. */
  readonly headerCheck: boolean;
  /**
   * The page at this offset of the file as it is now, or `undefined` when it is no longer there. Asked only for pages that look
   * wrong: one that changed since it was read was being written, and WAL will mend it.
   */
  readonly reread: (offsetBytes: number) => Uint8Array | undefined;
}

/** A page that is wrong, as people look for it in the WAL. */
export interface BadPage {
  readonly block: number;
  /** `pd_lsn` of its header, `X/X`: the end of the last record that changed it, if the header is right. */
  readonly lsn: string;
  /** What its header says, and what its content gives; absent for a page that should be all zero. */
  readonly checksums?: { readonly stored: number; readonly calculated: number };
}

/** Verdict on a file. `errors` is absent on a file whose size is no multiple of the page size. */
export interface PageCheckResult {
  readonly valid: boolean;
  readonly errors?: readonly PageRange[];
  /** The first of the wrong pages, at most {@link BAD_PAGES_SHOWN}. */
  readonly badPages?: readonly BadPage[];
}

/** Wrong pages of a file of which more than the number is told. */
export const BAD_PAGES_SHOWN = 10;

/** Checks the pages of one relation file, chunk by chunk. */
export class PageChecker {
  readonly #settings: PageCheckSettings;
  /** A page that began in one chunk and ends in another. */
  readonly #split: Uint8Array;
  #splitBytes = 0;
  #pages = 0;
  readonly #errors: [number, number][] = [];
  readonly #badPages: BadPage[] = [];

  constructor(settings: PageCheckSettings) {
    this.#settings = settings;
    this.#split = new Uint8Array(settings.pageBytes);
  }

  /** Takes the next bytes of the file; they are only read. */
  update(chunk: Uint8Array): void {
    const { pageBytes } = this.#settings;
    let at = 0;
    if (this.#splitBytes > 0) {
      at = Math.min(pageBytes - this.#splitBytes, chunk.length);
      this.#split.set(chunk.subarray(0, at), this.#splitBytes);
      this.#splitBytes += at;
      if (this.#splitBytes < pageBytes) return;
      this.#splitBytes = 0;
      this.#check(this.#split);
    }
    for (; at + pageBytes <= chunk.length; at += pageBytes) this.#check(chunk.subarray(at, at + pageBytes));
    if (at < chunk.length) {
      this.#split.set(chunk.subarray(at));
      this.#splitBytes = chunk.length - at;
    }
  }

  /** The verdict, after the last chunk. */
  finish(): PageCheckResult {
    if (this.#splitBytes > 0) return { valid: false };
    if (this.#errors.length === 0) return { valid: true };
    return { valid: false, errors: this.#errors, badPages: this.#badPages };
  }

  #check(page: Uint8Array): void {
    const index = this.#pages++;
    const block = this.#settings.firstBlock + index;
    if (this.#isValid(page, block)) return;
    const now = this.#settings.reread(index * this.#settings.pageBytes);
    if (now === undefined || !equalBytes(page, now)) return;
    if (this.#badPages.length < BAD_PAGES_SHOWN) this.#badPages.push(describe(page, block, this.#settings.headerCheck));
    const last = this.#errors.at(-1);
    if (last?.[1] === block - 1) last[1] = block;
    else this.#errors.push([block, block]);
  }

  #isValid(page: Uint8Array, block: number): boolean {
    // A new page is all zero: written to disk before anything was put on it.
    if (hasNoUpper(page) && (this.#settings.headerCheck || isZero(page))) return isZero(page);
    return storedChecksum(page) === pageChecksum(page, block);
  }
}

/** `pd_upper` is 0: nothing was put on the page yet. */
function hasNoUpper(page: Uint8Array): boolean {
  return page[14] === 0 && page[15] === 0;
}

/** `pd_checksum`. */
function storedChecksum(page: Uint8Array): number {
  return page[8]! | (page[9]! << 8);
}

/** `pd_lsn` is two numbers in the byte order of the machine: the high half first. */
function describe(page: Uint8Array, block: number, headerCheck: boolean): BadPage {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const [high, low] = [0, 4].map((at) => view.getUint32(at, true).toString(16).toUpperCase());
  const lsn = `${high}/${low}`;
  if (headerCheck && hasNoUpper(page)) return { block, lsn };
  return { block, lsn, checksums: { stored: storedChecksum(page), calculated: pageChecksum(page, block) } };
}

function isZero(page: Uint8Array): boolean {
  for (let at = 0; at < page.length; at++) if (page[at] !== 0) return false;
  return true;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
