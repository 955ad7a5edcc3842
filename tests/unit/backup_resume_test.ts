/** An interrupted backup is gone on with: what it stored whole is used, everything else it left is removed. */
import type { BackupOptions } from "../../src/backup/options.ts";
import { listBackupDirectories } from "../../src/repository/backup_catalog.ts";
import { Repository } from "../../src/repository/repository.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import {
  backUp,
  backUpUntil,
  change,
  CONTROL,
  LONG_AGO,
  own,
  RELATION,
  type Scene,
  settledScene,
  verifyBackup,
} from "../support/backup_scene.ts";
import { relationPages, writeFile } from "../support/cluster_files.ts";
import { withChecksum } from "../support/info_samples.ts";
import { STANZA } from "../support/stanza_files.ts";

const GZ: Partial<BackupOptions> = { compress: { type: "gz" } };

async function unfinished(scene: Scene, at = 0): Promise<string> {
  await using repository = await Repository.open(scene.configs[at]!);
  const labels = (await listBackupDirectories(repository, STANZA)).filter(({ complete }) => !complete);
  assertEquals(labels.length, 1);
  return labels[0]!.label;
}

function directoryOf(scene: Scene, label: string, at = 0): string {
  return `${scene.base}/repo${at + 1}/backup/${STANZA}/${label}`;
}

/** Cluster paths of the files that were used again. */
function resumedIn(log: { text(): string }, scene: Scene): string[] {
  const lines = log.text().matchAll(/checksum resumed file (\S+) /g);
  return [...lines].map((match) => match[1]!.slice(scene.pgPath.length + 1));
}

/** Changes the list of an interrupted backup. */
function rewriteCopy(scene: Scene, label: string, change: (text: string) => string): void {
  const copy = `${directoryOf(scene, label)}/backup.manifest.copy`;
  const text = change(Deno.readTextFileSync(copy));
  Deno.writeTextFileSync(copy, withChecksum(text.slice(0, text.lastIndexOf("[backrest]"))));
}

/** As the original writes it: of which cluster it is, and whether a standby is read, it says only at the end. */
function anonymous(text: string): string {
  return text.replace(/db-id=\d+/, "db-id=0").replace(/db-system-id=\d+/, "db-system-id=0")
    .replace(/option-backup-standby=\w+\n/, "");
}

async function checksumIn(scene: Scene, label: string, name: string): Promise<string | undefined> {
  const { files } = await verifyBackup(scene.configs[0]!, label);
  return [...files].find((file) => file.name === `pg_data/${name}`)?.checksum;
}

Deno.test("a backup that was told to stop is gone on with under its name and with its passphrase", async () => {
  using scene = await settledScene("secret", undefined);
  await backUpUntil(scene, 3, GZ);
  const label = await unfinished(scene);
  const { report, log } = await backUp(scene, { ...GZ, processMax: 1 });
  assertEquals([report.label, report.failures], [label, []]);
  assertIncludes(
    log.text(),
    `WARN repo1: resumable backup ${label} of same type exists -- invalid files will be removed then the backup will resume`,
  );
  // The largest files come first, one by one.
  assertEquals(resumedIn(log, scene).slice(0, 2), ["base/5/20000", RELATION]);
  for (const config of scene.configs) {
    const manifest = await verifyBackup(config, label);
    assertEquals([...manifest.files].some(({ reference }) => reference !== undefined), false);
  }
});

for (const type of ["incr", "diff"] as const) {
  Deno.test(`an interrupted ${type} backup is gone on with`, async () => {
    using scene = await settledScene("secret");
    const full = (await backUp(scene, GZ)).report;
    change(scene, "base/5/20000", relationPages(201));
    change(scene, RELATION, relationPages(41));
    await backUpUntil(scene, 1, { ...GZ, type });
    const label = await unfinished(scene);
    const { report, log } = await backUp(scene, { ...GZ, type });
    assertEquals(report.label, label);
    assertEquals(resumedIn(log, scene), ["base/5/20000"]);
    const manifest = await verifyBackup(scene.configs[0]!, label);
    assertEquals([manifest.prior, own(manifest)], [
      full.label,
      [`pg_data/${RELATION}`, "pg_data/base/5/20000", CONTROL],
    ]);
  });
}

