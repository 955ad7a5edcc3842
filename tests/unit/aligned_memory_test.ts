import {
  ALIGNED_BYTES,
  ALIGNMENT_BYTES,
  giveBackAligned,
  memoryForReading,
  takeAligned,
} from "../../src/stream/aligned_memory.ts";
import { assert, assertEquals } from "../support/assert.ts";

function addressOf(bytes: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

Deno.test("memory for reading has its size, is empty, and begins on a cache line when it is large", () => {
  for (const sizeBytes of [0, 1, 4096, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 300_001, 1024 * 1024]) {
    for (let at = 0; at < 4; at++) {
      const memory = memoryForReading(sizeBytes);
      assertEquals(memory.length, sizeBytes);
      assert(memory.every((byte) => byte === 0));
      if (sizeBytes >= 32 * 1024) assertEquals(addressOf(memory) % 64, 0, `${sizeBytes} bytes`);
    }
  }
});

Deno.test("aligned pieces begin on a page, and a piece that was given back is taken again", () => {
  const [first, second] = [takeAligned(), takeAligned()] as Uint8Array<ArrayBuffer>[];
  for (const piece of [first!, second!]) {
    assertEquals([piece.length, addressOf(piece) % ALIGNMENT_BYTES], [ALIGNED_BYTES, 0]);
  }
  assert(first!.buffer !== second!.buffer);
  giveBackAligned(second!);
  assert(takeAligned().buffer === second!.buffer);
});
