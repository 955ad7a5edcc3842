/** The drill on real clusters: what it proves, what it finds, what it must never touch, and that it leaves nothing behind. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, type RunResult, testAccount, TestFolder } from "../support/accounts.ts";
import { readMetrics } from "../support/open_metrics.ts";
import { postgresBin, TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testAsRoot, testWith } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/pg_checksums", "/usr/lib/postgresql/15/bin/pg_amcheck"];

interface Scene extends AsyncDisposable {
  readonly folder: TestFolder;
  readonly cluster: TestCluster;
  readonly stanza: TestStanza;
  /** Where drills happen. */
  readonly drills: string;
}

/** A running cluster with one full backup of a table of 1000 rows, and WAL behind it. */
async function scene(options: { major?: number; repositories?: [object, ...object[]] } = {}): Promise<Scene> {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder, {
    major: options.major,
    settings: "archive_mode = on\narchive_command = 'false'",
  });
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: options.repositories,
    global: { "compress-type": "zst", "process-max": "2", "log-level-console": "warn" },
  });
  await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  await cluster.sql("create table t as select g::bigint id, md5(g::text) v from generate_series(1, 1000) g");
  return {
    folder,
    cluster,
    stanza,
    drills: await folder.directory("drills", 0o700),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function backUp({ stanza }: Scene): Promise<void> {
  await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
}

async function drill({ stanza, drills }: Scene, ...args: string[]): Promise<RunResult> {
  return await stanza.walferry([`--drill-path=${drills}`, ...args, "drill"]);
}

// deno-lint-ignore no-explicit-any
function reportOf(result: RunResult): any {
  assertEquals(result.stdout.trim().split("\n").length, 1, result.stdout);
  return JSON.parse(result.stdout);
}

function resultsOf(report: { step: Array<{ name: string; result: string }> }): string {
  return report.step.map(({ name, result }) => `${name} ${result}`).join(", ");
}

/** Neither a directory nor a process of a drill is left. */
async function assertNothingLeft({ drills }: Scene): Promise<void> {
  assertEquals([...Deno.readDirSync(drills)].map(({ name }) => name), []);
  await until("the end of every process of the drill", async () => {
    const { stdout } = await execute(["ps", "-eo", "args"]);
    return !stdout.includes(`${drills}/`);
  });
}

testWith(
  NEEDS,
  "a good backup passes every check, and the real cluster, its tablespace, its spool and its archive are as before",
  async () => {
    await using place = await scene({ repositories: [{}, { cipherPass: "second" }] });
    const { cluster, stanza, folder } = place;
    const space = await folder.directory("space", 0o700);
    await cluster.sql(`create tablespace "../../out" location '${space}'`);
    await cluster.sql('create table far tablespace "../../out" as select 1 a');
    await cluster.sql("create database app");
    // What was made for users of the real cluster must fail no check of the copy.
    await cluster.sql("alter database app set default_transaction_read_only = on");
    await cluster.sql("alter database app set statement_timeout = '1ms'");
    await cluster.sql(
      "create function refuse() returns event_trigger language plpgsql as $$ begin raise exception 'not now'; end $$",
    );
    await cluster.sql("create event trigger guard on ddl_command_start execute function refuse()");
    // What a copy must not do: ask for libraries that are not there, listen, follow somebody.
    await cluster.sql("alter system set shared_preload_libraries = 'nowhere'");
    await cluster.sql("alter database app set session_preload_libraries = 'nowhere'");
    await cluster.sql("alter system set primary_conninfo = 'host=192.0.2.1'");
    await backUp(place);
    await cluster.sql("insert into t select g, md5(g::text) from generate_series(1001, 1500) g");
    await cluster.archiveSegment();
    const spoolMark = `${folder.path}/conf/spool/archive/main/out/000000010000000000000001.ok`;
    await runAs(["sh", "-c", `mkdir -p ${spoolMark.replace(/\/[^/]*$/, "")} && touch ${spoolMark}`]);
    const archive = async () => (await runAs(["find", ...stanza.repositories, `${folder.path}/space`, "-ls"]));
    const before = await archive();

    const result = await drill(
      place,
      "--output=json",
      "--dump",
      "--amcheck",
      "--query=select count(*), max(id) from t",
      "--query=select current_setting('listen_addresses') || current_setting('archive_mode') || current_setting('max_logical_replication_workers'), true, null",
      "--expect=1500|1500",
      "--expect=off0|t|",
    );
    assertEquals(result.code, 0, result.stdout + result.stderr);
    const report = reportOf(result);
    assertEquals(report.result, "good");
    assertEquals(
      resultsOf(report),
      "restore passed, recover passed, archive passed, query passed, query passed, dump passed, amcheck passed, stop passed, checksums passed",
    );
    assertEquals([report.stanza, report.backup["repo-key"], report.error, report.kept], ["main", 1, null, null]);
    assert(report["restore-ms"] > 0 && report["recover-ms"] > 0);
    const ageSeconds = Date.now() / 1000 - report["last-transaction"];
    assert(ageSeconds >= 0 && ageSeconds < 120, String(report["last-transaction"]));
    assertEquals(await archive(), before);
    const metrics = readMetrics(await stanza.must("walferry", ["metrics"]));
    assertEquals(metrics.get('walferry_drill_last_passed{stanza="main"}'), 1);
    assertEquals(
      metrics.get('walferry_drill_passed_restore_seconds{stanza="main"}')! * 1000 >= report["restore-ms"] - 1,
      true,
    );
    assert(Deno.statSync(spoolMark).isFile);
    assertEquals(await cluster.sql("select count(*) from t"), "1500");
    await assertNothingLeft(place);

    const other = await drill(place, "--repo=2", "--query-database=app", "--query=select 1");
    assertEquals(other.code, 0, other.stdout + other.stderr);
    assertIncludes(other.stdout, /drill of stanza main: backup \d{8}-\d{6}F of repo2 is good/);
    assertIncludes(other.stdout, /last transaction: 20/);
    await assertNothingLeft(place);
  },
);

testWith([], "who logs in to the copy starts no trigger", async () => {
  await using place = await scene({ major: 17 });
  const { cluster } = place;
  await cluster.sql(
    "create function refuse() returns event_trigger language plpgsql as " +
      "$$ begin if current_setting('application_name') ~ 'drill' then raise exception 'nobody'; end if; end $$",
  );
  await cluster.sql("create event trigger entrance on login execute function refuse()");
  await backUp(place);
  const result = await drill(
    place,
    `--pg-bin=${await postgresBin(17)}`,
    "--type=immediate",
    "--no-checksums",
    "--query=select count(*) from t",
    "--expect=1000",
  );
  assertEquals(result.code, 0, result.stdout + result.stderr);
});

testWith(NEEDS, "a drill goes to a moment, and to the end of a backup without one transaction more", async () => {
  await using place = await scene();
  const { cluster } = place;
  await backUp(place);
  await cluster.sql("insert into t select g, md5(g::text) from generate_series(1001, 1500) g");
  // Backups are chosen by whole seconds: the moment must lie in a later second than the end of the backup.
  const second = await cluster.sql("select date_trunc('second', clock_timestamp())");
  await cluster.until(
    `select (clock_timestamp() >= '${second}'::timestamptz + interval '1 second')::text`,
    "the next second",
  );
  const target = await cluster.sql("select clock_timestamp()");
  await cluster.sql("insert into t select g, md5(g::text) from generate_series(1501, 1600) g");
  await cluster.archiveSegment();
  const query = ["--query=select count(*) from t"];
  const moment = await drill(place, "--type=time", `--target=${target}`, ...query, "--expect=1500", "--output=json");
  assertEquals(moment.code, 0, moment.stdout + moment.stderr);
  assert(
    reportOf(moment)["last-transaction"] <=
      Number(await cluster.sql(`select extract(epoch from '${target}'::timestamptz)`)),
  );
  // Without a zone it is the time of the place that the drill is held in.
  const tokyo = await cluster.sql(
    `select to_char('${target}'::timestamptz at time zone 'Asia/Tokyo', 'YYYY-MM-DD HH24:MI:SS.US')`,
  );
  const there = await place.stanza.walferry(
    [`--drill-path=${place.drills}`, "--type=time", `--target=${tokyo}`, ...query, "--expect=1500", "drill"],
    { env: { TZ: "Asia/Tokyo" } },
  );
  assertEquals(there.code, 0, there.stdout + there.stderr);
  const immediate = await drill(place, "--type=immediate", ...query, "--expect=1000");
  assertEquals(immediate.code, 0, immediate.stdout + immediate.stderr);
  const unreachable = await drill(place, "--type=time", "--target=2100-01-01 00:00:00+00", "--output=json");
  assertEquals(unreachable.code, 11, unreachable.stdout + unreachable.stderr);
  assertIncludes(reportOf(unreachable).error.message, "recovery ended before configured recovery target was reached");
  assertEquals(reportOf(unreachable).result, "failed");
  await assertNothingLeft(place);
});

testWith(NEEDS, "a wrong result ends with 11, and the other checks are made all the same", async () => {
  await using place = await scene();
  await backUp(place);
  const result = await drill(
    place,
    "--output=json",
    "--query=select count(*) from t",
    "--query=select nothing from nowhere",
    "--expect=7",
    "--expect=*",
    "--dump",
  );
  assertEquals(result.code, 11, result.stdout + result.stderr);
  const report = reportOf(result);
  assertEquals(
    resultsOf(report),
    "restore passed, recover passed, archive passed, query failed, query failed, dump passed, stop passed, checksums passed",
  );
  assertIncludes(report.step[3].detail, "expected '7' but got '1000'");
  assertIncludes(report.step[4].detail, 'relation "nowhere" does not exist');
  assertEquals(report.result, "failed");
  await assertNothingLeft(place);
  const metrics = readMetrics(await place.stanza.must("walferry", ["metrics"]));
  assertEquals(metrics.get('walferry_drill_last_passed{stanza="main"}'), 0);
  assertEquals(metrics.get('walferry_drill_passed_timestamp_seconds{stanza="main"}'), undefined);
});

testWith(NEEDS, "a page that was damaged before the backup is found in the restored cluster", async () => {
  await using place = await scene();
  const { cluster, stanza } = place;
  const file = await cluster.sql("select pg_relation_filepath('t')");
  await cluster.stop();
  using relation = await Deno.open(`${cluster.path}/${file}`, { write: true });
  relation.seekSync(4000, Deno.SeekMode.Start);
  relation.writeSync(new TextEncoder().encode("damage"));
  await cluster.start();
  assertEquals((await stanza.walferry(["--type=full", "backup"])).code, 0);
  const result = await drill(place, "--output=json", "--dump");
  assertEquals(result.code, 11, result.stdout + result.stderr);
  assertEquals(
    resultsOf(reportOf(result)),
    "restore passed, recover passed, archive passed, dump failed, stop passed, checksums failed",
  );
  await assertNothingLeft(place);
});

testWith(
  NEEDS,
  "a damaged file and a missing segment end the drill with what is wrong, and nothing is left",
  async () => {
    await using place = await scene();
    const { stanza } = place;
    await backUp(place);
    const [repository] = stanza.repositories;
    const needed = /stop=([0-9A-F]{24})/.exec(
      (await runAs(["grep", "-rh", "backup-archive-stop", `${repository}/backup/main/backup.info`])).replace(
        /.*"backup-archive-stop":"([0-9A-F]{24})".*/s,
        "stop=$1",
      ),
    )![1]!;
    const segment = (await runAs(["find", `${repository}/archive`, "-name", `${needed}-*`])).trim();
    await runAs(["mv", segment, `${segment.replace(/\/[^/]*$/, "")}/../../away`]);
    const missing = await drill(place, "--output=json");
    assertEquals(missing.code, 11, missing.stdout + missing.stderr);
    assertIncludes(
      reportOf(missing).error.message,
      /could not locate required checkpoint record|WAL ends before end of online backup/,
    );
    await runAs(["mv", `${segment.replace(/\/[^/]*$/, "")}/../../away`, segment]);
    await assertNothingLeft(place);

    const stored = (await runAs(["find", `${repository}/backup/main/`, "-path", "*base/1/1259.zst"])).trim();
    await runAs(["sh", "-c", `printf damage | dd of=${stored} bs=1 seek=200 conv=notrunc 2>&1`]);
    const damaged = await drill(place, "--output=json");
    assert(![0, 11].includes(damaged.code), damaged.stdout);
    assertEquals(reportOf(damaged).result, "error");
    assertEquals(resultsOf(reportOf(damaged)), "restore failed");
    await assertNothingLeft(place);
  },
);

testWith(NEEDS, "a gap in the archive is not taken for its end", async () => {
  await using place = await scene({ repositories: [{}, {}] });
  const { cluster, stanza, folder } = place;
  await backUp(place);
  const segments: string[] = [];
  for (let at = 0; at < 3; at++) {
    await cluster.sql(`insert into t values (${2000 + at}, 'behind the backup')`);
    segments.push(await cluster.archiveSegment());
  }
  const [, lost, last] = segments;
  const copies = (await runAs(["find", ...stanza.repositories, "-name", `${lost}-*`])).trim().split("\n");
  assertEquals(copies.length, 2);
  for (const [at, copy] of copies.entries()) await runAs(["mv", copy, `${folder.path}/away${at}`]);
  const result = await drill(place, "--output=json", "--query=select count(*) from t", "--expect=1001");
  assertEquals(result.code, 11, result.stdout + result.stderr);
  const report = reportOf(result);
  assertEquals(
    resultsOf(report),
    "restore passed, recover passed, archive failed, query passed, stop passed, checksums passed",
  );
  assertIncludes(
    report.step[2].detail,
    `WAL segment ${lost} is in no repository: no recovery gets to what is behind it, up to ${last}`,
  );
  // Where one repository has it, every recovery has.
  await runAs(["mv", `${folder.path}/away1`, copies[1]!]);
  const whole = await drill(place, "--query=select count(*) from t", "--expect=1003");
  assertEquals(whole.code, 0, whole.stdout + whole.stderr);
  assertIncludes(whole.stdout, / {2}archive {4}passed .*there is no WAL behind where it ended\n/);
  await assertNothingLeft(place);
});

testWith(NEEDS, "WAL that cannot be read is no verdict on the backup", async () => {
  await using place = await scene();
  const { cluster, stanza } = place;
  await backUp(place);
  const segment = await cluster.archiveSegment();
  const stored = (await runAs(["find", stanza.repositories[0]!, "-name", `${segment}-*`])).trim();
  await runAs(["sh", "-c", `printf damage | dd of=${stored} bs=1 seek=200 conv=notrunc 2>&1`]);
  const result = await drill(place, "--output=json");
  assertEquals(result.code, 42, result.stdout + result.stderr);
  assertIncludes(reportOf(result).error.message, `could not restore file "${segment}" from archive`);
  assertEquals(reportOf(result).result, "error");
  await assertNothingLeft(place);
});

for (const step of ["restore", "recover"] as const) {
  testWith(NEEDS, `a drill that is told to end while it is at '${step}' leaves nothing behind`, async () => {
    await using place = await scene();
    const { cluster, stanza, drills } = place;
    await cluster.sql("create table big as select g id, repeat(md5(g::text), 20) v from generate_series(1, 100000) g");
    await backUp(place);
    for (let at = 0; at < 5; at++) {
      await cluster.sql("insert into t select g, md5(g::text) from generate_series(1, 20000) g");
      await cluster.archiveSegment();
    }
    const child = new Deno.Command(walferryPath, {
      args: [`--config=${stanza.config}`, "--stanza=main", `--drill-path=${drills}`, "drill"],
      cwd: "/tmp",
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...testAccount,
    }).spawn();
    const output = child.output();
    const scratch = () => [...Deno.readDirSync(drills)].map(({ name }) => `${drills}/${name}`)[0];
    const has = (name: string) => {
      const path = scratch();
      if (path === undefined) return false;
      try {
        Deno.lstatSync(`${path}/${name}`);
        return true;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return false;
        throw error;
      }
    };
    const mark = step === "restore" ? "data/backup.manifest" : "postgresql.log";
    await until(`the drill to be at ${step}`, () => has(mark));
    child.kill("SIGINT");
    child.kill("SIGTERM");
    const { code, stdout, stderr } = await output;
    assertEquals(code, 63, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    await assertNothingLeft(place);
  });
}

testWith(NEEDS, "a drill that is killed leaves a directory and no server, and the next one tells of it", async () => {
  await using place = await scene();
  const { cluster, stanza, drills } = place;
  await backUp(place);
  await cluster.archiveSegment();
  const child = new Deno.Command(walferryPath, {
    args: [
      `--config=${stanza.config}`,
      "--stanza=main",
      `--drill-path=${drills}`,
      "--query=select pg_sleep(600)",
      "drill",
    ],
    cwd: "/tmp",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...testAccount,
  }).spawn();
  const processes = async () => (await execute(["ps", "-eo", "args"])).stdout;
  await until("the query of the drill", async () => /walferry drill: .*SELECT/.test(await processes()), 60_000);
  child.kill("SIGKILL");
  await child.status;
  await until(
    "the end of the server",
    async () => !/config_file=\S*\/drills\/|walferry drill:/.test(await processes()),
  );
  const left = [...Deno.readDirSync(drills)].map(({ name }) => name);
  assertEquals(left.length, 1);
  const next = await drill(place);
  assertEquals(next.code, 0, next.stdout + next.stderr);
  assertIncludes(next.stdout, `there is another directory of a drill, '${drills}/${left[0]}'`);
});

testWith(NEEDS, "a drill of a chain of bundled backups, in the usual place beside the cluster", async () => {
  await using place = await scene({ repositories: [{ options: { bundle: "y" } }] });
  const { cluster, stanza, folder } = place;
  await backUp(place);
  await cluster.sql("update t set v = 'changed' where id = 1");
  await stanza.must("walferry", ["--type=diff", "backup"]);
  await cluster.sql("insert into t values (1001, 'new')");
  await stanza.must("walferry", ["--type=incr", "backup"]);
  const before = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  const result = await stanza.walferry([
    "--output=json",
    "--type=immediate",
    '--query=select count(*), min(v collate "C") filter (where id in (1, 1001)), max(v) filter (where id = 1001) from t',
    "--expect=1001|changed|new",
    "drill",
  ]);
  assertEquals(result.code, 0, result.stdout + result.stderr);
  assertEquals(reportOf(result).backup.type, "incr");
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), before);
});

