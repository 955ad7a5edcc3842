/** Page checksums: the algorithm against its vectors, and the walk over a file. */
import { BAD_PAGES_SHOWN, PageChecker, type PageCheckResult, pageChecksum } from "../../src/postgres/page_checksum.ts";
import { assertEquals } from "../support/assert.ts";

const PAGE = 8192;

/** An empty heap page (repository-format §9). */
function emptyHeapPage(): Uint8Array {
  const page = new Uint8Array(PAGE);
  page.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 0, 0, 0x20, 0, 0x20, 4, 0x20]);
  return page;
}

/** A page with a right checksum for this block. */
function goodPage(block: number): Uint8Array {
  const page = emptyHeapPage();
  for (let at = 100; at < PAGE; at += 7) page[at] = (at * 31 + block) & 0xff;
  const checksum = pageChecksum(page, block);
  page[8] = checksum & 0xff;
  page[9] = checksum >> 8;
  return page;
}

/** A page with a wrong byte in its middle. */
function badPage(block: number): Uint8Array {
  const page = goodPage(block);
  page[4000]! ^= 0xff;
  return page;
}

function fileOf(...pages: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pages.reduce((total, page) => total + page.length, 0));
  let at = 0;
  for (const page of pages) {
    bytes.set(page, at);
    at += page.length;
  }
  return bytes;
}

interface CheckOptions {
  readonly firstBlock?: number;
  readonly headerCheck?: boolean;
  readonly chunkBytes?: number;
  readonly reread?: (offset: number) => Uint8Array | undefined;
}

/** By default the pages on disk are what was read: nothing changed meanwhile. */
function check(file: Uint8Array, options: CheckOptions = {}): PageCheckResult {
  const checker = new PageChecker({
    pageBytes: PAGE,
    firstBlock: options.firstBlock ?? 0,
    headerCheck: options.headerCheck ?? true,
    reread: options.reread ?? ((offset) => file.slice(offset, offset + PAGE)),
  });
  const chunkBytes = options.chunkBytes ?? file.length;
  for (let at = 0; at < file.length; at += chunkBytes) checker.update(file.slice(at, at + chunkBytes));
  return checker.finish();
}

Deno.test("the checksum gives the values of the format's vectors", () => {
  const counting = Uint8Array.from({ length: PAGE }, (_, at) => at & 0xff);
  const cases: [string, Uint8Array, number, number][] = [
    ["counting bytes", counting, 0, 59142],
    ["counting bytes", counting, 7, 59149],
    ["zeros", new Uint8Array(PAGE), 0, 50858],
    ["zeros", new Uint8Array(PAGE), 1, 50859],
    ["empty heap page", emptyHeapPage(), 0, 25952],
    ["empty heap page", emptyHeapPage(), 1, 25951],
    ["empty heap page", emptyHeapPage(), 131072, 25950],
  ];
  for (const [name, page, block, expected] of cases) {
    assertEquals(pageChecksum(page, block), expected, `${name} at ${block}`);
  }
});

Deno.test("what stands in the header's checksum does not count, and no alignment is needed", () => {
  const page = emptyHeapPage();
  page[8] = 0xab;
  page[9] = 0xcd;
  const shifted = new Uint8Array(PAGE + 1);
  shifted.set(page, 1);
  assertEquals(pageChecksum(shifted.subarray(1), 1), 25951);
  assertEquals(page[8], 0xab);
});

Deno.test("good, new and bad pages are told apart whatever the chunks", () => {
  const file = fileOf(
    goodPage(0),
    new Uint8Array(PAGE),
    goodPage(2),
    badPage(3),
    goodPage(4),
    badPage(5),
    badPage(6),
    badPage(7),
  );
  for (const chunkBytes of [1000, 4096, PAGE, PAGE + 4, 3 * PAGE - 1, file.length]) {
    const { valid, errors, badPages } = check(file, { chunkBytes });
    assertEquals([valid, errors], [false, [[3, 3], [5, 7]]], `chunks of ${chunkBytes}`);
    assertEquals(badPages?.map(({ block }) => block), [3, 5, 6, 7]);
  }
  assertEquals(check(fileOf(goodPage(0), goodPage(1)), { chunkBytes: 5000 }), { valid: true });
  assertEquals(check(new Uint8Array(0)), { valid: true });
});

Deno.test("pages of a later segment count through the whole relation", () => {
  const file = fileOf(goodPage(131072), badPage(131073));
  assertEquals(check(file, { firstBlock: 131072 }).errors, [[131073, 131073]]);
  assertEquals(check(file).errors, [[0, 1]]);
});

Deno.test("a bad page that changed or went away since it was read is no error", () => {
  const file = fileOf(goodPage(0), badPage(1), badPage(2), badPage(3));
  const asked: number[] = [];
  const result = check(file, {
    reread: (offset) => {
      asked.push(offset / PAGE);
      return [undefined, goodPage(1), undefined, file.slice(offset, offset + PAGE)][offset / PAGE];
    },
  });
  assertEquals([result.valid, result.errors], [false, [[3, 3]]]);
  assertEquals(asked, [1, 2, 3]);
});

Deno.test("of the first bad pages their LSN and both checksums are told", () => {
  const page = goodPage(0);
  // 12/ABCDEF01 as a machine writes it that has the low byte first.
  page.set([0x12, 0, 0, 0, 0x01, 0xef, 0xcd, 0xab]);
  const stored = page[8]! | (page[9]! << 8);
  const empty = new Uint8Array(PAGE);
  empty[5000] = 1;
  assertEquals(check(fileOf(page, empty)).badPages, [
    { block: 0, lsn: "12/ABCDEF01", checksums: { stored, calculated: pageChecksum(page, 0) } },
    { block: 1, lsn: "0/0" },
  ]);
  const many = Array.from({ length: BAD_PAGES_SHOWN + 5 }, (_, block) => badPage(block));
  const { errors, badPages } = check(fileOf(...many));
  assertEquals([errors, badPages?.length], [[[0, BAD_PAGES_SHOWN + 4]], BAD_PAGES_SHOWN]);
});

Deno.test("a page without an upper bound must be all zero, unless headers are not looked at", () => {
  const page = new Uint8Array(PAGE);
  page[5000] = 1;
  assertEquals(check(page).valid, false);
  const checksum = pageChecksum(page, 0);
  page[8] = checksum & 0xff;
  page[9] = checksum >> 8;
  assertEquals(check(page).valid, false);
  assertEquals(check(page, { headerCheck: false }).valid, true);
  assertEquals(check(new Uint8Array(PAGE), { headerCheck: false }).valid, true);
});

Deno.test("a file that does not end with a whole page is invalid without a list", () => {
  for (const rest of [1, 511, 512, PAGE - 1]) {
    const file = fileOf(badPage(0), goodPage(1).subarray(0, rest));
    assertEquals(check(file, { chunkBytes: 700 }), { valid: false }, `${rest} bytes`);
  }
});

Deno.test("pages of other sizes are checked", () => {
  const page = new Uint8Array(32768);
  page[14] = 1;
  page[20000] = 9;
  const checksum = pageChecksum(page, 3);
  page[8] = checksum & 0xff;
  page[9] = checksum >> 8;
  const checker = new PageChecker({ pageBytes: 32768, firstBlock: 3, headerCheck: true, reread: () => page });
  checker.update(page);
  assertEquals(checker.finish(), { valid: true });
});
