/** Files stored in blocks over many made-up backups, and put together again: anew, and over what is there already. */
import { MemoryStorage } from "../../backends/memory.ts";
import { blocksOf } from "../../src/backup/block_plan.ts";
import { BlockStream } from "../../src/backup/block_stream.ts";
import { start } from "../../src/backup/copy_job.ts";
import type { FileTarget, StoredFile } from "../../src/backup/copy_request.ts";
import { type BlockMapItem, parseBlockMap } from "../../src/format/block_map.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";
import type { BlockConfig, RepositoryConfig } from "../../src/repository/config.ts";
import { planBlockReads } from "../../src/restore/block_plan.ts";
import { writeBlocks } from "../../src/restore/block_writer.ts";
import { type ByteStream, pipeline } from "../../src/stream/byte_stream.ts";
import { decryptFilter } from "../../src/stream/cipher.ts";
import { COMPRESS_TYPES } from "../../src/stream/compress_type.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect, streamOf } from "../../src/stream/sources.ts";
import { xxh3 } from "../../src/stream/xxh3.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { backUp, BIG, change, LONG_AGO, type Scene, settledScene, verifyBackup } from "../support/backup_scene.ts";
import { relationPages, temporaryDirectory, writeFile } from "../support/cluster_files.ts";
import { random } from "../support/random.ts";

const KIB = 1024;
const CONFIG: BlockConfig = {
  sizeMap: [[1024 * KIB, 16 * KIB], [16 * KIB, 8 * KIB]],
  ageMap: [[28 * 86_400, 0], [7 * 86_400, 2]],
  checksumMap: [[16 * KIB, 7]],
  superBytes: 64 * KIB,
  superFullBytes: 128 * KIB,
};
const NOW = 1_795_220_213;

function entry(sizeBytes: number, ageDays: number, other: Partial<ManifestFile> = {}): ManifestFile {
  const timestamp = NOW - ageDays * 86_400;
  return {
    name: "pg_data/a",
    sizeBytes,
    repoSizeBytes: 1,
    timestamp,
    mode: 0o600,
    user: false,
    group: false,
    ...other,
  };
}

Deno.test("which files are stored in blocks, and in which: by size, by age, and by what the earlier backup has", () => {
  const shapeOf = (file: ManifestFile, before?: ManifestFile, isFull = true) => {
    const blocks = blocksOf(file, before, "20260101-000000F", { config: CONFIG, isFull, timestampStart: NOW });
    return blocks && [
      blocks.shape.blockBytes / KIB,
      blocks.shape.checksumBytes,
      blocks.superBlockBytes / KIB,
      blocks.prior?.reference,
    ];
  };
  const inBlocks = { blockSizeBytes: 24 * KIB, blockChecksumBytes: 9, blockMapBytes: 50 };
  assertEquals(shapeOf(entry(16 * KIB - 1, 0)), undefined);
  assertEquals(shapeOf(entry(16 * KIB, 0)), [8, 6, 128, undefined]);
  assertEquals(shapeOf(entry(16 * KIB, 7)), [16, 7, 128, undefined]);
  assertEquals(shapeOf(entry(16 * KIB, 28)), undefined);
  assertEquals(shapeOf(entry(1024 * KIB, 0)), [16, 7, 128, undefined]);
  // A file of the future has no age.
  assertEquals(shapeOf(entry(1024 * KIB, -10)), [16, 7, 128, undefined]);
  assertEquals(shapeOf(entry(16 * KIB, 0), entry(32 * KIB, 1), false), [8, 6, 64, undefined]);
  assertEquals(shapeOf(entry(16 * KIB, 0), entry(16 * KIB, 1), false), undefined, "it may be the same still");
  const before = entry(80 * KIB, 40, inBlocks);
  assertEquals(shapeOf(entry(24 * KIB, 40), before, false), [24, 9, 64, "20260101-000000F"]);
  const held = { ...before, reference: "20250101-000000F" };
  assertEquals(shapeOf(entry(900 * KIB, 0), held, false), [24, 9, 64, "20250101-000000F"]);
  assertEquals(shapeOf(entry(24 * KIB - 1, 0), before, false), [8, 6, 64, undefined]);
  const short = entry(20 * KIB, 0, inBlocks);
  assertEquals(shapeOf(short, short, false), [24, 9, 64, "20260101-000000F"], "one block that is shorter");
  assertEquals(blocksOf(entry(900 * KIB, 0), held, "20260101-000000F", undefined), undefined);
});

