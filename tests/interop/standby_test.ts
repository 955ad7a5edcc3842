/**
 * Backups that read a standby, beside those of the original: which file comes from where, what is said when there is no standby or it does
 * not follow, and that each program restores and builds on what the other made.
 */
import { parseBackupInfo } from "../../src/format/backup_info.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import {
  archiveWith,
  grow,
  makeCluster,
  normalized,
  type Program,
  restoredDump,
  sameInfo,
} from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, manifestOf, pgbackrestPath, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"];
const PROGRAMS = ["walferry", "pgbackrest"] as const;

/** A standby of the cluster by streaming replication, running, with a tablespace directory of its own. */
async function standbyOf(folder: TestFolder, primary: TestCluster): Promise<TestCluster> {
  const path = `${folder.path}/standby`;
  const from = await primary.sql("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'ts1'");
  await runAs([
    `${primary.bin}/pg_basebackup`,
    "-D",
    path,
    ...[
      "-h",
      folder.path,
      "-p",
      String(primary.port),
      "-U",
      "postgres",
      "-R",
      "-X",
      "stream",
      "-c",
      "fast",
      "--no-sync",
    ],
    `--tablespace-mapping=${from}=${folder.path}/standby-ts`,
  ]);
  // pg_basebackup follows no links but those of tablespaces.
  await runAs(["rm", "-rf", `${path}/pg_xact`]);
  for (const name of ["pg_xact", "pg_hba.conf"]) {
    await runAs(["cp", "-rL", `${primary.path}/${name}`, `${path}/${name}`]);
  }
  const standby = await TestCluster.over(folder, path);
  await standby.start();
  return standby;
}

/** Lines of a stanza that add the standby as `pg2`. */
function asPg2(folder: TestFolder, standby: TestCluster): Record<string, string> {
  return {
    "pg2-path": standby.path,
    "pg2-port": String(standby.port),
    "pg2-socket-path": folder.path,
    "pg2-user": "postgres",
  };
}

/** `primary` or `standby` for each file that a backup told of, by its name below the data directory. */
function sources(output: string, primary: TestCluster, standby: TestCluster): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, path] of output.matchAll(/(?:backup file|match file from prior backup) (\S+) \(/g)) {
    const from = path!.startsWith(`${standby.path}/`) ? standby : primary;
    found.set(path!.slice(from.path.length + 1), from === standby ? "standby" : "primary");
  }
  return found;
}

/** Messages of a run at a level, without time and process, with their further lines. */
function said(output: string, level: string): string[] {
  return output.split(/\n(?=\d{4}-|[A-Z]+: )/).flatMap((line) =>
    line.match(new RegExp(`(?:^|P00 +)${level}: ([^]*)$`))?.[1]?.trim() ?? []
  );
}

/** What a program answered, as far as both must say the same. */
interface Answer {
  readonly code: number;
  readonly told: readonly string[];
}

for (const bundle of [false, true]) {
  testWith(
    NEEDS,
    `a chain of backups from a standby, made by both in turns${bundle ? ", with bundles" : ""}`,
    async () => {
      await using folder = await TestFolder.make();
      await using primary = await makeCluster(folder);
      await using standby = await standbyOf(folder, primary);
      const stanza = await TestStanza.make(folder, primary, {
        repositories: [{ options: bundle ? { bundle: "y" } : {} }],
        global: { "backup-standby": "y", "process-max": "2", "log-level-console": "detail" },
        stanza: asPg2(folder, standby),
      });
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(primary, stanza, "walferry");
      const froms: Map<string, string>[] = [];
      const dumps: string[] = [];
      const steps: readonly (readonly [Program, string])[] = [
        ["walferry", "full"],
        ["walferry", "incr"],
        ["pgbackrest", "incr"],
        ["walferry", "incr"],
        ["pgbackrest", "full"],
        ["walferry", "diff"],
        ["pgbackrest", "incr"],
      ];
      for (const [program, type] of steps) {
        await grow(primary);
        const output = await stanza.must(program, [`--type=${type}`, "backup"]);
        assertEquals(said(output, "WARN"), [], output);
        assert(
          /wait for replay on the standby to reach (\S+)\n[^]*replay on the standby reached \1\n/.test(output),
          output,
        );
        froms.push(sources(output, primary, standby));
        dumps.push(normalized(await primary.dump()));
      }
      const [ours, theirs] = [froms[0]!, froms[4]!];
      // Relations come and go; what both copied came from the same side.
      for (const [name, from] of theirs) if (ours.has(name)) assertEquals(ours.get(name), from, name);
      for (const name of ["global/pg_control", "PG_VERSION", "postgresql.conf", "pg_hba.conf"]) {
        assertEquals(ours.get(name), "primary", name);
      }
      for (const name of ["global/pg_filenode.map", "pg_xact/0000", "pg_multixact/offsets/0000"]) {
        assertEquals(ours.get(name), "standby", name);
      }
      assert([...ours].some(([name, from]) => name.startsWith("pg_tblspc/") && from === "standby"));
      const [repository] = stanza.repositories;
      const labels = await labelsIn(repository!);
      for (const label of labels) assertEquals((await manifestOf(repository!, label)).options.backupStandby, true);
      const info = parseBackupInfo(await runAs(["cat", `${repository}/backup/main/backup.info`]));
      assertEquals(info.backups.map(({ options }) => options.backupStandby), labels.map(() => true));
      await sameInfo(stanza);
      await grow(primary);
      for (const [index, label] of labels.entries()) {
        const other = steps[index]![0] === "walferry" ? "pgbackrest" : "walferry";
        const immediate = [`--set=${label}`, "--type=immediate", "--target-action=promote"];
        assertEquals(await restoredDump(folder, stanza, other, immediate), dumps[index], `${label} by ${other}`);
      }
      assertEquals(await restoredDump(folder, stanza, "walferry"), normalized(await primary.dump()));
    },
  );
}

