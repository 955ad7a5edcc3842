/** Block maps: the vectors of the format, and maps of imagined files over many backups, there and back. */
import { type BlockMapItem, parseBlockMap, renderBlockMap } from "../../src/format/block_map.ts";
import { fromZigzag, toZigzag, VarintReader, VarintWriter } from "../../src/format/varint.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { xxh3 } from "../../src/stream/xxh3.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { madeUpChain } from "../support/block_chains.ts";

const SHAPE = { blockBytes: 8192, checksumBytes: 6 };

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16));
}

/** Everything but the checksum, on a line. */
function line({ reference, bundleId, offset, storedBytes, superBlockBytes, block }: BlockMapItem): string {
  return `ref ${reference} bundle ${bundleId} ${offset}+${storedBytes} of ${superBlockBytes} block ${block}`;
}

const VECTORS: ReadonlyArray<readonly [name: string, map: string, lines: readonly string[]]> = [
  [
    "one backup, two super blocks",
    "00 01 c2b802 06 a0a0a0a0a0a0 a1a1a1a1a1a1 a2a2a2a2a2a2 bb9904 03 64 b0b0b0b0b0b0 b1b1b1b1b1b1",
    [
      ...[0, 1, 2].map((block) => `ref 0 bundle 0 0+5000 of 24576 block ${block}`),
      ...[0, 1].map((block) => `ref 0 bundle 0 5000+700 of 8292 block ${block}`),
    ],
  ],
  [
    "a block replaced by a later backup",
    "00 00 c7b802 06 00 a0a0a0a0a0a0  0e 03 d209 d99f04 c1c1c1c1c1c1  03 01 01 a2a2a2a2a2a2  bb9904 03 64 b0b0b0b0b0b0 b1b1b1b1b1b1",
    [
      "ref 0 bundle 0 0+5000 of 24576 block 0",
      "ref 1 bundle 3 1234+650 of 8192 block 0",
      "ref 0 bundle 0 0+5000 of 24576 block 2",
      ...[0, 1].map((block) => `ref 0 bundle 0 5000+700 of 8292 block ${block}`),
    ],
  ],
  [
    "a file in a bundle, as pgbackrest wrote it",
    "00 07 03 8040 83800c 06 6fb3e42338f1 e6557b259b87 88e73ab21f0b",
    [0, 1, 2].map((block) => `ref 0 bundle 3 8192+24576 of 24576 block ${block}`),
  ],
];

for (const [name, map, lines] of VECTORS) {
  Deno.test(`block map: ${name}`, () => {
    const items = parseBlockMap(fromHex(map), SHAPE);
    assertEquals(items.map(line), [...lines]);
    assertEquals(hex(renderBlockMap(items, SHAPE)), hex(fromHex(map)));
  });
}

Deno.test("block maps of files that change over many backups are the same after writing and reading", () => {
  for (let seed = 1; seed <= 300; seed++) {
    for (const { items, shape } of madeUpChain(seed)) {
      const bytes = renderBlockMap(items, shape);
      assertEquals(parseBlockMap(bytes, shape), items, `seed ${seed}`);
    }
  }
});

Deno.test("a block map that ends early, goes on behind its end or has another version is refused", async () => {
  const whole = fromHex(VECTORS[1]![1]);
  for (let size = 0; size < whole.length; size++) {
    await assertThrows<{ kind: string }>(
      () => parseBlockMap(whole.subarray(0, size), SHAPE),
      ({ kind }) => assertEquals(kind, "Format"),
    );
  }
  for (const bad of [[...whole, 0], [1, ...whole.subarray(1)]]) {
    await assertThrows<{ kind: string }>(
      () => parseBlockMap(Uint8Array.from(bad), SHAPE),
      ({ kind }) => assertEquals(kind, "Format"),
    );
  }
});

Deno.test("numbers of seven bits a byte", async () => {
  const cases: ReadonlyArray<readonly [number, string]> = [
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "8001"],
    [255, "ff01"],
    [300, "ac02"],
    [16383, "ff7f"],
    [16384, "808001"],
    [2097151, "ffff7f"],
    [2 ** 32, "8080808010"],
    [2 ** 53 - 1, "ffffffffffffff0f"],
  ];
  for (const [value, bytes] of cases) {
    const writer = new VarintWriter();
    writer.number(value);
    assertEquals(hex(writer.finish()), bytes);
    assertEquals(new VarintReader(fromHex(bytes)).number(), value);
  }
  for (const bad of ["", "80", "ffffffffffffffffff01", "80".repeat(40) + "00"]) {
    await assertThrows(() => new VarintReader(fromHex(bad)).number());
  }
  const signed = [[0, 0], [-1, 1], [1, 2], [-2, 3], [2, 4], [63, 126], [-64, 127], [-65, 129], [1000, 2000]] as const;
  for (const [value, code] of signed) {
    assertEquals(toZigzag(value), code);
    assertEquals(fromZigzag(code), value);
  }
});

Deno.test("XXH3 of 128 bits is what libxxhash makes of every length to 3000 bytes, wherever the bytes stand", () => {
  const bytes = Uint8Array.from({ length: 3000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
  const moved = new Uint8Array(3001);
  moved.set(bytes, 1);
  let lines = "";
  for (let size = 0; size < bytes.length; size++) {
    const digest = hex(xxh3(bytes.subarray(0, size)));
    assert(digest === hex(xxh3(moved.subarray(1, size + 1))), `size ${size}`);
    lines += `${digest}\n`;
  }
  // Made with XXH3_128bits of libxxhash 0.8.1, a line of hex digits for each length.
  assertEquals(sha1Hex(new TextEncoder().encode(lines)), "cb6f0e55f36010850bc4c265562032f4c4e2e9a6");
  assertEquals(hex(xxh3(new Uint8Array(8192))), "6c8a36bd5451c725620797930ab0991a");
  assertEquals(hex(xxh3(Uint8Array.from({ length: 8192 }, (_, at) => at))), "cc9793551046aad5192da51815062f07");
  // As long as what is taken in at once, and longer.
  const long = [
    [65_536, "267bdd80b3f274499ae973f97c1f3eba"],
    [65_600, "0ae4459bdfa2cb2323d31d3805f2d83f"],
    [65_601, "b82b39afbd31b87c7e94cbb3ae7f1e11"],
    [131_072, "3de71a1264ac4548ab646508cda6bf91"],
    [200_000, "6708d7c6a291e80fd792715d1c878453"],
  ] as const;
  for (const [size, digest] of long) {
    assertEquals(hex(xxh3(Uint8Array.from({ length: size }, (_, at) => at * 7 + (at >> 8)))), digest, `size ${size}`);
  }
});
