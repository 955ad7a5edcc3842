/**
 * XXH3 of 128 bits with seed 0, by which block incremental backups tell blocks (repository-format §7.3). Source: the xxHash specification.
 *
 * Blocks are long (more than 240 bytes): their way is in `xxh3_rounds.ts`, since arithmetic of BigInt would be slower than the disk. What is
 * short (the end of a file) takes the plain way.
 */
import { STRIPE_BYTES, Xxh3Rounds } from "./xxh3_rounds.ts";

/** Bytes of a digest. */
export const XXH3_BYTES = 16;

const MASK = (1n << 64n) - 1n;
const P32_1 = 0x9e3779b1;
const P32_2 = 0x85ebca77;
const P32_3 = 0xc2b2ae3d;
const P64_1 = 0x9e3779b185ebca87n;
const P64_2 = 0xc2b2ae3d27d4eb4fn;
const P64_3 = 0x165667b19e3779f9n;
const P64_4 = 0x85ebca77c2b2ae63n;
const P64_5 = 0x27d4eb2f165667c5n;
const MIX_1 = 0x165667919e3779f9n;
const MIX_2 = 0x9fb21c651e98df25n;

const SECRET = fromHex(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb" +
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
);
const LANES = new Uint8Array(
  BigUint64Array.of(
    BigInt(P32_3),
    P64_1,
    P64_2,
    P64_3,
    P64_4,
    BigInt(P32_2),
    P64_5,
    BigInt(P32_1),
  ).buffer,
);
const LONG = new Xxh3Rounds(SECRET);

/** Digest of some bytes, most significant byte first. */
export function xxh3(bytes: Uint8Array): Uint8Array {
  const [low, high] = bytes.length > 240 ? hashLong(bytes) : hashShort(bytes);
  const digest = new Uint8Array(XXH3_BYTES);
  const view = new DataView(digest.buffer);
  view.setBigUint64(0, high);
  view.setBigUint64(8, low);
  return digest;
}

type Halves = [low: bigint, high: bigint];

function hashLong(bytes: Uint8Array): Halves {
  const lanes = LONG.lanesOf(bytes, LANES);
  const length = BigInt(bytes.length);
  return [
    merged(lanes, 11, (length * P64_1) & MASK),
    merged(lanes, SECRET.length - STRIPE_BYTES - 11, ~(length * P64_2) & MASK),
  ];
}

function merged(lanes: Uint8Array, secretAt: number, start: bigint): bigint {
  const view = new DataView(lanes.buffer, lanes.byteOffset);
  let sum = start;
  for (let at = 0; at < STRIPE_BYTES; at += 16) {
    sum += foldedProduct(
      view.getBigUint64(at, true) ^ read64(SECRET, secretAt + at),
      view.getBigUint64(at + 8, true) ^ read64(SECRET, secretAt + at + 8),
    );
  }
  return avalanche(sum & MASK);
}

function hashShort(bytes: Uint8Array): Halves {
  const length = bytes.length;
  if (length > 128) return hashTo240(bytes);
  if (length > 16) return hashTo128(bytes);
  if (length > 8) return hashTo16(bytes);
  if (length > 3) return hashTo8(bytes);
  if (length > 0) return hashTo3(bytes);
  return [
    avalanche64(read64(SECRET, 64) ^ read64(SECRET, 72)),
    avalanche64(read64(SECRET, 80) ^ read64(SECRET, 88)),
  ];
}

function hashTo3(bytes: Uint8Array): Halves {
  const length = bytes.length;
  const low = ((bytes[0]! << 16) | (bytes[length >> 1]! << 24) | bytes[length - 1]! | (length << 8)) >>> 0;
  const swapped = Number(swap(BigInt(low), 4));
  const high = ((swapped << 13) | (swapped >>> 19)) >>> 0;
  return [
    avalanche64(BigInt(low) ^ read32(SECRET, 0) ^ read32(SECRET, 4)),
    avalanche64(BigInt(high) ^ read32(SECRET, 8) ^ read32(SECRET, 12)),
  ];
}

