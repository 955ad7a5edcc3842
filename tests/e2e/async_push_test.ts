/**
 * Asynchronous archiving against a real archiver: answers from the spool, one background process that stays, an outage that ends by itself,
 * the queue limit, crashes, stale answers, and the other program taking over.
 */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "pgrep", "pkill"];

interface Place {
  readonly folder: TestFolder;
  readonly cluster: TestCluster;
  readonly stanza: TestStanza;
  readonly spool: string;
}

/** Runs a story on a cluster that archives asynchronously. */
async function story(
  global: Readonly<Record<string, string>>,
  run: (place: Place) => Promise<void>,
): Promise<void> {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'",
    initdb: ["--wal-segsize=1"],
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    global: {
      "archive-async": "y",
      "process-max": "2",
      "archive-timeout": "10s",
      "log-level-file": "detail",
      ...global,
    },
  });
  await stanza.must("walferry", ["stanza-create"]);
  try {
    await run({ folder, cluster, stanza, spool: `${folder.path}/conf/spool/archive/main/out` });
  } finally {
    await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
  }
}

/** Background processes of a stanza. */
async function services({ stanza }: Place): Promise<number[]> {
  const { stdout } = await execute(["pgrep", "-f", `config=${stanza.config}.*archive-push:async`]);
  return stdout.split("\n").filter(Boolean).map(Number);
}

async function logOf({ folder }: Place): Promise<string> {
  return await Deno.readTextFile(`${folder.path}/conf/log/main-archive-push-async.log`);
}

testWith(
  NEEDS,
  "one background process stays and pushes ahead; what it stored is what PostgreSQL wrote",
  () =>
    story({}, async (place) => {
      const { cluster, stanza } = place;
      await archiveWith(cluster, stanza, "walferry");
      const first = await cluster.archiveSegment();
      const [service, ...others] = await services(place);
      assert(service !== undefined && others.length === 0);
      for (let round = 0; round < 12; round++) await cluster.archiveSegment();
      assertEquals(await services(place), [service], "the same process goes on");
      const destination = `${place.folder.path}/got`;
      await stanza.must("walferry", ["archive-get", first, destination]);
      assertIncludes(await logOf(place), `pushed WAL file '${first}' to the archive`);
      await stanza.must("walferry", ["check"]);
      await stanza.must("walferry", ["--type=full", "backup"]);
      // PostgreSQL's command finds the answer: nothing is pushed a second time.
      assertEquals((await logOf(place)).includes("already exists"), false);
      // It ends when the stanza is stopped, and the next command starts another.
      await stanza.must("walferry", ["stop"]);
      await until("the process to end", async () => (await services(place)).length === 0);
      await stanza.must("walferry", ["start"]);
      await cluster.archiveSegment();
      assert((await services(place))[0] !== service);
      // And with the cluster.
      await cluster.stop();
      await until("the process to end with the cluster", async () => (await services(place)).length === 0);
    }),
);

testWith(
  NEEDS,
  "a repository that is away is told to PostgreSQL; when it is back everything drains by itself",
  () =>
    story({}, async (place) => {
      const { cluster, stanza, spool } = place;
      await archiveWith(cluster, stanza, "walferry");
      await cluster.archiveSegment();
      const repository = stanza.repositories[0]!;
      await runAs(["mv", repository, `${repository}.away`]);
      for (let round = 0; round < 5; round++) {
        await cluster.sql("select pg_create_restore_point('x'); select pg_switch_wal()");
      }
      await cluster.until(
        "select last_failed_wal is not null from pg_stat_archiver",
        "the archiver to hear of it",
        60_000,
      );
      await until(
        "an error in the spool",
        () => [...Deno.readDirSync(spool)].some(({ name }) => name.endsWith(".error")),
      );
      assertIncludes(await cluster.log(), "unable to load info file");
      await runAs(["mv", `${repository}.away`, repository]);
      await cluster.archiveSegment();
      assertEquals([...Deno.readDirSync(spool)].filter(({ name }) => name.endsWith(".error")), []);
      assertEquals((await services(place)).length, 1);
      const { code, stdout } = await stanza.walferry(["--archive-timeout=5", "check"]);
      assertEquals(code, 0, stdout);
    }),
);

testWith(
  NEEDS,
  "above the queue limit segments are dropped, with a warning that says what it means",
  () =>
    story({ "archive-push-queue-max": "3MiB" }, async (place) => {
      const { cluster, stanza } = place;
      for (let round = 0; round < 6; round++) {
        await cluster.sql("select pg_create_restore_point('x'); select pg_switch_wal()");
      }
      await archiveWith(cluster, stanza, "walferry");
      await until(
        "the warning in the log",
        async () => (await logOf(place).catch(() => "")).includes("dropped WAL file"),
      );
      await cluster.until("select archived_count >= 5 from pg_stat_archiver", "the dropped ones to be acknowledged");
      assertIncludes(await cluster.log(), "point-in-time recovery across this segment is impossible");
      const stored = await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", "00000001*-*"]);
      assertEquals(stored.trim(), "");
      // The hole is told until a newer full backup makes it meaningless.
      const hole = /hole in the archive: \d+ WAL segments 0{7}1\w+ to 0{7}1\w+ were dropped/;
      const info = await stanza.must("walferry", ["info"]);
      assert(hole.test(info), info);
      await archiveWith(cluster, stanza, "walferry");
      await cluster.archiveSegment();
      assert(hole.test((await stanza.walferry(["check"])).stdout));
      await stanza.must("walferry", ["--type=full", "backup"]);
      assertEquals(hole.test(await stanza.must("walferry", ["info"])), false);
    }),
);

