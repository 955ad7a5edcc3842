/**
 * Incremental backups that ask the server which relation files changed, beside those that read every file: what is stored must be the same,
 * whatever was done to the data, and what was not touched must not have been read.
 */
import type { Manifest } from "../../src/format/manifest.ts";
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { skipTest } from "../support/requirements.ts";

const MIB = 1024 * 1024;
/** `1`: the newest release and a table of several files of 1 GiB as well. */
const isLong = Deno.env.get("WALFERRY_TEST_WAL_SUMMARY_LONG") === "1";
/** Incremental backups while the server writes. */
const ROUNDS = Number(Deno.env.get("WALFERRY_TEST_WAL_SUMMARY_ROUNDS") ?? 2);

const SUMMARIZING =
  "archive_mode = on\narchive_command = 'false'\nsummarize_wal = on\nautovacuum = off\nmax_prepared_transactions = 5";

/** Two databases and a tablespace; a table that nobody is going to touch makes up most of it. */
async function makeCluster(folder: TestFolder, major: number, settings = SUMMARIZING): Promise<TestCluster> {
  const cluster = await TestCluster.init(folder, { major, settings });
  await cluster.start();
  await cluster.sql(`create tablespace ts1 location '${await folder.directory("ts", 0o700)}'`);
  await cluster.sql("create database other");
  await cluster.sql("create table still(id int)", "other");
  await cluster.sql("create database traveller");
  const roomy = "create table roomy with (fillfactor = 50) as select g id, 1 v from generate_series(1, 5000) g";
  await cluster.sql(roomy, "traveller");
  await cluster.sql(`create table still as select g id, repeat('x', 1000) v from generate_series(1, 40000) g;
    create table grown as select g id, md5(g::text) v from generate_series(1, 20000) g;
    create table updated with (fillfactor = 70) as select * from grown;
    create table emptied as select * from grown;
    create table dropped as select * from grown;
    create table rewritten as select * from grown;
    create table shortened as select * from grown;
    create table frozen as select * from grown;
    create table cleared as select * from grown;
    create table moved as select * from grown;
    create table spaced tablespace ts1 as select * from grown;
    create unlogged table fleeting as select * from grown;
    create table made_fleeting as select * from grown;
    create index on grown(id);
    create index on updated(v);
    create index on cleared(id);
    create sequence counter;
    create table indexed as select g id, array[g, g % 100] tags, point(g, g % 77) place, int4range(g, g + 5) span,
      md5(g::text) v from generate_series(1, 5000) g;
    create index on indexed using gin(tags);
    create index on indexed using gist(place);
    create index on indexed using spgist(span);
    create index on indexed using brin(id);
    create index on indexed using hash(v);
    create table toasted as select g id, (select string_agg(md5((g * n)::text), '') from generate_series(1, 300) n) v
      from generate_series(1, 100) g;
    create materialized view counted as select count(*) from indexed;
    create table locked as select * from grown;
    select lo_from_bytea(4711, 'large');
    create table hinted as select * from grown;`);
  for (const table of ["still", "cleared"]) await cluster.sql(`vacuum (freeze) ${table}`);
  await settle(cluster);
  return cluster;
}

/** Reads every table and index of the catalog, so that no backup leaves traces (hint bits) by its own questions. */
async function settle(cluster: TestCluster): Promise<void> {
  for (const database of ["postgres", "other"]) {
    for (const scan of ["seqscan", "indexscan"]) {
      await cluster.sql(
        `set enable_${scan} = off; set enable_bitmapscan = off; do $$ declare r regclass; begin
        for r in select oid from pg_class where relkind = 'r' and relnamespace = 'pg_catalog'::regnamespace
        loop execute format('select count(*) from %s', r); end loop; end $$`,
        database,
      );
    }
  }
}

