/** One block of a bzip2 stream: run lengths, Burrows-Wheeler, move to front, Huffman. Source: the bzip2 format description. */
import { burrowsWheeler } from "./bwt.ts";
import { BitWriter } from "./bz2_bits.ts";

const BLOCK_MAGIC_HIGH = 0x314159;
const BLOCK_MAGIC_LOW = 0x265359;
const RUN_A = 0;
const RUN_B = 1;
/** Symbols that share the choice of a table. */
const GROUP = 50;
const ITERATIONS = 4;
/** Longest code that is written; readers take 20. */
const CODE_BITS_MAX = 17;

/** Writes a block. @param block content after the first run-length step; not empty. @param crc checksum of the original bytes */
export function writeBlock(writer: BitWriter, block: Uint8Array, crc: number): void {
  const { last, origin } = burrowsWheeler(block);
  writer.put(24, BLOCK_MAGIC_HIGH);
  writer.put(24, BLOCK_MAGIC_LOW);
  writer.put32(crc);
  writer.put(1, 0);
  writer.put(24, origin);
  const used = new Uint8Array(256);
  for (const byte of last) used[byte] = 1;
  writeUsed(writer, used);
  const { symbols, alphabet } = moveToFront(last, used);
  writeHuffman(writer, symbols, alphabet);
}

/** Which byte values occur: a map of sixteen ranges, then a map for each that is not empty. */
function writeUsed(writer: BitWriter, used: Uint8Array): void {
  const ranges = Array.from(
    { length: 16 },
    (_, range) => used.subarray(range * 16, range * 16 + 16).some((flag) => flag === 1),
  );
  for (const range of ranges) writer.put(1, range ? 1 : 0);
  for (const [range, present] of ranges.entries()) {
    if (present) { for (let value = 0; value < 16; value++) writer.put(1, used[range * 16 + value]!); }
  }
}

/** Move to front; runs of zeros as numbers in the digits RUN_A and RUN_B. */
function moveToFront(last: Uint8Array, used: Uint8Array): { symbols: Uint16Array; alphabet: number } {
  const front: number[] = [];
  for (let value = 0; value < 256; value++) if (used[value]) front.push(value);
  const alphabet = front.length + 2;
  const symbols = new Uint16Array(last.length + 1);
  let count = 0;
  let zeros = 0;
  const flush = () => {
    for (let rest = zeros; rest > 0; rest = (rest - 1) >> 1) symbols[count++] = (rest & 1) === 1 ? RUN_A : RUN_B;
    zeros = 0;
  };
  for (const byte of last) {
    if (front[0] === byte) {
      zeros += 1;
      continue;
    }
    flush();
    let at = 1;
    let carried = front[0]!;
    while (front[at] !== byte) {
      const next = front[at]!;
      front[at] = carried;
      carried = next;
      at += 1;
    }
    front[at] = carried;
    front[0] = byte;
    symbols[count++] = at + 1;
  }
  flush();
  symbols[count++] = alphabet - 1;
  return { symbols: symbols.subarray(0, count), alphabet };
}

function tableCount(symbols: number): number {
  return symbols < 200 ? 2 : symbols < 600 ? 3 : symbols < 1200 ? 4 : symbols < 2400 ? 5 : 6;
}

function writeHuffman(writer: BitWriter, symbols: Uint16Array, alphabet: number): void {
  const { lengths, selectors } = chooseTables(symbols, alphabet);
  writer.put(3, lengths.length);
  writer.put(15, selectors.length);
  const order = lengths.map((_, table) => table);
  for (const table of selectors) {
    const place = order.indexOf(table);
    for (let one = 0; one < place; one++) writer.put(1, 1);
    writer.put(1, 0);
    order.splice(place, 1);
    order.unshift(table);
  }
  for (const table of lengths) writeLengths(writer, table);
  const codes = lengths.map(codesOf);
  for (const [group, table] of selectors.entries()) {
    const end = Math.min(symbols.length, (group + 1) * GROUP);
    for (let at = group * GROUP; at < end; at++) {
      writer.put(lengths[table]![symbols[at]!]!, codes[table]![symbols[at]!]!);
    }
  }
}

