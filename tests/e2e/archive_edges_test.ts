/**
 * Archiving where something is unusual: the cluster is stopped, the clock was set back, a segment cannot be archived, a standby archives too,
 * the quorum was changed, nobody lingers.
 */
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "pgrep", "pkill"];

interface Place {
  readonly folder: TestFolder;
  readonly cluster: TestCluster;
  readonly stanza: TestStanza;
}

async function startCluster(folder: TestFolder): Promise<TestCluster> {
  const cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'",
    initdb: ["--wal-segsize=1"],
  });
  await cluster.start();
  return cluster;
}

async function story(
  global: Readonly<Record<string, string>>,
  run: (place: Place) => Promise<void>,
  repositories = 1,
): Promise<void> {
  await using folder = await TestFolder.make();
  await using cluster = await startCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: Array.from({ length: repositories }, () => ({})),
    global: { "process-max": "2", "archive-timeout": "10s", "log-level-file": "detail", ...global },
  });
  await stanza.must("walferry", ["stanza-create"]);
  try {
    await run({ folder, cluster, stanza });
  } finally {
    await execute(["pkill", "-KILL", "-f", `config=${folder.path}/.*archive-(push|get):async`]);
  }
}

/** A segment that PostgreSQL has finished and not archived. */
async function readySegment(cluster: TestCluster): Promise<string> {
  return await cluster.sql("select pg_create_restore_point('x'); select pg_walfile_name(pg_switch_wal())");
}

/** Names of the segments that a repository holds. */
async function held(stanza: TestStanza, key: number): Promise<string[]> {
  const found = await runAs(["find", `${stanza.repositories[key - 1]}/archive`, "-type", "f", "-name", "00000001*-*"]);
  return found.split("\n").filter(Boolean).map((path) => path.slice(path.lastIndexOf("/") + 1).slice(0, 24)).sort();
}

