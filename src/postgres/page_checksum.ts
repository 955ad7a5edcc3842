/** PostgreSQL's data page checksum and the check of a whole relation file as it streams by (repository-format §9). */
import type { PageRange } from "../format/manifest.ts";
import { PageSums } from "./page_sums.ts";

/** Start values of the 32 lanes. PostgreSQL source: `checksumBaseOffsets` in `src/include/storage/checksum_impl.h`. */
// deno-fmt-ignore
const LANE_START = Int32Array.of(
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
  0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
  0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
  0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
);

/** By page size: a thread has one of each that it needs. */
const sumsBySize = new Map<number, PageSums>();

function sumsFor(pageBytes: number): PageSums {
  let sums = sumsBySize.get(pageBytes);
  if (sums === undefined) sumsBySize.set(pageBytes, sums = new PageSums(pageBytes, LANE_START));
  return sums;
}

/**
 * Checksum of a page as it would be stored in its header; what the header holds now does not count.
 *
 * @param page whole page, a multiple of 128 bytes
 * @param blockNumber number of the page through all segments of its relation
 */
export function pageChecksum(page: Uint8Array, blockNumber: number): number {
  return checksumOf(sumsFor(page.length).of(page)[0]!, blockNumber);
}

/** 0 is no checksum. */
function checksumOf(sum: number, blockNumber: number): number {
  return ((sum ^ blockNumber) >>> 0) % 65535 + 1;
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
  readonly #sums: PageSums;
  /** A page that began in one chunk and ends in another. */
  readonly #split: Uint8Array;
  #splitBytes = 0;
  #pages = 0;
  readonly #errors: [number, number][] = [];
  readonly #badPages: BadPage[] = [];

  constructor(settings: PageCheckSettings) {
    this.#settings = settings;
    this.#sums = sumsFor(settings.pageBytes);
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
    const most = this.#sums.pagesAtOnce * pageBytes;
    for (const end = chunk.length - (chunk.length - at) % pageBytes; at < end;) {
      const pages = chunk.subarray(at, Math.min(end, at + most));
      this.#checkAll(pages);
      at += pages.length;
    }
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

  /** Nearly all pages are right, which is seen without looking at each by itself. */
  #checkAll(pages: Uint8Array): void {
    const { pageBytes, firstBlock } = this.#settings;
    const sums = this.#sums.of(pages).slice();
    for (let page = 0; page * pageBytes < pages.length; page++) {
      const at = page * pageBytes;
      const hasUpper = pages[at + 14] !== 0 || pages[at + 15] !== 0;
      const stored = pages[at + 8]! | (pages[at + 9]! << 8);
      if (hasUpper && stored === checksumOf(sums[page]!, firstBlock + this.#pages)) this.#pages++;
      else this.#check(pages.subarray(at, at + pageBytes));
    }
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
