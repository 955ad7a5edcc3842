/** Whole backups of a cluster that does not run, into repositories of files, with the real workers. */
import { runBackup } from "../../src/backup/backup.ts";
import { WalferryError } from "../../src/errors.ts";
import { listBackupDirectories } from "../../src/repository/backup_catalog.ts";
import type { BlockConfig, RepositoryConfig } from "../../src/repository/config.ts";
import { Repository } from "../../src/repository/repository.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { backUp, sceneOf, verifyBackup } from "../support/backup_scene.ts";
import { relationPages, writeFile } from "../support/cluster_files.ts";
import { dyingRepository, offlineBackupOptions, STANZA, testContext } from "../support/stanza_files.ts";

Deno.test("one run writes the same backup to an open and to an encrypted repository", async () => {
  using scene = await sceneOf(undefined, "secret");
  const { report, log } = await backUp(scene, { compress: { type: "gz" }, annotations: new Map([["who", "me"]]) });
  assertEquals(report.failures, []);
  const [open, encrypted] = [
    await verifyBackup(scene.configs[0]!, report.label),
    await verifyBackup(scene.configs[1]!, report.label),
  ];
  assertEquals(
    [...open.files].map(({ name, checksum }) => [name, checksum]),
    [...encrypted.files].map(({ name, checksum }) => [name, checksum]),
  );
  assertEquals([open.cipherPass === undefined, encrypted.cipherPass?.length], [true, 64]);
  assertEquals(open.files.length, report.files);
  assertEquals([open.type, open.references, open.options.online, open.annotations.get("who")], [
    "full",
    [report.label],
    false,
    "me",
  ]);
  const control = [...open.files].find(({ name }) => name === "pg_data/global/pg_control");
  assertEquals([control?.sizeBytes, control?.checksumPage], [8192, undefined]);
  assertIncludes(log.text(), `INFO new backup label = ${report.label}`);
  assertIncludes(log.text(), /INFO full backup size = [0-9.]+KB, file total = 13/);
  await using repository = await Repository.open(scene.configs[0]!);
  const info = await repository.loadBackupInfo(STANZA);
  assertEquals(info.backups.map(({ label, type, error }) => [label, type, error]), [[report.label, "full", false]]);
  assertEquals(Deno.readLinkSync(`${scene.base}/repo1/backup/main/latest`), report.label);
});

Deno.test("an uncompressed full backup is a tree with every directory and the links of tablespaces", async () => {
  using scene = await sceneOf(undefined);
  writeFile(`${scene.base}/ts/PG_15_202209061/5/16385`, "x");
  Deno.symlinkSync(`${scene.base}/ts`, `${scene.pgPath}/pg_tblspc/16384`);
  const { report } = await backUp(scene);
  await verifyBackup(scene.configs[0]!, report.label);
  const tree = `${scene.base}/repo1/backup/main/${report.label}`;
  assert(Deno.statSync(`${tree}/pg_data/pg_notify`).isDirectory);
  assertEquals(Deno.readLinkSync(`${tree}/pg_data/pg_tblspc/16384`), "../../pg_tblspc/16384");
  assertEquals(Deno.readTextFileSync(`${tree}/pg_data/pg_tblspc/16384/PG_15_202209061/5/16385`), "x");
});

const KIB = 1024;
const BLOCKS: BlockConfig = {
  sizeMap: [[16 * KIB, 8 * KIB]],
  ageMap: [],
  checksumMap: [],
  superBytes: 16 * KIB,
  superFullBytes: 16 * KIB,
};
/** Name and content of files that are written anew, and of one that grows by pages. */
const REPLACED = new Map([
  ["postgresql.auto.conf", "work_mem = '4MB'\nwal_level = 'logical'\n"],
  ["pg_logical/replorigin_checkpoint", "x".repeat(40 * KIB)],
  ["pg_stat/pgstat.stat", "y".repeat(3000 * KIB)],
]);

