/** Whoever computes SHA-1: the same hash, in pieces of any length, of several contents at a time. */
import { builtInSha1, sha1, type Sha1Maker } from "../../src/stream/sha1.ts";
import { openSystemLibrary } from "../../src/stream/system_library.ts";
import { openSystemSha1 } from "../../src/stream/system_sha1.ts";
import { assertEquals } from "../support/assert.ts";
import { random } from "../support/random.ts";
import { testWith, unavailable } from "../support/requirements.ts";

const SEED = 20261129;

/** Source: FIPS 180-2, appendix A, and RFC 3174, section 7.3. */
const VECTORS: ReadonlyArray<readonly [text: string, hash: string]> = [
  ["", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
  ["abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"],
  ["a".repeat(1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"],
];

async function independent(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes as Uint8Array<ArrayBuffer>)).toHex();
}

async function assertRight(maker: Sha1Maker): Promise<void> {
  for (const [text, expected] of VECTORS) assertEquals(maker.hexOf(new TextEncoder().encode(text)), expected);
  const below = random(SEED);
  // All lengths around one and two blocks of the hash, and long ones.
  for (const length of [...Array(140).keys(), 65_535, 1_048_577]) {
    const bytes = Uint8Array.from({ length }, () => below(256));
    const expected = await independent(bytes);
    assertEquals(maker.hexOf(bytes), expected, `${length} bytes at once`);
    // Two hashes in turn, the pieces in memory that is used again.
    const [one, other] = [maker.begin(), maker.begin()];
    const memory = new Uint8Array(70_000);
    for (let at = 0; at < length;) {
      const piece = bytes.subarray(at, at + below(Math.min(length, memory.length) + 1));
      memory.set(piece, 7);
      one.update(memory.subarray(7, 7 + piece.length));
      other.update(memory.subarray(8, 9));
      memory.fill(0xaa);
      at += piece.length;
    }
    assertEquals(one.digestHex(), expected, `${length} bytes in pieces`);
    assertEquals(other.digestHex().length, 40);
  }
}

Deno.test("sha1: the runtime's is right", async () => await assertRight(builtInSha1()));

testWith([], "sha1: the host's library is right, and is what is used", async () => {
  if (openSystemLibrary("libcrypto.so.3", {}) === undefined) return unavailable("this host has no libcrypto.so.3");
  await assertRight(openSystemSha1()!);
  assertEquals(sha1().origin, "the host's libcrypto.so.3");
});