function owed(folder: TestFolder, key: number): string[] {
  try {
    return [...Deno.readDirSync(`${folder.path}/conf/spool/walferry/main/debt/repo${key}`)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Segments that are archived while the second repository is away; it is owed them, and is put back by `putBack`. */
async function archiveWithoutSecond(
  { cluster, stanza, folder }: Place,
  count: number,
): Promise<{ missed: string[]; putBack: () => Promise<unknown> }> {
  await archiveWith(cluster, stanza, "walferry");
  await cluster.archiveSegment();
  const away = stanza.repositories[1]!;
  await runAs(["mv", away, `${away}.away`]);
  const missed: string[] = [];
  for (let round = 0; round < count; round++) missed.push(await cluster.archiveSegment());
  const noted = owed(folder, 2);
  assert(missed.every((name) => noted.includes(name)), `owed: ${noted}`);
  return { missed, putBack: () => runAs(["mv", `${away}.away`, away]) };
}

/** With the next files the second repository gets what it is owed. */
async function untilPaid({ cluster, stanza, folder }: Place): Promise<void> {
  await until("the debts to be paid", async () => {
    await cluster.archiveSegment();
    return owed(folder, 2).length === 0;
  }, 60_000);
  assertEquals(await held(stanza, 2), await held(stanza, 1));
}

testWith(
  NEEDS,
  "what a cluster left behind that is stopped is pushed on request",
  () =>
    story({ "archive-async": "y" }, async ({ cluster, stanza }) => {
      const segment = await readySegment(cluster);
      await cluster.stop();
      const { code, stdout } = await stanza.walferry(["archive-push", `${cluster.path}/pg_wal/${segment}`]);
      assertEquals(code, 0, stdout);
      assert((await held(stanza, 1)).includes(segment));
      const service = () => execute(["pgrep", "-f", `config=${stanza.config}.*archive-push:async`]);
      await until("the process to end", async () => (await service()).stdout === "");
    }),
);

testWith(
  NEEDS,
  "a file that seems to be of the future, because the clock was set back, is acknowledged",
  () =>
    story({ "archive-async": "y" }, async ({ cluster, stanza }) => {
      const segment = await readySegment(cluster);
      await cluster.stop();
      const path = `${cluster.path}/pg_wal/${segment}`;
      await runAs(["touch", "-d", "+1 hour", path]);
      for (let round = 0; round < 2; round++) {
        const { code, stdout } = await stanza.walferry(["archive-push", path]);
        assertEquals(code, 0, stdout);
      }
      assertEquals((await held(stanza, 1)).filter((name) => name === segment).length, 1);
    }),
);

testWith(
  NEEDS,
  "a segment that cannot be archived does not keep a history file from being archived",
  () =>
    story({ "archive-async": "y", "process-max": "1" }, async ({ cluster, stanza }) => {
      const segment = await readySegment(cluster);
      await cluster.stop();
      const wal = `${cluster.path}/pg_wal`;
      await stanza.must("walferry", ["--no-archive-async", "archive-push", `${wal}/${segment}`]);
      await runAs(["sh", "-c", `printf x | dd of=${wal}/${segment} bs=1 seek=500000 conv=notrunc status=none`]);
      await runAs(["sh", "-c", `echo x > ${wal}/00000002.history; touch ${wal}/archive_status/00000002.history.ready`]);
      const history = await stanza.walferry(["archive-push", `${wal}/00000002.history`]);
      assertEquals(history.code, 0, history.stdout);
      assertEquals((await stanza.walferry(["archive-push", `${wal}/${segment}`])).code, 45);
    }),
);

testWith(
  NEEDS,
  "without lingering a repository that was away is paid with the next file",
  () =>
    story({ "archive-async": "y", "archive-async-linger": "0", "archive-push-quorum": "1" }, async (place) => {
      const { putBack } = await archiveWithoutSecond(place, 3);
      await putBack();
      await untilPaid(place);
    }, 2),
);

testWith(
  NEEDS,
  "what is owed is paid also when every repository must hold the next file",
  () =>
    story({ "archive-push-quorum": "1" }, async (place) => {
      const { putBack } = await archiveWithoutSecond(place, 1);
      await putBack();
      const { stanza } = place;
      const config = await Deno.readTextFile(stanza.config);
      await Deno.writeTextFile(stanza.config, config.replace("archive-push-quorum=1", "archive-push-quorum=all"));
      await untilPaid(place);
    }, 2),
);

testWith(
  NEEDS,
  "a repository that is asked alone and is owed the segment does not say that it is absent",
  () =>
    story({ "archive-push-quorum": "1" }, async (place) => {
      const { cluster, stanza, folder } = place;
      const { missed: [missed], putBack } = await archiveWithoutSecond(place, 1);
      await cluster.stop();
      await putBack();
      assertIncludes(owed(folder, 2).join(), missed!);
      const got = `${folder.path}/got`;
      const { code, stdout } = await stanza.walferry(["--repo=2", "archive-get", missed!, got]);
      assertEquals(code, 255, stdout);
      assertIncludes(stdout, `${missed} was archived, but not to repo2, which is still owed it`);
      assertEquals((await stanza.walferry(["--repo=2", "archive-get", "0000000100000000000000FF", got])).code, 1);
      assertEquals((await stanza.walferry(["archive-get", missed!, got])).code, 0);
    }, 2),
);

testWith(
  NEEDS,
  "a streaming standby outlives its repository and its primary, and does not begin on a timeline that it had to guess",
  () =>
    story({}, async ({ cluster, stanza, folder }) => {
      await archiveWith(cluster, stanza, "walferry");
      await stanza.must("walferry", ["--type=full", "backup"]);
      const path = await folder.directory("standby", 0o700);
      await stanza.must("walferry", [
        `--pg1-path=${path}`,
        "--type=standby",
        `--recovery-option=primary_conninfo=host=${folder.path} port=${cluster.port} user=postgres`,
        "restore",
      ]);
      await using standby = await TestCluster.over(folder, path);
      await standby.start();
      const isStreaming = "select (count(*) = 1)::text from pg_stat_wal_receiver where status = 'streaming'";
      await standby.until(isStreaming, "the standby to stream");
      await runAs(["mv", stanza.repositories[0]!, `${stanza.repositories[0]}.away`]);
      const asked = async () => (await standby.log()).split("archive-get command end: aborted").length;
      const before = await asked();
      await cluster.stop("immediate");
      await until("the standby to ask in vain", async () => await asked() > before + 2);
      assertEquals(await standby.sql("select pg_is_in_recovery()"), "t");
      await cluster.start();
      await standby.until(isStreaming, "the standby to stream again");
      await standby.stop();
      const refused = await standby.start().then(() => undefined, (error: Error) => error);
      assert(refused !== undefined, "it started without knowing whether there is a newer timeline");
      await runAs(["mv", `${stanza.repositories[0]}.away`, stanza.repositories[0]!]);
      await standby.start();
      await standby.until(isStreaming, "the standby to stream");
      await standby.stop();
    }),
);

testWith(
  NEEDS,
  "a standby that archives (archive_mode=always) fetches and pushes by turns",
  () =>
    story({}, async ({ cluster, stanza, folder }) => {
      await archiveWith(cluster, stanza, "walferry");
      await stanza.must("walferry", ["--type=full", "backup"]);
      const path = await folder.directory("standby", 0o700);
      await stanza.must("walferry", [`--pg1-path=${path}`, "--type=standby", "restore"]);
      // As on a host of its own: the locks and the spool are the standby's.
      const own = await TestStanza.make(folder, { path, port: cluster.port }, {
        name: "second",
        repositories: [{ path: stanza.repositories[0] }],
        global: { "archive-async": "y", "process-max": "2", "archive-timeout": "10s", "archive-get-queue-max": "4MiB" },
      });
      for (let round = 0; round < 12; round++) await cluster.archiveSegment();
      const quoted = (word: string) => `'${word}'`;
      await using standby = await TestCluster.over(folder, path, { settings: "archive_mode = always" });
      await Deno.writeTextFile(
        `${path}/postgresql.auto.conf`,
        `\nrestore_command = ${quoted(own.commandLine("walferry", "archive-get", "%f", '"%p"'))}\n` +
          `archive_command = ${quoted(own.commandLine("walferry", "archive-push", "%p"))}\n`,
        { append: true },
      );
      await standby.start();
      for (let round = 0; round < 3; round++) {
        const last = await cluster.archiveSegment();
        await standby.until(
          `select coalesce(last_archived_wal, '') >= '${last}' from pg_stat_archiver`,
          `${last} to be replayed and archived`,
          60_000,
        );
      }
      assertEquals(await standby.sql("select failed_count from pg_stat_archiver"), "0");
      const log = await standby.log();
      assertEquals(log.includes("unable to push"), false, log);
      await standby.stop();
    }),
);

testWith(
  NEEDS,
  "a process that lingers gives way to stanza-create, and to a repository that comes with a new configuration file",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await startCluster(folder);
    const global = { "archive-async": "y", "archive-timeout": "10s" };
    const stanza = await TestStanza.make(folder, cluster, { global });
    const include = await folder.directory("conf.d");
    await Deno.writeTextFile(`${include}/empty.conf`, "");
    const options = [`--config-include-path=${include}`];
    await stanza.must("walferry", [...options, "stanza-create"]);
    await cluster.sql(
      `alter system set archive_command = '${stanza.commandLine("walferry", ...options, "archive-push", "%p")}'`,
    );
    await cluster.reload();
    try {
      await cluster.archiveSegment();
      const path = await folder.directory("repo2");
      const second = [`--repo2-path=${path}`];
      await stanza.must("walferry", [...options, ...second, "stanza-create"]);
      await cluster.archiveSegment();
      await folder.file("conf.d/second.conf", `[global]\nrepo2-path=${path}\nrepo2-retention-full=2\n`);
      await until("the new repository to be given WAL", async () => {
        const segment = await cluster.archiveSegment();
        return (await runAs(["find", `${path}/archive`, "-name", `${segment}-*`])).includes(segment);
      });
    } finally {
      await execute(["pkill", "-KILL", "-f", `config=${folder.path}/.*archive-push:async`]);
    }
  },
);

testWith(
  NEEDS,
  "a segment that was dropped and archived after all is no hole",
  () =>
    story({ "archive-push-queue-max": "3MiB" }, async ({ cluster, stanza }) => {
      const segments: string[] = [];
      for (let round = 0; round < 6; round++) segments.push(await readySegment(cluster));
      const path = `${cluster.path}/pg_wal/${segments[0]}`;
      assertIncludes(await stanza.must("walferry", ["archive-push", path]), "dropped WAL file");
      assertIncludes(await stanza.must("walferry", ["info"]), "hole in the archive");
      await stanza.must("walferry", ["--archive-push-queue-max=1GiB", "archive-push", path]);
      assertEquals((await stanza.must("walferry", ["info"])).includes("hole in the archive"), false);
    }),
);

testWith(
  NEEDS,
  "the printed archive_command says to the program what its own command line said",
  () =>
    story({}, async ({ folder, stanza }) => {
      const options = [`--lock-path=${folder.path}/locks`, `--config-include-path=${folder.path}`];
      for (const mode of ["--archive-async", "--no-archive-async"]) {
        const text = (await stanza.must("walferry", [...options, mode, "archive-command"])).trim();
        const program = text.replace(/^.*exec /, "");
        for (const word of [...options, mode, `--config=${stanza.config}`]) assertIncludes(program, word);
      }
    }),
);
