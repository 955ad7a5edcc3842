/** What a killed backup has stored since its last saved list is known from the journal: bundles, blocks, single files. */
import { CopiedJournals, type JournalRun } from "../../src/backup/copied_journal.ts";
import type { BackupOptions } from "../../src/backup/options.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import {
  backUp,
  BIG,
  change,
  killBackUp,
  LONG_AGO,
  RELATION,
  type Scene,
  settledScene,
  verifyBackup,
} from "../support/backup_scene.ts";
import { relationPages, temporaryDirectory, writeFile } from "../support/cluster_files.ts";
import type { RecordingLog } from "../support/recording_log.ts";
import { STANZA } from "../support/stanza_files.ts";

const KIB = 1024;
const ZST: Partial<BackupOptions> = { compress: { type: "zst" } };
const BUNDLE = { sizeBytes: 32 * KIB, limitBytes: 64 * KIB };
const BLOCKS = { superBytes: 64 * KIB, superFullBytes: 128 * KIB, ageMap: [], checksumMap: [] };

/** A scene with many small files, and its repositories with other settings. */
async function smallFilesScene(config: Partial<RepositoryConfig>, ...passphrases: (string | undefined)[]) {
  const scene = await settledScene(...passphrases);
  for (let at = 0; at < 30; at++) change(scene, `base/5/${30000 + at}`, relationPages(1, at), LONG_AGO + at);
  return { ...scene, configs: scene.configs.map((one) => ({ ...one, ...config })) };
}

/** How a backup came by its files, by their paths in the cluster. */
function filesIn(log: RecordingLog, scene: Scene, how: "backup file" | "checksum resumed file"): string[] {
  const lines = log.text().matchAll(new RegExp(`^DETAIL ${how} (\\S+) `, "gm"));
  return [...lines].map((match) => match[1]!.slice(scene.pgPath.length + 1)).sort();
}

