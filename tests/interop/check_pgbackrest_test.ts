/** Monitoring that was made for pgBackRest (check_pgbackrest) asks walferry under the other's name, and gets the other's answers. */
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { changeTimeline, filesOf } from "../support/verify_stanza.ts";
import { grow } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { pgbackrestPath, TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

/** Debian's package check-pgbackrest. */
const PLUGIN = "/usr/bin/check_pgbackrest";
/** Exit codes of monitoring plugins. */
const [OK, CRITICAL] = [0, 2];

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/pgbackrest", PLUGIN],
  "check_pgbackrest says the same of walferry as of pgbackrest, of sound archives, gaps and too few backups",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ cipherPass: "secret passphrase" }, {}],
      global: { "log-level-console": "warn" },
    });
    await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
    await cluster.start();
    await cluster.sql("create table plain(id int, v text); create table spaced()");
    await stanza.must("walferry", ["stanza-create"]);
    for (const type of ["full", "diff", "incr"]) {
      await stanza.must("walferry", [`--type=${type}`, "--repo=all", "backup"]);
      await grow(cluster);
    }
    await changeTimeline(cluster);
    await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
    await cluster.archiveSegment();

    const own = `${await folder.directory("bin")}/pgbackrest`;
    await runAs(["ln", "-s", walferryPath, own]);
    /** The plugin over one program. */
    const ask = async (program: string, service: string, more: readonly string[]) => {
      const words = [PLUGIN, `--service=${service}`, `--stanza=${stanza.name}`, `--config=${stanza.config}`];
      const { code, stdout, stderr } = await execute([...words, `--command=${program}`, "--output=human", ...more]);
      // It compares versions as numbers, and Perl says of 2.59.1, whose ever it is, that it is none.
      const complaints = stderr.split("\n").filter((line) => line !== "" && !line.includes("isn't numeric"));
      // Ages go on between two runs.
      return { code, text: [stdout.replaceAll(/\b(?:\d+[dhms]\s?)+(?![\w.])/g, "AGE"), ...complaints].join("\n") };
    };
    const same = async (service: string, ...more: string[]) => {
      const ours = await ask(own, service, more);
      assertEquals(ours, await ask(pgbackrestPath, service, more));
      return ours;
    };

    for (const repository of [[], ["--repo=1"], ["--repo=2"]]) {
      const archives = await same("archives", ...repository);
      assertEquals(archives.code, OK, archives.text);
      // There is WAL from before the first backup.
      assertIncludes((await same("archives", "--extended-check", ...repository)).text, "min WAL is not the oldest");
      const enough = ["--retention-full=2", "--retention-diff=1", "--retention-incr=1", "--retention-age=1h"];
      const retention = await same("retention", ...enough, ...repository);
      assertEquals(retention.code, OK, retention.text);
      assertEquals((await same("retention", "--retention-full=9", ...repository)).code, CRITICAL);
    }
    const { stdout: told } = await execute([PLUGIN, "--version"]);
    const release = /version (\d+\.\d+)/.exec(told)![1]!;
    const version = await same("check_pgb_version", `--target-version=${release}`);
    assertEquals(version.code, OK, version.text);

    // A segment behind the first backup goes; not one with a backup label beside it, which the plugin takes for the segment.
    const [{ backup: [{ archive: { stop } }] }] = JSON.parse(
      await stanza.must("walferry", ["--repo=1", "--output=json", "info"]),
    );
    const names = (await filesOf(`${stanza.repositories[0]}/archive`)).map((path) =>
      path.slice(path.lastIndexOf("/") + 1)
    );
    const labelled = new Set(names.filter((name) => name.endsWith(".backup")).map((name) => name.slice(0, 24)));
    const lost = names.map((name) => name.slice(0, 24))
      .find((name) => /^00000001[0-9A-F]{16}$/.test(name) && name > stop && !labelled.has(name))!;
    await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", `${lost}-*`, "-delete"]);
    const gap = await same("archives", "--repo=1");
    assert(gap.code !== OK, gap.text);
    const info = await stanza.must("walferry", ["--repo=1", "info"]);
    assertIncludes(info, `segment ${lost} is`);
  },
);
