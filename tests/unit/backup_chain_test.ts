/** Chains of backups of a cluster that does not run: what each repository holds, refers to, and what makes it look closer. */
import type { WalferryError } from "../../src/errors.ts";
import { Repository } from "../../src/repository/repository.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import {
  backUp,
  BIG,
  change,
  CONTROL,
  LONG_AGO,
  own,
  RELATION,
  type Scene,
  settledScene,
  verifyBackup,
} from "../support/backup_scene.ts";
import { relationPages } from "../support/cluster_files.ts";
import { dyingRepository, STANZA } from "../support/stanza_files.ts";

Deno.test("a chain holds what has changed since, and every link can be read", async () => {
  using scene = await settledScene("secret");
  const [config] = scene.configs;
  const full = (await backUp(scene, { compress: { type: "gz" } })).report;
  change(scene, RELATION, relationPages(41));
  const first = (await backUp(scene, { type: "incr", compress: { type: "gz" } })).report;
  change(scene, "postgresql.conf", "port = 5433\n");
  Deno.removeSync(`${scene.pgPath}/base/1/2600`);
  const second = (await backUp(scene, { type: "incr", compress: { type: "gz" } })).report;
  const differential = (await backUp(scene, { type: "diff", compress: { type: "gz" } })).report;
  const manifests = [];
  for (const { label } of [full, first, second, differential]) manifests.push(await verifyBackup(config!, label));
  assertEquals(manifests.map(own).slice(1), [
    [`pg_data/${RELATION}`, CONTROL],
    [CONTROL, "pg_data/postgresql.conf"],
    [`pg_data/${RELATION}`, CONTROL, "pg_data/postgresql.conf"],
  ]);
  assertEquals(
    manifests.map(({ type, prior, references }) => [type, prior, references]),
    [
      ["full", undefined, [full.label]],
      ["incr", full.label, [full.label, first.label]],
      ["incr", first.label, [full.label, first.label, second.label]],
      ["diff", full.label, [full.label, differential.label]],
    ],
  );
  assertEquals(new Set(manifests.map(({ cipherPass }) => cipherPass)).size, 1);
  const relation = [...manifests[2]!.files].find(({ name }) => name === `pg_data/${RELATION}`);
  assertEquals(relation?.reference, first.label);
  await using repository = await Repository.open(config!);
  const info = await repository.loadBackupInfo(STANZA);
  const listed = info.backups.find(({ label }) => label === second.label)!;
  assertEquals([listed.prior, listed.references], [first.label, [full.label, first.label]]);
  const sizes = [...manifests[2]!.files].filter(({ reference }) => reference === undefined);
  assertEquals(listed.sizeDeltaBytes, sizes.reduce((total, file) => total + file.sizeBytes, 0));
  assertEquals(listed.repoSizeDeltaBytes, sizes.reduce((total, file) => total + file.repoSizeBytes, 0));
});

Deno.test("a large file that was only touched is copied, and referred to under delta", async () => {
  using scene = await settledScene(undefined);
  await backUp(scene);
  change(scene, "base/5/20000", BIG);
  change(scene, RELATION, relationPages(40));
  const touched = await verifyBackup(scene.configs[0]!, (await backUp(scene, { type: "diff" })).report.label);
  assertEquals(own(touched), ["pg_data/base/5/20000", CONTROL]);
  const { report, log } = await backUp(scene, { type: "diff", delta: true });
  const compared = await verifyBackup(scene.configs[0]!, report.label);
  assertEquals([own(compared), compared.options.delta], [[CONTROL], true]);
  assertIncludes(log.text(), `match file from prior backup ${scene.pgPath}/base/5/20000 (1.6MB, `);
  const file = [...compared.files].find(({ name }) => name === "pg_data/base/5/20000");
  assertEquals(file?.timestamp, LONG_AGO + 60);
});

Deno.test("content that changed under an old time is found by delta, which times that lie switch on", async () => {
  using scene = await settledScene(undefined);
  await backUp(scene);
  change(scene, "base/5/20000", relationPages(200, 7), LONG_AGO);
  const trusting = await backUp(scene, { type: "incr" });
  assertEquals(own(await verifyBackup(scene.configs[0]!, trusting.report.label)), [CONTROL]);
  change(scene, "PG_VERSION", "15\n", LONG_AGO - 1);
  const { report, log } = await backUp(scene, { type: "incr" });
  assertIncludes(log.text(), "WARN file 'PG_VERSION' has timestamp earlier than prior backup");
  assertEquals(own(await verifyBackup(scene.configs[0]!, report.label)), ["pg_data/base/5/20000", CONTROL]);
});

