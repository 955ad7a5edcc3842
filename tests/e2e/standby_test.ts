/**
 * Backups that read a standby which was itself restored from the repository: of a newer release than the interop tests have, with a tablespace,
 * into several repositories at once.
 */
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";

const MAJOR = 17;
const CIPHER = "correct horse battery staple";

/** A tablespace, a table in it and one beside it. */
async function makePrimary(folder: TestFolder): Promise<TestCluster> {
  const settings = "archive_mode = on\narchive_command = 'false'\nsummarize_wal = on";
  const cluster = await TestCluster.init(folder, { major: MAJOR, settings });
  await cluster.start();
  await cluster.sql(`create tablespace ts1 location '${await folder.directory("ts", 0o700)}'`);
  await cluster.sql(`create table plain as select g id, md5(g::text) v from generate_series(1, 3000) g;
    create table spaced tablespace ts1 as select g id, repeat('x', 100) v from generate_series(1, 2000) g;
    create unlogged table fleeting as select 1 a`);
  return cluster;
}

/** A standby restored from a repository, that follows by streaming. */
async function restoreStandby(folder: TestFolder, stanza: TestStanza, primary: TestCluster): Promise<TestCluster> {
  const path = await folder.directory("standby", 0o700);
  const tablespaces = await folder.directory("standby-ts", 0o700);
  await stanza.must("walferry", [
    "--repo=2",
    `--pg1-path=${path}`,
    `--tablespace-map-all=${tablespaces}`,
    "--type=standby",
    `--recovery-option=primary_conninfo=host=${folder.path} port=${primary.port} user=postgres`,
    "restore",
  ]);
  const standby = await TestCluster.over(folder, path, { major: MAJOR });
  await standby.start();
  await primary.until("select (count(*) = 1)::text from pg_stat_replication where state = 'streaming'", "the standby");
  return standby;
}

async function digest(cluster: TestCluster): Promise<string> {
  return await cluster.sql(`select (select count(*) || '/' || sum(hashtext(t::text)::bigint) from plain t) || ' ' ||
    (select count(*) || '/' || sum(hashtext(t::text)::bigint) from spaced t) || ' ' || (select count(*) from fleeting)`);
}

async function change(primary: TestCluster, round: number): Promise<void> {
  await primary.sql(`update plain set v = '${round}' where id % 10 = ${round};
    insert into spaced select g, 'round ${round}' from generate_series(1, 500) g; truncate fleeting`);
  await primary.archiveSegment();
}

Deno.test(`a standby of PostgreSQL ${MAJOR} is read for several repositories, plain and encrypted, with tablespaces`, async () => {
  await using folder = await TestFolder.make();
  await using primary = await makePrimary(folder);
  const repositories = [{}, { cipherPass: CIPHER, options: { bundle: "y", block: "y" } }];
  const global = {
    "backup-standby": "prefer",
    "compress-type": "zst",
    "process-max": "2",
    "log-level-console": "detail",
  };
  const alone = await TestStanza.make(folder, primary, { repositories, global });
  await alone.must("walferry", ["stanza-create"]);
  await archiveWith(primary, alone, "walferry");
  const preferred = await alone.must("walferry", ["--repo=all", "--type=full", "backup"]);
  assertIncludes(preferred, "unable to find a standby to perform the backup, using primary instead");

  await using standby = await restoreStandby(folder, alone, primary);
  const stanza = await TestStanza.make(folder, primary, {
    name: "both",
    repositories: repositories.map((repository, at) => ({ ...repository, path: alone.repositories[at]! })),
    global,
    stanza: {
      "pg2-path": standby.path,
      "pg2-port": String(standby.port),
      "pg2-socket-path": folder.path,
      "pg2-user": "postgres",
    },
  });
  const expected = ["unused: the backup of the primary"];
  for (const [round, type] of ["incr", "full", "incr"].entries()) {
    await change(primary, round);
    const output = await stanza.must("walferry", ["--repo=all", `--type=${type}`, "--wal-summary=y", "backup"]);
    assertEquals(/WARN|ERROR/.test(output), false, output);
    assertIncludes(output, `${standby.path}/base/`);
    assertEquals(output.includes(`${primary.path}/base/`), false, output);
    assertIncludes(output, `${standby.path}/pg_tblspc/`);
    if (type !== "full") assertIncludes(output, "a standby is or was read");
    expected.push(await digest(primary));
  }
  const labels = await Promise.all(stanza.repositories.map(labelsIn));
  assertEquals(labels[0], labels[1]);
  for (const label of labels[0]!.slice(1)) {
    const text = await stanza.must("walferry", ["--repo=1", "repo-get", `backup/main/${label}/backup.manifest`]);
    const manifest = parseManifest(text);
    assertEquals([manifest.options.backupStandby, manifest.pgVersion], [true, String(MAJOR)], label);
    assert(manifest.files.values().some(({ name }) => name.startsWith("pg_tblspc/")), label);
  }
  for (const repo of [1, 2]) {
    await stanza.must("walferry", [`--repo=${repo}`, "verify"]);
    // On top of the primary's backup, and at the end of a chain that is the standby's alone.
    for (const at of repo === 1 ? [1, 3] : [3]) {
      const label = labels[0]![at]!;
      const path = await folder.directory(`r${repo}-${at}`, 0o700);
      await stanza.must("walferry", [
        `--repo=${repo}`,
        `--pg1-path=${path}`,
        `--tablespace-map-all=${await folder.directory(`r${repo}-${at}-ts`, 0o700)}`,
        ...[`--set=${label}`, "--type=immediate", "--target-action=promote", "restore"],
      ]);
      await using restored = await TestCluster.over(folder, path, { major: MAJOR, settings: "archive_mode = off" });
      await restored.start();
      await restored.untilPrimary();
      assertEquals(await digest(restored), expected[at], `${label} of repo${repo}`);
    }
  }
});
