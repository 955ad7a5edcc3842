/**
 * Pieces of WebAssembly code, for the few inner loops that JavaScript has no numbers for or too slow ones: modules are put together from them
 * instruction by instruction, so that there is nothing to read but that. Source: the WebAssembly core specification, release 2 (encodings).
 */

/** Bytes of instructions. */
export type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const END = 0x0b;
const NOTHING = 0x40;
/** Memory is made in pages of so many bytes. */
const PAGE_BYTES = 65536;

/** Value of a local, by its number. */
export const get = (local: number): Code => [0x20, local];
export const set = (local: number): Code => [0x21, local];
/** Sets a local and leaves the value. */
export const tee = (local: number): Code => [0x22, local];
export const i32Const = (value: number): Code => [0x41, ...signed(value)];
export const i64Const = (value: number): Code => [0x42, ...signed(value)];
export const I32_ADD: Code = [0x6a];
const I32_SUB: Code = [0x6b];
/** An instruction on vectors of 128 bits. */
export const simd = (opcode: number, ...immediate: number[]): Code => [0xfd, ...unsigned(opcode), ...immediate];
/** Vector at an address and so many bytes behind it, without a promise of alignment. */
export const load = (offset: number): Code => simd(0x00, 0, ...unsigned(offset));
export const store = (offset: number): Code => simd(0x0b, 0, ...unsigned(offset));
export const XOR: Code = simd(0x51);

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const low = ((value % 128) + 128) % 128;
  const rest = (value - low) / 128;
  const isLast = (rest === 0 && low < 64) || (rest === -1 && low >= 64);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}

/** Repeats as often as the local says, which is 0 then; it must not be 0 before. */
export const repeat = (counter: number, body: Code): Code => [
  ...[0x03, NOTHING],
  ...body,
  ...get(counter),
  ...i32Const(1),
  ...I32_SUB,
  ...tee(counter),
  ...[0x0d, 0],
  END,
];

const sized = (content: Code): Code => [...unsigned(content.length), ...content];
const section = (id: number, ...items: Code[]): Code => [id, ...sized([...unsigned(items.length), ...items.flat()])];
const nameOf = (text: string): Code => sized([...new TextEncoder().encode(text)]);

/** A function of a module: its name, the locals behind its parameters, and what it does. */
export interface WasmFunction {
  readonly name: string;
  readonly i32Locals: number;
  readonly v128Locals: number;
  readonly code: Code;
}

/**
 * A module of functions with the same number of parameters, all of them i32, and without results; and of a `memory`, which it exports as well.
 * @param memoryBytes what the memory holds at least
 */
export function moduleOf(
  parameters: number,
  memoryBytes: number,
  functions: readonly WasmFunction[],
): WebAssembly.Module {
  const bodyOf = ({ i32Locals, v128Locals, code }: WasmFunction): Code =>
    sized([2, ...unsigned(i32Locals), I32, ...unsigned(v128Locals), V128, ...code, END]);
  return new WebAssembly.Module(Uint8Array.of(
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, ...sized(Array.from({ length: parameters }, () => I32)), 0]),
    ...section(3, ...functions.map(() => [0])),
    ...section(5, [0, Math.ceil(memoryBytes / PAGE_BYTES)]),
    ...section(7, [...nameOf("memory"), 2, 0], ...functions.map(({ name }, at) => [...nameOf(name), 0, at])),
    ...section(10, ...functions.map(bodyOf)),
  ));
}
