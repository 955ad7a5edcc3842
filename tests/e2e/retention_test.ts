/** Retention on the executable: a pinned backup outlives the retention, and the plan removes nothing and says why. */
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "pgbackrest"],
  "pin, expire --plan and unpin; the original shows the pin and reads what is kept",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'false'",
      initdb: ["--wal-segsize=1"],
    });
    await cluster.start();
    const stanza = await TestStanza.make(folder, cluster, {});
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    const labels = async () =>
      (JSON.parse(await stanza.must("walferry", ["--output=json", "info"]))[0].backup as { label: string }[])
        .map(({ label }) => label);
    for (let round = 0; round < 4; round++) await stanza.must("walferry", ["--type=full", "backup"]);
    const [first, second, third, fourth] = await labels();
    await stanza.must("walferry", [`--set=${second}`, "--reason=before the audit", "pin"]);
    assertIncludes(await stanza.must("pgbackrest", [`--set=${second}`, "info"]), "walferry-pin: before the audit");

    const retention = "--repo1-retention-full=1";
    const plan = await stanza.must("walferry", [retention, "--plan", "expire"]);
    assertIncludes(plan, `remove backup ${first}: beyond the newest 1 full backups`);
    assertIncludes(plan, `keep   backup ${second}: pinned`);
    assertIncludes(plan, `remove backup ${third}: beyond the newest 1 full backups`);
    assertIncludes(plan, `keep   backup ${fourth}: one of the newest 1 full backups`);
    assert(/15-1: WAL [0-9A-F]{24} to [0-9A-F]{24} stays: it makes an older backup consistent/.test(plan), plan);
    assertEquals(await labels(), [first, second, third, fourth]);

    const refused = await stanza.walferry([`--set=${second}`, "expire"]);
    assertEquals(refused.code, 104);
    assertIncludes(refused.stdout + refused.stderr, "is pinned");
    await stanza.must("walferry", [retention, "expire"]);
    assertEquals(await labels(), [second, fourth]);
    await stanza.must("walferry", [`--set=${second}`, "verify"]);
    const path = await folder.directory("restored", 0o700);
    await stanza.must("pgbackrest", [`--set=${second}`, "--type=immediate", `--pg1-path=${path}`, "restore"]);
    await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
    await restored.start();
    await restored.stop();

    await stanza.must("walferry", [`--set=${second}`, "unpin"]);
    await stanza.must("walferry", [retention, "expire"]);
    assertEquals(await labels(), [fourth]);
  },
);
