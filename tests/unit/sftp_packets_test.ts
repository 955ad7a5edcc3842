import { PacketReader } from "../../backends/sftp/packets.ts";
import type { WalferryError } from "../../src/errors.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

Deno.test("a file whose length the server does not say is not taken for an empty one; a directory needs none", async () => {
  const attributes = (...numbers: number[]) => {
    const bytes = new Uint8Array(numbers.length * 4);
    for (const [at, number] of numbers.entries()) new DataView(bytes.buffer).setUint32(at * 4, number);
    return new PacketReader(bytes).attributes();
  };
  assertEquals(attributes(0x01 | 0x04, 0, 7, 0o100640).sizeBytes, 7);
  assertEquals(attributes(0x04, 0o040750).sizeBytes, 0);
  for (const numbers of [[0], [0x04, 0o100640]]) {
    const error = await assertThrows<WalferryError>(() => Promise.resolve().then(() => attributes(...numbers)));
    assertEquals(error.kind, "Protocol");
  }
});
