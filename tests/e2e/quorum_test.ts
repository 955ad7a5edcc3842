/**
 * A quorum of repositories against a real archiver: one repository is away, PostgreSQL does not notice, it is noted what the other is owed, and
 * when it is back it gets all of it, so that a restore from it alone is right.
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
  /** What a repository is owed. */
  owed(key: number): string[];
}

async function story(
  global: Readonly<Record<string, string>>,
  run: (place: Place) => Promise<void>,
  major = 15,
): Promise<void> {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'",
    initdb: ["--wal-segsize=1"],
    major,
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, { cipherPass: "secret" }],
    global: { "process-max": "2", "archive-timeout": "10s", "log-level-file": "detail", ...global },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await stanza.must("walferry", ["--repo=all", "--type=full", "--no-archive-check", "backup"]);
  await archiveWith(cluster, stanza, "walferry");
  const owed = (key: number) => {
    try {
      return [...Deno.readDirSync(`${folder.path}/conf/spool/walferry/main/debt/repo${key}`)].map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  };
  try {
    await run({ folder, cluster, stanza, owed });
  } finally {
    await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
  }
}

/** Names of the segments that a repository holds, with their hashes. */
async function held(stanza: TestStanza, key: number): Promise<string[]> {
  const found = await runAs(["find", `${stanza.repositories[key - 1]}/archive`, "-type", "f", "-name", "00000001*-*"]);
  return found.split("\n").filter(Boolean).map((path) => path.slice(path.lastIndexOf("/") + 1)).sort();
}

for (const [mode, major] of [["y", 15], ["n", 15], ["y", 17]] as const) {
  testWith(
    NEEDS,
    `PostgreSQL ${major}, archive-async=${mode}, quorum 1 of 2: one repository is away and gets everything when it is back`,
    () =>
      story({ "archive-async": mode, "archive-push-quorum": "1" }, async (place) => {
        const { cluster, stanza, owed, folder } = place;
        await cluster.archiveSegment();
        assertEquals((await held(stanza, 2)).length, (await held(stanza, 1)).length);
        assertEquals(owed(2), []);

        const away = stanza.repositories[1]!;
        await runAs(["mv", away, `${away}.away`]);
        const failures = await cluster.sql("select failed_count from pg_stat_archiver");
        const missed: string[] = [];
        for (let round = 0; round < 8; round++) {
          await cluster.sql(`create table t${round} as select ${round} n`);
          missed.push(await cluster.archiveSegment());
        }
        assertEquals(await cluster.sql("select failed_count from pg_stat_archiver"), failures);
        assert(missed.every((name) => owed(2).includes(name)), `owed: ${owed(2)}`);
        assertEquals(owed(1), []);
        const told = new RegExp(
          `repo2: ${owed(2).length} WAL file\\(s\\) \\([0-9.]+MB\\) behind since .*: unable to load info file`,
        );
        const info = await stanza.must("walferry", ["info"]);
        assert(told.test(info), info);
        const [{ walferry }] = JSON.parse(await stanza.must("walferry", ["--output=json", "info"]));
        assertEquals(walferry.debt[0]["repo-key"], 2);
        assertEquals(walferry.debt[0].count, owed(2).length);

        await runAs(["mv", `${away}.away`, away]);
        // Without a background process the next files bring the payment.
        await until("the debts to be paid", async () => {
          if (mode === "n" && owed(2).length > 0) await cluster.archiveSegment();
          return owed(2).length === 0;
        }, 60_000);
        assertEquals(await held(stanza, 2), await held(stanza, 1));
        assertEquals((await stanza.must("walferry", ["info"])).includes("behind"), false);
        const path = await folder.directory("restored", 0o700);
        await stanza.must("walferry", [`--pg1-path=${path}`, "--repo=2", "--target-timeline=current", "restore"]);
        await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off", major });
        await restored.start();
        await restored.untilPrimary();
        assertEquals(await restored.sql("select count(*) from pg_tables where tablename ~ '^t[0-9]$'"), "8");
      }, major),
  );
}

testWith(
  NEEDS,
  "without a quorum nothing is acknowledged while a repository is away, and nothing is owed",
  () =>
    story({}, async ({ cluster, stanza, owed }) => {
      await cluster.archiveSegment();
      const away = stanza.repositories[1]!;
      await runAs(["mv", away, `${away}.away`]);
      await cluster.sql("select pg_create_restore_point('x'); select pg_switch_wal()");
      await cluster.until("select failed_count > 0 from pg_stat_archiver", "the archiver to fail", 60_000);
      assertEquals(owed(2), []);
      await runAs(["mv", `${away}.away`, away]);
      await cluster.archiveSegment();
      assertEquals(await held(stanza, 2), await held(stanza, 1));
    }),
);

testWith(
  NEEDS,
  "a debt whose file is no longer in pg_wal is paid from the other repository; one with other content is not",
  () =>
    story({ "archive-async": "y", "archive-push-quorum": "1" }, async ({ cluster, stanza, owed }) => {
      const away = stanza.repositories[1]!;
      await runAs(["mv", away, `${away}.away`]);
      const missed = await cluster.archiveSegment();
      await cluster.archiveSegment();
      await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
      await runAs(["cp", "/etc/hostname", `${cluster.path}/pg_wal/${missed}`]);
      await runAs(["mv", `${away}.away`, away]);
      await cluster.archiveSegment();
      await until("the debts to be paid", () => owed(2).length === 0, 60_000);
      assertEquals(await held(stanza, 2), await held(stanza, 1));
      const destination = `${stanza.folder.path}/got`;
      await stanza.must("walferry", ["--repo=2", "archive-get", missed, destination]);
      assertEquals(Deno.statSync(destination).size, 1024 * 1024);
    }),
);

testWith(
  NEEDS,
  "archive-async=n: for a debt that nobody can pay a process is started once, not with each segment",
  () =>
    story({ "archive-async": "n", "archive-push-quorum": "1" }, async ({ cluster, stanza, owed, folder }) => {
      const away = stanza.repositories[1]!;
      await runAs(["mv", away, `${away}.away`]);
      const missed = await cluster.archiveSegment();
      const stored = (await runAs(["find", stanza.repositories[0]!, "-name", `${missed}-*`])).trim();
      await runAs(["rm", stored]);
      await runAs(["cp", "/etc/hostname", `${cluster.path}/pg_wal/${missed}`]);
      await runAs(["mv", `${away}.away`, away]);
      const log = `${folder.path}/conf/log/main-archive-push-async.log`;
      const told = (part: string) => {
        try {
          return Deno.readTextFileSync(log).split(part).length - 1;
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) return 0;
          throw error;
        }
      };
      const hopeless = `repo2 is owed WAL file '${missed}': it is no longer in pg_wal`;
      await until("the hopeless debt to be tried", async () => {
        if (told(hopeless) === 0) await cluster.archiveSegment();
        return told(hopeless) > 0 && told("command begin") === told("command end");
      }, 60_000);
      const begun = told("command begin");
      for (let round = 0; round < 5; round++) await cluster.archiveSegment();
      assertEquals([told("command begin"), told(hopeless), owed(2)], [begun, 1, [missed]]);
    }),
);

testWith(NEEDS, "a quorum that cannot be is one clear line", () =>
  story({}, async ({ stanza }) => {
    for (const value of ["0", "3", "most", "1.5"]) {
      const { code, stdout, stderr } = await stanza.walferry([`--archive-push-quorum=${value}`, "archive-push", "/x"]);
      assertEquals(code, 32);
      assertIncludes(stdout + stderr, `'${value}' is not valid for 'archive-push-quorum' option`);
    }
  }));
