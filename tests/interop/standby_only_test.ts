/**
 * Backups that are made on a standby alone, as on a host that has nothing else: the primary goes on writing, other hosts (the primary's, and
 * the real pgbackrest) go on with the chain, and every copy recovers to what the primary had.
 */
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, type TestRepository, TestStanza } from "../support/programs.ts";
import { assertAmcheckClean } from "../support/restored_indexes.ts";
import { testWith } from "../support/requirements.ts";

const SECRET = "correct horse battery staple";

/** Rows that come and go while backups are made; each round leaves the table with a sum that is known. */
async function makePrimary(folder: TestFolder): Promise<TestCluster> {
  const settings = "archive_mode = on\narchive_command = 'false'\nwal_keep_size = '1GB'\ncheckpoint_timeout = '30s'";
  const cluster = await TestCluster.init(folder, { settings });
  await cluster.start();
  await cluster.sql(`create tablespace ts1 location '${await folder.directory("ts", 0o700)}'`);
  await cluster.sql(`create table kept as select g id, md5(g::text) v from generate_series(1, 30000) g;
    create table still as select g id, repeat('x', 500) v from generate_series(1, 20000) g;
    create table spaced tablespace ts1 as select * from kept;
    create index on kept(v); create unlogged table fleeting as select 1 a`);
  return cluster;
}

async function restoreStandby(folder: TestFolder, stanza: TestStanza, primary: TestCluster): Promise<TestCluster> {
  const path = await folder.directory("standby", 0o700);
  await stanza.must("walferry", [
    `--pg1-path=${path}`,
    `--tablespace-map-all=${await folder.directory("standby-ts", 0o700)}`,
    "--type=standby",
    `--recovery-option=primary_conninfo=host=${folder.path} port=${primary.port} user=postgres`,
    "restore",
  ]);
  const standby = await TestCluster.over(folder, path, { settings: "archive_mode = on\narchive_command = ''" });
  await standby.start();
  await primary.until("select (count(*) = 1)::text from pg_stat_replication where state = 'streaming'", "the standby");
  return standby;
}

