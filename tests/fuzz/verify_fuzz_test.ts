/** Damaged objects of every compression, encryption and framing: verify finds each, or the content is the same all the same; never another error. */
import { PosixStorage } from "../../backends/posix.ts";
import { compressFilter, decompressFilter } from "../../src/stream/compress.ts";
import { COMPRESS_TYPES } from "../../src/stream/compress_type.ts";
import { decryptFilter, encryptFilter } from "../../src/stream/cipher.ts";
import { pipeline } from "../../src/stream/byte_stream.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect, streamOf } from "../../src/stream/sources.ts";
import { type ObjectRequest, start } from "../../src/verify/object_job.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Text that compresses, noise that does not, and a run of zeros, as in a relation. */
function sample(random: () => number): Uint8Array {
  const bytes = new Uint8Array(60_000);
  for (let at = 0; at < 20_000; at++) bytes[at] = 97 + ((at * at) % 17);
  for (let at = 20_000; at < 40_000; at++) bytes[at] = Math.floor(random() * 256);
  return bytes;
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff) / 0x8000_0000;
}

for (const compressType of COMPRESS_TYPES) {
  for (const cipherPass of [undefined, "secret"]) {
    for (const framing of ["normal", "raw"] as const) {
      Deno.test(`damaged ${compressType}, ${cipherPass === undefined ? "plain" : "encrypted"}, ${framing}`, async () => {
        await using folder = await TestFolder.make();
        const random = randomFrom(7);
        const content = sample(random);
        const filters = [
          compressFilter({ type: compressType }, framing),
          ...(cipherPass === undefined ? [] : [encryptFilter(cipherPass, framing)]),
        ];
        // A copy: what the codecs give may be a Buffer, whose slices share its memory.
        const stored = Uint8Array.from(await collect(pipeline(streamOf(content), ...filters), 1e6));
        const storage = new PosixStorage({ type: "posix", path: folder.path });
        const judge = await start({ storage: { type: "posix", path: folder.path }, depth: "content" });
        const request = (hashed: boolean): ObjectRequest => ({
          path: "bundle",
          // Three members of one bundle; the one in the middle is damaged, its neighbours are not.
          parts: [0, 1, 2].map((at) => ({
            offsetBytes: at * stored.length + (at === 2 ? 100 : 0),
            lengthBytes: stored.length,
            form: { compressType, framing, cipherPass },
            sizeBytes: content.length,
            checksum: sha1Hex(content),
            repoChecksum: hashed ? sha1Hex(stored) : undefined,
          })),
        });
        const verdictsOf = async (middle: Uint8Array, hashed: boolean) => {
          const bundle = new Uint8Array(3 * stored.length + 100);
          bundle.set(stored);
          bundle.set(middle, stored.length);
          bundle.set(stored, 2 * stored.length + 100);
          await storage.write("bundle", bundle);
          return (await judge({ objects: [request(hashed)] }, () => {})).verdicts[0]!;
        };
        assertEquals(await verdictsOf(stored, true), [undefined, undefined, undefined]);
        for (let round = 0; round < 60; round++) {
          const middle = stored.slice();
          const at = Math.floor(random() * middle.length);
          if (round % 3 === 0) middle.fill(0, at);
          else middle[at]! ^= 1 << Math.floor(random() * 8);
          const isSame = middle.every((byte, place) => byte === stored[place]);
          const hashed = await verdictsOf(middle, true);
          assertEquals([hashed[0], hashed[2]], [undefined, undefined]);
          assert(isSame || hashed[1] !== undefined, `byte ${at} of ${middle.length}`);
          const plain = (await verdictsOf(middle, false))[1];
          if (plain !== undefined) continue;
          const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, framing)];
          const read = pipeline(streamOf(middle), ...decrypt, decompressFilter(compressType, framing));
          assertEquals(
            sha1Hex(await collect(read, 1e6)),
            sha1Hex(content),
            "no finding although the content is another",
          );
        }
      });
    }
  }
}