Deno.test("a file of the future switches delta on", async () => {
  using scene = await settledScene(undefined);
  await backUp(scene);
  change(scene, "postgresql.conf", "port = 1\n", 4_000_000_000);
  const { report, log } = await backUp(scene, { type: "incr" });
  assertIncludes(
    log.text(),
    "WARN file 'postgresql.conf' has timestamp (4000000000) in the future (relative to copy start ",
  );
  assertEquals((await verifyBackup(scene.configs[0]!, report.label)).options.delta, true);
});

Deno.test("compression and page checks stay those of the set, and that is said", async () => {
  using scene = await settledScene(undefined);
  const full = (await backUp(scene, { compress: { type: "gz", level: 2 }, checksumPage: true })).report;
  change(scene, RELATION, relationPages(41));
  const { report, log } = await backUp(scene, { type: "incr", compress: { type: "zst" }, checksumPage: false });
  const manifest = await verifyBackup(scene.configs[0]!, report.label);
  assertEquals([manifest.options.compressType, manifest.options.compressLevel], ["gz", 2]);
  assertEquals([...manifest.files].find(({ name }) => name === `pg_data/${RELATION}`)?.checksumPage, true);
  assertIncludes(log.text(), `INFO last backup label = ${full.label}, version = `);
  assertIncludes(
    log.text(),
    `WARN incr backup cannot alter compress-type option to 'zst', reset to value in ${full.label}`,
  );
  assertIncludes(
    log.text(),
    `WARN incr backup cannot alter 'checksum-page' option to 'false', reset to 'true' from ${full.label}`,
  );
});

Deno.test("bad pages of a file that did not change are reported in every backup of the chain", async () => {
  using scene = await settledScene(undefined);
  const bad = relationPages(40);
  bad[3 * 8192 + 5000]! ^= 1;
  change(scene, RELATION, bad, LONG_AGO);
  await backUp(scene, { checksumPage: true });
  const { report } = await backUp(scene, { type: "incr", checksumPage: true });
  const manifest = await verifyBackup(scene.configs[0]!, report.label);
  const file = [...manifest.files].find(({ name }) => name === `pg_data/${RELATION}`);
  assertEquals([file?.checksumPage, file?.checksumPageErrors], [false, [[3, 3]]]);
  await using repository = await Repository.open(scene.configs[0]!);
  assertEquals((await repository.loadBackupInfo(STANZA)).backups.map(({ error }) => error), [true, true]);
});

Deno.test("repositories with different pasts get each what it lacks from one reading", async () => {
  using scene = await settledScene(undefined, "secret", undefined);
  const [first, second] = scene.configs;
  const only = (...configs: Scene["configs"][number][]): Scene => ({ ...scene, configs });
  const older = (await backUp(only(first!, second!))).report.label;
  change(scene, RELATION, relationPages(41));
  const newer = (await backUp(only(second!))).report.label;
  change(scene, "base/5/20000", relationPages(200, 9));
  const { report, log } = await backUp(scene, { type: "incr" });
  assertEquals(report.failures, []);
  const labels = await Promise.all(scene.configs.map(async (config) => {
    await using repository = await Repository.open(config);
    return (await repository.loadBackupInfo(STANZA)).backups.at(-1)!.label;
  }));
  const moment = labels[2]!.slice(0, -1);
  assertEquals(labels, [`${older}_${moment}I`, `${newer}_${moment}I`, `${moment}F`]);
  const manifests = await Promise.all(scene.configs.map((config, at) => verifyBackup(config, labels[at]!)));
  assertEquals(manifests.slice(0, 2).map(own), [
    [`pg_data/${RELATION}`, "pg_data/base/5/20000", CONTROL],
    ["pg_data/base/5/20000", CONTROL],
  ]);
  assertEquals([manifests[2]!.type, own(manifests[2]!).length], ["full", manifests[2]!.files.length]);
  const contents = manifests.map((manifest) => [...manifest.files].map(({ name, checksum }) => [name, checksum]));
  assertEquals([contents[1], contents[2]], [contents[0], contents[0]]);
  assertIncludes(log.text(), "WARN repo3: no prior backup exists, incr backup has been changed to full");
  assertIncludes(log.text(), `INFO repo1: new backup label = ${labels[0]}`);
  assertIncludes(log.text(), `INFO repo3: full backup size = `);
  // What one repository lacks because its copy failed is taken from its own past the next time.
  const again = await backUp(scene, { type: "incr" });
  for (const [at, config] of scene.configs.entries()) {
    await using repository = await Repository.open(config);
    const label = (await repository.loadBackupInfo(STANZA)).backups.at(-1)!.label;
    const manifest = await verifyBackup(config, label);
    assertEquals([manifest.prior, own(manifest)], [labels[at], [CONTROL]]);
  }
  assertEquals(again.report.failures, []);
});

