/**
 * Damages of every sort to every kind of object, a few at a time, chosen by a seed: verify names each; with a second repository `--repair` mends
 * all of them, and from the mended repository alone every backup is restored as it was before, byte by byte. Whatever was sound is still there,
 * in its place or aside.
 *
 * `WALFERRY_DAMAGES` = how many (default: 6 to one repository; 24 go to two, 200 and more through all kinds of them, which takes minutes each),
 * `WALFERRY_TEST_SEED` chooses others.
 */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { hasFinalBlocks } from "../support/block_judge.ts";
import { archiveWith, grow, makeCluster, normalized, type Program, restoredDump } from "../support/interop_story.ts";
import type { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { type Damage, type Kind, KINDS, namesIt, randomFrom, type Sort, SORTS, Vandal } from "../support/vandal.ts";
import { changeTimeline, filesOf, verifyReport } from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres", "diff"];
const SEED = Number(Deno.env.get("WALFERRY_TEST_SEED") ?? 20261121);
const WANTED = Number(Deno.env.get("WALFERRY_DAMAGES") ?? 6);
/** Exit code of verify. */
const DAMAGED = 10;
/** Each backup is lost in every way; else the first one in one way. */
const IS_LONG = WANTED >= 24;
/** Damages that are there at once: one by itself now and then, else some. */
const TOGETHER = [1, 25];

interface Scene {
  readonly name: string;
  /** Who makes the backups of the first repository. */
  readonly program: Program;
  readonly compressType: string;
  readonly cipherPass?: string;
  readonly bundle: "y" | "n";
  readonly block?: "y";
  /** `mirror`: the same bytes; else the same backups in another form. */
  readonly second: "mirror" | { readonly cipherPass?: string; readonly bundle?: "y" };
  /** So many damages must be wanted for it; absent: 200. */
  readonly from?: number;
}

const SCENES: readonly Scene[] = [
  { name: "gz", program: "walferry", compressType: "gz", bundle: "n", second: { cipherPass: "two" }, from: 24 },
  {
    name: "zst, encrypted, bundles",
    program: "walferry",
    compressType: "zst",
    cipherPass: "one",
    bundle: "y",
    second: { cipherPass: "two" },
    from: 0,
  },
  { name: "none", program: "walferry", compressType: "none", bundle: "n", second: { bundle: "y", cipherPass: "two" } },
  { name: "bz2, bundles", program: "walferry", compressType: "bz2", bundle: "y", second: "mirror" },
  { name: "lz4, encrypted", program: "pgbackrest", compressType: "lz4", cipherPass: "one", bundle: "n", second: {} },
  { name: "zst, bundles", program: "pgbackrest", compressType: "zst", bundle: "y", second: { cipherPass: "two" } },
  { name: "blocks", program: "walferry", compressType: "zst", bundle: "y", block: "y", second: "mirror" },
  {
    name: "blocks, encrypted",
    program: "pgbackrest",
    compressType: "gz",
    cipherPass: "one",
    bundle: "y",
    block: "y",
    second: "mirror",
  },
];

const scenes = SCENES.filter(({ from = 200 }) => WANTED >= from)
  .filter(({ program, block }) => program === "walferry" || block === undefined || hasFinalBlocks());

for (const [at, scene] of scenes.entries()) {
  const share = Math.ceil(WANTED / scenes.length);
  testWith(
    NEEDS,
    `${share} damages of a repository of ${scene.program} (${scene.name}) are named and mended`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      const { stanza, former } = await makeScene(folder, cluster, scene);
      const dump = normalized(await cluster.dump());
      await cluster.stop();
      const root = stanza.repositories[0]!;
      const before = await restoreAll(folder, stanza, "before");
      const random = randomFrom(SEED + at);
      let done = 0;
      /** Bundles that were mended may hold bytes that nothing refers to any more: what happens to those is no damage. */
      const mendedBundles = new Set<string>();
      for (let round = 0; done < share; round++) {
        const files = (await filesOf(root)).filter((path) => !path.startsWith("walferry/") && !mendedBundles.has(path));
        const info = await stanza.must("walferry", ["--output=json", "--repo=1", "info"]);
        const firstNeeded = /"start":"([0-9A-F]{24})"/.exec(info)![1]!;
        const vandal = new Vandal(root, files, random, scene.cipherPass !== undefined, firstNeeded, former);
        const count = Math.min(TOGETHER[round % TOGETHER.length]!, share - done);
        const soundBefore = await contentsOf(root);
        const damages = await damageSome(vandal, random, count);
        const found = await verifyReport(stanza, "--repo=1");
        assertEquals([found.code, found.report.status], [DAMAGED, "error"]);
        const { code, report } = await verifyReport(stanza, "--repo=1", "--repair");
        const told = `seed ${SEED}, round ${round}: ${JSON.stringify(report.finding, null, 1)}`;
        for (const damage of damages) {
          for (const one of [found.report, report]) {
            assert(
              namesIt(one, damage),
              `${damage.sort} of ${damage.kind} ${damage.paths.join(", ")} is not named: ${told}`,
            );
          }
        }
        assertEquals(
          report.finding.filter(({ severity, repaired }) => severity === "damage" && repaired === undefined),
          [],
          told,
        );
        assertEquals([code, report.status], [0, "ok"], told);
        await assertNothingLost(root, soundBefore, new Set(damages.flatMap(({ paths }) => paths)), told);
        await assertSound(stanza, told);
        for (const path of damages.flatMap(({ paths }) => paths)) if (KINDS.bundle.test(path)) mendedBundles.add(path);
        done += damages.length;
      }
      await assertSound(stanza, "all of them");
      await loseDirectories(stanza);
      // From here on there is only the mended one.
      const config = await Deno.readTextFile(stanza.config);
      await Deno.writeTextFile(stanza.config, config.replace(/^repo2-.*\n/gm, ""));
      const after = await restoreAll(folder, stanza, "after");
      for (const [label, path] of before) {
        // The links to tablespaces lead into the copy's own.
        const other = after.get(label)!;
        await runAs(["diff", "-r", "--no-dereference", "-x", "postgresql.auto.conf", "-x", "pg_tblspc", path, other]);
        await runAs(["diff", "-r", `${path}-ts`, `${other}-ts`]);
      }
      assertEquals(await restoredDump(folder, stanza, "walferry"), dump);
      if (scene.block === undefined || hasFinalBlocks()) {
        assertEquals(await restoredDump(folder, stanza, "pgbackrest"), dump);
      }
    },
  );
}

