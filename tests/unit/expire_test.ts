/** What is left of a repository behind `expire`: backups and WAL of plain files whose content does not matter. */
import { expire as expireCommand } from "../../src/commands/expire.ts";
import { WalferryError } from "../../src/errors.ts";
import { type BackupInfo, type BackupInfoEntry } from "../../src/format/backup_info.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { DebtLedger } from "../../src/repository/debts.ts";
import { annotateBackup } from "../../src/repository/annotate.ts";
import { expireRepositories } from "../../src/repository/expire.ts";
import type { ExpireOptions } from "../../src/repository/options.ts";
import { PIN } from "../../src/repository/keep.ts";
import { Repository } from "../../src/repository/repository.ts";
import { BACKREST_VERSION } from "../../src/version.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { ONLINE } from "../support/backup_options.ts";
import { hurryingClock, repositoryConfig, STANZA, testContext } from "../support/stanza_files.ts";

const CLUSTERS = [
  { id: 1, pgVersion: "14", systemId: 1000n },
  { id: 2, pgVersion: "15", systemId: 2000n },
] as const;
const HASH = "0123456789012345678901234567890123456789";

const segment = (number: number, timeline = 1) =>
  `${String(timeline).padStart(8, "0")}00000000${number.toString(16).toUpperCase().padStart(8, "0")}`;
const label = (day: number) => `202601${String(day).padStart(2, "0")}-000000F`;

interface MadeBackup {
  readonly label: string;
  readonly start?: string;
  readonly stop?: string;
  readonly historyId?: number;
  readonly other?: Partial<BackupInfoEntry>;
}

function full(
  day: number,
  start: number,
  stop: number,
  more: Partial<MadeBackup> & { timeline?: number } = {},
): MadeBackup {
  const { timeline = 1, ...rest } = more;
  return { label: label(day), start: segment(start, timeline), stop: segment(stop, timeline), ...rest };
}

function entryOf({ label, start, stop, historyId = 1, other }: MadeBackup): BackupInfoEntry {
  return {
    label,
    type: label.endsWith("F") ? "full" : label.endsWith("D") ? "diff" : "incr",
    backrestFormat: 5,
    backrestVersion: BACKREST_VERSION,
    archiveStart: start,
    archiveStop: stop,
    repoSizeBytes: 1,
    repoSizeDeltaBytes: 1,
    sizeBytes: 1,
    sizeDeltaBytes: 1,
    timestampStart: 0,
    timestampStop: 60,
    historyId,
    options: ONLINE,
    ...other,
  };
}

/** A repository of some clusters with these backups, and WAL by archive id. */
class Made {
  readonly config: RepositoryConfig;
  readonly path: string;

  private constructor(config: RepositoryConfig, path: string) {
    this.config = config;
    this.path = path;
  }

  static async make(
    folder: TestFolder,
    key: number,
    backups: readonly MadeBackup[],
    wal: Readonly<Record<string, readonly string[]>>,
    config: Partial<RepositoryConfig> = {},
    clusters = 1,
  ): Promise<Made> {
    const path = await folder.directory(`repo${key}`);
    const made = new Made({ ...repositoryConfig(key, path), ...config }, path);
    await using repository = await Repository.open(made.config);
    const history = CLUSTERS.slice(0, clusters).map((entry) => ({ ...entry }));
    const head = { backrestVersion: BACKREST_VERSION, currentId: clusters };
    await repository.saveArchiveInfo(STANZA, { ...head, history });
    const info: BackupInfo = {
      ...head,
      history: history.map((entry) => ({ ...entry, catalogVersion: 1, controlVersion: 1 })),
      backups: backups.map(entryOf),
    };
    await repository.saveBackupInfo(STANZA, info);
    for (const { label } of backups) {
      await repository.storage.write(repository.backupPath(STANZA, label, "backup.manifest"), new Uint8Array(1));
    }
    for (const [archiveId, names] of Object.entries(wal)) {
      for (const name of names) {
        const file = name.length === 24 ? `${name.slice(0, 16)}/${name}-${HASH}` : name;
        await repository.storage.write(repository.archivePath(STANZA, `${archiveId}/${file}`), new Uint8Array(1));
      }
    }
    return made;
  }

