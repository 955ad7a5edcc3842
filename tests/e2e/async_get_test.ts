/** Recovery with a queue: segments are fetched ahead, the strict rules of archive-get hold, and the other program may go on with the queue. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "pgrep", "pgbackrest"];

testWith(NEEDS, "a recovery takes its WAL out of the queue, and ends where the archive ends", async (test) => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'",
    initdb: ["--wal-segsize=1"],
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    global: { "process-max": "2", "archive-get-queue-max": "8MiB", "compress-type": "gz", "log-level-file": "detail" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  await stanza.must("walferry", ["--type=full", "backup"]);
  await cluster.sql("create table t(n int)");
  const segments: string[] = [];
  for (let round = 0; round < 30; round++) {
    await cluster.sql(`insert into t values (${round})`);
    segments.push(await cluster.archiveSegment());
  }
  const queue = `${folder.path}/conf/spool/archive/main/in`;
  const queued = () => [...Deno.readDirSync(queue)].map(({ name }) => name).sort();
  const idle = async () =>
    (await execute(["pgrep", "-f", `config=${stanza.config}.*archive-get:async`])).stdout.trim() === "";
  const get = (segment: string, ...options: string[]) =>
    stanza.walferry(["--archive-async", ...options, "archive-get", segment, `${folder.path}/got`]);

  await test.step("the next ones are fetched while the first is replayed, and no more than the queue holds", async () => {
    const first = await get(segments[0]!);
    assertEquals(first.code, 0, first.stdout);
    assertIncludes(first.stdout, `found ${segments[0]} in the repo1: 15-1 archive`);
    await until("the queue to be full", async () => await idle() && queued().length === 8);
    assertEquals(queued(), segments.slice(1, 9));
    for (const segment of segments.slice(1, 4)) {
      assertIncludes((await get(segment)).stdout, `found ${segment} in the archive asynchronously`);
      const stored = (await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", `${segment}-*`])).trim();
      const sha1 = (await runAs(["sha1sum", `${folder.path}/got`])).slice(0, 40);
      assertIncludes(stored, sha1);
    }
  });

  await test.step("a segment that is not there is absent, also with a queue; one that cannot be asked for is not", async () => {
    assertEquals((await get("0000000100000000000000FF")).code, 1);
    await until("the process to end", idle);
    const repository = stanza.repositories[0]!;
    await runAs(["mv", repository, `${repository}.away`]);
    assertEquals((await get("0000000100000000000000FE")).code, 255);
    await until("the process to end", idle);
    await runAs(["mv", `${repository}.away`, repository]);
  });

  await test.step("what is in the queue and is not this cluster's, or not whole, is not delivered", async () => {
    await until("the process to end", idle);
    for (const content of ["head -c 1048576 /dev/zero", "head -c 1000 /dev/urandom"]) {
      await runAs(["sh", "-c", `${content} > ${queue}/${segments[20]}`]);
      const { code, stdout } = await get(segments[20]!);
      assertEquals(code, 0, stdout);
      assertIncludes(stdout, "in the repo1: 15-1 archive");
      await until("the process to end", idle);
    }
  });

  await test.step("the other program takes what is in the queue", async () => {
    await until("the process to end", idle);
    assert(queued().includes(segments[21]!));
    const log = await stanza.must("pgbackrest", [
      "--archive-async",
      "archive-get",
      segments[21]!,
      `${folder.path}/got`,
    ]);
    assertIncludes(log, `found ${segments[21]} in the archive asynchronously`);
    await until(
      "its process to end",
      async () =>
        (await execute(["pgrep", "-f", `config=${stanza.config}.*archive-get:async|archive-get:local`])).stdout
          .trim() === "",
    );
  });

  await test.step("a cluster recovers through the queue to the last row", async () => {
    const path = await folder.directory("restored", 0o700);
    await Deno.writeTextFile(stanza.config, "[global:archive-get]\narchive-async=y\n", { append: true });
    await stanza.must("walferry", [`--pg1-path=${path}`, "restore"]);
    await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    assertEquals(await restored.sql("select count(*) from t"), "30");
    const log = await restored.log();
    const asynchronously = [...log.matchAll(/found \S+ in the archive asynchronously/g)].length;
    assert(asynchronously >= 15, `${asynchronously} segments came out of the queue\n${log}`);
    await restored.stop();
  });

  await test.step("with the printed restore_command hardly a program is started, and promotion frees the archive", async () => {
    const path = await folder.directory("fast", 0o700);
    await stanza.must("walferry", [`--pg1-path=${path}`, "restore"]);
    const options = ["--archive-async", `--pg1-path=${path}`, "--archive-get-queue-max=64MiB"];
    const command = (await stanza.must("walferry", [...options, "restore-command"])).trim();
    assertIncludes(command, "/in/%f");
    const quoted = command.replaceAll("'", "''");
    await Deno.writeTextFile(`${path}/postgresql.auto.conf`, `restore_command = '${quoted}'\n`, { append: true });
    await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    assertEquals(await restored.sql("select count(*) from t"), "30");
    const log = await restored.log();
    const begun = [...log.matchAll(/archive-get command begin/g)].length;
    assert(begun < 15, `${begun} programs were started for 30 segments\n${log}`);
    await until("the background process to see the end of the recovery", idle);
    const own = await Deno.readTextFile(`${folder.path}/conf/log/main-archive-get-async.log`);
    assertIncludes(own, "end: the recovery has ended");
    await restored.stop();
  });
});