Deno.test("what changed since is copied anew, what is gone or foreign is removed", async () => {
  using scene = await settledScene(undefined);
  writeFile(`${scene.pgPath}/base/9/16400`, relationPages(30));
  await backUpUntil(scene, 4);
  const label = await unfinished(scene);
  const directory = directoryOf(scene, label);
  change(scene, "base/5/20000", relationPages(200, 3));
  Deno.removeSync(`${scene.pgPath}/base/9`, { recursive: true });
  writeFile(`${directory}/pg_data/base/5/77777`, "not in any list");
  writeFile(`${directory}/pg_data/base/5/16384.12345678.pgbackrest.tmp`, "cut short");
  writeFile(`${directory}/bundle/1`, "a bundle");
  const { report, log } = await backUp(scene);
  assertEquals(report.label, label);
  const resumed = resumedIn(log, scene);
  assert(resumed.includes(RELATION) && !resumed.includes("base/5/20000"), resumed.join(" "));
  const manifest = await verifyBackup(scene.configs[0]!, label);
  const names = new Set([...manifest.files].map(({ name }) => name));
  const stored: string[] = [];
  const walk = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${directory}/${path}`)) {
      if (isDirectory) walk(`${path}/${name}`);
      else stored.push(`${path}/${name}`);
    }
  };
  walk("pg_data");
  assertEquals(stored.sort(), [...names].sort());
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), [
    "backup.manifest",
    "backup.manifest.copy",
    "pg_data",
  ]);
});

Deno.test("a stored file that is damaged is told and copied anew", async () => {
  using scene = await settledScene("secret");
  await backUpUntil(scene, 3, GZ);
  const label = await unfinished(scene);
  const path = `${directoryOf(scene, label)}/pg_data/base/5/20000.gz`;
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  Deno.writeFileSync(path, bytes);
  const { report, log } = await backUp(scene, GZ);
  assertEquals(report.label, label);
  assertIncludes(log.text(), `WARN resumed backup file ${path} does not have expected checksum `);
  await verifyBackup(scene.configs[0]!, label);
});

Deno.test("under delta a stored file counts only when the cluster's is the same", async () => {
  using scene = await settledScene(undefined);
  await backUpUntil(scene, 3, { delta: true });
  const label = await unfinished(scene);
  // Other content under the old time and size.
  const content = relationPages(200, 5);
  change(scene, "base/5/20000", content, LONG_AGO);
  const { report, log } = await backUp(scene, { delta: true });
  assertEquals(report.label, label);
  const resumed = resumedIn(log, scene);
  assert(resumed.includes(RELATION) && !resumed.includes("base/5/20000"), resumed.join(" "));
  assertEquals(Deno.readFileSync(`${directoryOf(scene, label)}/pg_data/base/5/20000`), content);
  await verifyBackup(scene.configs[0]!, label);
});

Deno.test("times that lie since the interruption make contents count", async () => {
  using scene = await settledScene(undefined);
  await backUpUntil(scene, 3);
  const label = await unfinished(scene);
  change(scene, "base/5/20000", relationPages(200, 5), LONG_AGO);
  change(scene, "PG_VERSION", "15\n", LONG_AGO - 1);
  const { report, log } = await backUp(scene);
  assertEquals(report.label, label);
  assertIncludes(log.text(), "WARN file 'PG_VERSION' has timestamp earlier than prior backup");
  const resumed = resumedIn(log, scene);
  assert(resumed.includes(RELATION) && !resumed.includes("base/5/20000"), resumed.join(" "));
  await verifyBackup(scene.configs[0]!, label);
});

const OBSTACLES: [what: string, options: Partial<BackupOptions>, reason: string][] = [
  ["resume is off", { resume: false }, "INFO backup 'LABEL' cannot be resumed: resume is disabled"],
  [
    "another type",
    { type: "full" },
    "WARN backup 'LABEL' cannot be resumed: new backup type 'full' does not match resumable backup type 'incr'",
  ],
];

for (const [what, options, reason] of OBSTACLES) {
  Deno.test(`an interrupted backup is of no use and is removed: ${what}`, async () => {
    using scene = await settledScene(undefined);
    await backUp(scene);
    change(scene, RELATION, relationPages(41));
    await backUpUntil(scene, 1, { type: "incr" });
    const label = await unfinished(scene);
    const { report, log } = await backUp(scene, { type: "incr", ...options });
    assertIncludes(log.text(), reason.replace("LABEL", label));
    assert(report.label !== label);
    assertEquals([...Deno.readDirSync(`${scene.base}/repo1/backup/main`)].some(({ name }) => name === label), false);
    await verifyBackup(scene.configs[0]!, report.label);
  });
}

Deno.test("an interrupted backup of another compression, prior, release, or none at all is of no use and is removed", async () => {
  using scene = await settledScene(undefined);
  await backUpUntil(scene, 2, GZ);
  const first = await unfinished(scene);
  await backUpUntil(scene, 2);
  const second = await unfinished(scene);
  assert(second !== first);
  const copy = `${directoryOf(scene, second)}/backup.manifest.copy`;
  const text = Deno.readTextFileSync(copy).replace(/backrest-version="[^"]*"/, 'backrest-version="2.45"');
  Deno.writeTextFileSync(copy, withChecksum(text.slice(0, text.lastIndexOf("[backrest]"))));
  await backUpUntil(scene, 2);
  const third = await unfinished(scene);
  Deno.removeSync(`${directoryOf(scene, third)}/backup.manifest.copy`);
  const { report, log } = await backUp(scene);
  assertIncludes(log.text(), `WARN backup '${third}' cannot be resumed: partially deleted by prior resume or invalid`);
  assertEquals(new Set([first, second, third, report.label]).size, 4);
  change(scene, RELATION, relationPages(41));
  await backUpUntil(scene, 1, { type: "incr" });
  const fourth = await unfinished(scene);
  Deno.writeTextFileSync(`${directoryOf(scene, fourth)}/backup.manifest.copy`, "[backrest]\n");
  const last = await backUp(scene, { type: "incr" });
  assertIncludes(last.log.text(), `WARN backup '${fourth}' cannot be resumed: unable to read `);
  await verifyBackup(scene.configs[0]!, last.report.label);
});

Deno.test("a list that does not say of which cluster it is, as the original leaves it, is believed when contents are the same", async () => {
  using scene = await settledScene(undefined);
  await backUpUntil(scene, 4);
  const label = await unfinished(scene);
  rewriteCopy(scene, label, anonymous);
  // Other content under the old time and size: a standby may have been behind.
  change(scene, "base/5/20000", relationPages(200, 5), LONG_AGO);
  const { report, log } = await backUp(scene);
  assertEquals(report.label, label);
  const resumed = resumedIn(log, scene);
  assert(resumed.includes(RELATION) && !resumed.includes("base/5/20000"), resumed.join(" "));
  await verifyBackup(scene.configs[0]!, label);
});

for (const type of ["incr", "diff"] as const) {
  Deno.test(`what the original's unfinished ${type} refers to was not read yet: it is`, async () => {
    using scene = await settledScene(undefined);
    const full = (await backUp(scene)).report.label;
    const before = Deno.readTextFileSync(`${directoryOf(scene, full)}/backup.manifest`);
    // Changed in place: the size stays.
    const content = relationPages(40, 7);
    change(scene, RELATION, content);
    change(scene, "base/5/20000", relationPages(200, 7));
    await backUpUntil(scene, 1, { type });
    const label = await unfinished(scene);
    // The original lists every file of equal size as the prior backup has it, with its time of now, before it copies anything.
    rewriteCopy(scene, label, (text) => {
      const [, entry] = new RegExp(`^pg_data/${RELATION}=(\\{.*\\})$`, "m").exec(before)!;
      const possible = { ...JSON.parse(entry!), reference: full, timestamp: LONG_AGO + 60 };
      const sorted = Object.fromEntries(Object.entries(possible).sort(([a], [b]) => (a < b ? -1 : 1)));
      return anonymous(text).replace(
        new RegExp(`^pg_data/${RELATION}=.*$`, "m"),
        `pg_data/${RELATION}=${JSON.stringify(sorted)}`,
      );
    });
    const { report, log } = await backUp(scene, { type });
    assertEquals(report.label, label);
    assertIncludes(log.text(), `resumable backup ${label} of same type exists`);
    assertEquals(await checksumIn(scene, label, RELATION), sha1Hex(content));
    await verifyBackup(scene.configs[0]!, label);
  });
}