testWith(NEEDS, "a standby that is missing, behind or promoted is told of as the original does", async () => {
  await using folder = await TestFolder.make();
  await using primary = await makeCluster(folder);
  await using standby = await standbyOf(folder, primary);
  const alone = await TestStanza.make(folder, primary, { global: { "archive-timeout": "3s" } });
  await alone.must("walferry", ["stanza-create"]);
  await archiveWith(primary, alone, "walferry");
  await grow(primary);
  const both = await TestStanza.make(folder, primary, {
    name: "both",
    repositories: [{ path: alone.repositories[0]! }],
    global: { "archive-timeout": "3s" },
    stanza: asPg2(folder, standby),
  });
  const isNew = !(await runAs([pgbackrestPath, "version"])).includes("2.45");

  /** Exit code, warnings and errors of both are the same; gives ours. */
  const strip = ({ code, told }: Answer) => ({
    code,
    told: told.filter((text) => !text.startsWith("unable to check pg") && !text.startsWith("no prior backup"))
      // Positions differ from run to run.
      .map((text) => text.replaceAll(/[0-9A-F]+\/[0-9A-F]+/g, "LSN").replaceAll(/\s+/g, " ")),
  });
  const same = async (stanza: TestStanza, args: string[], what: RegExp): Promise<void> => {
    const results: Answer[] = [];
    for (const program of PROGRAMS) {
      const { code, stdout, stderr } = await stanza[program](args);
      results.push({ code, told: [...said(stdout + stderr, "WARN"), ...said(stdout + stderr, "ERROR")] });
      if (program === "walferry") assert(what.test(stdout + stderr), stdout + stderr);
    }
    assertEquals(strip(results[0]!), strip(results[1]!), args.join(" "));
  };

  await same(alone, ["--backup-standby=y", "backup"], /unable to find standby cluster - cannot proceed/);
  if (isNew) {
    const prefer = /unable to find a standby to perform the backup, using primary instead/;
    await same(alone, ["--backup-standby=prefer", "backup"], prefer);
    const label = (await labelsIn(alone.repositories[0]!))[0]!;
    assertEquals((await manifestOf(alone.repositories[0]!, label)).options.backupStandby, false);
  }
  await same(
    alone,
    ["--backup-standby=y", "check"],
    /'backup-standby' is enabled but standby is not properly configured/,
  );
  await same(both, ["check"], /check repo1 \(standby\)\n[^]*switch wal not performed because this is a standby\n/);

  await standby.sql("select pg_wal_replay_pause()");
  await same(both, ["--backup-standby=y", "backup"], /\[082\]: timeout before standby replayed to /);
  await standby.sql("select pg_wal_replay_resume()");

  const offline = ["--backup-standby=y", "--no-online", "--force", "--type=full", "backup"];
  const warning = (await both.walferry(offline)).stdout;
  assertIncludes(
    warning,
    "option backup-standby is enabled but backup is offline - backups will be performed from the primary",
  );

  // A primary beside the primary: nobody can tell which one is meant.
  await standby.sql("select pg_promote()");
  await standby.untilPrimary();
  const { code, stdout } = await both.walferry(["--backup-standby=y", "backup"]);
  assertEquals(code, 56);
  assertIncludes(stdout, "more than one primary cluster found");

  await standby.stop();
  await same(both, ["--backup-standby=y", "backup"], /unable to find standby cluster - cannot proceed/);
  await primary.stop();
  await same(both, ["check"], /\[027\]: no database found/);
});