/** Starts from tables that each like a part of the alphabet, and improves: every group chooses its table, every table its lengths. */
function chooseTables(symbols: Uint16Array, alphabet: number): { lengths: Uint8Array[]; selectors: Uint8Array } {
  const count = tableCount(symbols.length);
  const total = new Int32Array(alphabet);
  for (const symbol of symbols) total[symbol]! += 1;
  let lengths = firstTables(total, symbols.length, count);
  const selectors = new Uint8Array(Math.ceil(symbols.length / GROUP));
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const frequencies = lengths.map(() => new Int32Array(alphabet));
    for (let group = 0; group < selectors.length; group++) {
      const end = Math.min(symbols.length, (group + 1) * GROUP);
      let best = 0;
      let bestCost = Infinity;
      for (let table = 0; table < count; table++) {
        let cost = 0;
        for (let at = group * GROUP; at < end; at++) cost += lengths[table]![symbols[at]!]!;
        if (cost < bestCost) {
          best = table;
          bestCost = cost;
        }
      }
      selectors[group] = best;
      for (let at = group * GROUP; at < end; at++) frequencies[best]![symbols[at]!]! += 1;
    }
    lengths = frequencies.map(codeLengths);
  }
  return { lengths, selectors };
}

function firstTables(total: Int32Array, symbols: number, count: number): Uint8Array[] {
  const tables: Uint8Array[] = [];
  let from = 0;
  let left = symbols;
  for (let table = 0; table < count; table++) {
    const wanted = left / (count - table);
    let sum = 0;
    let end = from;
    while (end < total.length && (sum < wanted || end === from)) sum += total[end++]!;
    tables.push(Uint8Array.from(total, (_, symbol) => (symbol >= from && symbol < end ? 1 : 15)));
    left -= sum;
    from = end;
  }
  return tables;
}

/** Huffman code lengths; weights are halved until none is too long. Symbols that do not occur get a code too, as the format wants. */
function codeLengths(frequencies: Int32Array): Uint8Array {
  let weights = Float64Array.from(frequencies, (count) => Math.max(1, count));
  for (;;) {
    const lengths = huffman(weights);
    if (Math.max(...lengths) <= CODE_BITS_MAX) return lengths;
    weights = weights.map((weight) => Math.floor(weight / 2) + 1);
  }
}

function huffman(weights: Float64Array): Uint8Array {
  const leaves = Array.from(weights, (weight, symbol) => ({ weight, symbol })).sort((a, b) => a.weight - b.weight);
  const size = leaves.length;
  const weight = new Float64Array(2 * size - 1);
  const parent = new Int32Array(2 * size - 1);
  for (const [at, leaf] of leaves.entries()) weight[at] = leaf.weight;
  // Two queues, both sorted: leaves and inner nodes.
  let leaf = 0;
  let inner = size;
  for (let node = size; node < 2 * size - 1; node++) {
    for (let child = 0; child < 2; child++) {
      const takeLeaf = leaf < size && (inner >= node || weight[leaf]! <= weight[inner]!);
      const taken = takeLeaf ? leaf++ : inner++;
      weight[node]! += weight[taken]!;
      parent[taken] = node;
    }
  }
  const depth = new Uint8Array(2 * size - 1);
  for (let node = 2 * size - 3; node >= 0; node--) depth[node] = depth[parent[node]!]! + 1;
  const lengths = new Uint8Array(size);
  for (const [at, { symbol }] of leaves.entries()) lengths[symbol] = depth[at]!;
  return lengths;
}

/** Canonical codes for lengths. */
export function codesOf(lengths: Uint8Array): Int32Array {
  const codes = new Int32Array(lengths.length);
  let code = 0;
  for (let bits = 1; bits <= 20; bits++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === bits) codes[symbol] = code++;
    code <<= 1;
  }
  return codes;
}

function writeLengths(writer: BitWriter, lengths: Uint8Array): void {
  let current = lengths[0]!;
  writer.put(5, current);
  for (const length of lengths) {
    for (; current < length; current++) writer.put(2, 0b10);
    for (; current > length; current--) writer.put(2, 0b11);
    writer.put(1, 0);
  }
}