Deno.test("the parts that are read: each super block once, neighbours in one request, nothing that is not needed", () => {
  const item = (reference: number, offset: number, block: number, bundleId = 0): BlockMapItem => ({
    reference,
    bundleId,
    offset,
    block,
    superBlockBytes: 16384,
    storedBytes: 1000,
    checksum: Uint8Array.of(block),
  });
  const items = [
    item(0, 0, 0),
    item(1, 500, 0, 7),
    item(0, 0, 1),
    item(0, 1000, 0),
    item(0, 1000, 1),
    item(0, 9_000_000, 0),
    item(1, 2500, 1, 7),
  ];
  const reads = planBlockReads(items, (_, fileBlock) => fileBlock !== 3);
  assertEquals(
    reads.map(({ reference, bundleId, offset, lengthBytes, superBlocks }) => [
      `${reference}/${bundleId} ${offset}+${lengthBytes}`,
      superBlocks.map((one) => `${one.offset}: ${one.blocks.map(({ block, fileBlock }) => `${block}>${fileBlock}`)}`),
    ]),
    [
      ["0/0 0+2000", ["0: 0>0,1>2", "1000: 1>4"]],
      ["0/0 9000000+1000", ["9000000: 0>5"]],
      ["1/7 500+3000", ["500: 0>1", "2500: 1>6"]],
    ],
  );
  assertEquals(planBlockReads(items, () => false), []);
});

/** A reader that is done with each piece before it asks for the next. */
async function* copied(stream: ByteStream): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) yield piece.slice();
}

Deno.test("files that change, grow and shrink over many backups are what they were, from every backup", async () => {
  using directory = temporaryDirectory();
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const shape = { blockBytes: 8192 * (1 + next(2)), checksumBytes: 6 + next(3) };
    const compress = { type: COMPRESS_TYPES[seed % COMPRESS_TYPES.length]! };
    const cipherPass = seed % 3 === 0 ? "secret" : undefined;
    const storage = new MemoryStorage({ type: "memory", path: "/" });
    const path = `${directory.path}/file`;
    const chunksPass = seed % 2 === 1;
    let content = Uint8Array.from({ length: 1 + next(300_000) }, () => next(256));
    let prior: BlockMapItem[] | undefined;
    let before = new Uint8Array(0);
    for (let reference = 0; reference < 5; reference++) {
      const bundleId = next(2) * (reference + 1);
      const offset = bundleId === 0 ? 0 : next(5000);
      const blocks = new BlockStream({
        shape,
        sizeBytes: content.length,
        superBlockBytes: 8192 * (1 + next(6)),
        reference,
        bundleId,
        offset,
        prior,
        compress,
        cipherPass,
        chunksPass,
      });
      const pieces = blocks.through(streamOf(content));
      const stored = await collect(chunksPass ? copied(pieces) : pieces, 10_000_000);
      const name = bundleId === 0 ? `b${reference}/f.pgbi` : `b${reference}/bundle/${bundleId}`;
      const label = `seed ${seed}, backup ${reference}`;
      if (blocks.mapBytes === 0) assertEquals([stored.length, content], [0, before], label);
      else {
        const whole = new Uint8Array(offset + stored.length);
        whole.set(stored, offset);
        await storage.write(name, whole);
        const map = stored.subarray(stored.length - blocks.mapBytes);
        const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, "raw")];
        prior = parseBlockMap(await collect(pipeline(streamOf(map), ...decrypt), 1_000_000), shape);
        const source = {
          path: name,
          offsetBytes: offset + stored.length - blocks.mapBytes,
          lengthBytes: blocks.mapBytes,
          compressType: compress.type,
          cipherPass,
        };
        for (const isDelta of [false, true]) {
          Deno.writeFileSync(path, isDelta ? before.subarray(0, content.length) : new Uint8Array(0));
          const existing: Uint8Array[] = [];
          for (let at = 0; isDelta && at < Math.min(before.length, content.length); at += shape.blockBytes) {
            existing.push(xxh3(before.subarray(at, Math.min(at + shape.blockBytes, content.length))));
          }
          using file = Deno.openSync(path, { read: true, write: true });
          let advanced = 0;
          const digest = await writeBlocks({
            file,
            path,
            sizeBytes: content.length,
            source,
            blocks: { name: "f", shape, directories: [0, 1, 2, 3, 4].map((index) => `b${index}`) },
            existing: isDelta ? existing : undefined,
            storage,
            advance: (bytes) => advanced += bytes,
          });
          assertEquals([digest, advanced], [sha1Hex(content), content.length], `${label}, delta ${isDelta}`);
          assert(sha1Hex(Deno.readFileSync(path)) === digest, label);
        }
      }
      before = content;
      content = changed(content, next);
    }
  }
});

