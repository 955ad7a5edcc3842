/**
 * A repository on a file system that does not answer, beside one that does: PostgreSQL is answered, a recovery gets its segments, the processes
 * end when they are told to, and what was missed is paid when the file system is back.
 */
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { hangFileSystem, HUNG_FILE_SYSTEM_NEEDS } from "../support/hung_file_system.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testAsRoot } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "pgrep", ...HUNG_FILE_SYSTEM_NEEDS];

for (const mode of ["n", "y"] as const) {
  testAsRoot(NEEDS, `archive-async=${mode}: a repository whose file system hangs holds up nobody`, async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'false'",
      initdb: ["--wal-segsize=1"],
    });
    await cluster.start();
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{}, {}],
      global: {
        "archive-async": mode,
        "archive-push-quorum": "1",
        "process-max": "2",
        "archive-timeout": "30s",
        "log-level-file": "detail",
      },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await cluster.archiveSegment();
    const owed = (key: number) => {
      try {
        const names = [...Deno.readDirSync(`${folder.path}/conf/spool/walferry/main/debt/repo${key}`)];
        return names.map(({ name }) => name).filter((name) => !name.endsWith(".tmp"));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return [];
        throw error;
      }
    };
    const running = async () => (await execute(["pgrep", "-f", `config=${stanza.config}`])).stdout.trim();
    const segments: string[] = [];
    {
      await using _hung = await hangFileSystem(stanza.repositories[0]!);
      const failures = await cluster.sql("select failed_count from pg_stat_archiver");
      for (let round = 0; round < 4; round++) segments.push(await cluster.archiveSegment());
      assertEquals(await cluster.sql("select failed_count from pg_stat_archiver"), failures);
      assert(segments.every((name) => owed(1).includes(name)), `owed: ${owed(1)}`);
      assertEquals(owed(2), []);

      // The first of the repositories, which is the one that a segment is taken from otherwise.
      for (const name of segments) {
        const destination = `${folder.path}/conf/got-${name}`;
        await stanza.must("walferry", ["archive-get", name, destination]);
        assertEquals(Deno.statSync(destination).size, 1024 * 1024);
      }
      await stanza.must("walferry", ["stop"]);
      await until("every process to end", async () => await running() === "", 20_000);
      await stanza.must("walferry", ["start"]);
    }
    await until("the debts to be paid", async () => {
      await cluster.archiveSegment();
      return owed(1).length === 0;
    }, 90_000);
    for (const name of segments) {
      const found = await runAs(["find", stanza.repositories[0]!, "-name", `${name}-*`, "-not", "-name", "*.tmp"]);
      assertIncludes(found, name);
    }
    await stanza.must("walferry", ["stop"]);
    await until("every process to end", async () => await running() === "", 20_000);
  });
}