function journalOf(scene: Scene, key = 1): string {
  return `${scene.pgPath}-spool/walferry/${STANZA}/resume/repo${key}`;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

for (const cipherPass of [undefined, "secret"]) {
  for (const block of [undefined, { ...BLOCKS, sizeMap: [[16 * KIB, 8 * KIB]] as [number, number][] }]) {
    const what = `${cipherPass === undefined ? "plain" : "encrypted"}, ${
      block === undefined ? "whole files" : "blocks"
    }`;
    Deno.test(`a backup with bundles that is killed twice copies nothing again (${what})`, async () => {
      using scene = await smallFilesScene({ bundle: BUNDLE, block }, cipherPass);
      await killBackUp(scene, 24, ZST);
      const once = Deno.readTextFileSync(journalOf(scene)).split("\n").length - 2;
      assert(once >= 20, `${once} files are noted`);
      await killBackUp(scene, 35, ZST);
      const { report, log } = await backUp(scene, ZST);
      assertIncludes(log.text(), "resumable backup ");
      const copied = filesIn(log, scene, "backup file");
      const resumed = filesIn(log, scene, "checksum resumed file");
      assert(resumed.length >= 30, log.text());
      assert(resumed.includes(RELATION) && resumed.includes("base/5/20000") && resumed.includes("base/5/30000"));
      assert(copied.includes("global/pg_control") && !copied.includes("base/5/20000"), copied.join(" "));
      const manifest = await verifyBackup(scene.configs[0]!, report.label);
      assertEquals(copied.length + resumed.length, [...manifest.files].filter(({ sizeBytes }) => sizeBytes > 0).length);
      assertEquals(isThere(journalOf(scene)), false, "nobody will go on with it");
      // Whatever lies there belongs to a file of the manifest.
      const bundles = new Set(
        [...manifest.files].flatMap(({ bundleId }) => (bundleId === undefined ? [] : [`${bundleId}`])),
      );
      const stored = [...Deno.readDirSync(`${scene.base}/repo1/backup/${STANZA}/${report.label}/bundle`)];
      assertEquals(new Set(stored.map(({ name }) => name)), bundles);
    });
  }
}

Deno.test("an interrupted incremental backup in blocks goes on, with what it had compared", async () => {
  using scene = await smallFilesScene({
    bundle: BUNDLE,
    block: { ...BLOCKS, sizeMap: [[16 * KIB, 8 * KIB]] },
  }, "secret");
  await backUp(scene, ZST);
  const changed = BIG.slice();
  changed.set(relationPages(1, 999), 8192 * 100);
  change(scene, "base/5/20000", changed);
  // Touched only: they are read, and found as they were.
  for (let at = 0; at < 10; at++) change(scene, `base/5/${30000 + at}`, relationPages(1, at), LONG_AGO + 60);
  for (let at = 10; at < 20; at++) change(scene, `base/5/${30000 + at}`, relationPages(1, at + 500), LONG_AGO + 60);
  await killBackUp(scene, 18, { ...ZST, type: "incr" });
  const { report, log } = await backUp(scene, { ...ZST, type: "incr" });
  assert(filesIn(log, scene, "checksum resumed file").includes("base/5/20000"), log.text());
  assert(
    [...log.text().matchAll(/match file from prior backup/g)].length < 4,
    "what was compared is not compared again",
  );
  assert(filesIn(log, scene, "backup file").length <= 8, log.text());
  const manifest = await verifyBackup(scene.configs[0]!, report.label);
  const big = [...manifest.files].find(({ name }) => name.endsWith("/20000"))!;
  assertEquals([big.reference, big.blockSizeBytes], [undefined, 8 * KIB]);
  const touched = [...manifest.files].find(({ name }) => name.endsWith("/30000"))!;
  assertEquals([touched.reference, touched.timestamp], [manifest.prior, LONG_AGO + 60]);
});

Deno.test("a bundle most of which has changed since is not kept for the rest", async () => {
  using scene = await smallFilesScene({ bundle: BUNDLE }, undefined);
  await killBackUp(scene, 30);
  const bundles = () => {
    const directory = [...Deno.readDirSync(`${scene.base}/repo1/backup/${STANZA}`)].find(({ name }) =>
      name.endsWith("F")
    )!;
    return [...Deno.readDirSync(`${scene.base}/repo1/backup/${STANZA}/${directory.name}/bundle`)].length;
  };
  const before = bundles();
  assert(before >= 4, `${before} bundles`);
  for (let at = 0; at < 20; at++) {
    if (at % 4 !== 0) change(scene, `base/5/${30000 + at}`, relationPages(1, at + 500), LONG_AGO + 90);
  }
  const { report, log } = await backUp(scene);
  const resumed = filesIn(log, scene, "checksum resumed file");
  assertEquals(resumed.filter((name) => name === "base/5/30004" || name === "base/5/30008"), []);
  assert(resumed.includes("base/5/20000"));
  await verifyBackup(scene.configs[0]!, report.label);
});

Deno.test("a member of a bundle that is damaged is told and stored anew, its neighbours are used", async () => {
  using scene = await smallFilesScene({ bundle: BUNDLE }, "secret");
  await killBackUp(scene, 30, ZST);
  const line = Deno.readTextFileSync(journalOf(scene)).split("\n").find((one) => one.includes("/30002"))!;
  const { bundleId, bundleOffset } = JSON.parse(line.slice(9)) as ManifestFile;
  const [label] = [...Deno.readDirSync(`${scene.base}/repo1/backup/${STANZA}`)].filter(({ name }) =>
    name.endsWith("F")
  );
  const path = `${scene.base}/repo1/backup/${STANZA}/${label!.name}/bundle/${bundleId}`;
  const bytes = Deno.readFileSync(path);
  bytes[bundleOffset! + 30]! ^= 1;
  Deno.writeFileSync(path, bytes);
  const { report, log } = await backUp(scene, ZST);
  assertIncludes(log.text(), `WARN resumed backup file ${path} does not have expected checksum `);
  assert(filesIn(log, scene, "backup file").includes("base/5/30002"));
  assert(filesIn(log, scene, "checksum resumed file").includes("base/5/30003"));
  const manifest = await verifyBackup(scene.configs[0]!, report.label);
  const mended = [...manifest.files].find(({ name }) => name.endsWith("/30002"))!;
  assert(mended.bundleId! > bundleId!, "a new bundle, behind those that are there");
});

Deno.test("repositories that bundle and that do not are each gone on with", async () => {
  using settled = await smallFilesScene({}, undefined, "secret");
  const scene = {
    ...settled,
    configs: settled.configs.map((config, at) => (at === 0 ? { ...config, bundle: BUNDLE } : config)),
  };
  await killBackUp(scene, 30, ZST);
  const path = journalOf(scene, 2);
  const lines = Deno.readTextFileSync(path).split("\n");
  // The second host of one of them forgot the last files.
  Deno.writeTextFileSync(path, `${lines.slice(0, 12).join("\n")}\n${lines[12]!.slice(0, 40)}`);
  const { report, log } = await backUp(scene, ZST);
  assertEquals(report.failures, []);
  assert(filesIn(log, scene, "checksum resumed file").length >= 8, log.text());
  for (const config of scene.configs) await verifyBackup(config, report.label);
  assertEquals([journalOf(scene, 1), path].map(isThere), [false, false]);
});

const DAMAGES: [what: string, damage: (text: string) => string, isUsed: boolean][] = [
  ["a flipped character in one line", (text) => text.replace(/("name":"pg_data\/base\/5\/)20001/, "$130001"), true],
  ["the end cut off", (text) => text.slice(0, -30), true],
  ["of another run", (text) => text.replace(/"timestampStart":\d+/, '"timestampStart":1'), false],
  ["empty", () => "", false],
  ["no text", () => "\u0000\n".repeat(100), false],
];

for (const [what, damage, isUsed] of DAMAGES) {
  Deno.test(`a journal that is damaged does no harm: ${what}`, async () => {
    using scene = await settledScene(undefined);
    writeFile(`${scene.pgPath}/base/5/20001`, relationPages(100));
    Deno.utimeSync(`${scene.pgPath}/base/5/20001`, LONG_AGO, LONG_AGO);
    await killBackUp(scene, 4);
    Deno.writeTextFileSync(journalOf(scene), damage(Deno.readTextFileSync(journalOf(scene))));
    const { report, log } = await backUp(scene);
    assertEquals(filesIn(log, scene, "checksum resumed file").includes("base/5/20000"), isUsed);
    if (what.startsWith("a flipped")) assert(filesIn(log, scene, "backup file").includes("base/5/20001"));
    await verifyBackup(scene.configs[0]!, report.label);
  });
}

Deno.test("without a place for a journal the backup is made, and says so once", async () => {
  using scene = await settledScene(undefined);
  writeFile(`${scene.base}/blocked`, "a file");
  const { report, log } = await backUp(scene, { spoolPath: `${scene.base}/blocked/spool` });
  assertEquals([...log.text().matchAll(/no journal of the files/g)].length, 1, log.text());
  await verifyBackup(scene.configs[0]!, report.label);
});

Deno.test("with resume switched off no journal is kept, and that of a run before goes away", async () => {
  using scene = await settledScene(undefined);
  await killBackUp(scene, 4);
  assert(isThere(journalOf(scene)));
  await killBackUp(scene, 4, { resume: false });
  assertEquals(isThere(journalOf(scene)), false);
});

const RUN: JournalRun = {
  repository: "/repo",
  label: "20261121-100000F",
  systemId: 7_000_000_000_000_000_001n,
  timestampStart: 10,
  timestampCopyStart: 11,
};

Deno.test("a journal gives back what was noted, and only to its own run", async () => {
  using directory = temporaryDirectory();
  const journals = new CopiedJournals(directory.path, STANZA);
  const owner = { mode: 0o600, user: "postgres", group: "postgres" } as const;
  const files: ManifestFile[] = [
    { name: "pg_data/ä b\n", sizeBytes: 1, timestamp: 2, repoSizeBytes: 3, checksum: "c".repeat(40), ...owner },
    {
      name: "pg_data/base/1/2",
      sizeBytes: 16384,
      sizeOriginalBytes: 24576,
      timestamp: 2,
      repoSizeBytes: 3,
      repoChecksum: "a".repeat(40),
      checksum: "c".repeat(40),
      reference: "20261120-100000F",
      bundleId: 4,
      bundleOffset: 0,
      blockSizeBytes: 8192,
      blockChecksumBytes: 6,
      blockMapBytes: 7,
      checksumPage: false,
      checksumPageErrors: [[1, 2], [5, 5]],
      ...owner,
    },
  ];
  {
    using writer = await journals.begin(1, RUN, () => 0);
    for (const file of files) writer.add(file);
    await writer.flush();
  }
  const plain = (list: Iterable<ManifestFile>) => JSON.parse(JSON.stringify([...list])) as unknown;
  assertEquals(plain(journals.read(1, RUN, owner)), plain(files));
  for (
    const other of [
      { repository: "/other" },
      { label: "20261121-100001F" },
      { systemId: 1n },
      { timestampStart: 9 },
      { timestampCopyStart: 12 },
    ]
  ) {
    assertEquals([...journals.read(1, { ...RUN, ...other }, owner)], []);
  }
  assertEquals([...journals.read(2, RUN, owner)], []);
  journals.remove(1);
  assertEquals([...journals.read(1, RUN, owner)], []);
});