function hashTo8(bytes: Uint8Array): Halves {
  const length = BigInt(bytes.length);
  const input = read32(bytes, 0) | (read32(bytes, bytes.length - 4) << 32n);
  const product = (input ^ read64(SECRET, 16) ^ read64(SECRET, 24)) * (P64_1 + (length << 2n));
  let low = product & MASK;
  const high = ((product >> 64n) + (low << 1n)) & MASK;
  low ^= high >> 3n;
  low ^= low >> 35n;
  low = (low * MIX_2) & MASK;
  low ^= low >> 28n;
  return [low, avalanche(high)];
}

function hashTo16(bytes: Uint8Array): Halves {
  const inputLow = read64(bytes, 0);
  const inputHigh = read64(bytes, bytes.length - 8);
  const first = (inputLow ^ inputHigh ^ read64(SECRET, 32) ^ read64(SECRET, 40)) * P64_1;
  let low = ((first & MASK) + (BigInt(bytes.length - 1) << 54n)) & MASK;
  const keyed = inputHigh ^ read64(SECRET, 48) ^ read64(SECRET, 56);
  const high = ((first >> 64n) + keyed + (keyed & 0xffffffffn) * BigInt(P32_2 - 1)) & MASK;
  low ^= swap(high, 8);
  const second = low * P64_2;
  return [avalanche(second & MASK), avalanche(((second >> 64n) + high * P64_2) & MASK)];
}

function hashTo128(bytes: Uint8Array): Halves {
  const length = bytes.length;
  const sums: Halves = [(BigInt(length) * P64_1) & MASK, 0n];
  for (let pair = Math.floor((length - 1) / 32); pair >= 0; pair--) {
    mix(sums, bytes, pair * 16, length - 16 - pair * 16, pair * 32);
  }
  return finished(sums, length);
}

function hashTo240(bytes: Uint8Array): Halves {
  const length = bytes.length;
  const sums: Halves = [(BigInt(length) * P64_1) & MASK, 0n];
  for (let at = 0; at < 128; at += 32) mix(sums, bytes, at, at + 16, at);
  sums[0] = avalanche(sums[0]);
  sums[1] = avalanche(sums[1]);
  for (let at = 128; at + 32 <= length; at += 32) mix(sums, bytes, at, at + 16, 3 + at - 128);
  mix(sums, bytes, length - 16, length - 32, 103);
  return finished(sums, length);
}

function mix(sums: Halves, bytes: Uint8Array, first: number, second: number, secretAt: number): void {
  sums[0] = (sums[0] + mixedProduct(bytes, first, secretAt)) & MASK;
  sums[0] ^= (read64(bytes, second) + read64(bytes, second + 8)) & MASK;
  sums[1] = (sums[1] + mixedProduct(bytes, second, secretAt + 16)) & MASK;
  sums[1] ^= (read64(bytes, first) + read64(bytes, first + 8)) & MASK;
}

function mixedProduct(bytes: Uint8Array, at: number, secretAt: number): bigint {
  return foldedProduct(
    read64(bytes, at) ^ read64(SECRET, secretAt),
    read64(bytes, at + 8) ^ read64(SECRET, secretAt + 8),
  );
}

function finished([low, high]: Halves, length: number): Halves {
  return [
    avalanche((low + high) & MASK),
    -avalanche((low * P64_1 + high * P64_4 + BigInt(length) * P64_2) & MASK) & MASK,
  ];
}

function foldedProduct(a: bigint, b: bigint): bigint {
  const product = a * b;
  return (product & MASK) ^ (product >> 64n);
}

function avalanche(value: bigint): bigint {
  const mixed = ((value ^ (value >> 37n)) * MIX_1) & MASK;
  return mixed ^ (mixed >> 32n);
}

function avalanche64(value: bigint): bigint {
  let mixed = ((value ^ (value >> 33n)) * P64_2) & MASK;
  mixed = ((mixed ^ (mixed >> 29n)) * P64_3) & MASK;
  return mixed ^ (mixed >> 32n);
}

function swap(value: bigint, bytes: number): bigint {
  let swapped = 0n;
  for (let at = 0; at < bytes; at++) swapped = (swapped << 8n) | ((value >> BigInt(8 * at)) & 0xffn);
  return swapped;
}

function read32(bytes: Uint8Array, at: number): bigint {
  return BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true));
}

function read64(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}

/** Whole words of bytes that begin at one; hosts are little-endian. */
function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}