Deno.test("what a run with delta had not compared yet is not believed by the next one without", async () => {
  using scene = await settledScene(undefined);
  await backUpUntil(scene, 5);
  const label = await unfinished(scene);
  // Stored by the first run; the second one sees a later time and has to compare it, which it does not come to.
  const content = relationPages(40, 7);
  change(scene, RELATION, content);
  await backUpUntil(scene, 1, { delta: true });
  const { report } = await backUp(scene);
  assertEquals(report.label, label);
  assertEquals(await checksumIn(scene, label, RELATION), sha1Hex(content));
  await verifyBackup(scene.configs[0]!, label);
});

Deno.test("a backup that is listed and lost its manifest is no leftover", async () => {
  using scene = await settledScene(undefined);
  const { label } = (await backUp(scene)).report;
  Deno.removeSync(`${directoryOf(scene, label)}/backup.manifest`);
  const { report } = await backUp(scene, { type: "incr" });
  assertEquals((await verifyBackup(scene.configs[0]!, report.label)).prior, label);
  await verifyBackup(scene.configs[0]!, label);
});

Deno.test("a backup that is listed and lost its manifest and the copy stays listed, and a new one does not build on it", async () => {
  using scene = await settledScene(undefined);
  const good = (await backUp(scene)).report.label;
  const lost = (await backUp(scene, { type: "incr" })).report.label;
  for (const end of ["", ".copy"]) Deno.removeSync(`${directoryOf(scene, lost)}/backup.manifest${end}`);
  const { report, log } = await backUp(scene, { type: "incr" });
  assertIncludes(log.text(), `WARN backup '${lost}' has lost its manifest, it cannot be used`);
  assertEquals((await verifyBackup(scene.configs[0]!, report.label)).prior, good);
  assertEquals(Deno.statSync(directoryOf(scene, lost)).isDirectory, true);
  await using repository = await Repository.open(scene.configs[0]!);
  const { backups } = await repository.loadBackupInfo(STANZA);
  assertEquals(backups.map(({ label }) => label), [good, lost, report.label]);
});

