import fs from "node:fs";
import { FileSink } from "../../src/stream/file_sink.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { TestFolder } from "../support/accounts.ts";
import { random as seeded } from "../support/random.ts";

const MIB = 1024 * 1024;
/** ext2 to ext4, XFS: where the page cache is left alone. */
const SUITABLE = [0xef53, 0x5846_5342];

function noise(random: ReturnType<typeof seeded>, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 16) bytes[at] = 1 + random(255);
  return bytes;
}

/** Flags with which this process has the file open, one for each time. Source: proc(5), `fdinfo`. */
function openFlags(path: string): number[] {
  const flags: number[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`) !== path) continue;
    } catch (error) {
      // The descriptor of the listing itself.
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    flags.push(parseInt(/^flags:\s*(\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${name}`))![1]!, 8));
  }
  return flags;
}

for (const uncached of [true, false]) {
  Deno.test(`file sink, ${uncached ? "around" : "through"} the page cache: writes, holes and jumps of every length`, async () => {
    await using folder = await TestFolder.make();
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(seed);
      const path = `${folder.path}/${seed}`;
      const expected = new Uint8Array(6 * MIB);
      let end = 0;
      {
        using file = Deno.openSync(path, { write: true, createNew: true });
        using sink = new FileSink(file, path, uncached);
        // Places are left free now and then, and filled in the end.
        const left: [number, number][] = [];
        let at = 0;
        while (at < 5 * MIB && random(40) > 0) {
          const length = 1 + random([20, 5000, 70_000, MIB][random(4)]!);
          const bytes = noise(random, Math.min(length, expected.length - at));
          const what = random(6);
          if (what === 0) sink.skip(bytes.length);
          else if (what === 1) {
            left.push([at, bytes.length]);
            sink.seek(at + bytes.length);
          } else {
            sink.write(bytes);
            expected.set(bytes, at);
            end = at + bytes.length;
            bytes.fill(0xee);
          }
          at += bytes.length;
        }
        for (const [from, length] of left) {
          const bytes = noise(random, length);
          sink.seek(from);
          sink.write(bytes);
          expected.set(bytes, from);
          end = Math.max(end, from + length);
        }
        sink.flush();
        file.syncSync();
      }
      assertEquals(sha1Hex(Deno.readFileSync(path)), sha1Hex(expected.subarray(0, end)), `seed ${seed}`);
    }
  });
}

Deno.test("file sink: a long file is written around the page cache where the file system is known for it, a short one never", async () => {
  await using folder = await TestFolder.make();
  for (const [length, uncached] of [[5 * MIB + 77, true], [5 * MIB + 77, false], [MIB - 1, true]] as const) {
    const path = `${folder.path}/${length}-${uncached}`;
    using file = Deno.openSync(path, { write: true, createNew: true });
    using sink = new FileSink(file, path, uncached);
    sink.write(new Uint8Array(length).fill(7));
    sink.flush();
    const direct = openFlags(path).filter((flags) => (flags & fs.constants.O_DIRECT) !== 0).length;
    const isDirect = uncached && length >= MIB && SUITABLE.includes(fs.statfsSync(path).type);
    assertEquals(direct, isDirect ? 1 : 0, `${length} bytes`);
    sink[Symbol.dispose]();
    assertEquals(openFlags(path).length, 1);
    assert(Deno.readFileSync(path).every((byte) => byte === 7));
    assertEquals(Deno.statSync(path).size, length);
  }
});

Deno.test("file sink: a full disk is told with its code", async () => {
  await using folder = await TestFolder.make();
  const path = `${folder.path}/limited`;
  // The kernel's own device for this: every write fails with ENOSPC, and nothing can be opened a second time by another name.
  await Deno.symlink("/dev/full", path);
  using file = Deno.openSync(path, { write: true });
  using sink = new FileSink(file, path, true);
  let code: unknown;
  try {
    sink.write(new Uint8Array(2 * MIB));
    sink.flush();
  } catch (error) {
    code = (error as { code?: string }).code;
  }
  assertEquals(code, "ENOSPC");
});

Deno.test("file sink: whatever takes the file's place meanwhile gets nothing", async () => {
  await using folder = await TestFolder.make();
  const path = `${folder.path}/mine`;
  using file = Deno.openSync(path, { read: true, write: true, createNew: true });
  using sink = new FileSink(file, path, true);
  sink.write(new Uint8Array(1000).fill(7));
  await Deno.rename(path, `${folder.path}/moved`);
  await Deno.writeTextFile(path, "somebody else's");
  sink.write(new Uint8Array(3 * MIB).fill(7));
  sink.flush();
  assertEquals(await Deno.readTextFile(path), "somebody else's");
  const moved = await Deno.readFile(`${folder.path}/moved`);
  assertEquals([moved.length, moved.every((byte) => byte === 7)], [3 * MIB + 1000, true]);
});
