/** The worker's side of copying, run in this thread over real files. */
import { start } from "../../src/backup/copy_job.ts";
import type { CopyRequest, CopyResult, CopySetup } from "../../src/backup/copy_request.ts";
import { orderJobs } from "../../src/backup/copy_jobs.ts";
import { storedPath } from "../../src/backup/file_store.ts";
import { planBackup } from "../../src/backup/planner.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";
import { pipeline } from "../../src/stream/byte_stream.ts";
import { decryptFilter } from "../../src/stream/cipher.ts";
import { decompressFilter } from "../../src/stream/compress.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect, readFileStream } from "../../src/stream/sources.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { makeClusterFiles, relationPages, temporaryDirectory, writeFile } from "../support/cluster_files.ts";
import { controlFileOf } from "../support/cluster_vectors.ts";

const LIMIT = 64 * 1024 * 1024;

function setupOf(base: string, targets: Partial<CopySetup["targets"][number]>[]): CopySetup {
  return {
    targets: targets.map((target, index) => ({
      key: index + 1,
      storage: { type: "posix", path: `${base}/repo${index + 1}` },
      directory: "backup/main/L",
      compress: { type: "none" },
      cipherPass: undefined,
      bundleFraming: "normal" as const,
      reference: 0,
      ...target,
    })),
    pgPath: `${base}/pg`,
    pgVersionForce: undefined,
    pageBytes: 8192,
    pageHeaderCheck: true,
    bufferBytes: 64 * 1024,
  };
}

async function copy(
  setup: CopySetup,
  request: Partial<CopyRequest> & { name: string; sizeBytes: number },
): Promise<CopyResult> {
  const run = await start(setup);
  const files = [{
    path: `${setup.pgPath}/${request.name.slice("pg_data/".length)}`,
    source: "file" as const,
    firstBlock: undefined,
    targets: setup.targets.map(({ key }) => ({ key })),
    ...request,
  }];
  return (await run({ files, bundleId: undefined }, () => {})).files[0]!;
}

type Copied = Extract<CopyResult, { status: "copied" }>;

function copied(result: CopyResult): Copied {
  assert(result.status === "copied", "the file was not found");
  return result;
}

Deno.test("one reading serves repositories with different compression and encryption", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  // Larger than what is handed over in one piece, and no multiple of the buffer.
  const content = relationPages(300);
  writeFile(`${base}/pg/base/5/1`, content);
  const setup = setupOf(base, [
    {},
    { compress: { type: "gz" }, cipherPass: "one" },
    { compress: { type: "gz" }, cipherPass: "two" },
    { compress: { type: "zst", level: 1 } },
  ]);
  const result = copied(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: content.length, firstBlock: 0 }));
  assertEquals([result.sizeBytes, result.checksum, result.pages], [content.length, sha1Hex(content), { valid: true }]);
  for (const [index, stored] of result.stored.entries()) {
    assert(stored.status === "stored");
    const target = setup.targets[index]!;
    const extension = target.compress.type === "none" ? "" : `.${target.compress.type}`;
    const path = `${base}/repo${target.key}/backup/main/L/pg_data/base/5/1${extension}`;
    const bytes = Deno.readFileSync(path);
    assertEquals([stored.key, stored.sizeBytes], [target.key, bytes.length]);
    assertEquals(stored.checksum, index === 0 ? undefined : sha1Hex(bytes), `repo${target.key}`);
    const decrypt = target.cipherPass === undefined ? [] : [decryptFilter(target.cipherPass)];
    const plain = pipeline(readFileStream(path), ...decrypt, decompressFilter(target.compress.type));
    assertEquals(sha1Hex(await collect(plain, LIMIT)), result.checksum, `repo${target.key}`);
  }
});

Deno.test("an empty file is stored as the empty stream of its compression", async () => {
  using directory = temporaryDirectory();
  writeFile(`${directory.path}/pg/base/5/1`, "");
  const setup = setupOf(directory.path, [{}, { compress: { type: "gz" } }]);
  const result = copied(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: 0, firstBlock: 0 }));
  assertEquals([result.sizeBytes, result.pages], [0, { valid: true }]);
  assertEquals(result.stored.map((one) => (one.status === "stored" ? one.sizeBytes : -1)), [0, 20]);
});

Deno.test("a file that grew is stored as long as it was listed, one that shrank as long as it is", async () => {
  using directory = temporaryDirectory();
  const content = relationPages(10);
  writeFile(`${directory.path}/pg/base/5/1`, content);
  const setup = setupOf(directory.path, [{}]);
  const stored = `${directory.path}/repo1/backup/main/L/pg_data/base/5/1`;
  const grown = copied(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: 3 * 8192, firstBlock: 0 }));
  assertEquals([grown.sizeBytes, Deno.statSync(stored).size], [3 * 8192, 3 * 8192]);
  const shrunk = copied(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: 2_000_000, firstBlock: 0 }));
  assertEquals([shrunk.sizeBytes, Deno.statSync(stored).size], [10 * 8192, 10 * 8192]);
  assertEquals(shrunk.checksum, sha1Hex(content));
});

