/**
 * The sums that a page's checksum is made of, for many pages at once, as WebAssembly: the 32 lanes fit eight vectors. Source: `FNV_PRIME`,
 * `CHECKSUM_COMP` and `pg_checksum_block` in PostgreSQL's `src/include/storage/checksum_impl.h`.
 */
import {
  type Code,
  get,
  I32_ADD,
  i32Const,
  load,
  moduleOf,
  repeat,
  set,
  simd,
  store,
  tee,
  XOR,
} from "../stream/wasm_code.ts";

const PRIME = 16777619;
/** Bytes that all lanes take in with one step. */
const ROW_BYTES = 128;
/** Pages are taken in by so many bytes. */
const INPUT_BYTES = 128 * 1024;
/** Where things are in the module's memory. */
const START_AT = 0;
const SUM_AT = ROW_BYTES;
const INPUT_AT = 1024;

/** Numbers of the locals. */
const PAGE = 0;
const ROWS = 1;
const LANES = [2, 3, 4, 5, 6, 7, 8, 9] as const;
const TAKEN = 10;

const SPLAT32 = simd(0x11);
const SHIFT_RIGHT32 = simd(0xad);
const MULTIPLY32 = simd(0xb5);

/** A lane's next value, from what is on the stack. */
const MIXED: Code = [
  ...tee(TAKEN),
  ...i32Const(PRIME),
  ...SPLAT32,
  ...MULTIPLY32,
  ...get(TAKEN),
  ...i32Const(17),
  ...SHIFT_RIGHT32,
  ...XOR,
];
const ROW: Code = [
  ...LANES.flatMap((lanes, at) => [...get(lanes), ...get(PAGE), ...load(16 * at), ...XOR, ...MIXED, ...set(lanes)]),
  ...get(PAGE),
  ...i32Const(ROW_BYTES),
  ...I32_ADD,
  ...set(PAGE),
];
const ROW_OF_ZEROS: Code = LANES.flatMap((lanes) => [...get(lanes), ...MIXED, ...set(lanes)]);

/** Leaves four words at SUM_AT: all of them together are the sum. */
const SUM: Code = [
  ...LANES.flatMap((lanes, at) => [...i32Const(START_AT), ...load(16 * at), ...set(lanes)]),
  ...repeat(ROWS, ROW),
  ...ROW_OF_ZEROS,
  ...ROW_OF_ZEROS,
  ...i32Const(SUM_AT),
  ...LANES.flatMap((lanes, at) => at === 0 ? get(lanes) : [...get(lanes), ...XOR]),
  ...store(0),
];
const MODULE = moduleOf(2, INPUT_AT + INPUT_BYTES, [{
  name: "sum",
  i32Locals: 0,
  v128Locals: LANES.length + 1,
  code: SUM,
}]);

interface Exports {
  readonly memory: WebAssembly.Memory;
  sum(pageAt: number, rows: number): void;
}

/** Sums of pages of one size. */
export class PageSums {
  readonly #exports = new WebAssembly.Instance(MODULE).exports as unknown as Exports;
  readonly #bytes = new Uint8Array(this.#exports.memory.buffer);
  readonly #words = new Int32Array(this.#exports.memory.buffer, SUM_AT, 4);
  readonly #pageBytes: number;
  readonly #sums: Int32Array;

  /**
   * @param pageBytes a multiple of 128
   * @param start values that the 32 lanes begin with
   */
  constructor(pageBytes: number, start: Int32Array) {
    this.#pageBytes = pageBytes;
    this.#sums = new Int32Array(Math.max(1, Math.floor(INPUT_BYTES / pageBytes)));
    new Int32Array(this.#exports.memory.buffer, START_AT, start.length).set(start);
  }

  /** Pages that it takes at once. */
  get pagesAtOnce(): number {
    return this.#sums.length;
  }

  /**
   * One sum for each page; what its header holds as its checksum does not count. Good until the next call.
   * @param pages whole ones, at most {@link pagesAtOnce}
   */
  of(pages: Uint8Array): Int32Array {
    this.#bytes.set(pages, INPUT_AT);
    const [words, sums] = [this.#words, this.#sums];
    const count = pages.length / this.#pageBytes;
    for (let page = 0; page < count; page++) {
      const at = INPUT_AT + page * this.#pageBytes;
      this.#bytes[at + 8] = 0;
      this.#bytes[at + 9] = 0;
      this.#exports.sum(at, this.#pageBytes / ROW_BYTES);
      sums[page] = words[0]! ^ words[1]! ^ words[2]! ^ words[3]!;
    }
    return sums;
  }
}
