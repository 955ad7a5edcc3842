/** The storage contract over GCS, as the fake of tests/support behaves. */
import { openGcs } from "../../backends/gcs.ts";
import { Crc32c } from "../../src/stream/crc32c.ts";
import { TestFolder } from "../support/accounts.ts";
import { assertEquals } from "../support/assert.ts";
import { GcsFake } from "../support/gcs_fake.ts";
import { storageSuite } from "./storage_suite.ts";

let fake: GcsFake;
let folder: TestFolder;
let keyFile: string;
Deno.test.beforeAll(async () => {
  fake = await GcsFake.start();
  folder = await TestFolder.make();
  keyFile = await folder.file("key.json", await fake.keyFileText());
});
Deno.test.afterAll(async () => {
  await fake[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

storageSuite("gcs", () => {
  const storage = openGcs(fake.config(fake.makeBucket(), keyFile));
  return Promise.resolve({ storage, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() });
});

Deno.test("CRC-32C has the values of its specification, in one piece and in many", () => {
  const hex = (bytes: Uint8Array) => Uint8Array.fromBase64(new Crc32c().update(bytes).base64()).toHex();
  assertEquals(hex(new TextEncoder().encode("123456789")), "e3069283");
  assertEquals(hex(new Uint8Array(32)), "8a9136aa");
  assertEquals(hex(new Uint8Array(32).fill(0xff)), "62a8ab43");
  assertEquals(hex(Uint8Array.from({ length: 32 }, (_, index) => index)), "46dd794e");
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index * 7);
  const pieces = new Crc32c();
  for (let at = 0; at < bytes.length; at += 13) pieces.update(bytes.subarray(at, at + 13));
  assertEquals(pieces.base64(), new Crc32c().update(bytes).base64());
});
