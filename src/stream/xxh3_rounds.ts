/**
 * The inner loop of XXH3 for long content, as WebAssembly: it needs products of 64 bits and does two of them at once, which JavaScript has no
 * numbers for. The module is put together here, instruction by instruction, so that there is nothing to read but this. Sources: the xxHash
 * specification (stripes, scramble) and the WebAssembly core specification, release 2 (encodings).
 */

/** Bytes of a stripe: what one step takes in. */
export const STRIPE_BYTES = 64;
/** Stripes of a round; each uses the secret eight bytes further on. */
export const STRIPES_PER_ROUND = 16;
export const ROUND_BYTES = STRIPE_BYTES * STRIPES_PER_ROUND;
/** Content that is taken in at once, bytes. */
export const INPUT_BYTES = 64 * ROUND_BYTES;

/** Where things are in the module's memory. */
const LANES_AT = 0;
const SECRET_AT = 64;
const INPUT_AT = 1024;
const PAGE_BYTES = 65536;
const LANES_BYTES = 64;
const SCRAMBLE_PRIME = 0x9e3779b1;
/** The scramble uses the last 64 bytes of the secret. */
const SECRET_BYTES = 192;

type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const END = 0x0b;
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const tee = (local: number): Code => [0x22, local];
const i32Const = (value: number): Code => [0x41, ...signed(value)];
const i64Const = (value: number): Code => [0x42, ...signed(value)];
const I32_ADD: Code = [0x6a];
const I32_SUB: Code = [0x6b];
const simd = (opcode: number, ...immediate: number[]): Code => [0xfd, ...unsigned(opcode), ...immediate];
/** Without a promise of alignment. */
const load = (offset: number): Code => simd(0x00, 0, ...unsigned(offset));
const store = (offset: number): Code => simd(0x0b, 0, ...unsigned(offset));
const shuffle = (words: readonly number[]): Code =>
  simd(0x0d, ...words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte)));
const SPLAT64 = simd(0x12);
const XOR = simd(0x51);
const SHIFT_RIGHT64 = simd(0xcd);
const ADD64 = simd(0xce);
const MULTIPLY64 = simd(0xd5);
/** Products of the two lower words of each side, 64 bits each. */
const PRODUCTS = simd(0xde);

/** Numbers of the locals of both functions. */
const INPUT = 0;
const COUNT = 1;
const KEY = 2;
const LEFT = 3;
const LANES = [4, 5, 6, 7] as const;
const DATA = 8;
const KEYED = 9;

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const low = ((value % 128) + 128) % 128;
  const rest = (value - low) / 128;
  const isLast = (rest === 0 && low < 64) || (rest === -1 && low >= 64);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}

/** Takes in the stripe at INPUT with the secret at KEY, and moves both on. */
const STRIPE: Code = [
  ...LANES.flatMap((lanes, at) => [
    ...get(INPUT),
    ...load(16 * at),
    ...tee(DATA),
    ...get(KEY),
    ...load(16 * at),
    ...XOR,
    ...set(KEYED),
    ...get(lanes),
    ...get(KEYED),
    ...get(KEYED),
    ...shuffle([0, 2, 0, 2]),
    ...get(KEYED),
    ...get(KEYED),
    ...shuffle([1, 3, 1, 3]),
    ...PRODUCTS,
    ...ADD64,
    ...get(DATA),
    ...get(DATA),
    ...shuffle([2, 3, 0, 1]),
    ...ADD64,
    ...set(lanes),
  ]),
  ...get(INPUT),
  ...i32Const(STRIPE_BYTES),
  ...I32_ADD,
  ...set(INPUT),
  ...get(KEY),
  ...i32Const(8),
  ...I32_ADD,
  ...set(KEY),
];

const SCRAMBLE: Code = LANES.flatMap((lanes, at) => [
  ...get(lanes),
  ...get(lanes),
  ...i32Const(47),
  ...SHIFT_RIGHT64,
  ...XOR,
  ...i32Const(SECRET_AT + SECRET_BYTES - STRIPE_BYTES),
  ...load(16 * at),
  ...XOR,
  ...i64Const(SCRAMBLE_PRIME),
  ...SPLAT64,
  ...MULTIPLY64,
  ...set(lanes),
]);