  /** Names of the WAL that is left, sorted, without hashes. */
  async wal(archiveId = "14-1"): Promise<string[]> {
    await using repository = await Repository.open(this.config);
    const found: string[] = [];
    for await (
      const { name, type } of repository.storage.list(repository.archivePath(STANZA, archiveId), { recurse: true })
    ) {
      if (type === "file") found.push(name.split("/").at(-1)!.slice(0, 24));
    }
    return found.sort();
  }

  async labels(): Promise<string[]> {
    await using repository = await Repository.open(this.config);
    return (await repository.loadBackupInfo(STANZA)).backups.map(({ label }) => label);
  }
}

function optionsFor(
  made: readonly Made[],
  others: readonly Made[],
  options: Partial<ExpireOptions>,
): ExpireOptions {
  const all = [...made, ...others];
  return {
    stanza: STANZA,
    repositories: made.map(({ config }) => config),
    backupSources: all.filter(({ config }) => config.role !== "wal").map(({ config }) => config),
    oldest: false,
    plan: false,
    dryRun: options.plan ?? false,
    archiveKeys: all.map(({ config }) => config.key),
    lockPath: "/nonexistent",
    spoolPath: "/nonexistent",
    ...options,
  };
}

async function expire(
  made: readonly Made[],
  others: readonly Made[],
  options: Partial<ExpireOptions> = {},
): Promise<{ readonly log: string; readonly told: string }> {
  let told = "";
  const context = { ...testContext(hurryingClock()), output: (text: string | Uint8Array) => void (told += text) };
  await expireRepositories(optionsFor(made, others, options), context).catch((error) => {
    throw new Error(`${(error as Error).message}\n${context.log.text()}`);
  });
  return { log: context.log.text(), told };
}

const keep = (full: number) => ({ retention: { fullType: "count", full, archiveType: "full", keep: {} } }) as const;
const segments = (from: number, to: number, timeline = 1) =>
  Array.from({ length: to - from + 1 }, (_, index) => segment(from + index, timeline));

Deno.test("expire: what another repository is owed stays, until it has it or is no longer configured", async () => {
  await using folder = await TestFolder.make();
  const first = await Made.make(
    folder,
    1,
    [full(1, 2, 3), full(2, 20, 21)],
    { "14-1": [...segments(0, 25), "00000002.history"] },
    keep(1),
  );
  const second = await Made.make(folder, 2, [full(1, 2, 3)], { "14-1": segments(0, 9) }, keep(9));
  const spoolPath = await folder.directory("spool");
  const ledger = new DebtLedger(spoolPath, STANZA);
  const owe = (walName: string, systemId: bigint) =>
    ledger.record(2, { walName, systemId, checksum: HASH, sizeBytes: 1, sinceMs: 1, reason: "away" });
  for (const name of [...segments(10, 14), segment(16)]) owe(name, 1000n);
  owe(segment(5), 2000n);
  const { told } = await expire([first], [second], { spoolPath, plan: true });
  assertIncludes(told, `14-1: WAL ${segment(10)} to ${segment(14)} stays: repo2 is owed it`);
  assertEquals((await first.wal()).length, 27);
  const { log } = await expire([first], [second], { spoolPath });
  assertIncludes(log, `WARN repo1: 14-1 WAL ${segment(10)} to ${segment(14)} stays: repo2 is owed it`);
  assertEquals(await first.wal(), [...segments(10, 14), segment(16), ...segments(20, 25), "00000002.history"]);
  assertEquals(await first.labels(), [label(2)]);
  // What cannot be understood may be about any file of that name.
  await Deno.writeTextFile(ledger.pathOf(2, segment(16)), "damaged");
  for (const name of segments(10, 14)) ledger.settle(2, name);
  await expire([first], [second], { spoolPath });
  assertEquals(await first.wal(), [segment(16), ...segments(20, 25), "00000002.history"]);
  await expire([first], [], { spoolPath });
  assertEquals(await first.wal(), [...segments(20, 25), "00000002.history"]);
});