Deno.test("what is written anew while a backup runs is stored whole, what grows by WAL only as far as it was listed", async () => {
  using scene = await sceneOf(undefined, undefined, "secret");
  const extras: Partial<RepositoryConfig>[] = [
    {},
    { bundle: { sizeBytes: 1024 * KIB, limitBytes: 64 * KIB } },
    { bundle: { sizeBytes: 1024 * KIB, limitBytes: 64 * KIB }, block: BLOCKS },
  ];
  const configs = scene.configs.map((config, at) => ({ ...config, ...extras[at] }));
  const before = { "postgresql.auto.conf": 17, "pg_logical/replorigin_checkpoint": 20 * KIB, "pg_stat/pgstat.stat": 9 };
  for (const type of ["full", "incr"] as const) {
    for (const [name, sizeBytes] of Object.entries(before)) {
      writeFile(`${scene.pgPath}/${name}`, type[0]!.repeat(sizeBytes));
    }
    const relation = `${scene.pgPath}/base/5/16384`;
    const listedBytes = Deno.statSync(relation).size;
    let listed = false;
    const repositories = configs.map((config) =>
      dyingRepository(config, Infinity, (step) => {
        if (listed || !step.endsWith("backup.manifest.copy")) return;
        listed = true;
        for (const [name, content] of REPLACED) writeFile(`${scene.pgPath}/${name}`, content);
        Deno.writeFileSync(relation, relationPages(1), { append: true });
      })
    );
    const { report } = await backUp({ ...scene, configs }, { type, delta: true }, RepositorySet.over(repositories));
    for (const config of configs) {
      const { files } = await verifyBackup(config, report.label);
      const found = new Map([...files].map((file) => [file.name, file]));
      for (const [name, content] of REPLACED) {
        const file = found.get(`pg_data/${name}`);
        assertEquals(file?.checksum, sha1Hex(new TextEncoder().encode(content)), `${name} in ${config.key}`);
      }
      assertEquals(found.get("pg_data/base/5/16384")?.sizeBytes, listedBytes);
    }
  }
});

Deno.test("pages with a wrong checksum are reported and recorded, and the backup stands", async () => {
  using scene = await sceneOf(undefined);
  const path = `${scene.pgPath}/base/5/16384`;
  const content = Deno.readFileSync(path);
  for (const page of [3, 5, 6, 7]) content[page * 8192 + 5000]! ^= 1;
  Deno.writeFileSync(path, content);
  const { report, log } = await backUp(scene, { checksumPage: true });
  const manifest = await verifyBackup(scene.configs[0]!, report.label);
  const file = [...manifest.files].find(({ name }) => name === "pg_data/base/5/16384");
  assertEquals([file?.checksumPage, file?.checksumPageErrors], [false, [[3, 3], [5, 7]]]);
  assertIncludes(log.text(), `WARN invalid page checksums found in file ${path} at pages 3, 5-7`);
  assertIncludes(log.text(), /WARN page 5 of file \S+, LSN \w+\/\w+: checksum \d+ in its header, \d+ by its content/);
  await using repository = await Repository.open(scene.configs[0]!);
  assertEquals((await repository.loadBackupInfo(STANZA)).backups[0]?.error, true);
});

Deno.test("a repository that cannot take part is left out and named, the other has the backup", async () => {
  using scene = await sceneOf(undefined, undefined);
  Deno.removeSync(`${scene.base}/repo2/backup`, { recursive: true });
  const { report, log } = await backUp(scene);
  await verifyBackup(scene.configs[0]!, report.label);
  assertEquals(report.failures.map(({ key, error }) => [key, error.code]), [[2, 55]]);
  assertIncludes(log.text(), "ERROR repo2 is left out of this backup");
});

Deno.test("a cluster of another stanza is refused with 51", async () => {
  using scene = await sceneOf(undefined);
  using other = await sceneOf(undefined);
  await using repository = await Repository.open(scene.configs[0]!);
  const info = await repository.loadBackupInfo(STANZA);
  const archive = await repository.loadArchiveInfo(STANZA);
  for (const one of [info, archive]) one.history = one.history.map((entry) => ({ ...entry, systemId: 7n })) as never;
  await repository.saveBackupInfo(STANZA, info);
  await repository.saveArchiveInfo(STANZA, archive);
  const error = await assertThrows<WalferryError>(() => backUp({ ...scene, pgPath: other.pgPath }));
  assertEquals(error.code, 51);
  assertIncludes(error.text, "HINT: is this the correct stanza?");
});

Deno.test("info files that tell different histories stop the backup with 28", async () => {
  using scene = await sceneOf(undefined);
  await using repository = await Repository.open(scene.configs[0]!);
  const archive = await repository.loadArchiveInfo(STANZA);
  archive.history = [...archive.history, { ...archive.history[0]!, id: 2 }];
  archive.currentId = 2;
  await repository.saveArchiveInfo(STANZA, archive);
  assertEquals((await assertThrows<WalferryError>(() => backUp(scene))).code, 28);
});

