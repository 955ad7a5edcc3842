/** Filters are done with a chunk before they ask for the next one, which may come in the same memory. */
import { type ByteStream, type Filter, pipeline } from "../../src/stream/byte_stream.ts";
import { decryptFilter, encryptFilter } from "../../src/stream/cipher.ts";
import { compressFilter, decompressFilter } from "../../src/stream/compress.ts";
import { COMPRESS_TYPES } from "../../src/stream/compress_type.ts";
import { sha1Hex, Sha1Meter } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { tee } from "../../src/stream/tee.ts";
import { assertEquals } from "../support/assert.ts";
import { temporaryDirectory, writeFile } from "../support/cluster_files.ts";
import { random as seeded } from "../support/random.ts";
import { testWith } from "../support/requirements.ts";

const PASS = "a passphrase of the tests";

/** The bytes in pieces of odd lengths, each in the memory of the one before, which is spoilt first. */
async function* passing(bytes: Uint8Array, random: ReturnType<typeof seeded>): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(300_000);
  for (let at = 0; at < bytes.length;) {
    const most = [1, 15, 16, 17, 700, 70_000, memory.length][random(7)]!;
    const piece = memory.subarray(0, Math.min(most, bytes.length - at));
    piece.set(bytes.subarray(at, at + piece.length));
    at += piece.length;
    yield piece;
    memory.fill(0xaa);
  }
}

/** Copies what comes before it asks for more: results of a filter may pass as well. */
async function gathered(stream: ByteStream): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece.slice());
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}

function content(random: ReturnType<typeof seeded>): Uint8Array {
  const bytes = new Uint8Array(2_300_001);
  for (let at = 0; at < bytes.length; at++) bytes[at] = at % 500 < 300 ? at % 251 : random(256);
  return bytes;
}

const WAYS: ReadonlyArray<readonly [name: string, there: Filter, back: Filter]> = [
  ...COMPRESS_TYPES.map((type) => [type, compressFilter({ type }), decompressFilter(type)] as const),
  ["cipher", encryptFilter(PASS), decryptFilter(PASS)],
  ["raw cipher", encryptFilter(PASS, "raw"), decryptFilter(PASS, "raw")],
];

for (const [name, there, back] of WAYS) {
  Deno.test(`chunks pass: ${name}, there and back in odd pieces`, async () => {
    const random = seeded(7);
    const bytes = content(random);
    const stored = await gathered(there(passing(bytes, random)));
    assertEquals(sha1Hex(await gathered(back(passing(stored, random)))), sha1Hex(bytes));
  });
}

Deno.test("chunks pass: several readers of one source, a quick and a slow one", async () => {
  const random = seeded(8);
  const bytes = content(random);
  const meter = new Sha1Meter();
  const [plain, compressed] = tee(meter.through(passing(bytes, random)), 2);
  const [copy, stored] = await Promise.all([
    gathered(plain!),
    collect(pipeline(compressed!, compressFilter({ type: "zst" }), encryptFilter(PASS)), 10_000_000),
  ]);
  assertEquals(sha1Hex(copy), sha1Hex(bytes));
  assertEquals(meter.digestHex(), sha1Hex(bytes));
  const again = pipeline(passing(stored, random), decryptFilter(PASS), decompressFilter("zst"));
  assertEquals(sha1Hex(await gathered(again)), sha1Hex(bytes));
});

testWith(
  ["lz4"],
  "chunks pass: a frame of the lz4 tool with all that it can have, cut at every byte where a block ends",
  async () => {
    using directory = temporaryDirectory();
    const path = `${directory.path}/content`;
    const bytes = content(seeded(9)).subarray(0, 150_000);
    writeFile(path, bytes);
    const { success } = await new Deno.Command("lz4", {
      args: ["-q", "-B4", "-BX", "--content-size", path, `${path}.lz4`],
    }).output();
    assertEquals(success, true);
    const stored = Deno.readFileSync(`${path}.lz4`);
    // Magic, descriptor with the length, its check; then blocks, each with its size in front and its checksum behind.
    const cuts: number[] = Array.from({ length: 16 }, (_, at) => at + 1);
    const view = new DataView(stored.buffer);
    for (let at = 15; view.getUint32(at, true) !== 0;) {
      at += 8 + (view.getUint32(at, true) & 0x7fff_ffff);
      for (let cut = at - 6; cut <= at + 6; cut++) cuts.push(Math.min(cut, stored.length));
    }
    for (const cut of cuts) {
      const memory = new Uint8Array(stored.length);
      const twice = async function* () {
        for (const piece of [stored.subarray(0, cut), stored.subarray(cut)]) {
          memory.set(piece);
          yield memory.subarray(0, piece.length);
          memory.fill(0xaa);
          await Promise.resolve();
        }
      };
      assertEquals(sha1Hex(await gathered(decompressFilter("lz4")(twice()))), sha1Hex(bytes), `cut at ${cut}`);
    }
  },
);