testWith(NEEDS, "--keep leaves a directory that the next drill tells of", async () => {
  await using place = await scene();
  await backUp(place);
  const kept = await drill(place, "--keep", "--output=json");
  assertEquals(kept.code, 0, kept.stdout + kept.stderr);
  const path = reportOf(kept).kept as string;
  assertIncludes(path, `${place.drills}/walferry-drill-`);
  assertEquals((await Deno.readTextFile(`${path}/data/PG_VERSION`)).trim(), "15");
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o700);
  const next = await drill(place);
  assertEquals(next.code, 0, next.stdout + next.stderr);
  assertIncludes(next.stdout, `there is another directory of a drill, '${path}'`);
});

testWith(
  NEEDS,
  "a drill stays out of data directories and repositories, by whatever way they are reached",
  async () => {
    await using place = await scene();
    const { cluster, stanza, folder } = place;
    await backUp(place);
    const refused = async (path: string, code: number, part: string) => {
      const result = await stanza.walferry([`--drill-path=${path}`, "drill"]);
      assertEquals(result.code, code, result.stdout + result.stderr);
      assertIncludes(result.stdout + result.stderr, part);
    };
    await refused(cluster.path, 32, "in the data directory");
    await refused(`${cluster.path}/base`, 32, "in the data directory");
    await runAs(["ln", "-s", `${cluster.path}/base`, `${folder.path}/innocent`]);
    await refused(`${folder.path}/innocent`, 32, "in the data directory");
    await refused(stanza.repositories[0]!, 32, "in the repository");
    await refused(`${folder.path}/not-mounted`, 73, "does not exist");
    const foreign = await folder.directory("foreign", 0o700);
    await folder.directory("foreign/base", 0o700);
    await folder.file("foreign/PG_VERSION", "15\n");
    await refused(`${foreign}/base`, 32, "in a directory of PostgreSQL's");

    const said = async (code: number, part: string, ...args: string[]) => {
      const result = await drill(place, ...args);
      assertEquals(result.code, code, result.stdout + result.stderr);
      assertIncludes(result.stdout + result.stderr, part);
      await assertNothingLeft(place);
    };
    await said(31, "2 of option 'query' but 1 of option 'expect'", "--query=a", "--query=b", "--expect=1");
    await said(32, "'archive-command' cannot be set", "--drill-option=archive-command=true");
    await said(32, "'data_directory' cannot be set", "--drill-option=data_directory=/tmp");
    await said(55, "does not hold postgres, pg_checksums", "--pg-bin=/nowhere");
    await said(75, "backup set 20200101-000000F is not valid", "--set=20200101-000000F");
    if (Deno.uid() === 0) {
      const root = await stanza.walferry(["--allow-root", "drill"], { asSelf: true });
      assertEquals(root.code, 31, root.stdout);
      assertIncludes(root.stdout, "PostgreSQL does not run as root");
    }
  },
);