testWith(
  NEEDS,
  "a process that is killed is replaced, and nothing is lost or acknowledged that is not stored",
  () =>
    story({}, async (place) => {
      const { cluster, stanza } = place;
      await archiveWith(cluster, stanza, "walferry");
      const segments: string[] = [];
      for (let round = 0; round < 6; round++) {
        segments.push(await cluster.archiveSegment());
        await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
      }
      for (const segment of segments) {
        assertEquals((await stanza.walferry(["archive-get", segment, `${place.folder.path}/got`])).code, 0, segment);
      }
    }),
);

testWith(
  NEEDS,
  "an answer that is older than the file, or another cluster's, never counts",
  () =>
    story({ "archive-async-linger": "0" }, async (place) => {
      const { cluster, stanza, spool, folder } = place;
      const push = (segment: string) => stanza.walferry(["archive-push", `${cluster.path}/pg_wal/${segment}`]);
      await cluster.sql("select pg_create_restore_point('x')");
      const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
      await until("the segment to be ready", () => exists(`${cluster.path}/pg_wal/archive_status/${segment}.ready`));
      await runAs(["mkdir", "-p", spool]);
      const stored = async () =>
        (await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", `${segment}-*`])).trim() !== "";

      await runAs(["sh", "-c", `touch -d '2001-01-01' ${spool}/${segment}.ok`]);
      const { code, stdout } = await push(segment);
      assertEquals(code, 0, stdout);
      assert(await stored(), "the old answer was believed");

      await runAs([
        "sh",
        "-c",
        `rm -r ${
          stanza.repositories[0]
        }/archive/main/15-1; echo 12345 > ${folder.path}/conf/spool/archive/main/system-id; touch ${spool}/${segment}.ok`,
      ]);
      assertEquals((await push(segment)).code, 0);
      assert(await stored(), "another cluster's answer was believed");
      assertEquals((await services(place)).length, 0, "without lingering it ends with its batch");
    }),
);

testWith(
  NEEDS,
  "what is above the queue limit is dropped also while a long list of files goes to a slow repository",
  () =>
    story({ "archive-push-queue-max": "10MiB", "compress-type": "none", "max-rate": "512KiB" }, async (place) => {
      const { cluster, stanza } = place;
      const fill = async (count: number) => {
        for (let round = 0; round < count; round++) {
          await cluster.sql("select pg_create_restore_point('x'); select pg_switch_wal()");
        }
      };
      await fill(8);
      await archiveWith(cluster, stanza, "walferry");
      await until(
        "the list to be begun",
        async () => /push [6-9] WAL file/.test(await logOf(place).catch(() => "")),
      );
      await fill(8);
      await until("files to be dropped", async () => (await logOf(place)).includes("dropped WAL file"));
      const stored = await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", "00000001*-*"]);
      assert(stored.trim().split("\n").length < 6, `the whole list was pushed first:\n${stored}`);
    }),
);

testWith(
  NEEDS,
  "answers that a power cut left empty or half stop nothing and acknowledge nothing",
  () =>
    story({ "archive-async-linger": "0" }, async ({ cluster, stanza, spool }) => {
      await cluster.sql("select pg_create_restore_point('x')");
      const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
      await until("the segment to be ready", () => exists(`${cluster.path}/pg_wal/archive_status/${segment}.ready`));
      await runAs(["mkdir", "-p", spool]);
      for (const [name, content] of [[`${segment}.error`, ""], ["global.error", "103"], [`${segment}.ok`, "0"]]) {
        await runAs(["sh", "-c", `rm -rf ${stanza.repositories[0]}/archive/main/15-1 ${spool}/*`]);
        await runAs(["sh", "-c", `printf '${content}' >${spool}/${name}`]);
        const { code, stdout } = await stanza.walferry(["archive-push", `${cluster.path}/pg_wal/${segment}`]);
        assertEquals(code, 0, stdout);
        const stored = await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", `${segment}-*`]);
        assert(stored.trim() !== "", `${name} was taken for an answer`);
      }
    }),
);

testWith(
  NEEDS,
  "a background process whose lock file was removed makes room, and a lock file of another account is told",
  () =>
    story({}, async (place) => {
      const { cluster, stanza, folder } = place;
      await archiveWith(cluster, stanza, "walferry");
      await cluster.archiveSegment();
      const [first] = await services(place);
      // As one does that cleans /tmp.
      const lockPath = `${folder.path}/conf/lock`;
      await runAs(["sh", "-c", `rm ${lockPath}/*`]);
      await until("the process to end", async () => !(await services(place)).includes(first!), 20_000);
      assertIncludes(await logOf(place), "end: its lock file was removed");
      await cluster.archiveSegment();
      assertEquals((await services(place)).length, 1);

      await stanza.must("walferry", ["stop"]);
      await until("the process to end", async () => (await services(place)).length === 0);
      await stanza.must("walferry", ["start"]);
      await runAs(["mkdir", `${lockPath}/main-archive.lock`]);
      const { code, stdout } = await stanza.walferry([
        "archive-push",
        `${cluster.path}/pg_wal/0000000100000000000000FF`,
      ]);
      assertEquals(code, 50, stdout);
      await runAs(["rmdir", `${lockPath}/main-archive.lock`]);
    }),
);

testWith(
  [...NEEDS, "pgbackrest"],
  "each program goes on with the spool that the other left",
  () =>
    story({ "archive-async-linger": "0", "compress-type": "gz" }, async (place) => {
      const { cluster, stanza } = place;
      for (const program of ["walferry", "pgbackrest", "walferry", "pgbackrest"] as const) {
        await archiveWith(cluster, stanza, program);
        await cluster.archiveSegment();
        const segment = await cluster.archiveSegment();
        assertEquals(
          (await stanza.pgbackrest(["--no-archive-async", "archive-get", segment, `${place.folder.path}/got`])).code,
          0,
        );
      }
      await stanza.must("pgbackrest", ["check"]);
    }),
);

testWith(
  NEEDS,
  "the background process is this program, with nothing of the command line that is a secret",
  () =>
    story({}, async (place) => {
      await archiveWith(place.cluster, place.stanza, "walferry");
      await place.cluster.archiveSegment();
      const [service] = await services(place);
      const words = (await Deno.readTextFile(`/proc/${service}/cmdline`)).split("\0");
      assertEquals(words[0], walferryPath);
      assertEquals(await Deno.readLink(`/proc/${service}/cwd`), "/");
    }),
);

testWith(
  [...NEEDS, "strace"],
  "the printed archive_command starts no program where the answer is there, and is as careful",
  () =>
    story({}, async (place) => {
      const { cluster, stanza, spool, folder } = place;
      const text = (await stanza.must("walferry", ["archive-command"])).trim();
      assertIncludes(text, await cluster.sql("select system_identifier from pg_control_system()"));
      await cluster.sql(`alter system set archive_command = '${text.replaceAll("'", "''")}'`);
      await cluster.reload();
      await cluster.until("select current_setting('archive_command') like '%archive-push%'", "the archive_command");
      for (let round = 0; round < 5; round++) await cluster.archiveSegment();
      await cluster.sql("select pg_create_restore_point('x')");
      const segment = await cluster.archiveSegment();

      // By hand, as PostgreSQL runs it, with a program that fails in place of the slow half.
      const path = `${folder.path}/${segment}`;
      await runAs(["sh", "-c", `head -c 100 /dev/zero > ${path}`]);
      const ended = async (prepare: string) => {
        await runAs(["sh", "-c", prepare]);
        const command = text.replaceAll("%p", path).replaceAll("%f", segment).replace(/exec .*/, "exec false");
        return (await execute(["sh", "-c", command])).code;
      };
      const answer = `${spool}/${segment}.ok`;
      assertEquals(await ended(`sleep 0.01; touch ${answer}`), 0, "a fresh answer is believed");
      assertEquals(await ended(`rm ${answer}`), 1, "no answer");
      assertEquals(await ended(`touch -d 2001-01-01 ${answer}`), 1, "an old answer");
      assertEquals(await ended(`printf '0\\nwarning' > ${answer}`), 1, "an answer with a warning");
      const identity = `${spool}/../system-id`;
      assertEquals(
        await ended(`rm ${answer}; sleep 0.01; touch ${answer}; echo 1 > ${identity}`),
        1,
        "another cluster's",
      );
      assertEquals(await ended(`rm ${identity}`), 1, "nobody's");
    }),
);

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

testWith(
  NEEDS,
  "--apply sets the printed commands in the running cluster",
  () =>
    story({}, async ({ cluster, stanza }) => {
      for (const setting of ["archive_command", "restore_command"]) {
        const word = setting.replace("_", "-");
        const printed = (await stanza.must("walferry", [`--pg1-socket-path=${cluster.folder.path}`, word])).trim();
        const apply = () => stanza.must("walferry", [`--pg1-socket-path=${cluster.folder.path}`, "--apply", word]);
        assertIncludes(await apply(), `${setting} was set`);
        await cluster.until(`select current_setting('${setting}') like '%walferry%'`, "the setting to be taken over");
        assertEquals(await cluster.sql(`select current_setting('${setting}')`), printed);
        assertIncludes(await apply(), `${setting} is set already`);
      }
      await cluster.archiveSegment();
    }),
);