Deno.test("a repository whose prior manifest cannot be read is left out, not given a chain with a hole", async () => {
  using scene = await settledScene(undefined, undefined);
  const { label } = (await backUp(scene)).report;
  for (const name of ["backup.manifest", "backup.manifest.copy"]) {
    Deno.writeTextFileSync(`${scene.base}/repo2/backup/main/${label}/${name}`, "[backrest]\n");
  }
  const { report } = await backUp(scene, { type: "incr" });
  assertEquals(report.failures.map(({ key }) => key), [2]);
  await verifyBackup(scene.configs[0]!, report.label);
  const alone: Scene = { ...scene, configs: scene.configs.slice(1) };
  await assertThrows<WalferryError>(() => backUp(alone, { type: "incr" }));
});

Deno.test("whatever step an incremental backup dies at, the chain is whole and goes on", async () => {
  let steps: string[] = [];
  for (let died = 0;; died++) {
    using scene = await settledScene("secret");
    const config = scene.configs[0]!;
    await backUp(scene);
    change(scene, RELATION, relationPages(41));
    steps = [];
    const dying = RepositorySet.over([dyingRepository(config, died, (step) => steps.push(step))]);
    const isDone = await backUp(scene, { type: "incr" }, dying).then(() => true, () => false);
    change(scene, "postgresql.conf", "port = 5433\n");
    const last = (await backUp(scene, { type: "incr" })).report;
    await using repository = await Repository.open(config);
    const info = await repository.loadBackupInfo(STANZA);
    assertEquals([info.backups[0]!.type, info.backups.at(-1)!.label], ["full", last.label], `step ${died}: ${steps}`);
    for (const { label } of info.backups) await verifyBackup(config, label);
    if (!isDone) continue;
    assert(died >= 8, `only ${died} steps: ${steps.join(", ")}`);
    return;
  }
});

for (const how of ["is not listed", "has no manifest"] as const) {
  Deno.test(`a backup whose prior is expired elsewhere meanwhile does not become part of the catalogue: it ${how}`, async () => {
    using scene = await settledScene(undefined);
    const backups = `${scene.base}/repo1/backup/main`;
    const empty = Deno.readFileSync(`${backups}/backup.info`);
    const { label } = (await backUp(scene)).report;
    // The other host strikes while files are copied.
    let isStruck = false;
    const struck = dyingRepository(scene.configs[0]!, Infinity, (step) => {
      if (!step.includes("backup.manifest.copy") || isStruck) return;
      isStruck = true;
      for (const name of ["backup.info", "backup.info.copy"]) {
        if (how === "is not listed") Deno.writeFileSync(`${backups}/${name}`, empty);
        else Deno.removeSync(`${backups}/${label}/${name.replace("info", "manifest")}`);
      }
    });
    const set = RepositorySet.over([struck]);
    const error = await assertThrows<WalferryError>(() => backUp(scene, { type: "incr" }, set));
    assertEquals(error.code, 75);
    const left = [...Deno.readDirSync(backups)].find(({ name }) => name.endsWith("I"))!;
    assertEquals(
      [...Deno.readDirSync(`${backups}/${left.name}`)].some(({ name }) => name === "backup.manifest"),
      false,
    );
  });
}

Deno.test("with hard links the directory of a backup is a whole cluster, and its manifest refers to the earlier one all the same", async () => {
  using scene = await settledScene(undefined);
  const configs = scene.configs.map((config) => ({ ...config, hardlink: true }));
  const linked: Scene = { ...scene, configs };
  const full = (await backUp(linked)).report;
  change(scene, RELATION, relationPages(41));
  const { report } = await backUp(linked, { type: "incr" });
  const manifest = await verifyBackup(configs[0]!, report.label);
  assertEquals([own(manifest), manifest.options.hardlink], [[`pg_data/${RELATION}`, CONTROL], true]);
  const tree = `${scene.base}/repo1/backup/main/${report.label}`;
  for (const { name, reference } of manifest.files) {
    const info = Deno.statSync(`${tree}/${name}`);
    assertEquals([info.size, info.nlink], [
      [...manifest.files].find((file) => file.name === name)!.sizeBytes,
      reference === undefined ? 1 : 2,
    ]);
  }
  assert(Deno.statSync(`${tree}/pg_data/pg_notify`).isDirectory);
  // What is removed with the full backup keeps its second name.
  Deno.removeSync(`${scene.base}/repo1/backup/main/${full.label}`, { recursive: true });
  assertEquals(Deno.readFileSync(`${tree}/pg_data/base/5/20000`), BIG);
});
