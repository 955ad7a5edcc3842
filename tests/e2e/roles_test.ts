/** `repoN-role`: one repository for WAL only, one for backups only; each holds what it is for, and a backup stands without an archive beside it. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "pgbackrest"],
  "one repository takes WAL, another backups with the WAL that they need",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'false'",
      initdb: ["--wal-segsize=1"],
    });
    await cluster.start();
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [
        { options: { role: "wal" } },
        { cipherPass: "secret", options: { role: "backup" } },
      ],
      global: { "compress-type": "gz", "archive-timeout": "10s" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    const segments = async (key: number) =>
      (await runAs(["find", `${stanza.repositories[key - 1]}/archive`, "-name", "0000*-*"])).split("\n").filter(Boolean)
        .map((path) => path.slice(path.lastIndexOf("/") + 1, path.lastIndexOf("/") + 25)).sort();
    const first = await cluster.archiveSegment();
    await stanza.must("walferry", ["check"]);
    await cluster.sql("create table t as select 42 n");
    await stanza.must("walferry", ["backup"]);
    assertEquals(await segments(2), []);
    const directory = `${stanza.repositories[1]}/backup/main/latest/`;
    assert((await runAs(["find", directory, "-path", "*pg_data/pg_wal/0*"])).trim() !== "", "the backup holds its WAL");

    // Behind a second backup the first is expired in one repository, and what only it needed in the other.
    for (let round = 0; round < 3; round++) await cluster.archiveSegment();
    const log = await stanza.must("walferry", ["--type=full", "--repo2-retention-full=1", "backup"]);
    assertIncludes(log, "expire full backup");
    const kept = await segments(1);
    assert(kept.length > 0 && !kept.includes(first), `kept: ${kept}`);
    const { backup } = JSON.parse(await stanza.must("walferry", ["--output=json", "info"]))[0];
    assertEquals(backup.length, 1);
    assertEquals(kept[0], backup[0].archive.start);

    // That the one for WAL has no backup is no trouble of a restore.
    const target = await folder.directory("target", 0o700);
    const said = await stanza.must("walferry", ["--result=json", `--pg1-path=${target}`, "restore"]);
    assert(!said.includes("WARN"), said);
    assertIncludes(said, '"repo":[{"repo-key":1,"result":"unknown","error":null},{"repo-key":2,"result":"ok"');

    // With its archive lost the backup is whole by itself.
    await runAs(["mv", stanza.repositories[0]!, `${stanza.repositories[0]}.away`]);
    const path = await folder.directory("restored", 0o700);
    await stanza.must("walferry", ["--repo=2", "--type=none", `--pg1-path=${path}`, "restore"]);
    await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
    await restored.start();
    assertEquals(await restored.sql("select n from t"), "42");
    await restored.stop();
    // And no archive is none: nothing that is asked of it may count as an answer.
    const { code, stdout, stderr } = await stanza.walferry(["--repo=2", "archive-get", first, `${folder.path}/x`]);
    assertEquals(code, 255);
    assertIncludes(stdout + stderr, "there is no repository for archive-get");
    await runAs(["mv", `${stanza.repositories[0]}.away`, stanza.repositories[0]!]);
    // The original reads the backup, too.
    assertIncludes(await stanza.must("pgbackrest", ["--repo=2", "info"]), "full backup");
  },
);