Deno.test("a file that the server removed is missing, not an error", async () => {
  using directory = temporaryDirectory();
  Deno.mkdirSync(`${directory.path}/pg`);
  const setup = setupOf(directory.path, [{}]);
  assertEquals(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: 8192 }), { status: "missing" });
});

Deno.test("pages are numbered through the segments of a relation, and bad ones are told", async () => {
  using directory = temporaryDirectory();
  const content = relationPages(20, 131072);
  for (const page of [3, 5, 6]) content[page * 8192 + 5000]! ^= 1;
  writeFile(`${directory.path}/pg/base/5/1.1`, content);
  const setup = setupOf(directory.path, [{}]);
  const result = copied(
    await copy(setup, { name: "pg_data/base/5/1.1", sizeBytes: content.length, firstBlock: 131072 }),
  );
  const { valid, errors, badPages } = result.pages!;
  assertEquals([valid, errors], [false, [[131075, 131075], [131077, 131078]]]);
  assertEquals(badPages?.map(({ block }) => block), [131075, 131077, 131078]);
});

for (const size of [5, 400]) {
  Deno.test(`a repository that fails does not stop the others (${size} pages)`, async () => {
    using directory = temporaryDirectory();
    const base = directory.path;
    const content = relationPages(size);
    writeFile(`${base}/pg/base/5/1`, content);
    // Where the root of the second and third repository should be there is a file.
    writeFile(`${base}/broken`, "x");
    const broken = { type: "posix", path: `${base}/broken/repo` } as const;
    const gz = { type: "gz" } as const;
    const setup = setupOf(base, [{}, { storage: broken }, { storage: broken, compress: gz }, { compress: gz }]);
    const result = copied(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: content.length }));
    assertEquals(result.stored.map((one) => one.status === "failed"), [false, true, true, false]);
    assertEquals(result.checksum, sha1Hex(content));
    assertEquals(Deno.readFileSync(`${base}/repo1/backup/main/L/pg_data/base/5/1`), content);
  });
}

Deno.test("when every repository fails the result says why for each", async () => {
  using directory = temporaryDirectory();
  writeFile(`${directory.path}/pg/base/5/1`, relationPages(300));
  writeFile(`${directory.path}/broken`, "x");
  const storage = { type: "posix", path: `${directory.path}/broken/repo` } as const;
  const setup = setupOf(directory.path, [{ storage }, { storage }]);
  const result = copied(await copy(setup, { name: "pg_data/base/5/1", sizeBytes: 300 * 8192 }));
  assertEquals(result.stored.map((one) => one.status === "failed"), [true, true]);
});

Deno.test("a cluster file that cannot be read is an error of the cluster, not of the repositories", async () => {
  using directory = temporaryDirectory();
  Deno.mkdirSync(`${directory.path}/pg/base/5/1`, { recursive: true });
  const setup = setupOf(directory.path, [{}, {}]);
  // Large enough to be streamed, so that the stores have begun to write when the reading fails.
  await assertThrows(() => copy(setup, { name: "pg_data/base/5/1", sizeBytes: 3_000_000 }));
  assertEquals([...Deno.readDirSync(`${directory.path}/repo1/backup/main/L/pg_data/base/5`)], []);
});

Deno.test("the control file is stored whole, whatever size was listed", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(`${directory.path}/pg`);
  const setup = setupOf(directory.path, [{}]);
  const result = copied(await copy(setup, { name: "pg_data/global/pg_control", sizeBytes: 10, source: "control" }));
  assertEquals([result.sizeBytes, result.checksum], [8192, sha1Hex(controlFileOf("15"))]);
});

function file(name: string, sizeBytes: number): ManifestFile {
  return { name, sizeBytes, repoSizeBytes: sizeBytes, timestamp: 0, mode: 0o600, user: false, group: false };
}

Deno.test("copies begin with the largest file, and tablespaces take turns", () => {
  const files = [
    file("pg_data/a", 5),
    file("pg_data/b", 90),
    file("pg_data/c", 90),
    file("pg_tblspc/1/x", 10),
    file("pg_tblspc/1/y", 70),
    file("pg_tblspc/2/z", 1),
  ];
  const plan = planBackup(files, new Map([[1, { checksumPage: true, prior: undefined, delta: false }]]));
  assertEquals([...orderJobs(plan.copies, Infinity)].map(({ copies }) => copies.map((one) => one.file.name).join()), [
    "pg_data/b",
    "pg_tblspc/1/y",
    "pg_tblspc/2/z",
    "pg_data/c",
    "pg_tblspc/1/x",
    "pg_data/a",
  ]);
});

Deno.test("pages are checked only where there are some, and only when asked for", () => {
  const files = [file("pg_data/PG_VERSION", 1), file("pg_data/base/1/1259", 1)];
  const plan = (checksumPage: boolean) =>
    [...planBackup(files, new Map([[1, { checksumPage, prior: undefined, delta: false }]])).copies]
      .map(({ targets }) => targets.get(1)!.checkPages);
  assertEquals([plan(true), plan(false)], [[false, true], [false, false]]);
});