/** Repeats as often as the local says, which is 0 then; it must not be 0 before. */
const repeat = (counter: number, body: Code): Code => [
  ...[0x03, 0x40],
  ...body,
  ...get(counter),
  ...i32Const(1),
  ...I32_SUB,
  ...tee(counter),
  ...[0x0d, 0],
  END,
];

const withLanes = (body: Code): Code => [
  ...LANES.flatMap((lanes, at) => [...i32Const(LANES_AT), ...load(16 * at), ...set(lanes)]),
  ...body,
  ...LANES.flatMap((lanes, at) => [...i32Const(LANES_AT), ...get(lanes), ...store(16 * at)]),
];

const ROUNDS = withLanes(repeat(COUNT, [
  ...i32Const(SECRET_AT),
  ...set(KEY),
  ...i32Const(STRIPES_PER_ROUND),
  ...set(LEFT),
  ...repeat(LEFT, STRIPE),
  ...SCRAMBLE,
]));
const STRIPES = withLanes(repeat(COUNT, STRIPE));

const sized = (content: Code): Code => [...unsigned(content.length), ...content];
const section = (id: number, ...items: Code[]): Code => [id, ...sized([...unsigned(items.length), ...items.flat()])];
const name = (text: string): Code => sized([...new TextEncoder().encode(text)]);
/** All functions take the same parameters, and have the same locals behind them. */
const body = (code: Code): Code => sized([2, 1, I32, 6, V128, ...code, END]);

const MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [0x60, ...sized([I32, I32, I32]), 0]),
  ...section(3, [0], [0]),
  ...section(5, [0, Math.ceil((INPUT_AT + INPUT_BYTES) / PAGE_BYTES)]),
  ...section(7, [...name("memory"), 2, 0], [...name("rounds"), 0, 0], [...name("stripes"), 0, 1]),
  ...section(10, body(ROUNDS), body(STRIPES)),
);

interface Exports {
  readonly memory: WebAssembly.Memory;
  rounds(inputAt: number, count: number, unused: number): void;
  stripes(inputAt: number, count: number, keyAt: number): void;
}

/** Lanes and content of one hash at a time: nothing stays in it between two of them. */
export class Xxh3Rounds {
  readonly #exports: Exports;
  readonly #bytes: Uint8Array;

  /** @param secret of 192 bytes */
  constructor(secret: Uint8Array) {
    this.#exports = new WebAssembly.Instance(new WebAssembly.Module(MODULE)).exports as unknown as Exports;
    this.#bytes = new Uint8Array(this.#exports.memory.buffer);
    this.#bytes.set(secret, SECRET_AT);
  }

  /** Lanes after all stripes of some content of more than a stripe, from the start values. Valid until the next call. */
  lanesOf(content: Uint8Array, start: Uint8Array): Uint8Array {
    this.#bytes.set(start, LANES_AT);
    // The last stripe, whole or not, is taken in by itself.
    const stripes = Math.floor((content.length - 1) / STRIPE_BYTES);
    for (let stripe = 0; stripe < stripes;) {
      const count = Math.min(stripes - stripe, INPUT_BYTES / STRIPE_BYTES);
      this.#bytes.set(content.subarray(stripe * STRIPE_BYTES, (stripe + count) * STRIPE_BYTES), INPUT_AT);
      const rounds = Math.floor(count / STRIPES_PER_ROUND);
      if (rounds > 0) this.#exports.rounds(INPUT_AT, rounds, 0);
      const rest = count - rounds * STRIPES_PER_ROUND;
      if (rest > 0) this.#exports.stripes(INPUT_AT + rounds * ROUND_BYTES, rest, SECRET_AT);
      stripe += count;
    }
    this.#bytes.set(content.subarray(content.length - STRIPE_BYTES), INPUT_AT);
    this.#exports.stripes(INPUT_AT, 1, SECRET_AT + SECRET_BYTES - STRIPE_BYTES - 7);
    return this.#bytes.subarray(LANES_AT, LANES_AT + LANES_BYTES);
  }
}