testWith(NEEDS, "a standby that is promoted while it is read ends the backup", async () => {
  await using folder = await TestFolder.make();
  await using primary = await makeCluster(folder);
  await using standby = await standbyOf(folder, primary);
  const stanza = await TestStanza.make(folder, primary, { stanza: asPg2(folder, standby) });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(primary, stanza, "walferry");
  await grow(primary);
  const options = ["--backup-standby=y", "--type=full", "--log-level-console=detail", "--process-max=1"];
  const command = stanza.commandLine("walferry", ...options, "backup");
  // It stands still from its first file to the end of the promotion, so that nothing depends on the speed of the machine.
  const script = `exec 3< <(exec ${command} 2>&1); child=$!
    while read -r line <&3; do case $line in *"backup file"*) break;; esac; done
    kill -STOP $child; ${standby.bin}/pg_ctl -D ${standby.path} -w promote; kill -CONT $child
    cat <&3; wait $child; echo "code $?"`;
  const output = await runAs(["bash", "-c", script]);
  assertIncludes(output, "ERROR: [058]: standby is no longer in recovery");
  assertIncludes(output, "HINT: was the standby promoted during the backup?");
  assertIncludes(output, "code 58");
});

testWith(
  NEEDS,
  "what the primary wrote while a lagging standby was read is in the next incremental backup",
  async () => {
    await using folder = await TestFolder.make();
    await using primary = await makeCluster(folder);
    await primary.sql(`create table rows(id int, v int) with (fillfactor = 40, autovacuum_enabled = off);
    insert into rows select g, 1 from generate_series(1, 5000) g`);
    await primary.sql("vacuum rows");
    await using standby = await standbyOf(folder, primary);
    const stanza = await TestStanza.make(folder, primary, {
      global: { "backup-standby": "y", "log-level-console": "detail" },
      stanza: asPg2(folder, standby),
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(primary, stanza, "walferry");
    await grow(primary);
    const relation = await primary.sql("select pg_relation_filepath('rows')");
    const psql = (cluster: TestCluster, sql: string) =>
      `${cluster.bin}/psql -X -q -v ON_ERROR_STOP=1 -h ${folder.path} -p ${cluster.port} -U postgres -d postgres ${
        sql.split(";").map((one) => `-c "${one.trim()}"`).join(" ")
      } > ${folder.path}/psql.out`;
    // The backup stands still between its start and its list of files, while the primary goes on and the standby does not.
    const script = `set -e; exec 3< <(exec ${stanza.commandLine("walferry", "--type=full", "backup")} 2>&1); child=$!
    while read -r line <&3; do case $line in *"replay on the standby reached"*) break;; esac; done
    kill -STOP $child; trap 'kill -CONT $child' EXIT
    ${psql(standby, "select pg_wal_replay_pause()")}
    ${psql(primary, "update rows set v = 2; vacuum rows; checkpoint")}
    kill -CONT $child; trap - EXIT; cat <&3; wait $child
    ${psql(standby, "select pg_wal_replay_resume()")}`;
    assertIncludes(await runAs(["bash", "-c", script]), `backup file ${standby.path}/${relation} (`);
    const output = await stanza.must("walferry", ["--type=incr", "backup"]);
    assertIncludes(output, `backup file ${standby.path}/${relation} (`);
    const [, incr] = await labelsIn(stanza.repositories[0]!);
    await primary.archiveSegment();
    const path = await folder.directory("restored", 0o700);
    await folder.directory("restored-ts", 0o700);
    await stanza.must("walferry", [
      `--pg1-path=${path}`,
      `--tablespace-map-all=${folder.path}/restored-ts`,
      ...["--type=immediate", "--target-action=promote", `--set=${incr}`, "restore"],
    ]);
    await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    assertEquals(await restored.sql("select count(*) || ' ' || sum(v) from rows"), "5000 10000");
  },
);

testWith(NEEDS, "a primary that is away leaves a standby nothing to check or back up", async () => {
  await using folder = await TestFolder.make();
  await using primary = await makeCluster(folder);
  await using standby = await standbyOf(folder, primary);
  const stanza = await TestStanza.make(folder, primary, { stanza: asPg2(folder, standby) });
  await stanza.must("walferry", ["stanza-create"]);
  await primary.stop();
  for (const program of PROGRAMS) {
    const check = await stanza[program](["check"]);
    assertEquals(check.code, 27, program);
    assertIncludes(check.stdout + check.stderr, "primary database not found");
    const backup = await stanza[program](["--backup-standby=y", "backup"]);
    assertEquals(backup.code, 56, program);
    assertIncludes(backup.stdout + backup.stderr, "unable to find primary cluster - cannot proceed");
  }
});