Deno.test("expire: a former cluster's WAL goes without its last backup, but for what is owed of it", async () => {
  await using folder = await TestFolder.make();
  const made = await Made.make(
    folder,
    1,
    [full(1, 2, 3), full(2, 1, 1, { historyId: 2 })],
    { "14-1": [...segments(0, 5), "00000003.history"], "15-2": segments(1, 3) },
    keep(1),
    2,
  );
  const other = await Made.make(folder, 2, [], {}, keep(1), 2);
  const spoolPath = await folder.directory("spool");
  for (const walName of [segment(4), "00000003.history"]) {
    new DebtLedger(spoolPath, STANZA)
      .record(2, { walName, systemId: 1000n, checksum: HASH, sizeBytes: 1, sinceMs: 1, reason: "away" });
  }
  await expire([made], [other], { spoolPath });
  assertEquals(await made.wal("14-1"), [segment(4), "00000003.history"]);
  await expire([made], [other]);
  assertEquals([await made.wal("14-1"), await made.wal("15-2")], [[], segments(1, 3)]);
});

Deno.test("expire: a repository without backups keeps the WAL of every backup, whatever its timeline, and lets former clusters go", async () => {
  await using folder = await TestFolder.make();
  const source = await Made.make(
    folder,
    1,
    [full(1, 12, 13, { timeline: 2 }), full(2, 20, 21)],
    { "14-1": segments(0, 25) },
    keep(9),
  );
  const wal = { ...keep(9), role: "wal" } as const;
  const target = await Made.make(folder, 2, [], { "14-1": [...segments(0, 25), ...segments(10, 14, 2)] }, wal);
  const { told } = await expire([target], [source], { plan: true });
  assertIncludes(told, `14-1: WAL from ${segment(20)} on stays`);
  await expire([target], [source]);
  assertEquals(await target.wal(), [...segments(20, 25), ...segments(10, 14, 2)]);

  await using upgraded = await TestFolder.make();
  const newer = await Made.make(upgraded, 1, [full(3, 2, 2, { historyId: 2 })], {}, keep(9), 2);
  const both = await Made.make(upgraded, 2, [], { "14-1": segments(0, 3), "15-2": segments(0, 3) }, wal, 2);
  await expire([both], [newer], { archiveExpireBefore: segment(1) });
  assertEquals([await both.wal("14-1"), await both.wal("15-2")], [[], segments(1, 3)]);
  const empty = await Made.make(upgraded, 3, [], {}, keep(9), 2);
  const unsure = await Made.make(upgraded, 4, [], { "14-1": segments(0, 3) }, wal, 2);
  assertIncludes((await expire([unsure], [newer, empty])).log, "14-1 no archive to remove");
  assertEquals(await unsure.wal("14-1"), segments(0, 3));
});

Deno.test("expire --plan: of a repository without backups it tells what the run itself would leave", async () => {
  await using folder = await TestFolder.make();
  const source = await Made.make(folder, 1, [full(1, 2, 3), full(2, 6, 7)], { "14-1": segments(1, 9) }, keep(1));
  const wal = { ...keep(1), role: "wal" } as const;
  const target = await Made.make(folder, 2, [], { "14-1": segments(1, 9) }, wal);
  const { told } = await expire([target, source], [], { plan: true });
  assertIncludes(told, `repo2: 14-1: WAL from ${segment(6)} on stays`);
  assertEquals([await target.wal(), await source.labels()], [segments(1, 9), [label(1), label(2)]]);
  await expire([target, source], []);
  assertEquals([await target.wal(), await source.labels()], [segments(6, 9), [label(2)]]);
});

Deno.test("expire: the last backup of all cannot be named away, also when it is of a former cluster", async () => {
  await using folder = await TestFolder.make();
  const made = await Made.make(folder, 1, [full(1, 2, 3)], { "14-1": segments(2, 3) }, keep(9), 2);
  await assertThrows<Error>(
    () => expire([made], [], { set: label(1) }),
    ({ message }) => assertIncludes(message, `full backup ${label(1)} cannot be expired until another full backup`),
  );
  assertEquals(await made.labels(), [label(1)]);
  const two = await Made.make(folder, 2, [full(1, 2, 3), full(2, 4, 5)], {}, keep(9));
  const { told } = await expire([two], [], { set: label(2), plan: true });
  assertIncludes(told, `remove backup ${label(2)}: named by --set`);
  assertIncludes(told, `keep   backup ${label(1)}`);
  await expire([two], [], { set: label(2) });
  assertEquals(await two.labels(), [label(1)]);
});