testAsRoot(NEEDS, "a drill without room for the cluster is refused before anything is written", async () => {
  await using place = await scene();
  await backUp(place);
  await runAs(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0777", "tmpfs", place.drills], { asSelf: true });
  try {
    const result = await drill(place);
    assertEquals(result.code, 64, result.stdout + result.stderr);
    assertIncludes(result.stdout, /there is no room for a drill in '.*': 1.*GB are needed, .*MB are free/);
    await assertNothingLeft(place);
  } finally {
    await runAs(["umount", place.drills], { asSelf: true });
  }
});

for (const major of [13, 14, 16, 17, 18]) {
  testWith(["npm"], `PostgreSQL ${major}: a backup with a prepared transaction is drilled`, async () => {
    await using place = await scene({ major });
    const { cluster } = place;
    await cluster.configure("max_prepared_transactions = 5");
    await cluster.stop();
    await cluster.start();
    await backUp(place);
    await cluster.sql("begin; insert into t values (0, 'prepared'); prepare transaction 'one'");
    await cluster.sql("insert into t values (-1, 'behind')");
    await cluster.archiveSegment();
    // The packages of these releases hold the server only.
    const bin = await postgresBin(major);
    const result = await drill(
      place,
      `--pg-bin=${bin}`,
      "--no-checksums",
      "--query=select (select count(*) from t), (select count(*) from pg_prepared_xacts)",
      "--expect=1001|1",
    );
    assertEquals(result.code, 0, result.stdout + result.stderr);
    await assertNothingLeft(place);
  });
}
