/** gz without node's library: content as it was, and every sort of damage told. */
import zlib from "node:zlib";
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import type { ByteStream } from "../../src/stream/byte_stream.ts";
import { gunzip } from "../../src/stream/gunzip.ts";
import { collect } from "../../src/stream/sources.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { random } from "../support/random.ts";

const SEED = 20261129;
const below = random(SEED);
const CONTENT = Uint8Array.from({ length: 300_000 }, (_, at) => at % 7 < 5 ? at >> 8 : below(256));
const STORED = new Uint8Array(zlib.gzipSync(CONTENT));

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield await Promise.resolve(bytes.subarray(at, at + length));
}

async function kindOf(source: ByteStream): Promise<ErrorKind | undefined> {
  try {
    await collect(gunzip(source), 1e9);
    return undefined;
  } catch (error) {
    assert(error instanceof WalferryError, String(error));
    return error.kind;
  }
}

Deno.test("gunzip: the content comes back, whatever the pieces", async () => {
  for (const length of [1, 1000, 65_536, STORED.length]) {
    assertEquals((await collect(gunzip(inPieces(STORED, length)), 1e9)).toHex() === CONTENT.toHex(), true, `${length}`);
  }
});

Deno.test("gunzip: what is cut off, changed, empty, followed by more or something else is damaged", async () => {
  for (const size of [0, 1, 9, 10, 11, 1000, STORED.length - 8, STORED.length - 1]) {
    assertEquals(await kindOf(inPieces(STORED.subarray(0, size), 4096)), "Format", `cut to ${size}`);
  }
  for (let turn = 0; turn < 200; turn++) {
    const changed = STORED.slice();
    // Behind the header, whose time and system mean nothing.
    changed[10 + below(STORED.length - 10)]! ^= 1 << below(8);
    assertEquals(await kindOf(inPieces(changed, 4096)), "Format");
  }
  assertEquals(await kindOf(inPieces(CONTENT, 4096)), "Format");
  assertEquals(await kindOf(inPieces(Uint8Array.from([...STORED, 1, 2, 3]), 4096)), "Format");
});

Deno.test("gunzip: an error of the source is that error, and a source that is not read to its end is closed", async () => {
  let closed = 0;
  const source = async function* (error?: WalferryError) {
    try {
      yield* inPieces(STORED.subarray(0, STORED.length >> 1), 4096);
      if (error !== undefined) throw error;
      yield* inPieces(STORED.subarray(STORED.length >> 1), 4096);
    } finally {
      closed++;
    }
  };
  assertEquals(await kindOf(source(new WalferryError("FileRead", "the store is gone"))), "FileRead");
  for await (const piece of gunzip(source())) {
    assert(piece.length > 0);
    break;
  }
  assertEquals(closed, 2);
});