const STEPS: readonly (readonly [what: string, change: (cluster: TestCluster, folder: TestFolder) => Promise<void>])[] =
  [
    ["nothing at all", () => Promise.resolve()],
    ["rows that come, change, go, with their tables", async (cluster) => {
      await cluster.sql(`insert into grown select g, 'new' from generate_series(1, 3000) g;
    update updated set id = id + 1 where id % 50 = 0;
    truncate emptied; insert into emptied select g, 'again' from generate_series(1, 20000) g;
    drop table dropped; create table dropped as select g id, md5(g::text) v from generate_series(1, 20000) g;
    select nextval('counter'); create index on rewritten(v);`);
      await cluster.sql(`update indexed set tags = array[id], place = point(0, id), v = 'x' || id where id % 400 = 1;
    delete from indexed where id % 400 = 2; update toasted set v = v || 'x' where id = 50;
    refresh materialized view counted; select lo_put(4711, 3, 'object'); select id from locked where id < 10 for update`);
      await cluster.sql("begin; delete from locked where id = 15000; prepare transaction 'later'");
      await cluster.sql("vacuum full rewritten");
      // The heap's record clears a bit of the visibility map, and names the heap's block only.
      await cluster.sql("delete from cleared where id = 12345");
    }],
    ["what only maintenance and readers write", async (cluster) => {
      await cluster.sql("vacuum (freeze) frozen");
      await cluster.sql("delete from shortened where id > 100");
      await cluster.sql("vacuum shortened");
      await cluster.sql("update hinted set v = 'x' where id < 500");
      await cluster.sql("checkpoint");
      await cluster.sql("select count(*) from hinted");
      await cluster.sql("begin; insert into grown select g, 'lost' from generate_series(1, 9000) g; rollback");
      await cluster.sql("commit prepared 'later'");
      await cluster.sql("vacuum grown");
      await cluster.sql("vacuum indexed");
      await cluster.sql("reindex table updated");
      await cluster.sql("cluster grown using grown_id_idx");
    }],
    ["databases, tablespaces, roles", async (cluster) => {
      await cluster.sql("create database by_wal template other strategy wal_log");
      await cluster.sql("create database by_files template other strategy file_copy");
      await cluster.sql("alter database by_files set tablespace ts1");
      await cluster.sql("drop database other");
      await cluster.sql("create database other template by_wal strategy file_copy");
      await cluster.sql("alter table moved set tablespace ts1");
      await cluster.sql("alter table spaced set tablespace pg_default; alter table spaced set tablespace ts1");
      // Changed where its files were for a while: where they are again, only the copy of the whole database is in the WAL.
      await cluster.sql("alter database traveller set tablespace ts1");
      await cluster.sql("update roomy set v = 2 where id = 7", "traveller");
      await cluster.sql("alter database traveller set tablespace pg_default");
      await cluster.sql("create role somebody; comment on role somebody is 'shared'");
      await cluster.sql("alter table fleeting set logged; alter table made_fleeting set unlogged");
      await cluster.sql("insert into still select 1", "by_files");
      await settle(cluster);
    }],
  ];

async function newest(repository: string): Promise<Manifest> {
  const label = (await labelsIn(repository)).at(-1)!;
  return parseManifest(await runAs(["cat", `${repository}/backup/main/${label}/backup.manifest`]));
}

/** Names and contents of the relation files of a backup, of all forks, and of what lies beside them. */
function contents({ files }: Manifest): Map<string, string> {
  return new Map(
    [...files].filter(({ name }) => /^(pg_data\/(base|global)|pg_tblspc)\//.test(name) && !name.endsWith("/pg_control"))
      .map(({ name, checksum, sizeBytes }) => [name, `${sizeBytes} ${checksum ?? ""}`]),
  );
}

/** Runs a command of ours; gives its output and how many bytes it and its threads read. */
async function counted(stanza: TestStanza, args: readonly string[]): Promise<{ output: string; readBytes: number }> {
  const command = stanza.commandLine("walferry", ...args);
  // What a shell's children read counts for it when they have ended.
  const output = await runAs(["sh", "-c", `${command} && grep rchar /proc/$$/io`]);
  return { output, readBytes: Number(/rchar: (\d+)/.exec(output)![1]) };
}

async function makeStanza(folder: TestFolder, cluster: TestCluster, compressType = "none"): Promise<TestStanza> {
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, { options: { block: "y", bundle: "y" } }, {}],
    global: { "compress-type": compressType, "log-level-console": "detail", "process-max": "2" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  return stanza;
}

const ASKED = ["--type=incr", "--delta", "--wal-summary=y", "backup"];

for (const major of isLong ? [17, 18] : [17]) {
  Deno.test(`what WAL summaries leave unread is what reading finds unchanged (PostgreSQL ${major})`, async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder, major);
    const stanza = await makeStanza(folder, cluster);
    const [asking, inBlocks, reading] = stanza.repositories;
    await stanza.must("walferry", ["--repo=all", "--type=full", "backup"]);
    const still = await cluster.sql("select pg_relation_filepath('still')");
    for (const [what, change] of STEPS) {
      await change(cluster, folder);
      const asked = await counted(stanza, ["--repo=1,2", ...ASKED]);
      const read = await counted(stanza, ["--repo=3", "--type=incr", "--delta", "backup"]);
      const expected = contents(await newest(reading!));
      for (const repository of [asking!, inBlocks!]) {
        assertEquals(contents(await newest(repository)), expected, `${what}: ${repository}`);
      }
      assert(/WAL summaries: [1-9]\d* relation files/.test(asked.output), asked.output);
      assertEquals(asked.output.includes(`${still} (`), false, what);
      assertIncludes(read.output, `match file from prior backup ${cluster.path}/${still} (`);
      assert(asked.readBytes < read.readBytes - 30 * MIB, `${what}: ${asked.readBytes}, ${read.readBytes} bytes read`);
    }
    await cluster.archiveSegment();
    await assertRestores(folder, cluster, stanza, major);
  });
}