/** Two repositories with a full, a differential and an incremental backup, and a full one behind a change of the timeline. */
async function makeScene(
  folder: TestFolder,
  cluster: TestCluster,
  { program, compressType, cipherPass, bundle, block, second }: Scene,
): Promise<{ stanza: TestStanza; former: Map<string, Uint8Array> }> {
  const repositories = [
    { cipherPass, options: { bundle, ...(block === undefined ? {} : { block }) } },
    ...(second === "mirror" ? [] : [{ cipherPass: second.cipherPass, options: { bundle: second.bundle ?? bundle } }]),
  ];
  const stanza = await TestStanza.make(folder, cluster, {
    repositories,
    global: {
      "compress-type": compressType,
      "process-max": "2",
      "log-level-console": "warn",
      "archive-timeout": "60s",
    },
  });
  const root = stanza.repositories[0]!;
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, program);
  if (block !== undefined) {
    await cluster.sql("create table large as select g id, md5(g::text) v from generate_series(1, 60000) g");
  }
  const former = new Map<string, Uint8Array>();
  for (const type of ["full", "diff", "incr", "full"]) {
    for (const name of ["backup.info", "backup.info.copy"]) {
      former.set(`backup/main/${name}`, await Deno.readFile(`${root}/backup/main/${name}`));
    }
    const isBoth = program === "walferry" && second !== "mirror";
    await stanza.must(program, [isBoth ? "--repo=all" : "--repo=1", `--type=${type}`, "--no-expire-auto", "backup"]);
    await grow(cluster);
    if (block !== undefined) await cluster.sql("update large set v = 'changed' where id = 5");
    if (type === "incr") await changeTimeline(cluster);
  }
  if (second === "mirror") {
    const mirror = `${folder.path}/mirror`;
    await runAs(["cp", "-a", root, mirror]);
    const config = await Deno.readTextFile(stanza.config);
    const lines = config.split("\n").filter((line) => line.startsWith("repo1-")).join("\n");
    await Deno.writeTextFile(
      stanza.config,
      config.replace("[main]", `${lines.replaceAll("repo1-", "repo2-").replace(root, mirror)}\n[main]`),
    );
  } else if (program === "pgbackrest") await stanza.must("walferry", ["--from=1", "--to=2", "repo-sync"]);
  await assertSound(stanza, "a repository that nobody touched");
  return { stanza, former };
}