Deno.test("a cluster that runs is backed up offline only by force", async () => {
  using scene = await sceneOf(undefined);
  writeFile(`${scene.pgPath}/postmaster.pid`, "1\n");
  assertEquals((await assertThrows<WalferryError>(() => backUp(scene))).code, 38);
  const { report, log } = await backUp(scene, { force: true });
  await verifyBackup(scene.configs[0]!, report.label);
  assertIncludes(log.text(), "WARN --no-online passed and postmaster.pid exists but --force was passed");
});

Deno.test("without a control file there is no backup", async () => {
  using scene = await sceneOf(undefined);
  Deno.removeSync(`${scene.pgPath}/global/pg_control`);
  assertEquals((await assertThrows<WalferryError>(() => backUp(scene))).code, 55);
});

Deno.test("an incremental backup without a prior one becomes a full backup", async () => {
  using scene = await sceneOf(undefined);
  const { report, log } = await backUp(scene, { type: "incr" });
  assertEquals(report.type, "full");
  assertIncludes(log.text(), "WARN no prior backup exists, incr backup has been changed to full");
});

Deno.test("a backup that is told to stop ends with the reason and leaves no entry", async () => {
  using scene = await sceneOf(undefined);
  const abort = new AbortController();
  const context = testContext(scene.clock, abort.signal);
  await using repositories = await RepositorySet.open(scene.configs);
  const error = await assertThrows<WalferryError>(() =>
    runBackup({
      walSources: RepositorySet.over([]),
      options: offlineBackupOptions(scene.pgPath, scene.configs, { processMax: 1 }),
      repositories,
      context,
      onProgress: () => abort.abort(new WalferryError("Term", "terminated on signal SIGTERM")),
    })
  );
  assertEquals(error.code, 63);
  const repository = repositories.repositories[0]!;
  assertEquals((await repository.loadBackupInfo(STANZA)).backups, []);
  assertEquals((await listBackupDirectories(repository, STANZA)).map(({ complete }) => complete), [false]);
});

Deno.test("whatever step a backup dies at, the next one works and nothing is lost or half there", async () => {
  // The first run tells how many steps there are.
  let steps: string[] = [];
  {
    using scene = await sceneOf("secret");
    await backUp(
      scene,
      {},
      RepositorySet.over([dyingRepository(scene.configs[0]!, Infinity, (step) => steps.push(step))]),
    );
  }
  const total = steps.length;
  assert(total >= 9, `only ${total} steps: ${steps.join(", ")}`);
  for (let died = 0; died < total; died++) {
    using scene = await sceneOf("secret");
    const config = scene.configs[0]!;
    const first = (await backUp(scene)).report.label;
    steps = [];
    const dying = RepositorySet.over([dyingRepository(config, died, (step) => steps.push(step))]);
    await assertThrows(() => backUp(scene, {}, dying));
    await using repository = await Repository.open(config);
    const left = (await listBackupDirectories(repository, STANZA)).filter(({ complete }) => complete).map(({ label }) =>
      label
    );
    const last = (await backUp(scene)).report.label;
    const info = await repository.loadBackupInfo(STANZA);
    const where = `died at step ${died}: ${steps[died]}`;
    assertEquals(info.backups.map(({ label }) => label), [...new Set([first, ...left, last])].sort(), where);
    for (const { label } of info.backups) await verifyBackup(config, label);
    assertEquals((await listBackupDirectories(repository, STANZA)).filter(({ complete }) => !complete), [], where);
  }
});

Deno.test("what a crash left unfinished is removed, also when the removal itself was cut short", async () => {
  using scene = await sceneOf(undefined);
  const leftover = `${scene.base}/repo1/backup/main/20200101-000000F`;
  writeFile(`${leftover}/backup.manifest.copy`, "x");
  writeFile(`${leftover}/pg_data/base/1/1259`, "x");
  const config = scene.configs[0]!;
  // Two removals: the copy of the manifest, then the rest; the process dies between them.
  await assertThrows(() => backUp(scene, {}, RepositorySet.over([dyingRepository(config, 0, () => {})])));
  assertEquals([...Deno.readDirSync(leftover)].map(({ name }) => name), ["pg_data"]);
  const { log } = await backUp(scene);
  assertIncludes(log.text(), "WARN backup '20200101-000000F' cannot be resumed");
  await assertThrows(() => Deno.statSync(leftover), (error) => assert(error instanceof Deno.errors.NotFound));
});
