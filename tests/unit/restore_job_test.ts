/** What a worker of a restore does: which files come together, what is read together, what is written and what is left alone. */
import { MemoryStorage } from "../../backends/memory.ts";
import type { ReadOptions } from "../../backends/contract.ts";
import { WalferryError } from "../../src/errors.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";
import { batchesOf } from "../../src/restore/batches.ts";
import { NearReads, type Readable, WINDOW_BYTES } from "../../src/restore/near_reads.ts";
import { start } from "../../src/restore/write_job.ts";
import type { StoredSource, WriteRequest, WriteResult } from "../../src/restore/write_request.ts";
import { encryptBytes } from "../../src/stream/cipher.ts";
import { compressBytes } from "../../src/stream/compress.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect, concatenate } from "../../src/stream/sources.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { relationPages, temporaryDirectory, writeFile } from "../support/cluster_files.ts";

const PASS = "a passphrase";
const TIME = 1_700_000_000;

function member(path: string, offsetBytes: number, lengthBytes: number): StoredSource {
  const extent = { offsetBytes, lengthBytes };
  return { key: 1, path, ...extent, extent, compressType: "none", framing: "normal", cipherPass: undefined };
}

/** A store in memory with two objects, and what was asked of it. */
async function recordedStore(failing?: (path: string, options: ReadOptions) => WalferryError | undefined) {
  const storage = new MemoryStorage({ type: "memory", path: "/near" });
  const bytes = Uint8Array.from({ length: 3 * WINDOW_BYTES }, (_, at) => at % 251);
  for (const path of ["a", "b"]) await storage.write(path, bytes);
  const asked: string[] = [];
  const store: Readable = {
    location: storage.location,
    read: (path, options = {}) => {
      asked.push(`${path} ${options.offsetBytes ?? 0}+${options.lengthBytes ?? "end"}`);
      const error = failing?.(path, options);
      return error === undefined ? storage.read(path, options) : Promise.reject(error);
    },
  };
  const read = async (near: NearReads, { path, offsetBytes, lengthBytes }: StoredSource) => {
    const found = (await near.read(path, { offsetBytes, lengthBytes }))!;
    const content = await collect(found, WINDOW_BYTES * 3);
    assertEquals(sha1Hex(content), sha1Hex(bytes.subarray(offsetBytes, offsetBytes! + lengthBytes!)));
  };
  return { asked, store, read };
}

Deno.test("members of a bundle that are near come with one request, those that are far or large by themselves", async () => {
  const { asked, store, read } = await recordedStore();
  const sources = [
    member("a", 0, 1000),
    member("a", 1000, 5000),
    // Not needed is what lies between.
    member("a", 200_000, 10),
    member("a", 1_000_000, 10),
    member("a", 1_000_010, WINDOW_BYTES - 1000),
    member("a", 1_000_010 + WINDOW_BYTES - 1000, 1000),
    member("b", 0, 10),
    member("b", 10, WINDOW_BYTES + 1),
  ];
  const near = new NearReads(store, sources);
  for (const source of sources) await read(near, source);
  assertEquals(asked, [
    "a 0+200010",
    `a 1000000+${WINDOW_BYTES - 990}`,
    `a ${1_000_010 + WINDOW_BYTES - 1000}+1000`,
    "b 0+10",
    `b 10+${WINDOW_BYTES + 1}`,
  ]);
});

Deno.test("a part of a member, such as its map of blocks, comes from what was read", async () => {
  const { asked, store, read } = await recordedStore();
  const near = new NearReads(store, [member("a", 0, 1000), member("a", 1000, 500)]);
  await read(near, member("a", 1400, 100));
  await read(near, member("a", 0, 900));
  assertEquals(asked, ["a 0+1500"]);
});

Deno.test("a store that fails is asked once, damage is looked for member by member", async () => {
  const sources = [member("a", 0, 10), member("a", 10, 10)];
  const down = await recordedStore(() => new WalferryError("HostConnect", "nobody answers"));
  const none = new NearReads(down.store, sources);
  for (const source of sources) {
    assertEquals((await assertThrows<WalferryError>(() => down.read(none, source))).kind, "HostConnect");
  }
  assertEquals(down.asked.length, 1);
  const cut = await recordedStore((_path, { offsetBytes = 0, lengthBytes = 0 }) =>
    offsetBytes + lengthBytes > 10 ? new WalferryError("FileRead", "cut") : undefined
  );
  const some = new NearReads(cut.store, sources);
  await cut.read(some, sources[0]!);
  await assertThrows(() => cut.read(some, sources[1]!));
});

