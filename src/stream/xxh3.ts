/**
 * XXH3 of 128 bits with seed 0, by which block incremental backups tell blocks (repository-format §7.3). Source: the xxHash specification.
 *
 * Blocks are long: their way (more than 240 bytes) works on halves of 64-bit lanes, since arithmetic of BigInt would be slower than the disk.
 * What is short (the end of a file) takes the plain way.
 */

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
const SECRET_WORDS = wordsOf(SECRET);
/** A stripe is what one step takes in; a round of stripes ends with a scramble. */
const STRIPE_BYTES = 64;
const STRIPE_WORDS = STRIPE_BYTES / 4;
const STRIPES_PER_ROUND = (SECRET.length - STRIPE_BYTES) / 8;
const ROUND_WORDS = STRIPES_PER_ROUND * STRIPE_WORDS;
const SCRAMBLE_WORD = (SECRET.length - STRIPE_BYTES) / 4;
const LAST_STRIPE_SECRET = wordsOf(SECRET.slice(SECRET.length - STRIPE_BYTES - 7, SECRET.length - 7));
const LANES = lanesOf([
  BigInt(P32_3),
  P64_1,
  P64_2,
  P64_3,
  P64_4,
  BigInt(P32_2),
  P64_5,
  BigInt(P32_1),
]);

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
  // Words are read where they stand; what does not begin at one is moved.
  const words = wordsOf(bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());
  const lanes = LANES.slice();
  const stripes = Math.floor((bytes.length - 1) / STRIPE_BYTES);
  const rounds = Math.floor(stripes / STRIPES_PER_ROUND);
  for (let round = 0; round < rounds; round++) {
    takeStripes(lanes, words, round * ROUND_WORDS, STRIPES_PER_ROUND, SECRET_WORDS);
    scramble(lanes);
  }
  takeStripes(lanes, words, rounds * ROUND_WORDS, stripes - rounds * STRIPES_PER_ROUND, SECRET_WORDS);
  takeStripes(lanes, wordsOf(bytes.slice(bytes.length - STRIPE_BYTES)), 0, 1, LAST_STRIPE_SECRET);
  const length = BigInt(bytes.length);
  return [
    merged(lanes, 11, (length * P64_1) & MASK),
    merged(lanes, SECRET.length - STRIPE_BYTES - 11, ~(length * P64_2) & MASK),
  ];
}

/** Lanes are pairs of words, the lower half first. Each stripe uses the secret two words further on. */
function takeStripes(lanes: Int32Array, words: Int32Array, from: number, count: number, secret: Int32Array): void {
  for (let stripe = 0; stripe < count; stripe++) {
    const at = from + stripe * STRIPE_WORDS;
    const key = stripe * 2;
    for (let lane = 0; lane < STRIPE_WORDS; lane += 2) {
      const low = words[at + lane]!;
      const high = words[at + lane + 1]!;
      addTo(lanes, lane ^ 2, low, high);
      const keyedLow = low ^ secret[key + lane]!;
      const keyedHigh = high ^ secret[key + lane + 1]!;
      const productLow = Math.imul(keyedLow, keyedHigh);
      addTo(lanes, lane, productLow, highProduct(keyedLow, keyedHigh, productLow));
    }
  }
}

/** Upper half of a product of two words: the product of doubles is off by less than what the rounding takes away. */
function highProduct(a: number, b: number, productLow: number): number {
  return (((a >>> 0) * (b >>> 0) - (productLow >>> 0)) / 4294967296 + 0.5) | 0;
}

function addTo(lanes: Int32Array, lane: number, low: number, high: number): void {
  const sum = (lanes[lane]! + low) | 0;
  lanes[lane] = sum;
  lanes[lane + 1]! += high + ((sum >>> 0) < (low >>> 0) ? 1 : 0);
}

function scramble(lanes: Int32Array): void {
  for (let lane = 0; lane < STRIPE_WORDS; lane += 2) {
    const low = lanes[lane]! ^ (lanes[lane + 1]! >>> 15) ^ SECRET_WORDS[SCRAMBLE_WORD + lane]!;
    const high = lanes[lane + 1]! ^ SECRET_WORDS[SCRAMBLE_WORD + lane + 1]!;
    const productLow = Math.imul(low, P32_1);
    lanes[lane] = productLow;
    lanes[lane + 1] = (highProduct(low, P32_1, productLow) + Math.imul(high, P32_1)) | 0;
  }
}

function merged(lanes: Int32Array, secretAt: number, start: bigint): bigint {
  const view = new DataView(lanes.buffer);
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
function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

function lanesOf(values: readonly bigint[]): Int32Array {
  return new Int32Array(BigUint64Array.from(values).buffer);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}
