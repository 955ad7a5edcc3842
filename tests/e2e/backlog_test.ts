/**
 * A backlog of WAL, as it is found after an outage: 10, 100, 1,000 and 10,000 files that wait for the archiver. The time for a segment must
 * not grow with their number, nor what the background process holds.
 */
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "/usr/lib/postgresql/15/bin/pg_resetwal", "pgrep", "pkill"];
const BACKLOGS = [10, 100, 1000, 10_000];
/**
 * So much longer one segment of the longest backlog may take than one of a hundred: the machine has other things to do meanwhile. Where the
 * time for one grows with the number, it is a hundred times.
 */
const GROWTH_MAX = 3;
/** Kilobytes; it levels out at some 400 MB, most of it buffers that the runtime has not collected yet. */
const MEMORY_MAX = 700 * 1024;
const FILES_MAX = 100;

testWith(NEEDS, "the time for a segment does not grow with the backlog", async (test) => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    // All files of the backlog are one: PostgreSQL must not write into it under another name.
    settings: "archive_mode = on\narchive_command = 'false'\nwal_recycle = off",
    initdb: ["--wal-segsize=1"],
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    global: { "archive-async": "y", "process-max": "2", "archive-timeout": "60s", "log-level-console": "off" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  const text = (await stanza.must("walferry", ["archive-command"])).trim();
  const segment = await cluster.sql("select pg_create_restore_point('x'); select pg_walfile_name(pg_switch_wal())");
  await runAs(["cp", `${cluster.path}/pg_wal/${segment}`, `${folder.path}/segment`]);
  await cluster.stop();
  await Deno.remove(`${folder.path}/postgres-${cluster.port}.log`);
  // What the server writes from now on comes behind everything that is made up here.
  await runAs([`${cluster.bin}/pg_resetwal`, "-l", "000000010000010000000000", cluster.path]);
  await cluster.configure(`archive_command = '${text.replaceAll("'", "''")}'`);

  const service = async () =>
    (await execute(["pgrep", "-f", `config=${stanza.config}.*archive-push:async`])).stdout.trim();
  let number = 0;
  const nextName = () => {
    const at = number++;
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
    // As many in a directory of the archive as there are with segments of 16 MiB: a push lists it.
    return `00000001${hex(1 + Math.floor(at / 256))}${hex(at % 256)}`;
  };
  const milliseconds = new Map<number, number>();
  const memory = new Map<number, number>();
  try {
    for (const count of BACKLOGS) {
      await test.step(`${count} files`, async () => {
        const names = Array.from({ length: count }, nextName);
        await runAs(
          ["sh", "-c", 'while read -r n; do ln "$0" "$1/$n"; : > "$1/archive_status/$n.ready"; done'].concat(
            `${folder.path}/segment`,
            `${cluster.path}/pg_wal`,
          ),
          { stdin: `${names.join("\n")}\n` },
        );
        const begun = performance.now();
        await cluster.start();
        await cluster.until(
          `select coalesce(last_archived_wal, '') >= '${names.at(-1)}' from pg_stat_archiver`,
          "the backlog to be archived",
          500_000,
        );
        milliseconds.set(count, (performance.now() - begun) / count);
        const pid = await service();
        const status = await Deno.readTextFile(`/proc/${pid}/status`);
        memory.set(count, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]));
        const files = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
        assert(files < FILES_MAX, `${files} files are open`);
        await cluster.stop();
        assertEquals((await cluster.log()).includes("archive command failed"), false);
        const stored = await runAs(["find", `${stanza.repositories[0]}/archive`, "-name", "00000001*-*"]);
        const there = new Set(stored.split("\n").map((path) => path.slice(path.lastIndexOf("/") + 1).slice(0, 24)));
        assertEquals(names.filter((name) => !there.has(name)), []);
      });
    }
  } finally {
    await execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
  }
  const told = BACKLOGS.map((count) => `${count}: ${milliseconds.get(count)?.toFixed(1)} ms, ${memory.get(count)} kB`);
  console.log(told.join("; "));
  assert(
    milliseconds.get(10_000)! < GROWTH_MAX * milliseconds.get(100)!,
    `a segment of a backlog takes ${told.join("; ")}`,
  );
  assert(memory.get(10_000)! < MEMORY_MAX, `memory grows: ${told.join("; ")}`);
});