Deno.test("a name that another repository has a complete backup of is not used for a later one", async () => {
  using scene = await settledScene(undefined, undefined);
  await backUpUntil(scene, 3);
  const label = await unfinished(scene, 1);
  const { configs } = scene;
  const first = await backUp({ ...scene, configs: configs.slice(0, 1) });
  assertEquals(first.report.label, label);
  const { report, log } = await backUp(scene);
  assertIncludes(
    log.text(),
    `WARN repo2: backup '${label}' cannot be resumed: another repository holds a complete backup of this name`,
  );
  for (const config of configs) await verifyBackup(config, report.label);
});

Deno.test("the list of what is stored is saved each time enough is copied", async () => {
  using scene = await settledScene(undefined);
  const { log } = await backUp(scene, { manifestSaveBytes: 1, processMax: 1 });
  const saves = log.lines.filter((line) => line.includes("backup.manifest.copy saved with"));
  // Each time a hundredth of the whole is there: the two large relations, then some of the small files.
  assertEquals(saves.slice(0, 2), [
    "DETAIL repo1: backup.manifest.copy saved with 1 copied files",
    "DETAIL repo1: backup.manifest.copy saved with 2 copied files",
  ]);
  assert(saves.length < 8, saves.join("\n"));
  const silent = await backUp(scene);
  assertEquals(silent.log.text().includes("backup.manifest.copy saved"), false);
});
