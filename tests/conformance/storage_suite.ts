/** The storage contract (backends/contract.ts) as tests: every backend passes the same ones. */
import type { Storage, StorageEntry } from "../../backends/contract.ts";
import { WalferryError } from "../../src/errors.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

/** Makes an empty store for one test. */
export type MakeStorage = () => Promise<{ readonly storage: Storage } & AsyncDisposable>;

const MANY = 3000;
const text = (value: string) => new TextEncoder().encode(value);

async function* stream(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

/** Bytes that do not repeat. */
function noise(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = 12345;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

async function content(
  storage: Storage,
  path: string,
  options: Parameters<Storage["read"]>[1] = {},
): Promise<Uint8Array | undefined> {
  const read = await storage.read(path, options);
  return read === undefined ? undefined : await collect(read, 1e9);
}

async function names(entries: AsyncIterable<StorageEntry>): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of entries) found.push(name);
  return found.sort();
}

/** Registers the suite for a backend. */
export function storageSuite(backend: string, make: MakeStorage): void {
  const check = (name: string, run: (storage: Storage) => Promise<void>) =>
    Deno.test(`${backend}: ${name}`, async () => {
      await using place = await make();
      await run(place.storage);
    });
  const kindOf = async (action: () => unknown) => (await assertThrows<WalferryError>(action)).kind;

  for (const size of [0, 1, 511, 512 * 1024, 512 * 1024 + 1, 20_000_000]) {
    check(`content of ${size} bytes comes back as it was written, from bytes and from a stream`, async (storage) => {
      const bytes = noise(size);
      await storage.write("a/bytes", bytes);
      await storage.write("a/stream", stream(bytes.subarray(0, 7), bytes.subarray(7)));
      await storage.write("a/announced", stream(bytes), { lengthBytes: size });
      for (const name of ["bytes", "stream", "announced"]) {
        assertEquals(sha1Hex((await content(storage, `a/${name}`))!), sha1Hex(bytes));
        assertEquals((await storage.info(`a/${name}`))?.sizeBytes, size);
      }
    });
  }

  check("what is absent is undefined, not an error", async (storage) => {
    assertEquals(await storage.read("none"), undefined);
    assertEquals(await storage.read("none/below"), undefined);
    assertEquals(await storage.info("none"), undefined);
    assertEquals(await names(storage.list("none")), []);
    await storage.remove("none");
    await storage.removeMany(["none", "none/below"]);
    await storage.removeTree("none");
  });

  check("a name below a file is absent", async (storage) => {
    await storage.write("file", text("x"));
    assertEquals(await storage.info("file/below"), undefined);
    assertEquals(await storage.read("file/below"), undefined);
  });

  check("ranges give the bytes asked for, and nothing at or behind the end", async (storage) => {
    const bytes = noise(100_000);
    await storage.write("f", bytes);
    for (
      const [offsetBytes, lengthBytes] of [[0, 1], [0, 100_000], [99_999, 1], [500, 70_000], [99_990, 1000]] as const
    ) {
      assertEquals(
        await content(storage, "f", { offsetBytes, lengthBytes }),
        bytes.slice(offsetBytes, offsetBytes + lengthBytes),
      );
    }
    assertEquals(await content(storage, "f", { offsetBytes: 50_000 }), bytes.slice(50_000));
    for (const offsetBytes of [100_000, 100_001, 5_000_000]) {
      assertEquals((await content(storage, "f", { offsetBytes }))?.length, 0);
    }
    assertEquals((await content(storage, "f", { lengthBytes: 0 }))?.length, 0);
  });

  check("a write replaces what was there", async (storage) => {
    await storage.write("f", text("old and longer"));
    await storage.write("f", text("new"));
    assertEquals(await content(storage, "f"), text("new"));
  });

  check("a source that fails leaves the old content, and its error comes through", async (storage) => {
    await storage.write("f", text("old"));
    const failing = async function* () {
      yield text("half");
      await Promise.resolve();
      throw new WalferryError("Checksum", "the source is bad");
    };
    assertEquals(await kindOf(() => storage.write("f", failing())), "Checksum");
    assertEquals(await kindOf(() => storage.write("new", failing())), "Checksum");
    assertEquals(await content(storage, "f"), text("old"));
    assertEquals(await names(storage.list("", { recurse: true })), ["f"]);
  });

  check("a source longer or shorter than announced fails and leaves nothing", async (storage) => {
    await storage.write("f", text("old"));
    for (const lengthBytes of [2, 4]) {
      assertEquals(await kindOf(() => storage.write("f", stream(text("abc")), { lengthBytes })), "FileWrite");
      assertEquals(await kindOf(() => storage.write("g", stream(text("abc")), { lengthBytes })), "FileWrite");
    }
    assertEquals(await content(storage, "f"), text("old"));
    assertEquals(await names(storage.list("")), ["f"]);
  });

  check("an aborted write rejects with the reason and leaves nothing", async (storage) => {
    const controller = new AbortController();
    const reason = new WalferryError("Term", "stop");
    const aborting = async function* () {
      yield text("one");
      controller.abort(reason);
      await Promise.resolve();
      yield text("two");
    };
    const error = await assertThrows(() => storage.write("f", aborting(), { signal: controller.signal }));
    assertEquals(error, reason);
    assertEquals(await names(storage.list("")), []);
  });

  check("until a write resolves its name holds what it held before", async (storage) => {
    await storage.write("f", text("old"));
    const gate = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const slow = async function* () {
      yield text("new");
      began.resolve();
      await gate.promise;
    };
    const writing = storage.write("f", slow());
    await began.promise;
    assertEquals(await content(storage, "f"), text("old"));
    assertEquals(await names(storage.list("")), ["f"], "unfinished writes are not listed");
    gate.resolve();
    await writing;
    assertEquals(await content(storage, "f"), text("new"));
  });

  for (
    const name of [
      "with space",
      "a=b",
      "a+b",
      "50%",
      "ümlaut-日本",
      "quote'\"",
      "#hash?query&x",
      "-dash",
      ".hidden",
      `long-${"x".repeat(200)}`,
    ]
  ) {
    check(`the name '${name.slice(0, 20)}' works`, async (storage) => {
      await storage.write(`dir/${name}`, text(name));
      assertEquals(await content(storage, `dir/${name}`), text(name));
      assertEquals(await names(storage.list("dir")), [name]);
      await storage.remove(`dir/${name}`);
      assertEquals(await storage.info(`dir/${name}`), undefined);
    });
  }

  for (const path of ["/abs", "a/", "a//b", "../up", "a/../b", ".", "a/./b", "nul\0", "line\nfeed"]) {
    check(`the path ${JSON.stringify(path)} is refused before the store is touched`, async (storage) => {
      assertEquals(await kindOf(() => storage.write(path, text("x"))), "Assert");
      assertEquals(await kindOf(() => storage.read(path)), "Assert");
      assertEquals(await kindOf(() => storage.info(path)), "Assert");
      assertEquals(await kindOf(() => storage.remove(path)), "Assert");
      assertEquals(await kindOf(() => storage.removeTree(path)), "Assert");
      assertEquals(await kindOf(() => names(storage.list(path))), "Assert");
    });
  }

  check("the root cannot be removed", async (storage) => {
    await storage.write("f", text("x"));
    assertEquals(await kindOf(() => storage.removeTree("")), "Assert");
    assertEquals(await content(storage, "f"), text("x"));
  });

  check("listings tell files from paths, one level or all", async (storage) => {
    for (const path of ["top", "dir/a", "dir/b", "dir/sub/c", "other/d"]) await storage.write(path, text(path));
    assertEquals(await names(storage.list("")), ["dir", "other", "top"]);
    assertEquals(await names(storage.list("dir")), ["a", "b", "sub"]);
    const files = [];
    for await (const entry of storage.list("", { recurse: true })) if (entry.type === "file") files.push(entry.name);
    assertEquals(files.sort(), ["dir/a", "dir/b", "dir/sub/c", "other/d", "top"]);
    for await (const entry of storage.list("dir")) {
      assertEquals(entry.type, entry.name === "sub" ? "path" : "file");
      if (entry.name === "a") {
        assertEquals(entry.sizeBytes, 5);
        assert(Math.abs(entry.modifiedTime - Date.now() / 1000) < 60, "a fresh file has a fresh time");
      }
    }
    assertEquals((await storage.info("dir"))?.type, "path");
    assertEquals((await storage.info("dir/a"))?.name, "a");
  });

  check("a prefix limits a listing to the names that begin with it", async (storage) => {
    for (const name of ["0001-aa", "0001-bb", "0002-aa", "000"]) await storage.write(`w/${name}`, text("x"));
    assertEquals(await names(storage.list("w", { prefix: "0001-" })), ["0001-aa", "0001-bb"]);
    assertEquals(await names(storage.list("w", { prefix: "9" })), []);
  });

  check(`${MANY} names are listed once each and removed in one go`, async (storage) => {
    const all = Array.from({ length: MANY }, (_, index) => `n${String(index).padStart(5, "0")}`);
    for (let at = 0; at < MANY; at += 50) {
      await Promise.all(
        all.slice(at, at + 50).map((name) => storage.write(`many/${name}`, text(name), { syncDirectory: false })),
      );
    }
    assertEquals(await names(storage.list("many")), all);
    await storage.removeMany(all.slice(0, MANY - 1).map((name) => `many/${name}`));
    assertEquals(await names(storage.list("many")), [all[MANY - 1]!]);
  });

  check("files may be removed while they are listed", async (storage) => {
    for (let index = 0; index < 100; index++) await storage.write(`d/${index}`, text("x"));
    for await (const { name } of storage.list("d")) await storage.remove(`d/${name}`);
    assertEquals(await names(storage.list("d")), []);
  });

  check("a tree goes with everything below it and nothing beside it", async (storage) => {
    for (const path of ["t/a", "t/b/c", "t2/d", "tt"]) await storage.write(path, text("x"));
    await storage.removeTree("t");
    assertEquals(await names(storage.list("")), ["t2", "tt"]);
    assertEquals(await content(storage, "t2/d"), text("x"));
  });

  check("fifty writes at once all arrive whole", async (storage) => {
    const payloads = Array.from({ length: 50 }, (_, index) => noise(10_000 + index));
    await Promise.all(
      payloads.map((bytes, index) =>
        storage.write(`p/${index}`, stream(bytes.subarray(0, 5000), bytes.subarray(5000)))
      ),
    );
    for (const [index, bytes] of payloads.entries()) {
      assertEquals(sha1Hex((await content(storage, `p/${index}`))!), sha1Hex(bytes));
    }
  });

  check("two writers of one name leave the content of one of them", async (storage) => {
    const [a, b] = [noise(300_000), text("short")];
    await Promise.all([storage.write("f", stream(a.subarray(0, 9), a.subarray(9))), storage.write("f", stream(b))]);
    const found = sha1Hex((await content(storage, "f"))!);
    assert(found === sha1Hex(a) || found === sha1Hex(b));
    assertEquals(await names(storage.list("")), ["f"]);
  });

  check("a conditional write has one winner among twenty, where the store has it", async (storage) => {
    if (!storage.features.conditionalWrite) {
      assertEquals(await kindOf(() => storage.write("f", text("x"), { ifAbsent: true })), "Assert");
      return;
    }
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => storage.write("race", stream(text(`w${index}`)), { ifAbsent: true })),
    );
    assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
    for (const result of results) {
      if (result.status === "rejected") assertEquals((result.reason as WalferryError).kind, "FileExists");
    }
    assertEquals(await names(storage.list("")), ["race"]);
  });

  check("leaving a read early releases it", async (storage) => {
    await storage.write("f", noise(3_000_000));
    for (let round = 0; round < 50; round++) {
      for await (const chunk of (await storage.read("f"))!) {
        assert(chunk.length > 0);
        break;
      }
    }
    assertEquals((await content(storage, "f"))?.length, 3_000_000);
  });

  check(
    "chunks may pass: from a source that uses its memory again, where the store says so, and to a reader who allows it",
    async (storage) => {
      let bytes = noise(11_500_123);
      const source = async function* () {
        const memory = new Uint8Array(storage.features.chunksPass ? 700_000 : 0);
        for (let at = 0; at < bytes.length; at += 700_000) {
          const piece = bytes.slice(at, at + 700_000);
          memory.set(piece.subarray(0, memory.length));
          yield memory.length === 0 ? piece : memory.subarray(0, piece.length);
          memory.fill(0xaa);
        }
      };
      for (const options of [{}, { uncached: true }, { uncached: true, lengthBytes: bytes.length }]) {
        // Other content each time: what is left of the last one in memory that is used again must not come back.
        bytes = bytes.map((byte, at) => byte ^ at);
        await storage.write("passing", source(), options);
        const pieces: Uint8Array[] = [];
        for await (const chunk of (await storage.read("passing", { chunksPass: true }))!) pieces.push(chunk.slice());
        assertEquals(sha1Hex(new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer())), sha1Hex(bytes));
        assertEquals(sha1Hex((await content(storage, "passing"))!), sha1Hex(bytes));
      }
      // What fails in the middle leaves nothing.
      const cut = async function* () {
        yield* source();
        throw new Error("the source broke");
      };
      await assertThrows(() => storage.write("broken", cut(), { uncached: true }));
      assertEquals(await names(storage.list("")), ["passing"]);
    },
  );

  check("links work where the store has them, and are refused where not", async (storage) => {
    if (!storage.features.symlinks) {
      assertEquals(await kindOf(() => storage.symlink("l", "target")), "Assert");
      return;
    }
    await storage.symlink("dir/latest", "one");
    await storage.symlink("dir/latest", "two");
    assertEquals((await storage.info("dir/latest"))?.destination, "two");
    for await (const entry of storage.list("dir")) assertEquals([entry.type, entry.destination], ["link", "two"]);
    await storage.remove("dir/latest");
    assertEquals(await storage.info("dir/latest"), undefined);
  });

  check("a second name of a file holds the same content, where the store has links", async (storage) => {
    await storage.write("f", text("x"));
    if (!storage.features.hardlinks) assertEquals(await kindOf(() => storage.hardlink("f", "g")), "Assert");
    else {
      await storage.hardlink("f", "d/g");
      assertEquals(await content(storage, "d/g"), text("x"));
    }
  });

  check("directories can be made and synced, also where the store has none", async (storage) => {
    await storage.makePath("x/y");
    await storage.syncPath("x/y");
    await storage.syncPath("not/there");
    assertEquals((await storage.info("x/y"))?.type, storage.features.directories ? "path" : undefined);
  });
}