Deno.test("small files share a job, members of one bundle only with each other", () => {
  const file = (name: string, sizeBytes: number, more: Partial<ManifestFile> = {}): ManifestFile => (
    { name, sizeBytes, repoSizeBytes: sizeBytes, timestamp: 1, mode: 0o600, user: false, group: false, ...more }
  );
  const files = [
    file("large", 2_000_000),
    file("a", 1000),
    file("b", 10),
    file("empty", 0),
    file("c", 10, { bundleId: 1 }),
    file("d", 10, { bundleId: 1, bundleOffset: 10 }),
    file("e", 10, { bundleId: 1, reference: "F" }),
    file("f", 10, { bundleId: 2 }),
  ];
  const names = (isDistant: boolean) =>
    [...batchesOf(files, isDistant)].map((batch) => batch.map(({ name }) => name).join(" "));
  assertEquals(names(false), ["large", "a b empty", "c d", "e", "f"]);
  assertEquals(names(true), ["large", "a", "b empty", "c d", "e", "f"]);
  const many = Array.from({ length: 600 }, (_, at) => file(`${at}`, 20_000));
  assertEquals([...batchesOf(many, false)].map(({ length }) => length), [256, 256, 88]);
});

/** A bundle of three members in a directory, and the requests for them. */
async function bundleOf(base: string, contents: readonly Uint8Array[]): Promise<WriteRequest[]> {
  const requests: WriteRequest[] = [];
  const members: Uint8Array[] = [];
  let offsetBytes = 0;
  for (const [at, content] of contents.entries()) {
    const stored = await encryptBytes(PASS, await compressBytes({ type: "zst" }, content));
    const extent = { offsetBytes, lengthBytes: stored.length };
    requests.push({
      path: `${base}/restored/${at}`,
      sizeBytes: content.length,
      checksum: sha1Hex(content),
      mode: 0o640,
      owner: undefined,
      timestamp: TIME,
      source: {
        key: 1,
        path: "bundle/1",
        ...extent,
        extent,
        compressType: "zst",
        framing: "normal",
        cipherPass: PASS,
      },
      delta: false,
      trustBefore: undefined,
    });
    members.push(stored);
    offsetBytes += stored.length;
  }
  writeFile(`${base}/repo/bundle/1`, concatenate(members, offsetBytes));
  Deno.mkdirSync(`${base}/restored`);
  return requests;
}

async function runJob(base: string, files: readonly WriteRequest[]) {
  const job = await start({ stores: [{ key: 1, storage: { type: "posix", path: `${base}/repo` } }] });
  let bytes = 0;
  const result = await job({ files }, (count) => bytes += count);
  const told = (one: WriteResult) => one.status === "failed" ? one.error.kind : one.status;
  const messages = result.files.flatMap((one) => one.status === "failed" ? [one.error.message] : []);
  return { statuses: result.files.map(told), messages, bytes };
}

Deno.test("a damaged member of a bundle fails alone; the others are there with content, mode and time", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const contents = [relationPages(3), relationPages(40), new TextEncoder().encode("last")];
  const requests = await bundleOf(base, contents);
  const stored = Deno.readFileSync(`${base}/repo/bundle/1`);
  stored[requests[1]!.source!.offsetBytes! + 200]! ^= 1;
  Deno.writeFileSync(`${base}/repo/bundle/1`, stored);
  const { statuses, messages } = await runJob(base, requests);
  assertEquals([statuses[0], statuses[2]], ["written", "written"]);
  assert(["Checksum", "Format", "Crypto"].includes(statuses[1]!), statuses[1]);
  const at = requests[1]!.source!.offsetBytes;
  const [place, ...more] = messages[0]!.split(": ");
  assertEquals(place, `error restoring '${base}/restored/1' from '${base}/repo/bundle/1' at offset ${at}`);
  assert(more.length > 0 && !more.join().includes(base), messages[0]);
  for (const at of [0, 2]) {
    const path = `${base}/restored/${at}`;
    assertEquals(Deno.readFileSync(path), contents[at]!);
    const { mode, mtime } = Deno.statSync(path);
    assertEquals([mode! & 0o7777, mtime!.getTime()], [0o640, TIME * 1000]);
  }
  // Of the damaged one nothing was written.
  assertEquals(Deno.statSync(`${base}/restored/1`).size, 0);
});

