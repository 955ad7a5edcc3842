/**
 * A backup and an expire that are killed before each of their durable steps. Behind each death the repository is sane for both programs,
 * nothing that was complete is lost, and the next run works and leaves nothing lying about. A few points are tried by default, all of them with
 * `WALFERRY_CRASH_POINTS=all`, and with a regular expression those whose names fit it.
 */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { type CrashPoint, dieAt, RecordedCalls } from "../support/crash_points.ts";
import { archiveWith, normalized, restoredDump, sameInfo } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres", "strace"];
const CHOSEN = Deno.env.get("WALFERRY_CRASH_POINTS");

type Command = "new backup" | "resumed backup" | "expire";

interface MatrixPoint extends CrashPoint {
  readonly of: Command;
  /** Tried by default. */
  readonly often?: boolean;
  /** Which call it is, where that depends on how many names the directories of the backups hold that go. */
  readonly ordinal?: (later: number, full: number) => number;
  /** What `verify` rightly says until the next backup, and nothing else. */
  readonly verifySays?: string;
}

const RENAMED = (name: string) => new RegExp(`pgbackrest\\.tmp", "[^"]*/${name}"`);

const POINTS: readonly MatrixPoint[] = [
  {
    of: "new backup",
    name: "before the backup's directory is made",
    call: "mkdir",
    touches: /\/backup\/main\/\d{8}-\d{6}F"/,
  },
  {
    of: "new backup",
    name: "before the first list of files has its name",
    call: "rename",
    touches: RENAMED("backup.manifest.copy"),
  },
  { of: "new backup", name: "before the journal has its name", call: "rename", touches: RENAMED("resume/repo1") },
  {
    of: "new backup",
    name: "before a directory of files is made",
    call: "mkdir",
    touches: /F\/pg_data\/base"/,
    which: 2,
    byWorker: true,
  },
  {
    of: "new backup",
    name: "before a file has its name",
    call: "rename",
    touches: RENAMED("pg_data/.*"),
    which: 3,
    byWorker: true,
  },
  {
    of: "new backup",
    name: "before a later file has its name",
    call: "rename",
    touches: RENAMED("pg_data/.*"),
    which: 12,
    byWorker: true,
  },
  {
    of: "new backup",
    name: "before the directory of the bundles is made",
    call: "mkdir",
    touches: /F\/bundle"/,
    byWorker: true,
  },
  {
    of: "new backup",
    name: "before the first bundle has its name",
    call: "rename",
    touches: RENAMED("bundle/1"),
    byWorker: true,
  },
  {
    of: "new backup",
    name: "before a later bundle has its name",
    call: "rename",
    touches: RENAMED("bundle/4"),
    byWorker: true,
  },
  {
    of: "resumed backup",
    name: "before what is of no use is removed",
    call: "unlink",
    touches: /F\/.*pgbackrest\.tmp"/,
  },
  {
    of: "resumed backup",
    name: "before the list of what is used again has its name",
    call: "rename",
    touches: RENAMED("backup.manifest.copy"),
  },
  {
    of: "resumed backup",
    name: "before its new journal has its name",
    call: "rename",
    touches: RENAMED("resume/repo1"),
  },
  {
    of: "resumed backup",
    name: "before backup_label has its name",
    call: "rename",
    touches: RENAMED("backup_label.*"),
  },
  {
    of: "resumed backup",
    name: "before the complete list has its name",
    call: "rename",
    touches: RENAMED("backup.manifest.copy"),
    which: 2,
  },
  {
    of: "resumed backup",
    name: "before the manifest has its name",
    call: "rename",
    touches: RENAMED("backup.manifest"),
    often: true,
  },
  {
    of: "resumed backup",
    name: "before the history has its name",
    call: "rename",
    touches: RENAMED(".*\\.manifest\\.gz"),
  },
  { of: "resumed backup", name: "before the new latest is made", call: "symlink", touches: /latest/ },
  { of: "resumed backup", name: "before latest shows the new backup", call: "rename", touches: RENAMED("latest") },
  {
    of: "resumed backup",
    name: "before backup.info has its name",
    call: "rename",
    touches: RENAMED("backup.info"),
    often: true,
  },
  {
    of: "resumed backup",
    name: "before the copy of backup.info has its name",
    verifySays: "mismatch: backup/main/backup.info.copy: it does not say the same as backup.info",
    call: "rename",
    touches: RENAMED("backup.info.copy"),
  },
  { of: "resumed backup", name: "before archive.info has its name", call: "rename", touches: RENAMED("archive.info") },
  {
    of: "resumed backup",
    name: "before the copy of archive.info has its name",
    call: "rename",
    touches: RENAMED("archive.info.copy"),
  },
  { of: "resumed backup", name: "before the journal is removed", call: "unlink", touches: /resume\/repo1"/ },
  { of: "resumed backup", name: "before the lock is removed", call: "unlink", touches: /\.lock"/ },
  {
    of: "expire",
    name: "before the manifest of the later backup is removed",
    call: "unlink",
    touches: /F_[^/]*I\/backup.manifest"/,
  },
  { of: "expire", name: "before its copy is removed", call: "unlink", touches: /F_[^/]*I\/backup.manifest.copy"/ },
  {
    of: "expire",
    name: "before the manifest of the full backup is removed",
    call: "unlink",
    touches: /F\/backup.manifest"/,
  },
  {
    of: "expire",
    name: "before the copy of that is removed",
    call: "unlink",
    touches: /F\/backup.manifest.copy"/,
    often: true,
  },
  { of: "expire", name: "before backup.info has its name", call: "rename", touches: RENAMED("backup.info") },
  {
    of: "expire",
    name: "before the copy of backup.info has its name",
    verifySays: "mismatch: backup/main/backup.info.copy: it does not say the same as backup.info",
    call: "rename",
    touches: RENAMED("backup.info.copy"),
  },
  {
    of: "expire",
    name: "before the first file is removed",
    call: "unlinkat",
    touches: /./,
    ordinal: () => 1,
    which: 1,
  },
  { of: "expire", name: "before a later file is removed", call: "unlinkat", touches: /./, ordinal: () => 6, which: 6 },
  {
    of: "expire",
    name: "before the directory of the later backup is removed",
    call: "unlinkat",
    touches: /F_[^/]*I", AT_REMOVEDIR/,
    ordinal: (later) => later,
  },
  {
    of: "expire",
    name: "before a file of the full backup is removed",
    call: "unlinkat",
    touches: /F\//,
    ordinal: (later) => later + 3,
    which: 3,
  },
  {
    of: "expire",
    name: "before the directory of the full backup is removed",
    call: "unlinkat",
    touches: /main\/[^/]*F", AT_REMOVEDIR/,
    ordinal: (later, full) => later + full,
  },
  { of: "expire", name: "before the first WAL is removed", call: "unlink", touches: /\/archive\/main\// },
  {
    of: "expire",
    name: "before later WAL is removed",
    call: "unlink",
    touches: /\/archive\/main\//,
    which: 2,
  },
];

function isChosen({ name, of, often = false }: MatrixPoint): boolean {
  return CHOSEN === undefined ? often : CHOSEN === "all" || new RegExp(CHOSEN).test(`${of}: ${name}`);
}

/** Lines of a directory listing, sorted; names that begin with a dot are none. */
async function namesIn(script: string): Promise<string[]> {
  return (await runAs(["sh", "-c", script])).split("\n").filter((name) => name !== "").sort();
}

class Matrix {
  readonly #folder: TestFolder;
  readonly #stanza: TestStanza;
  readonly #cluster: TestCluster;
  readonly #recorded = new Map<Command, RecordedCalls>();
  /** Labels that are complete and that nobody was asked to remove. */
  #complete: string[] = [];

  constructor(folder: TestFolder, stanza: TestStanza, cluster: TestCluster) {
    this.#folder = folder;
    this.#stanza = stanza;
    this.#cluster = cluster;
  }

  #arguments(of: Command): string[] {
    return of === "expire" ? ["--repo1-retention-full=1", "expire"] : ["--type=full", "backup"];
  }

  #command(of: Command): string[] {
    return this.#stanza.commandLine("walferry", ...this.#arguments(of)).split(" ");
  }

  async #record(of: Command): Promise<void> {
    const trace = await this.#folder.file(`recorded-${this.#recorded.size}`, "");
    this.#recorded.set(of, await RecordedCalls.of(this.#command(of), trace));
  }

  async #die(point: MatrixPoint): Promise<void> {
    const ordinal = point.ordinal?.(await this.#namesBelow("*F_*I"), await this.#namesBelow("*F")) ??
      this.#recorded.get(point.of)!.ordinalOf(point);
    const trace = await this.#folder.file(`trace-${crypto.randomUUID()}`, "");
    try {
      await dieAt(point, ordinal, this.#command(point.of), trace);
    } catch (error) {
      throw new Error(`${point.of}, ${point.name}`, { cause: error });
    }
  }

  /** Names that are removed with the oldest directory of a kind, one by one: itself too, but for its manifests, which went before. */
  async #namesBelow(directories: string): Promise<number> {
    const [oldest] = await namesIn(`ls -d ${this.#stanza.repositories[0]}/backup/main/${directories}`);
    return (await namesIn(`find ${oldest}`)).length - 2;
  }

  async #incremental(): Promise<void> {
    // The number of files and their sizes stay, so that a recorded call is the same one later.
    await this.#cluster.sql("update rows set v = md5(v)");
    await this.#cluster.sql("vacuum rows");
    await this.#stanza.must("walferry", ["--type=incr", "backup"]);
  }

  async #labels(): Promise<string[]> {
    const [{ backup }] = JSON.parse(await this.#stanza.must("walferry", ["--output=json", "info"])) as [
      { backup: { label: string }[] },
    ];
    return backup.map(({ label }) => label);
  }

  /** A first set, and the calls of each command as it goes on top of that. */
  async prepare(): Promise<void> {
    await this.#stanza.must("walferry", ["--type=full", "backup"]);
    await this.#incremental();
    await this.#record("new backup");
    await this.#incremental();
    await this.#record("expire");
    this.#complete = await this.#labels();
    // A backup that goes on does the same from its first list on, but for what it removes before.
    await this.#leave();
    await this.#record("resumed backup");
    this.#complete = await this.#labels();
    await this.#incremental();
    this.#complete = await this.#labels();
  }

  /** Leaves most of a backup, with something that is of no use to the next one. */
  async #leave(): Promise<void> {
    const point = POINTS.find(({ name }) => name === "before a later bundle has its name")!;
    await this.#die(point);
  }

  /** One death, and what must be so behind it. */
  async try(point: MatrixPoint): Promise<void> {
    const before = this.#complete;
    if (point.of === "resumed backup") await this.#leave();
    if (point.of === "expire") await this.#stanza.must("walferry", ["--type=full", "backup"]);
    const goes = point.of === "expire" ? before : [];
    await this.#die(point);
    const what = `${point.of}, ${point.name}`;
    const seen = await this.#labels();
    for (const label of before) assert(goes.includes(label) || seen.includes(label), `${what}: ${label} is lost`);
    for (const program of ["walferry", "pgbackrest"] as const) {
      assertEquals((await this.#stanza[program](["info"])).code, 0, `${what}: info of ${program}`);
    }
    const verify = await this.#stanza.walferry(["verify"]);
    const { verifySays } = point;
    assertEquals(verify.code, verifySays === undefined ? 0 : 10, `${what}:\n${verify.stdout}`);
    if (verifySays !== undefined) {
      assertIncludes(verify.stdout, verifySays);
      assertIncludes(verify.stdout, "repo1: [RepositoryDamagedError] 1 thing is missing or damaged");
    }
    // What nobody reads is removed when it is old enough to be nobody's.
    const [repository] = this.#stanza.repositories;
    const temporary = `find ${repository} -name '*.pgbackrest.tmp'`;
    await runAs(["sh", "-c", `${temporary} -exec touch -c -h -d '2 hours ago' {} +`]);
    // The next run.
    await this.#stanza.must("walferry", this.#arguments(point.of));
    await this.#incremental();
    await this.#isTidy(what);
    const after = await this.#labels();
    for (const label of before) assertEquals(after.includes(label), !goes.includes(label), `${what}: ${label}`);
    // One set is enough to lose something.
    await this.#stanza.must("walferry", this.#arguments("expire"));
    this.#complete = await this.#labels();
  }

  async #isTidy(what: string): Promise<void> {
    const { repositories: [repository], folder } = this.#stanza;
    assertEquals(await namesIn(`find ${repository} -name '*.pgbackrest.tmp'`), [], what);
    const directories = await namesIn(`cd ${repository}/backup/main && ls -d *F*`);
    assertEquals(directories, await this.#labels(), what);
    assertEquals(await namesIn(`ls ${folder.path}/conf/spool/walferry/main/resume`), [], what);
    await sameInfo(this.#stanza);
    const verify = await this.#stanza.walferry(["verify"]);
    assertEquals(verify.code, 0, `${what}:\n${verify.stdout}`);
  }
}

testWith(NEEDS, "a backup and an expire that are killed before a durable step do no harm", async (test) => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'\nautovacuum = off",
  });
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ options: { bundle: "y", "bundle-size": "1MiB", "bundle-limit": "64KiB" } }],
    global: { "compress-type": "lz4", "process-max": "1" },
  });
  await cluster.start();
  await cluster.sql("create table rows as select g id, md5(g::text) v from generate_series(1, 100) g");
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  const matrix = new Matrix(folder, stanza, cluster);
  await matrix.prepare();
  for (const point of POINTS.filter(isChosen)) {
    const isGood = await test.step(`${point.of}: ${point.name}`, () => matrix.try(point));
    // What a failure leaves would only make the next ones fail.
    if (!isGood) return;
  }
  await cluster.sql("create table plain(id int); create table spaced(id int); create table fleeting(id int)");
  await cluster.sql("create table marker as select null::text as expected");
  await stanza.must("walferry", ["--type=incr", "backup"]);
  assertEquals(await restoredDump(folder, stanza, "pgbackrest"), normalized(await cluster.dump()));
});
