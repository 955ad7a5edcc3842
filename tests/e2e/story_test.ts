/** The main job on every supported PostgreSQL: archive to two repositories, back up, lose the cluster, restore to a moment. */
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const TOOLS_15 = "/usr/lib/postgresql/15/bin";
const FINGERPRINT = "select count(*) || ' ' || md5(string_agg(id || ':' || v, ',' order by id)) from t";

for (const major of [13, 14, 15, 16, 17, 18]) {
  testWith(
    ["npm"],
    `PostgreSQL ${major}: archived, backed up, lost, restored to a moment from the second repository`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await TestCluster.init(folder, {
        major,
        settings: "archive_mode = on\narchive_command = 'false'",
      });
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{}, { cipherPass: "second passphrase" }],
        global: { "compress-type": "zst", "process-max": "2" },
      });
      await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
      await cluster.start();
      await stanza.must("walferry", ["stanza-create"]);
      await stanza.must("walferry", ["check"]);
      await cluster.sql(
        "create table t as select g::bigint id, md5(g::text) v from generate_series(1, 20000) g; create unlogged table u as select 1 a;",
      );
      const backup = await stanza.must("walferry", ["--type=full", "--repo=all", "--annotation=ticket=42", "backup"]);
      assertIncludes(backup, "new backup label = ");
      await cluster.sql("insert into t select g, md5(g::text) from generate_series(20001, 30000) g");
      // Sets are chosen by whole seconds.
      const stop =
        /"stop":(\d+)},"type":"full"/.exec(await stanza.must("walferry", ["--repo=2", "--output=json", "info"]))![1];
      await cluster.until(
        `select clock_timestamp() > to_timestamp(${stop} + 1)`,
        "a later second than the end of the backup",
      );
      const before = await cluster.sql(FINGERPRINT);
      const moment = await cluster.sql("select clock_timestamp()");
      await cluster.sql("delete from t where id % 3 = 0");
      await cluster.archiveSegment();
      await cluster.stop("immediate");
      await runAs(["rm", "-rf", cluster.path, stanza.repositories[0]!]);

      const output = await stanza.must("walferry", [
        "--repo=2",
        "--type=time",
        `--target=${moment}`,
        "--target-action=promote",
        "restore",
      ]);
      assertIncludes(output, "repo2: restore backup set");
      await using restored = await TestCluster.over(folder, cluster.path, { major, settings: "archive_mode = off" });
      await restored.start();
      await restored.untilPrimary();
      assertEquals(await restored.sql(FINGERPRINT), before);
      assertEquals(await restored.sql("select count(*) from u"), "0");
      await restored.sql("create extension if not exists amcheck");
      await restored.sql(
        "select count(bt_index_check(c.oid)) from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam where a.amname = 'btree' and c.relpersistence = 'p'",
      );
      assertIncludes(await stanza.must("walferry", ["--repo=2", "info"]), `wal archive min/max (${major})`);
      if (major === 15) {
        await runAs([
          `${TOOLS_15}/pg_amcheck`,
          "-h",
          folder.path,
          "-p",
          String(restored.port),
          "-U",
          "postgres",
          "--all",
        ]);
        await restored.stop();
        assertIncludes(await runAs([`${TOOLS_15}/pg_checksums`, "--check", "-D", cluster.path]), "Bad checksums:  0");
      }
    },
  );
}

testWith(
  [`${TOOLS_15}/pg_verifybackup`],
  "pg_verifybackup accepts a base backup that went through a repository and back",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder);
    await cluster.start();
    await cluster.sql("create table t as select g id, md5(g::text) v from generate_series(1, 50000) g");
    const base = `${folder.path}/base`;
    await runAs([
      `${TOOLS_15}/pg_basebackup`,
      "-h",
      folder.path,
      "-p",
      String(cluster.port),
      "-U",
      "postgres",
      "-D",
      base,
      "-X",
      "fetch",
      "-c",
      "fast",
    ]);
    await cluster.stop();
    const stanza = await TestStanza.make(folder, { path: base, port: cluster.port }, {
      global: { "compress-type": "lz4", "process-max": "2" },
    });
    await stanza.must("walferry", ["--no-online", "stanza-create"]);
    await stanza.must("walferry", ["--no-online", "--type=full", "backup"]);
    const restored = await folder.directory("restored", 0o700);
    await stanza.must("walferry", [`--pg1-path=${restored}`, "restore"]);
    // Backups leave these two out, since they belong to the copy they came with.
    await runAs(["cp", `${base}/backup_manifest`, `${base}/backup_label`, restored]);
    assertIncludes(await runAs([`${TOOLS_15}/pg_verifybackup`, restored]), "backup successfully verified");
  },
);