Deno.test("long runs of zeros become holes, wherever they are", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const zeros = new Uint8Array(400_000);
  const pages = relationPages(10);
  const contents = [
    concatenate([pages, zeros, pages], 2 * pages.length + zeros.length),
    concatenate([pages, zeros], pages.length + zeros.length),
    zeros,
    // Too large to be held in memory.
    new Uint8Array(3_000_000),
  ];
  const requests = await bundleOf(base, contents);
  const { statuses, bytes } = await runJob(base, requests);
  assertEquals(statuses, contents.map(() => "written"));
  assertEquals(bytes, contents.reduce((sum, { length }) => sum + length, 0));
  for (const [at, content] of contents.entries()) {
    assertEquals(sha1Hex(Deno.readFileSync(`${base}/restored/${at}`)), sha1Hex(content));
    const { blocks, size } = Deno.statSync(`${base}/restored/${at}`);
    assertEquals(size, content.length);
    assert(blocks! * 512 < size / 2, `${at}: ${blocks} blocks for ${size} bytes`);
  }
});

Deno.test("a delta restore reads of a bundle only what is wrong, and mends mode and time of what is right", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const contents = [relationPages(3), relationPages(30), relationPages(5)];
  const requests = (await bundleOf(base, contents)).map((request) => ({ ...request, delta: true }));
  assertEquals((await runJob(base, requests)).statuses, ["written", "written", "written"]);
  Deno.chmodSync(`${base}/restored/0`, 0o600);
  Deno.utimeSync(`${base}/restored/0`, 1, 1);
  writeFile(`${base}/restored/2`, relationPages(6));
  // What is not read may be damaged.
  const stored = Deno.readFileSync(`${base}/repo/bundle/1`);
  stored.fill(0, 0, requests[2]!.source!.offsetBytes!);
  Deno.writeFileSync(`${base}/repo/bundle/1`, stored);
  const { statuses, bytes } = await runJob(base, requests);
  // One page too many is cut off, which is all that was wrong.
  assertEquals(statuses, ["kept", "kept", "kept"]);
  assertEquals(bytes, contents.reduce((sum, { length }) => sum + length, 0));
  writeFile(`${base}/restored/2`, relationPages(4));
  assertEquals((await runJob(base, requests)).statuses, ["kept", "kept", "written"]);
  for (const [at, content] of contents.entries()) {
    assertEquals(Deno.readFileSync(`${base}/restored/${at}`), content);
    const { mode, mtime } = Deno.statSync(`${base}/restored/${at}`);
    assertEquals([mode! & 0o7777, mtime!.getTime()], [0o640, TIME * 1000], `${at}`);
  }
});

/** Watches what is made durable for as long as it is held. @param onSync hears of each file before it is synced, and may throw */
function watchSyncs(onSync: (file: Deno.FsFile) => void): Disposable {
  const { syncSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.syncSync = function () {
    onSync(this);
    syncSync.call(this);
  };
  return { [Symbol.dispose]: () => void (Deno.FsFile.prototype.syncSync = syncSync) };
}

Deno.test("a file gets its time when its content is durable: what is only in memory must not be believed after a power cut", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  // More than are made durable together.
  const contents = [...Array.from({ length: 40 }, (_, at) => relationPages(1 + at % 3)), new Uint8Array(0)];
  const requests = await bundleOf(base, contents);
  const timeOf = (at: number) => Deno.statSync(`${base}/restored/${at}`).mtime!.getTime();
  const timesAtSync: number[] = [];
  {
    using _watch = watchSyncs((file) => timesAtSync.push(file.statSync().mtime!.getTime()));
    await runJob(base, requests);
  }
  assertEquals(timesAtSync.length, contents.length);
  assert(!timesAtSync.includes(TIME * 1000), "a file had its time before it was synced");
  for (const at of contents.keys()) assertEquals(timeOf(at), TIME * 1000, `${at}`);

  // One that cannot be made durable keeps another time, and the others are done all the same.
  {
    let count = 0;
    using _watch = watchSyncs(() => {
      if (++count === 2) throw new Error("Input/output error");
    });
    const { statuses } = await runJob(base, requests);
    assertEquals(statuses.filter((status) => status !== "written"), ["FileSync"]);
  }
  assert(timeOf(1) !== TIME * 1000);
  for (const at of [0, 2, 40]) assertEquals(timeOf(at), TIME * 1000, `${at}`);

  // The next restore finds its content right. That does not make it durable; what has its time already is.
  const synced: number[] = [];
  using _watch = watchSyncs((file) => synced.push(file.statSync().ino!));
  const { statuses } = await runJob(base, requests.slice(0, 3).map((request) => ({ ...request, delta: true })));
  assertEquals(statuses, ["kept", "kept", "kept"]);
  assertEquals(synced, [Deno.statSync(`${base}/restored/1`).ino!]);
  assertEquals(timeOf(1), TIME * 1000);
});
