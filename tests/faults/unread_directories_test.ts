/** A directory that the kernel cannot read (a bad block, a stale handle of NFS) is not an empty one: what it holds is unknown. */
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, type RunResult, TestFolder } from "../support/accounts.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "strace"];

/** Runs the program while nothing can be read from one directory. */
async function withUnreadable(stanza: TestStanza, directory: string, args: readonly string[]): Promise<RunResult> {
  return await execute([
    "strace",
    "-f",
    "-qq",
    "-o",
    `${stanza.folder.path}/trace`,
    "-P",
    directory,
    "-e",
    "trace=getdents64",
    "-e",
    "inject=getdents64:error=EIO",
    walferryPath,
    `--config=${stanza.config}`,
    "--stanza=main",
    ...args,
  ]);
}

testWith(
  NEEDS,
  "what a directory holds that cannot be read is unknown: no end of the archive, no backup without it, no empty place",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'true # walferry'",
    });
    const stanza = await TestStanza.make(folder, cluster);
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
    await stanza.must("walferry", ["archive-push", `${cluster.path}/pg_wal/${segment}`]);

    const archive = `${stanza.repositories[0]!}/archive/main/15-1/${segment.slice(0, 16)}`;
    const got = await withUnreadable(stanza, archive, ["archive-get", segment, `${folder.path}/got`]);
    // 1 would end a recovery here.
    assertEquals(got.code, 255, got.stdout);
    assertIncludes(got.stdout, `unable to list path '${archive}': Input/output error`);

    const database = `${cluster.path}/base/${await cluster.sql(
      "select oid from pg_database where datname = 'postgres'",
    )}`;
    const backup = await withUnreadable(stanza, database, ["--type=full", "--no-archive-check", "backup"]);
    assertEquals(backup.code, 53, backup.stdout);
    assertIncludes(backup.stdout, `unable to list path '${database}': Input/output error`);

    await stanza.must("walferry", ["--type=full", "--no-archive-check", "backup"]);
    const place = await folder.directory("place", 0o700);
    await Deno.writeTextFile(`${place}/mine`, "mine");
    const restored = await withUnreadable(stanza, place, [`--pg1-path=${place}`, "restore"]);
    assertEquals(restored.code, 53, restored.stdout);
    assertIncludes(restored.stdout, `unable to list file info for path '${place}': Input/output error`);
  },
);