/** Some damages that do not hide each other: no object twice, and of a file and its copy only one. */
async function damageSome(vandal: Vandal, random: () => number, count: number): Promise<Damage[]> {
  const kinds = Object.keys(KINDS) as Kind[];
  const touched = new Set<string>();
  const key = (path: string) => path.replace(/\.copy$/, "").replace(/-[0-9a-f]{40}.*/, "");
  const damages: Damage[] = [];
  for (let tries = 0; damages.length < count && tries < 100 * count; tries++) {
    const kind = kinds[Math.floor(random() * kinds.length)]!;
    const sort: Sort = SORTS[Math.floor(random() * SORTS.length)]!;
    const damage = await vandal.damage(kind, sort, (path) => !touched.has(key(path)));
    if (damage === undefined || damage.paths.some((path) => touched.has(key(path)))) continue;
    if (damage.witness !== undefined && touched.has(key(damage.witness))) continue;
    // A swap of the two of an info file changes nothing that could be told.
    if (new Set(damage.paths.map(key)).size < damage.paths.length && sort === "swap") continue;
    for (const path of damage.paths) touched.add(key(path));
    if (damage.witness !== undefined) touched.add(key(damage.witness));
    await damage.apply();
    damages.push(damage);
  }
  return damages;
}

/** Hashes of all objects, by path. */
async function contentsOf(root: string): Promise<Map<string, string>> {
  const listed = await runAs(["sh", "-c", `cd ${root} && find . -type f -exec sha1sum {} +`]);
  return new Map(listed.trim().split("\n").map((line) => [line.slice(44), line.slice(0, 40)]));
}

/** What was not damaged is where it was, or aside. Copies of what a manifest or `backup.info` says are made anew with it. */
async function assertNothingLost(
  root: string,
  before: ReadonlyMap<string, string>,
  damaged: ReadonlySet<string>,
  told: string,
): Promise<void> {
  const after = new Set((await contentsOf(root)).values());
  const lost = [...before].filter(([path, hash]) => {
    const isMadeAnew = /backup\.info|backup\.manifest\.copy$|backup\.history\//.test(path);
    return !path.startsWith("walferry/main/verif") && !isMadeAnew && !damaged.has(path) && !after.has(hash);
  });
  assertEquals(lost, [], told);
}

/** A manifest with its copy; whole directories: each backup by itself, all of them, and all WAL. */
async function loseDirectories(stanza: TestStanza): Promise<void> {
  const root = stanza.repositories[0]!;
  const labels = (await runAs(["sh", "-c", `cd ${root}/backup/main && ls -d 2*F*`])).trim().split("\n");
  const losses = [[labels[0]!], [labels[1]!], labels].map((some) => some.map((label) => `backup/main/${label}`));
  const manifests = labels.map((label) => ["", ".copy"].map((end) => `backup/main/${label}/backup.manifest${end}`));
  const wal = (await runAs(["sh", "-c", `cd ${root} && ls -d archive/main/15-1/0*/`])).trim().split("\n");
  const all = [...manifests, ...losses, wal.slice(-1), wal];
  for (const paths of IS_LONG ? all : [manifests[0]!]) {
    for (const path of paths) await runAs(["rm", "-r", `${root}/${path}`]);
    const left = await contentsOf(root);
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair");
    const told = `without ${paths.join(", ")}: ${JSON.stringify(report.finding, null, 1)}`;
    assertEquals([code, report.status], [0, "ok"], told);
    assert(report.finding.some(({ repaired }) => repaired === "repo2"), told);
    await assertNothingLost(root, left, new Set(), told);
    await assertSound(stanza, told, ["--quick"]);
  }
}

/** No damage; what is left of bundles that were replaced may lie there. */
async function assertSound(stanza: TestStanza, told: string, modes = ["--quick", "--deep"]): Promise<void> {
  for (const mode of modes) {
    const { code, report } = await verifyReport(stanza, "--repo=1", mode);
    const damages = report.finding.filter(({ severity }) => severity === "damage");
    assertEquals([code, damages], [0, []], `${mode} behind ${told}`);
    for (const { label, status } of report.backup) assertEquals(status, "valid", `${label} behind ${told}`);
  }
}

/** Every backup of the first repository, restored and not started. */
async function restoreAll(folder: TestFolder, stanza: TestStanza, name: string): Promise<Map<string, string>> {
  const [{ backup }] = JSON.parse(await stanza.must("walferry", ["--repo=1", "--output=json", "info"]));
  const restored = new Map<string, string>();
  await folder.directory(name);
  for (const { label } of backup as Array<{ label: string }>) {
    const path = await folder.directory(`${name}/${label}`, 0o700);
    await folder.directory(`${name}/${label}-ts`, 0o700);
    await stanza.must("walferry", [
      "--repo=1",
      `--set=${label}`,
      `--pg1-path=${path}`,
      `--tablespace-map-all=${path}-ts`,
      "--type=immediate",
      "restore",
    ]);
    restored.set(label, path);
  }
  assertEquals(restored.size, 4);
  return restored;
}
