/** What monitoring is told about real archives: once on standard output, and over HTTP. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, testAccount, TestFolder } from "../support/accounts.ts";
import { freePorts, untilListening } from "../support/free_port.ts";
import { readMetrics } from "../support/open_metrics.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];

interface Scene extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly stanza: TestStanza;
}

/** A cluster with segments of 1 MiB that archives to two repositories, with a backup in the first. */
async function scene(global: Record<string, string> = {}): Promise<Scene> {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'",
    initdb: ["--wal-segsize=1"],
  });
  const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, { cipherPass: "secret" }], global });
  await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  await stanza.must("walferry", ["--type=full", "backup"]);
  return {
    cluster,
    stanza,
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

testWith(NEEDS, "metrics tell backups, lag, debts, outages and holes in numbers", async () => {
  await using place = await scene({ "archive-push-quorum": "1", "archive-push-queue-max": "1TiB" });
  const { cluster, stanza } = place;
  const read = async () => readMetrics(await stanza.must("walferry", ["metrics"]));
  await cluster.archiveSegment();
  const calm = await read();
  const one = (name: string, labels = "") => calm.get(`${name}{stanza="main"${labels}}`);
  assertEquals(one("walferry_stanza_status_code"), 4);
  assertEquals(one("walferry_repository_status_code", ',repo="1"'), 0);
  assertEquals(one("walferry_repository_status_code", ',repo="2"'), 2);
  assertEquals(one("walferry_backups", ',repo="1",type="full"'), 1);
  assertEquals(one("walferry_backups", ',repo="2",type="full"'), 0);
  assertEquals(one("walferry_backups", ',repo="1",type="incr"'), 0);
  assertEquals(one("walferry_backup_last_age_seconds", ',repo="2",type="full"'), undefined);
  assert(one("walferry_backup_last_age_seconds", ',repo="1",type="full"')! < 300);
  const [info] = JSON.parse(await stanza.must("walferry", ["--output=json", "info"]));
  assertEquals(one("walferry_backup_last_database_size_bytes", ',repo="1",type="full"'), info.backup[0].info.size);
  assertEquals(
    one("walferry_backup_last_stop_timestamp_seconds", ',repo="1",type="full"'),
    info.backup[0].timestamp.stop,
  );
  assertEquals(one("walferry_archive_status_readable"), 1);
  for (const name of ["lag_segments", "lag_bytes", "lag_seconds", "holes", "dropped_segments"]) {
    assertEquals(one(`walferry_archive_${name}`), 0, name);
  }
  assertEquals(one("walferry_repository_away", ',repo="2"'), 0);
  assertEquals(one("walferry_archive_debt_oldest_timestamp_seconds", ',repo="2"'), undefined);
  assertEquals(one("walferry_wal_archived_last_timeline", ',repo="1"'), 1);
  const lsn = await cluster.sql("select pg_current_wal_lsn() - '0/0'");
  const end = one("walferry_wal_archived_last_lsn_bytes", ',repo="1"')!;
  assert(end <= Number(lsn) && end > Number(lsn) - 2 * 1024 ** 2, `${end} ${lsn}`);

  // Repository 2 is away: it is owed what repository 1 takes.
  const away = stanza.repositories[1]!;
  await runAs(["mv", away, `${away}.away`]);
  await runAs(["touch", away]);
  await cluster.archiveSegment();
  // Then nothing is archived at all.
  await cluster.configure("archive_command = 'false'");
  await cluster.reload();
  await cluster.until("select (current_setting('archive_command') = 'false')::text", "the new archive_command");
  for (let at = 0; at < 3; at++) await cluster.sql("select pg_create_restore_point('a'); select pg_switch_wal()");
  const troubled = await read();
  const now = (name: string, labels = "") => troubled.get(`${name}{stanza="main"${labels}}`)!;
  assertEquals(now("walferry_repository_status_code", ',repo="2"'), 1);
  assertEquals([1, 2].map((key) => now("walferry_repository_readable", `,repo="${key}"`)), [1, 0]);
  assertEquals(now("walferry_repository_away", ',repo="2"'), 1);
  assert(now("walferry_archive_debt_segments", ',repo="2"') >= 1);
  assertEquals(
    now("walferry_archive_debt_bytes", ',repo="2"') >= 1024 ** 2,
    true,
  );
  assert(Date.now() / 1000 - now("walferry_archive_debt_oldest_timestamp_seconds", ',repo="2"') < 120);
  assertEquals(now("walferry_archive_debt_segments", ',repo="1"'), 0);
  assert(now("walferry_archive_lag_segments") >= 3);
  assertEquals(now("walferry_archive_lag_bytes"), now("walferry_archive_lag_segments") * 1024 ** 2);
  assert(now("walferry_archive_lag_seconds") > 0 && now("walferry_archive_lag_seconds") < 120);

  const info1 = `${stanza.repositories[0]}/backup/main/backup.info`;
  await runAs(["sh", "-c", `echo damage >${info1}; echo damage >${info1}.copy`]);
  const damaged = await read();
  assertEquals(damaged.get('walferry_repository_readable{stanza="main",repo="1"}'), 0);
  assertEquals(damaged.get('walferry_backups{stanza="main",repo="1",type="full"}'), undefined);
});

testWith(NEEDS, "metrics of a host without the cluster, and of every stanza section of the files", async () => {
  await using place = await scene();
  const { stanza } = place;
  const config = await stanza.folder.file(
    "conf/two.conf",
    (await Deno.readTextFile(stanza.config)) + "[other]\npg1-path=/nonexistent/other\n",
  );
  const both = await execute([walferryPath, `--config=${config}`, "metrics"]);
  assertEquals(both.code, 0, both.stdout + both.stderr);
  const metrics = readMetrics(both.stdout);
  assertEquals(metrics.get('walferry_archive_status_readable{stanza="main"}'), 1);
  assertEquals(metrics.get('walferry_archive_status_readable{stanza="other"}'), undefined);
  assertEquals(metrics.get('walferry_stanza_status_code{stanza="other"}'), 1);
  const none = await execute([
    walferryPath,
    "--no-config",
    `--repo1-path=${stanza.repositories[0]}`,
    `--lock-path=${stanza.folder.path}/conf/lock`,
    "metrics",
  ]);
  assertEquals(none.code, 0, none.stdout + none.stderr);
  assertEquals(readMetrics(none.stdout).get('walferry_backups{stanza="main",repo="1",type="full"}'), 1);
});

testWith(
  NEEDS,
  "metrics --listen answers over HTTP, keeps what it knows while it is young, and ends on SIGTERM",
  async () => {
    await using place = await scene();
    const { stanza } = place;
    const port = freePorts(1);
    const words = [`--config=${stanza.config}`, "--stanza=main", `--listen=127.0.0.1:${port}`, "--metrics-max-age=1h"];
    const child = new Deno.Command(walferryPath, {
      args: [...words, "metrics"],
      cwd: "/tmp",
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...testAccount,
    }).spawn();
    const output = child.output();
    await untilListening(port);
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
      return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
    };
    const [first, second] = await Promise.all([get("/metrics"), get("/metrics?x=1")]);
    assertEquals([first.status, second.status], [200, 200]);
    assertEquals(first.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    const readAt = (text: string) =>
      readMetrics(text).get('walferry_repositories_read_timestamp_seconds{stanza="main"}');
    // Asked at once, they were read once.
    assertEquals(readAt(first.text), readAt(second.text));
    assertEquals((await get("/")).status, 200);
    assertEquals((await get("/other")).status, 404);
    assertEquals((await get("/metrics", { method: "POST", body: "x" })).status, 405);
    // What is on this host is read anew.
    await place.cluster.configure("archive_command = 'false'");
    await place.cluster.reload();
    await place.cluster.sql("select pg_create_restore_point('a'); select pg_switch_wal()");
    await until("the lag to show", async () => {
      const metrics = readMetrics((await get("/metrics")).text);
      return metrics.get('walferry_archive_lag_segments{stanza="main"}') === 1;
    });
    assertEquals(readAt((await get("/metrics")).text), readAt(first.text));

    const taken = await execute([walferryPath, ...words, "metrics"]);
    assertEquals(taken.code, 49, taken.stdout);
    assertIncludes(taken.stdout, `unable to listen on 127.0.0.1:${port}`);
    child.kill("SIGTERM");
    const { code, stdout } = await output;
    assertEquals(code, 0, new TextDecoder().decode(stdout));
  },
);