for (const pages of [20, 300]) {
  Deno.test(`a repository that holds the content already is given nothing, another is (${pages} pages)`, async () => {
    using directory = temporaryDirectory();
    const content = relationPages(pages);
    writeFile(`${directory.path}/pg/base/5/1`, content);
    const setup = setupOf(directory.path, [{}, {}, { compress: { type: "gz" } }]);
    const targets = [
      { key: 1, unchangedChecksum: sha1Hex(content) },
      { key: 2, unchangedChecksum: sha1Hex(relationPages(pages, 1)) },
      { key: 3 },
    ];
    const request = { name: "pg_data/base/5/1", sizeBytes: content.length, firstBlock: 0, targets };
    const result = copied(await copy(setup, request));
    assertEquals(result.stored.map(({ key, status }) => [key, status]), [[1, "unchanged"], [2, "stored"], [
      3,
      "stored",
    ]]);
    assertEquals([result.checksum, result.pages], [sha1Hex(content), { valid: true }]);
    assertEquals([...Deno.readDirSync(directory.path)].map(({ name }) => name).sort(), ["pg", "repo2", "repo3"]);
    const all = targets.map(({ key }) => ({ key, unchangedChecksum: sha1Hex(content) }));
    const nothing = copied(await copy(setup, { ...request, targets: all }));
    assertEquals(nothing.stored.map(({ status }) => status), ["unchanged", "unchanged", "unchanged"]);
  });

  Deno.test(`the same beginning is not the same content: a file that shrank is stored (${pages} pages)`, async () => {
    using directory = temporaryDirectory();
    const content = relationPages(pages);
    writeFile(`${directory.path}/pg/base/5/1`, content);
    const setup = setupOf(directory.path, [{}]);
    const targets = [{ key: 1, unchangedChecksum: sha1Hex(content) }];
    // It was listed with a page more.
    const shrunk = copied(
      await copy(setup, { name: "pg_data/base/5/1", sizeBytes: content.length + 8192, targets }),
    );
    assertEquals([shrunk.sizeBytes, shrunk.stored[0]!.status], [content.length, "stored"]);
    // It was listed with a page less: what came later is not looked at.
    const checksum = sha1Hex(content.subarray(0, content.length - 8192));
    const grown = copied(
      await copy(setup, {
        name: "pg_data/base/5/1",
        sizeBytes: content.length - 8192,
        targets: [{ key: 1, unchangedChecksum: checksum }],
      }),
    );
    assertEquals([grown.checksum, grown.stored[0]!.status], [checksum, "unchanged"]);
  });
}

Deno.test("what an interrupted run stored is kept when it is whole, and replaced when it is damaged, missing or out of date", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const content = relationPages(200);
  writeFile(`${base}/pg/base/5/1`, content);
  const encrypted = { compress: { type: "gz" }, cipherPass: "secret" } as const;
  const setup = setupOf(base, [encrypted, encrypted, {}, {}]);
  const name = "pg_data/base/5/1";
  const resumed = { checksum: sha1Hex(content), compare: false };
  const first = copied(await copy(setup, { name, sizeBytes: content.length }));
  const damaged = `${base}/repo2/backup/main/L/${name}.gz`;
  Deno.truncateSync(damaged, 1000);
  Deno.removeSync(`${base}/repo3/backup/main/L/${name}`);
  const targets = setup.targets.map((target) => {
    const stored = { path: storedPath(target, { name }), framing: "normal" as const };
    return { key: target.key, resumed: { ...resumed, stored } };
  });
  const second = copied(await copy(setup, { name, sizeBytes: content.length, firstBlock: 0, targets }));
  assertEquals(second.stored.map(({ key, status }) => [key, status]), [
    [1, "resumed"],
    [4, "resumed"],
    [2, "stored"],
    [3, "stored"],
  ]);
  const bytes = (stored: Copied["stored"][number]) =>
    stored.status === "resumed" && [stored.sizeBytes, stored.checksum];
  const original = first.stored[0]!;
  assert(original.status === "stored");
  assertEquals(bytes(second.stored[0]!), [original.sizeBytes, original.checksum]);
  assertEquals(bytes(second.stored[1]!), [content.length, undefined]);
  assertEquals(second.stored[2]!.status === "stored" && second.stored[2]!.damaged, damaged);
  const other = relationPages(200, 9);
  writeFile(`${base}/pg/base/5/1`, other);
  const compared = targets.map((target) => ({ ...target, resumed: { ...target.resumed, compare: true } }));
  const third = copied(await copy(setup, { name, sizeBytes: content.length, targets: compared }));
  assertEquals(third.stored.map(({ status }) => status), ["stored", "stored", "stored", "stored"]);
  assertEquals(Deno.readFileSync(`${base}/repo4/backup/main/L/${name}`), other);
});