const DIGEST = `select (select count(*) || '/' || sum(hashtext(t::text)::bigint) from kept t) || ' ' ||
  (select count(*) || '/' || sum(hashtext(t::text)::bigint) from spaced t) || ' ' ||
  (select count(*) || '/' || sum(hashtext(t::text)::bigint) from still t)`;

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/pgbackrest"],
  "a standby alone is backed up while its primary writes; every copy recovers, and others go on with the chain",
  async () => {
    await using folder = await TestFolder.make();
    await using primary = await makePrimary(folder);
    const repositories: TestRepository[] = [{}, { cipherPass: SECRET, options: { bundle: "y" } }];
    const global = {
      "compress-type": "zst",
      "process-max": "2",
      "log-level-console": "detail",
      "archive-timeout": "60s",
    };
    const onPrimary = await TestStanza.make(folder, primary, { repositories, global });
    await onPrimary.must("walferry", ["stanza-create"]);
    await archiveWith(primary, onPrimary, "walferry");
    await onPrimary.must("walferry", ["--repo=all", "--type=full", "backup"]);
    await using standby = await restoreStandby(folder, onPrimary, primary);
    const onStandby = await TestStanza.make(folder, standby, {
      name: "alone",
      repositories: repositories.map((one, at) => ({ ...one, path: onPrimary.repositories[at]! })),
      global: { ...global, "backup-standby": "only" },
    });
    const checked = await onStandby.must("walferry", ["check"]);
    assertIncludes(checked, "switch wal not performed because this is a standby");
    const refused = await onPrimary.walferry(["--backup-standby=only", "--repo=1", "backup"]);
    assertEquals([refused.code, /unable to find standby cluster/.test(refused.stdout + refused.stderr)], [56, true]);

    let isDone = false;
    const load = (async () => {
      // At the pace of the archiver, so that recoveries are not long; without an end, for a segment ends only when something is written.
      for (let round = 0; !isDone; round++) {
        const [made, dropped] = [`brief_${round}`, `"brief_${round - 2}"`];
        await primary.sql(`update kept set v = md5(v || ${round}) where id % 101 = ${round % 101};
        insert into spaced select g, 'round' from generate_series(1, 300) g;
        delete from spaced where id % 7 = ${round % 7};
        create table ${made} as select g from generate_series(1, 2000) g; drop table if exists ${dropped}`);
        await primary.sql("vacuum kept");
        await primary.archiveSegment();
        if (round % 4 === 3) await primary.sql("checkpoint");
      }
    })();
    try {
      for (const [round, type] of ["incr", "full", "incr", "diff"].entries()) {
        const output = await onStandby.must("walferry", ["--repo=all", `--type=${type}`, "backup"]);
        assertEquals(output.includes(primary.path + "/"), false, "nothing of the primary is read");
        // Only a chain that began on this standby believes its times.
        assertEquals(/are those of the primary, enabling delta checksum/.test(output), round === 0, output);
        if (round >= 2) assertEquals(output.includes("enabling delta checksum"), false, output);
        const files = output.split("\n").filter((line) =>
          line.includes("backup file ") || line.includes("match file ")
        );
        assertIncludes(files.at(-1)!, `${standby.path}/global/pg_control (`);
      }
    } finally {
      isDone = true;
      await load;
    }
    await primary.archiveSegment();
    const labels = await labelsIn(onPrimary.repositories[0]!);
    const manifestOf = async (label: string) =>
      parseManifest(await onPrimary.must("walferry", ["--repo=1", "repo-get", `backup/main/${label}/backup.manifest`]));
    for (const label of labels.slice(1)) {
      const { timesOf, options } = await manifestOf(label);
      assertEquals([options.backupStandby, timesOf], [true, `${Deno.hostname()}:${standby.path}`]);
    }

    // The primary's host goes on with it, and so does the original: neither takes the standby's times for its own.
    const onward = await onPrimary.must("walferry", ["--repo=2", "--type=incr", "backup"]);
    assertIncludes(onward, `are those of ${Deno.hostname()}:${standby.path}, enabling delta checksum`);
    const original = await onPrimary.pgbackrest(["--repo=1", "--type=incr", "backup"]);
    assertEquals(original.code, 0, original.stderr);
    assertIncludes(original.stdout + original.stderr, "file 'PG_VERSION' has timestamp earlier than prior backup");
    const expected = await primary.sql(DIGEST);
    for (const repo of [1, 2]) await onPrimary.must("walferry", [`--repo=${repo}`, "verify"]);
    await onPrimary.must("pgbackrest", ["--repo=1", "verify"]);
    await primary.archiveSegment();

    // As they are, and with all the WAL behind them.
    const restores = [
      [1, "pgbackrest", 1, "default"],
      [2, "walferry", 2, "immediate"],
      [5, "walferry", 1, "default"],
      [5, "walferry", 2, "default"],
    ] as const;
    for (const [at, restorer, repo, target] of restores) {
      const label = (await labelsIn(onPrimary.repositories[repo - 1]!))[at]!;
      const path = await folder.directory(`r${repo}-${at}`, 0o700);
      await onPrimary.must(restorer, [
        `--repo=${repo}`,
        `--pg1-path=${path}`,
        `--tablespace-map-all=${await folder.directory(`r${repo}-${at}-ts`, 0o700)}`,
        ...[`--set=${label}`, `--type=${target}`, ...(target === "immediate" ? ["--target-action=promote"] : [])],
        "restore",
      ]);
      await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
      await restored.start();
      await restored.untilPrimary();
      if (target === "default") assertEquals(await restored.sql(DIGEST), expected, `${label} by ${restorer}`);
      await assertAmcheckClean(restored);
    }
  },
);