Deno.test("expire --oldest: the oldest that nothing else keeps goes; with none WAL goes by the retention alone", async () => {
  await using folder = await TestFolder.make();
  const pinned = { other: { annotations: new Map([[PIN, "audit"]]) } };
  const backups = [full(1, 2, 3, pinned), full(2, 10, 11), full(3, 20, 21)];
  const made = await Made.make(folder, 1, backups, { "14-1": segments(0, 25) }, keep(9));
  await expire([made], [], { oldest: true });
  assertEquals(await made.labels(), [label(1), label(3)]);
  assertEquals(await made.wal(), segments(2, 25));
  const { log } = await expire([made], [], { oldest: true });
  assertIncludes(log, "expire oldest requested but no eligible full backup");
  assertEquals([await made.labels(), await made.wal()], [[label(1), label(3)], segments(2, 25)]);

  const single = await Made.make(folder, 2, [full(3, 20, 21)], { "14-1": segments(0, 25) }, keep(1));
  await expire([single], [], { oldest: true });
  assertEquals([await single.labels(), await single.wal()], [[label(3)], segments(20, 25)]);
});

Deno.test("expire --archive-expire-before: without a retention it counts only while there is no backup", async () => {
  await using folder = await TestFolder.make();
  const made = await Made.make(folder, 1, [full(1, 10, 11)], { "14-1": segments(0, 12) });
  const { told } = await expire([made], [], { archiveExpireBefore: segment(5), plan: true });
  assertIncludes(told, "repo1: all WAL stays (option 'repo-retention-archive' is not set)");
  await expire([made], [], { archiveExpireBefore: segment(5) });
  assertEquals(await made.wal(), segments(0, 12));
  const wal = [...segments(0, 12), ...segments(5, 12, 3), "00000002.history", "00000003.history"];
  const empty = await Made.make(folder, 2, [], { "14-1": wal });
  await expire([empty], [], { archiveExpireBefore: segment(5, 3) });
  // As the original, and as pg_archivecleanup: history files stay.
  assertEquals(await empty.wal(), ["00000002.history", "00000003.history", ...segments(5, 12, 3)].sort());
});

/** Takes the manifest of a backup away; its files stay. */
async function loseManifest({ path }: Made, label: string): Promise<void> {
  const directory = `${path}/backup/${STANZA}/${label}`;
  await Deno.remove(`${directory}/backup.manifest`);
  await Deno.writeTextFile(`${directory}/content`, "x");
}

async function hasContent({ path }: Made, label: string): Promise<boolean> {
  return await Deno.stat(`${path}/backup/${STANZA}/${label}/content`).then(() => true, () => false);
}

Deno.test("expire: a backup that lost its manifest stays listed, with what builds on it, so that it can be mended", async () => {
  await using folder = await TestFolder.make();
  const diff = `${label(1)}_20260102-000000D`;
  const made = await Made.make(
    folder,
    1,
    [
      full(1, 2, 3),
      { ...full(2, 4, 5), label: diff, other: { prior: label(1), references: [label(1)] } },
      full(3, 6, 7),
      full(4, 8, 9, { other: { annotations: new Map([[PIN, "why"]]) } }),
    ],
    { "14-1": segments(1, 9) },
    keep(1),
  );
  await loseManifest(made, label(1));
  await loseManifest(made, label(4));
  // It does not count: the newest one that can be used stays. What would go if it counted goes.
  const { told } = await expire([made], [], { plan: true });
  assertIncludes(told, `remove backup ${diff}: it has lost its manifest, or builds on one that has`);
  assertIncludes(told, `keep   backup ${label(3)}: one of the newest 1 full backups`);
  assertIncludes(told, `keep   backup ${label(4)}: it has lost its manifest`);
  for (let run = 0; run < 2; run++) {
    assertIncludes((await expire([made], [])).log, `backup '${label(4)}' has lost its manifest`);
    assertEquals(await made.labels(), [label(3), label(4)]);
    assertEquals([await hasContent(made, label(1)), await hasContent(made, label(4))], [false, true]);
    assertEquals(await made.wal(), segments(6, 9));
  }
  await assertThrows<Error>(
    () => expire([made], [], { set: label(4) }),
    ({ message }) => assertIncludes(message, `backup ${label(4)} cannot be expired: ${label(4)} is pinned`),
  );
  await annotateBackup({
    stanza: STANZA,
    repositories: [made.config],
    set: label(4),
    annotations: new Map([[PIN, ""]]),
    lockPath: "/nonexistent",
  }, testContext(hurryingClock()));
  await expire([made], [], { set: label(4) });
  assertEquals([await made.labels(), await hasContent(made, label(4))], [[label(3)], false]);
});

