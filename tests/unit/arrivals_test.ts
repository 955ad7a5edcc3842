/** Content that arrives in small chunks is given in large pieces: all of it, in order, and its end as it was. */
import { Readable } from "node:stream";
import { type ArrivalOptions, arrivals } from "../../backends/object/arrivals.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { noise } from "../support/noise.ts";

const PATIENCE: Omit<ArrivalOptions, "sizeBytes"> = { silenceMs: 5000, chunksPass: false };

function cut(bytes: Uint8Array, ...sizes: number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunks.at(-1)!.length) {
    const size = sizes[chunks.length % sizes.length]!;
    chunks.push(bytes.subarray(at, at + size));
  }
  return chunks;
}

/** Everything that came, with the sizes of the pieces, and what it ended with. */
async function taken(body: Readable, options: ArrivalOptions) {
  const pieces: Uint8Array[] = [];
  let error: unknown;
  try {
    for await (const piece of arrivals(body, options)) pieces.push(piece.slice());
  } catch (thrown) {
    error = thrown;
  }
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { bytes, sizes: pieces.map(({ length }) => length), error: error as { code?: string; message: string } };
}

for (const chunksPass of [false, true]) {
  for (const sizes of [[16_384], [1, 300_000, 7], [1_000_003], [65_536, 5]]) {
    Deno.test(`chunks of ${sizes.join(", ")} bytes come in large pieces${chunksPass ? " in the same memory" : ""}`, async () => {
      const bytes = noise(1_500_001);
      const body = Readable.from(cut(bytes, ...sizes));
      const { bytes: got, sizes: pieces, error } = await taken(body, {
        ...PATIENCE,
        chunksPass,
        sizeBytes: bytes.length,
      });
      assertEquals(error, undefined);
      assertEquals(got, bytes);
      assertEquals(pieces, [262_144, 262_144, 262_144, 262_144, 262_144, 1_500_001 - 5 * 262_144]);
    });
  }
}

Deno.test("pieces of different memory stay what they were", async () => {
  const bytes = noise(700_000);
  const body = Readable.from(cut(bytes, 10_000));
  const pieces: Uint8Array[] = [];
  for await (const piece of arrivals(body, { ...PATIENCE, sizeBytes: bytes.length })) pieces.push(piece);
  assertEquals(new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()), bytes);
});

Deno.test("content without bytes, and content longer than was said", async () => {
  assertEquals((await taken(Readable.from([]), { ...PATIENCE, sizeBytes: 0 })).sizes, []);
  // Whoever reads counts: nothing is cut off in silence.
  assertEquals((await taken(Readable.from([noise(10)]), { ...PATIENCE, sizeBytes: 4 })).sizes, [4, 4, 2]);
});

Deno.test("what came before an error is given first", async () => {
  const body = new Readable({ read() {} });
  body.push(noise(1000));
  const reading = taken(body, { ...PATIENCE, sizeBytes: 5000 });
  // The first chunk is taken before the connection breaks.
  body.once("data", () => setTimeout(() => body.destroy(Object.assign(new Error("broke"), { code: "EPIPE" })), 0));
  const { sizes, error } = await reading;
  assertEquals([sizes, error.code], [[1000], "EPIPE"]);
});

Deno.test("a connection that was closed or broke before anybody read is told", async () => {
  for (const reason of [undefined, new Error("broke")]) {
    const body = new Readable({ read() {} }).on("error", () => undefined);
    body.destroy(reason);
    await new Promise((resolve) => setTimeout(resolve, 0));
    const { sizes, error } = await taken(body, { ...PATIENCE, sizeBytes: 5 });
    assertEquals([sizes, error.message], [[], reason?.message ?? "the connection was closed"]);
  }
});

Deno.test("a stream that is closed while it is read is told as a broken connection", async () => {
  const body = new Readable({ read() {} });
  body.push(noise(10));
  body.once("data", () => setTimeout(() => body.destroy(), 0));
  const { sizes, error } = await taken(body, { ...PATIENCE, sizeBytes: 50 });
  assertEquals([sizes, error.code], [[10], "ECONNRESET"]);
});

Deno.test("silence ends it, a slow reader does not", async () => {
  const silent = new Readable({ read() {} });
  silent.push(noise(10));
  const { sizes, error } = await taken(silent, { ...PATIENCE, silenceMs: 60, sizeBytes: 50 });
  assertEquals([sizes, error.code, error.message], [[10], "ETIMEDOUT", "nothing came for 60 ms"]);
  assert(silent.destroyed, "the connection is ended");

  const bytes = noise(800_000);
  let got = 0;
  for await (
    const piece of arrivals(Readable.from(cut(bytes, 9000)), { ...PATIENCE, silenceMs: 40, sizeBytes: bytes.length })
  ) {
    got += piece.length;
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  assertEquals(got, bytes.length);
});

Deno.test("an abort is heard, also one before the first piece", async () => {
  const body = new Readable({ read() {} });
  const { sizes, error } = await taken(body, {
    ...PATIENCE,
    sizeBytes: 50,
    signal: AbortSignal.abort(new Error("stop")),
  });
  assertEquals([sizes, error.message], [[], "stop"]);

  const controller = new AbortController();
  const waiting = new Readable({ read() {} });
  const reading = arrivals(waiting, { ...PATIENCE, sizeBytes: 50, signal: controller.signal }).next();
  setTimeout(() => controller.abort(new Error("stop now")), 0);
  assertEquals((await assertThrows(() => reading)).message, "stop now");
  assert(waiting.destroyed, "the connection is ended");
});

Deno.test("a reader that leaves when it has all bytes leaves the connection to the next", async () => {
  const body = Readable.from(cut(noise(2 * 262_144), 16_384));
  const ended = new Promise((resolve) => body.once("end", resolve));
  let left = 2;
  for await (const _piece of arrivals(body, { ...PATIENCE, sizeBytes: 2 * 262_144 })) if (--left === 0) break;
  await ended;
  assertEquals(body.errored, null);
});

Deno.test("a stream that has ended before anybody read has nothing", async () => {
  const body = Readable.from([noise(10)]);
  for await (const _chunk of body);
  const { sizes, error } = await taken(body, { ...PATIENCE, sizeBytes: 10 });
  assertEquals(sizes, []);
  assertEquals(error, undefined);
});

Deno.test("a reader that leaves ends the connection", async () => {
  const body = Readable.from(cut(noise(3_000_000), 16_384));
  for await (const _piece of arrivals(body, { ...PATIENCE, sizeBytes: 3_000_000 })) break;
  assert(body.destroyed, "the connection is ended");
});
