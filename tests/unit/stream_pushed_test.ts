/** The stream into which chunks are pushed. */
import { PushedStream } from "../../src/stream/pushed_stream.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const chunk = (value: number) => new Uint8Array([value]);

async function collectValues(stream: PushedStream): Promise<number[]> {
  const values: number[] = [];
  for await (const one of stream) values.push(one[0]!);
  return values;
}

Deno.test("chunks arrive in order, whoever is first", async () => {
  const late = new PushedStream();
  const pushed = (async () => {
    for (const value of [1, 2, 3]) await late.push(chunk(value));
    await late.end();
  })();
  assertEquals(await collectValues(late), [1, 2, 3]);
  await pushed;
  const early = new PushedStream();
  const read = collectValues(early);
  for (const value of [1, 2]) await early.push(chunk(value));
  await early.end();
  assertEquals(await read, [1, 2]);
});

Deno.test("the writer waits until the reader has taken what it gave", async () => {
  const stream = new PushedStream();
  let taken = false;
  const pushed = stream.push(chunk(1)).then(() => taken = true);
  await Promise.resolve();
  assertEquals(taken, false);
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  await pushed;
  assertEquals(taken, true);
});

Deno.test("a writer that fails fails its reader, behind what it gave", async () => {
  const stream = new PushedStream();
  const iterator = stream[Symbol.asyncIterator]();
  const first = iterator.next();
  await stream.push(chunk(1));
  assertEquals((await first).value, chunk(1));
  const waiting = iterator.next();
  stream.fail(new Error("source"));
  assertEquals((await assertThrows(() => waiting)).message, "source");
  assertEquals((await assertThrows(() => iterator.next())).message, "source");
});

Deno.test("a reader that goes away fails the writer, now and later", async () => {
  const stream = new PushedStream();
  const waiting = stream.push(chunk(1));
  stream.close(new Error("store"));
  assertEquals((await assertThrows(() => waiting)).message, "store");
  assertEquals((await assertThrows(() => stream.push(chunk(2)))).message, "store");
  const left = new PushedStream();
  await left[Symbol.asyncIterator]().return!();
  await assertThrows(() => left.push(chunk(1)));
});