Deno.test("expire: the WAL of a backup that lost its manifest stays, and it goes when it is named", async () => {
  await using folder = await TestFolder.make();
  const made = await Made.make(
    folder,
    1,
    [full(1, 2, 3, { historyId: 1 }), full(2, 2, 3, { historyId: 2 }), full(3, 6, 7, { historyId: 2 })],
    { "14-1": segments(1, 4), "15-2": segments(1, 9) },
    { retention: { fullType: "count", full: 9, archive: 1, archiveType: "full", keep: {} } },
    2,
  );
  for (const day of [1, 2]) await loseManifest(made, label(day));
  await expire([made], []);
  assertEquals(await made.labels(), [label(1), label(2), label(3)]);
  assertEquals([await made.wal("14-1"), await made.wal("15-2")], [segments(1, 4), [
    ...segments(2, 3),
    ...segments(6, 9),
  ]]);
  await expire([made], [], { set: label(1) });
  assertEquals(await made.labels(), [label(2), label(3)]);
  assertEquals([await hasContent(made, label(1)), await hasContent(made, label(2))], [false, true]);
  assertEquals(await made.wal("14-1"), []);
});

Deno.test("expire: a backup without a manifest that is not listed stays while another builds on it, and goes else", async () => {
  await using folder = await TestFolder.make();
  const diff = `${label(1)}_20260102-000000D`;
  const made = await Made.make(folder, 1, [full(1, 2, 3), full(2, 4, 5), full(3, 6, 7)], {}, keep(9));
  for (const day of [1, 2]) await loseManifest(made, label(day));
  await using repository = await Repository.open(made.config);
  const info = await repository.loadBackupInfo(STANZA);
  await repository.saveBackupInfo(STANZA, { ...info, backups: info.backups.slice(2) });
  await repository.storage.write(repository.backupPath(STANZA, diff, "backup.manifest"), new Uint8Array(1));
  const { log } = await expire([made], []);
  assertIncludes(log, `backup ${label(1)} has lost its manifest, it is kept`);
  assertEquals([await hasContent(made, label(1)), await hasContent(made, label(2))], [true, false]);
});

Deno.test("expire --plan: a reader that leaves is told once, and is no failure of a repository", async () => {
  await using folder = await TestFolder.make();
  const made = [
    await Made.make(folder, 1, [full(1, 2, 3), full(2, 20, 21)], { "14-1": segments(0, 25) }, keep(1)),
    await Made.make(folder, 2, [full(1, 2, 3), full(2, 20, 21)], { "14-1": segments(0, 25) }, keep(1)),
  ];
  let writes = 0;
  const context = {
    ...testContext(hurryingClock()),
    output: () => {
      if (++writes > 1) throw new WalferryError("FileWrite", "unable to write to standard output: Broken pipe");
    },
  };
  const options = optionsFor(made, [], { plan: true, lockPath: await folder.directory("lock") });
  const error = await assertThrows<WalferryError>(() => expireCommand(options, context));
  assertEquals([error.kind, writes], ["FileWrite", 2]);
  assert(!context.log.text().includes("ERROR"), context.log.text());
});

Deno.test("expire: what was moved to another disk, with a link in its place, is there", async () => {
  await using folder = await TestFolder.make();
  const made = await Made.make(
    folder,
    1,
    [full(1, 2, 3), full(2, 6, 7)],
    { "14-1": segments(1, 8) },
    keep(2),
  );
  const other = await folder.directory("other-disk");
  for (const path of [`backup/${STANZA}/${label(1)}`, `archive/${STANZA}/14-1`]) {
    const target = `${other}/${path.replaceAll("/", "-")}`;
    await Deno.rename(`${made.path}/${path}`, target);
    await Deno.symlink(target, `${made.path}/${path}`);
  }
  await expire([made], []);
  assertEquals(await made.labels(), [label(1), label(2)]);
  assertEquals(await made.wal(), segments(2, 8));
});