/** Restored from the repository with blocks and bundles, with all the WAL, every table is what it was, read by its rows and by its indexes. */
async function assertRestores(
  folder: TestFolder,
  cluster: TestCluster,
  stanza: TestStanza,
  major: number,
  databases: readonly string[] = ["postgres", "other", "by_wal", "by_files", "traveller"],
): Promise<void> {
  const path = await folder.directory("restored", 0o700);
  const tablespaces = await folder.directory("restored-ts", 0o700);
  await stanza.must("walferry", [
    "--repo=2",
    `--pg1-path=${path}`,
    `--tablespace-map-all=${tablespaces}`,
    "restore",
  ]);
  await using restored = await TestCluster.over(folder, path, { major, settings: "archive_mode = off" });
  await restored.start();
  await restored.untilPrimary();
  for (const database of databases) {
    for (const scan of ["seqscan", "indexscan"]) {
      assertEquals(
        await digest(restored, database, scan),
        await digest(cluster, database, scan),
        `${database} ${scan}`,
      );
    }
  }
  assertEquals(await indexOnly(restored), await indexOnly(cluster));
}

/** Rows and content of every permanent table that is not the catalog's. */
async function digest(cluster: TestCluster, database: string, off: string): Promise<string> {
  return await cluster.sql(
    `set enable_${off} = off; set enable_bitmapscan = off;
    select string_agg(relname || ' ' || (xpath('/row/d/text()', query_to_xml(format(
      'select count(*) || ''/'' || coalesce(sum(hashtext(t::text)::bigint), 0) as d from %s t', oid::regclass
    ), false, true, '')))[1]::text, E'\\n' order by relname)
    from pg_class where relkind in ('r', 'm') and relpersistence = 'p' and relnamespace = 'public'::regnamespace`,
    database,
  );
}

/** Counted by an index and the visibility map alone: a map that calls a page visible that is not gives another number. */
async function indexOnly(cluster: TestCluster): Promise<string> {
  const settings = "set enable_seqscan = off; set enable_bitmapscan = off;";
  assertIncludes(
    await cluster.sql(`${settings} explain (format json) select count(id) from cleared where id > 0`),
    "Index Only Scan",
  );
  return await cluster.sql(`${settings} select count(id) from cleared where id > 0`);
}

Deno.test("a chain that asks WAL summaries while the server writes, shortens and drops is consistent", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder, 17);
  const stanza = await makeStanza(folder, cluster);
  let isDone = false;
  const load = (async () => {
    for (let round = 0; !isDone; round++) {
      await cluster.sql(`update updated set v = md5(v || ${round}) where id % 97 = ${round % 97};
        create table brief_${round} as select g, md5(g::text) v from generate_series(1, 2000) g;
        drop table if exists "brief_${round - 2}";
        delete from cleared where id % 997 = ${round % 997};
        delete from grown where id > 19000; insert into grown select g, md5(g::text) from generate_series(19001, 21000) g`);
      await cluster.sql(round % 5 === 4 ? "truncate shortened" : "insert into shortened select * from updated");
      await cluster.sql(`vacuum ${["grown", "cleared", "updated"][round % 3]}`);
      if (round % 4 === 3) await cluster.sql("checkpoint");
    }
  })();
  try {
    await stanza.must("walferry", ["--repo=1,2", "--type=full", "backup"]);
    for (let round = 0; round < ROUNDS; round++) {
      // Without delta too: then the WAL is only held against the times.
      const delta = round % 2 === 0 ? [] : ["--no-delta"];
      const options = ASKED.filter((one) => delta.length === 0 || one !== "--delta");
      // The second repository is left out once: from then on the two have different pasts.
      const repos = round === 0 ? ["1"] : ["1", "2"];
      const output = await stanza.must("walferry", [`--repo=${repos.join(",")}`, ...delta, ...options]);
      const told = [...output.matchAll(/(repo\d: )?WAL summaries: [1-9]\d* relation files/g)].map(([, repo]) => repo);
      assertEquals(told, repos.length === 1 ? [undefined] : repos.map((repo) => `repo${repo}: `), output);
    }
  } finally {
    isDone = true;
    await load;
  }
  await cluster.archiveSegment();
  await assertRestores(folder, cluster, stanza, 17, ["postgres", "other"]);
});