/** Some bytes changed, some more or fewer at the end, or nothing at all. */
function changed(content: Uint8Array<ArrayBuffer>, next: (below: number) => number): Uint8Array<ArrayBuffer> {
  const sizeBytes = [content.length, content.length + next(50_000), 1 + next(content.length)][next(3)]!;
  const result = new Uint8Array(sizeBytes);
  result.set(content.subarray(0, sizeBytes));
  for (let count = next(4); count > 0; count--) result[next(sizeBytes)]! ^= 1 + next(255);
  return result;
}

/** The scene with blocks in its repositories. */
function withBlocks(scene: Scene, ...blocks: (BlockConfig | undefined)[]): Scene {
  const bundle = { sizeBytes: 1024 * KIB, limitBytes: 512 * KIB };
  const configs = scene.configs.map((config, index): RepositoryConfig => ({ ...config, bundle, block: blocks[index] }));
  return { ...scene, configs };
}

Deno.test("backups in blocks: what changed is stored, in every repository against its own past", async () => {
  using settled = await settledScene(undefined, "secret", undefined);
  const ages = { ...CONFIG, ageMap: [] };
  const scene = withBlocks(settled, ages, ages, undefined);
  const alone = { ...scene, configs: scene.configs.slice(0, 1) };
  await backUp(alone, { compress: { type: "zst" } });
  // One page of many.
  const once = BIG.slice();
  once.set(relationPages(1, 999), 8192 * 100);
  change(scene, "base/5/20000", once);
  await backUp(scene, { type: "incr", compress: { type: "zst" } });
  const twice = once.slice(0, 8192 * 150);
  twice.set(relationPages(1, 998), 8192 * 7);
  change(scene, "base/5/20000", twice, LONG_AGO + 120);
  const { report } = await backUp(scene, { type: "incr", compress: { type: "zst" } });
  const manifests = [];
  for (const config of scene.configs) {
    const label = [...Deno.readDirSync(`${(config.storage as { path: string }).path}/backup/main`)]
      .map(({ name }) => name).filter((name) => /^\d{8}-/.test(name)).sort().at(-1)!;
    manifests.push(await verifyBackup(config, label));
  }
  assertEquals(manifests[0]!.label, report.label);
  const [first, second, whole] = manifests.map(({ files }) =>
    files.values().find(({ name }) => name.endsWith("/20000"))!
  );
  assertEquals([first?.blockSizeBytes, second?.blockSizeBytes, whole?.blockSizeBytes], [16384, 16384, undefined]);
  assert(first!.repoSizeBytes < 5000 && second!.repoSizeBytes < 5000, "one block of 16 KiB, compressed");
  assert(whole!.repoSizeBytes > first!.repoSizeBytes);
  assertEquals(manifests.map(({ bundleRaw, blockIncremental }) => [bundleRaw, blockIncremental]), [
    [true, true],
    [true, true],
    [false, false],
  ]);
});

Deno.test("touched and not changed, a file in blocks is what the earlier backup has; emptied, it is nothing", async () => {
  using settled = await settledScene(undefined);
  const scene = withBlocks(settled, { ...CONFIG, ageMap: [] });
  const { report: full } = await backUp(scene);
  change(scene, "base/5/20000", BIG, LONG_AGO + 500);
  const { report, log } = await backUp(scene, { type: "incr" });
  assertIncludes(log.text(), `match file from prior backup ${scene.pgPath}/base/5/20000`);
  const manifest = await verifyBackup(scene.configs[0]!, report.label);
  const file = [...manifest.files].find(({ name }) => name.endsWith("/20000"));
  assertEquals([file?.reference, file?.timestamp], [full.label, LONG_AGO + 500]);
  change(scene, "base/5/20000", "", LONG_AGO + 600);
  const { report: last } = await backUp(scene, { type: "incr" });
  const emptied = (await verifyBackup(scene.configs[0]!, last.label)).files.values().find(({ name }) =>
    name.endsWith("/20000")
  );
  assertEquals([emptied?.sizeBytes, emptied?.reference, emptied?.blockMapBytes], [0, undefined, undefined]);
});

