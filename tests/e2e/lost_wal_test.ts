/** WAL that a backup needs is gone: pgBackRest's `info`, `check` and `verify` say ok, ours say what is lost, and remember it. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { readMetrics } from "../support/open_metrics.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/pgbackrest"],
  "a segment that a backup needs is deleted: verify, verify --quick, info and check tell it",
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

    const restore = [`--pg1-path=${folder.path}/restored`, "restore"];
    assertEquals((await stanza.must("walferry", restore)).includes("is in no repository"), false);

    const drawn = (await stanza.must("walferry", ["--timeline", "info"])).split("\n");
    assert(drawn[1]!.startsWith("    repo1 ") && drawn[1]!.includes("F"), drawn.join("\n"));
    assert(drawn.every((line) => line.length <= 80), drawn.join("\n"));
    assertEquals((await stanza.walferry(["--timeline", "--output=json", "info"])).code, 31);

    const [{ backup: [{ label, archive: { start } }] }] = JSON.parse(
      await stanza.must("walferry", ["--output=json", "info"]),
    );
    await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", `${start}-*`, "-delete"]);
    const lost = `repo1: WAL segment ${start} is missing: backup ${label} needs it to become consistent`;
    // Nobody finds it out from PostgreSQL, whose advice is to remove backup_label.
    assertIncludes(
      await stanza.must("walferry", ["--delta", ...restore]),
      `WARN: WAL segment ${start} is in no repository: backup set ${label} cannot become consistent`,
    );
    const info = await stanza.walferry(["info"]);
    assertEquals(info.code, 0);
    assertIncludes(info.stdout, `${lost}\n`);
    assert(!info.stdout.includes("recoverable"), info.stdout);
    assertIncludes(info.stdout, "    status: ok\n");
    const check = await stanza.walferry(["check"]);
    assertEquals(check.code, 0, check.stdout + check.stderr);
    assertIncludes(check.stdout + check.stderr, lost);
    for (const mode of [["--quick"], []]) {
      const verify = await stanza.walferry([...mode, "verify"]);
      assertEquals(verify.code, 10, verify.stdout + verify.stderr);
      assertIncludes(
        verify.stdout,
        `missing: archive/main/15-1/${start.slice(0, 16)}/${start}: the segment is missing: `,
      );
      assertIncludes(verify.stdout, `backup ${label} needs it to become consistent`);
    }
    assertEquals((await stanza.must("pgbackrest", ["info"])).includes("missing"), false);
    assertEquals((await stanza.pgbackrest(["verify"])).code, 0);

    // Both results are kept: the quick look did not take the place of the full run, and shows no more since that one is newer.
    const known = await stanza.must("walferry", ["info"]);
    assert(/repo1: verified \(full\) \S+ \S+: 1 missing or damaged\n/.test(known) && !known.includes("(quick)"), known);
    const [{ walferry: { verified } }] = JSON.parse(await stanza.must("walferry", ["--output=json", "info"]));
    assertEquals(verified.map(({ mode, damage }: Record<string, unknown>) => [mode, damage]), [["full", 1], [
      "quick",
      1,
    ]]);
    const metrics = readMetrics(await stanza.must("walferry", ["metrics"]));
    for (const mode of ["full", "quick"]) {
      const of = (name: string) => metrics.get(`walferry_verify_last_${name}{stanza="main",repo="1",mode="${mode}"}`);
      assertEquals(of("damages"), 1);
      assert(of("age_seconds")! < 300 && of("timestamp_seconds")! > verified[0].time - 300);
    }
    const page = `${folder.path}/report.html`;
    await stanza.must("walferry", [`--html=${page}`, "report"]);
    assertIncludes(await Deno.readTextFile(page), "1 missing or damaged");

    // Without a look at the WAL it is the original's answer.
    const none = await stanza.must("walferry", ["--no-gaps", "info"]);
    assert(!none.includes("is missing") && !none.includes("recoverable"), none);
  },
);
