/**
 * The inner loop of XXH3 for long content, as WebAssembly: it needs products of 64 bits and does two of them at once, which JavaScript has no
 * numbers for (wasm_code.ts). Source: the xxHash specification (stripes, scramble).
 */
import {
  type Code,
  get,
  I32_ADD,
  i32Const,
  i64Const,
  load,
  moduleOf,
  repeat,
  set,
  simd,
  store,
  tee,
  XOR,
} from "./wasm_code.ts";

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
const LANES_BYTES = 64;
const SCRAMBLE_PRIME = 0x9e3779b1;
/** The scramble uses the last 64 bytes of the secret. */
const SECRET_BYTES = 192;

const SPLAT64 = simd(0x12);
const SHIFT_RIGHT64 = simd(0xcd);
const ADD64 = simd(0xce);
const MULTIPLY64 = simd(0xd5);
/** Products of the two lower words of each side, 64 bits each. */
const PRODUCTS = simd(0xde);
const shuffle = (words: readonly number[]): Code =>
  simd(0x0d, ...words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte)));

/** Numbers of the locals of both functions. */
const INPUT = 0;
const COUNT = 1;
const KEY = 2;
const LEFT = 3;
const LANES = [4, 5, 6, 7] as const;
const DATA = 8;
const KEYED = 9;

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

const LOCALS = { i32Locals: 1, v128Locals: 6 };
const MODULE = moduleOf(3, INPUT_AT + INPUT_BYTES, [
  { name: "rounds", ...LOCALS, code: ROUNDS },
  { name: "stripes", ...LOCALS, code: STRIPES },
]);

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
    this.#exports = new WebAssembly.Instance(MODULE).exports as unknown as Exports;
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