/** Copies one file into one repository, against a map that is there. */
async function copyOne(base: string, blocks: NonNullable<FileTarget["blocks"]>, sizeBytes: number) {
  const run = await start({
    targets: [{
      key: 1,
      storage: { type: "posix", path: `${base}/repo` },
      directory: "L",
      compress: { type: "none" },
      cipherPass: undefined,
      bundleFraming: "raw",
      reference: 1,
    }],
    pgPath: `${base}/pg`,
    pgVersionForce: undefined,
    pageBytes: 8192,
    pageHeaderCheck: true,
    bufferBytes: 65536,
  });
  const file = { name: "a", path: `${base}/pg/a`, source: "file" as const, sizeBytes, firstBlock: undefined };
  const { files } = await run({ files: [{ ...file, targets: [{ key: 1, blocks }] }], bundleId: undefined }, () => {});
  const [result] = files;
  assert(result?.status === "copied");
  return { result, stored: result.stored[0] as Extract<StoredFile, { status: "stored" }> };
}

Deno.test("content whose blocks only look like those of the earlier backup is stored after all", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const shape = { blockBytes: 8192, checksumBytes: 6 };
  const content = relationPages(4);
  writeFile(`${base}/pg/a`, content);
  const first = await copyOne(base, { shape, superBlockBytes: 65536 }, content.length);
  assertEquals(first.stored.status, "stored");
  const map = {
    path: "L/a.pgbi",
    offsetBytes: first.stored.sizeBytes - first.stored.mapBytes!,
    lengthBytes: first.stored.mapBytes!,
    shape,
  };
  const prior = { map, sizeBytes: content.length, checksum: first.result.checksum };
  const same = await copyOne(base, { shape, superBlockBytes: 65536, prior }, content.length);
  assertEquals(same.stored.status as string, "unchanged");
  // The earlier backup says that its content was another one.
  const other = { ...prior, checksum: "0".repeat(40) };
  const again = await copyOne(base, { shape, superBlockBytes: 65536, prior: other }, content.length);
  assertEquals([again.stored.status, again.stored.sizeBytes], ["stored", first.stored.sizeBytes]);
});

Deno.test("a file that was emptied while it was listed leaves nothing, and a lost map is told", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const shape = { blockBytes: 8192, checksumBytes: 6 };
  writeFile(`${base}/pg/a`, "");
  const { result, stored } = await copyOne(base, { shape, superBlockBytes: 65536 }, 3_000_000);
  assertEquals([result.sizeBytes, stored.status, stored.sizeBytes], [0, "stored", 0]);
  await assertThrows(() => Deno.statSync(`${base}/repo/L/a.pgbi`));
  writeFile(`${base}/pg/a`, relationPages(3));
  const map = { path: "K/a.pgbi", offsetBytes: 0, lengthBytes: 30, shape };
  const prior = { map, sizeBytes: 3 * 8192, checksum: "0".repeat(40) };
  const failed = await copyOne(base, { shape, superBlockBytes: 65536, prior }, 3 * 8192);
  assertEquals(failed.stored.status as string, "failed");
});

Deno.test("a file of several super blocks is stored as it was hashed, small and large", async () => {
  using directory = temporaryDirectory();
  const base = directory.path;
  const shape = { blockBytes: 8192, checksumBytes: 6 };
  for (const pages of [40, 400]) {
    const content = relationPages(pages);
    writeFile(`${base}/pg/a`, content);
    const { stored } = await copyOne(base, { shape, superBlockBytes: 65536 }, content.length);
    const bytes = Deno.readFileSync(`${base}/repo/L/a.pgbi`);
    assertEquals([sha1Hex(bytes), bytes.length], [stored.checksum!, stored.sizeBytes], `${pages} pages`);
    assertEquals(
      sha1Hex(bytes.subarray(0, content.length)),
      sha1Hex(content),
      "uncompressed, it begins with the content",
    );
  }
});