const testLong = isLong
  ? Deno.test
  : (name: string, _run: () => Promise<void>) => skipTest(name, "takes minutes (set WALFERRY_TEST_WAL_SUMMARY_LONG=1)");

testLong("of a table of several files only those are read in which a block changed", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    major: 17,
    settings: `${SUMMARIZING.replace("'false'", "'true'")}\nmax_wal_size = '4GB'`,
  });
  await cluster.start();
  await cluster.sql(`create table huge(id int, v text storage plain);
      insert into huge select g, repeat('x', 7900) from generate_series(1, 290000) g`);
  await cluster.sql("vacuum (freeze) huge");
  const path = `${cluster.path}/${await cluster.sql("select pg_relation_filepath('huge')")}`;
  const stanza = await makeStanza(folder, cluster, "zst");
  await stanza.must("walferry", ["--repo=1,3", "--type=full", "backup"]);
  // The first file, and the end of the last one.
  await cluster.sql("update huge set v = 'y' where id = 7; delete from huge where id > 289000");
  await cluster.sql("vacuum huge");
  const asked = await counted(stanza, ["--repo=1", ...ASKED]);
  await stanza.must("walferry", ["--repo=3", "--type=incr", "--delta", "backup"]);
  assertEquals(
    contents(await newest(stanza.repositories[0]!)),
    contents(await newest(stanza.repositories[2]!)),
  );
  assertIncludes(asked.output, `backup file ${path} (`);
  assertEquals(asked.output.includes(`${path}.1 (`), false, asked.output);
  assertIncludes(asked.output, `backup file ${path}.2 (`);
});

Deno.test("where WAL summaries prove nothing, files are read, and that is said", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { major: 17, settings: SUMMARIZING });
  await cluster.start();
  await cluster.sql("create table rows as select g id, repeat('x', 1000) v from generate_series(1, 2000) g");
  // Times of backups are whole seconds: one that begins in the second of the server's start proves nothing to the next.
  const isOlder = "select (clock_timestamp() > pg_postmaster_start_time() + interval '1 second')::text";
  await cluster.until(isOlder, "the next second");
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "none" } });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  const summaries = `${cluster.path}/pg_wal/summaries`;
  const newestSummary = async () => (await runAs(["ls", "-t", summaries])).split("\n")[0]!;
  const backUp = async () => await stanza.must("walferry", [...ASKED]);
  const changeAndSummarize = async () => {
    const last = await cluster.sql("select max(end_lsn) from pg_available_wal_summaries()");
    await cluster.sql("update rows set v = v || 'y' where id < 100");
    await cluster.sql("checkpoint");
    const isNewer = `select (max(end_lsn) > '${last}')::text from pg_available_wal_summaries()`;
    await cluster.until(isNewer, "the summary that ends at the checkpoint");
  };
  const refused = (reason: string) => new RegExp(`WAL summaries are not used on top of \\S+: ${reason}`);

  assertIncludes(await backUp(), "no prior backup exists");
  assertIncludes(await backUp(), /WAL summaries: [1-9]\d* relation files/);

  await changeAndSummarize();
  await runAs(["rm", `${summaries}/${await newestSummary()}`]);
  assertIncludes(await backUp(), refused("the server has no summary of its WAL from "));

  await changeAndSummarize();
  await runAs(["truncate", "-s", "10", `${summaries}/${await newestSummary()}`]);
  assertIncludes(await backUp(), "WAL summaries are not used");

  await cluster.sql("alter system set summarize_wal = off");
  await cluster.reload();
  await cluster.until("select (current_setting('summarize_wal') = 'off')::text", "summarize_wal to change");
  assertIncludes(await backUp(), refused("summarize_wal is off"));
  await cluster.sql("alter system set summarize_wal = on");

  await cluster.stop();
  await cluster.start();
  await cluster.until(isOlder, "the next second");
  assertIncludes(await backUp(), refused("the server was started since"));
  assertIncludes(await backUp(), /WAL summaries: [1-9]\d* relation files/);

  // A clock that went back shows in times of files.
  await runAs(["touch", "-d", "2030-01-01", `${cluster.path}/pg_ident.conf`]);
  assertIncludes(await backUp(), refused("the times of files cannot be believed"));
  await stanza.must("walferry", ["verify"]);
});
