/** WAL that a backup needs is gone: pgBackRest's `info` and `check` say ok, ours say what is lost. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/pgbackrest"],
  "a segment that a backup needs is deleted: info and check tell it, and go on as the original's",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
    const stanza = await TestStanza.make(folder, cluster, { repositories: [{ cipherPass: "secret passphrase" }] });
    await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    await stanza.must("walferry", ["--type=full", "backup"]);
    await cluster.archiveSegment();
    const whole = await stanza.must("walferry", ["info"]);
    assert(/repo1: recoverable on timeline 1: .*\n/.test(whole) && !whole.includes("missing"), whole);
    const sound = await stanza.walferry(["check"]);
    assertEquals([sound.code, sound.stdout.includes("is missing")], [0, false]);

    const drawn = (await stanza.must("walferry", ["--timeline", "info"])).split("\n");
    assert(drawn[1]!.startsWith("    repo1 ") && drawn[1]!.includes("F"), drawn.join("\n"));
    assert(drawn.every((line) => line.length <= 80), drawn.join("\n"));
    assertEquals((await stanza.walferry(["--timeline", "--output=json", "info"])).code, 31);

    const [{ backup: [{ label, archive: { start } }] }] = JSON.parse(
      await stanza.must("walferry", ["--output=json", "info"]),
    );
    await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", `${start}-*`, "-delete"]);
    const lost = `repo1: WAL segment ${start} is missing: backup ${label} needs it to become consistent`;
    const info = await stanza.walferry(["info"]);
    assertEquals(info.code, 0);
    assertIncludes(info.stdout, `${lost}\n`);
    assert(!info.stdout.includes("recoverable"), info.stdout);
    assertIncludes(info.stdout, "    status: ok\n");
    const check = await stanza.walferry(["check"]);
    assertEquals(check.code, 0, check.stdout + check.stderr);
    assertIncludes(check.stdout + check.stderr, lost);
    assertEquals((await stanza.must("pgbackrest", ["info"])).includes("missing"), false);

    // Without a look at the WAL it is the original's answer.
    const none = await stanza.must("walferry", ["--no-gaps", "info"]);
    assert(!none.includes("missing") && !none.includes("recoverable"), none);
  },
);
