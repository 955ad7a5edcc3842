/** What the file system can do to a repository and to a restore: full, failing to sync, failing to rename. */
import { sha1Hex } from "../../src/stream/hash.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testAsRoot, testWith } from "../support/requirements.ts";
import { whileListFails } from "../support/unread_list.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "strace"];

/** A mounted file system of this size; root only. */
async function smallDisk(
  folder: TestFolder,
  name: string,
  megabytes: number,
): Promise<{ path: string } & AsyncDisposable> {
  const path = await folder.directory(name);
  await runAs(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m,mode=0777`, "tmpfs", path], { asSelf: true });
  return { path, [Symbol.asyncDispose]: () => runAs(["umount", path], { asSelf: true }).then(() => undefined) };
}

async function scene(): Promise<{ folder: TestFolder; cluster: TestCluster } & AsyncDisposable> {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'true # walferry'",
  });
  return {
    folder,
    cluster,
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Names below a directory that no finished write leaves. */
async function leftovers(path: string): Promise<string> {
  return (await runAs(["find", path, "-name", "*.pgbackrest.tmp"])).trim();
}

testAsRoot(
  NEEDS,
  "a repository on a full disk: the segment is refused, nothing half stays, the other repository holds it",
  async () => {
    await using place = await scene();
    const { folder, cluster } = place;
    await using disk = await smallDisk(folder, "disk", 4);
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ path: disk.path }, {}],
      global: { "compress-type": "none" },
    });
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
    const result = await stanza.walferry(["archive-push", `${cluster.path}/pg_wal/${segment}`]);
    assertEquals(result.code, 104, result.stdout);
    assertIncludes(result.stdout, "repo1: [FileWriteError]");
    assertIncludes(result.stdout, "the file system is full");
    assertEquals(await leftovers(disk.path), "");
    assertEquals((await runAs(["find", stanza.repositories[1]!, "-name", `${segment}-*`])).trim().length > 0, true);

    const backup = await stanza.walferry(["--type=full", "--no-archive-check", "--repo=all", "backup"]);
    assertEquals(backup.code, 104, backup.stdout);
    assertIncludes(backup.stdout, "repo1: [");
    const info = await stanza.must("walferry", ["--repo=2", "info"]);
    assertIncludes(info, "full backup: ");
    assertIncludes(await stanza.must("walferry", ["--repo=1", "info"]), "no valid backups");
    assertEquals(
      (await stanza.walferry(["--type=full", "--no-archive-check", "--repo=1", "backup"])).code === 0,
      false,
    );
  },
);

testAsRoot(NEEDS, "a restore onto a full disk fails with the path, and the cluster cannot be started", async () => {
  await using place = await scene();
  const { folder, cluster } = place;
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "zst" } });
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  await stanza.must("walferry", ["--type=full", "--no-archive-check", "backup"]);
  await using disk = await smallDisk(folder, "target", 8);
  await runAs(["chmod", "700", disk.path], { asSelf: true });
  await runAs(["chown", "--reference", cluster.path, disk.path], { asSelf: true });
  const result = await stanza.walferry([`--pg1-path=${disk.path}`, "--type=none", "restore"]);
  assertEquals(result.code, 64, result.stdout);
  assertIncludes(result.stdout, `unable to write '${disk.path}/`);
  assertEquals((await execute(["test", "-e", `${disk.path}/global/pg_control`])).code, 1);
});

testWith(NEEDS, "names are made durable also where a directory of the repository is a link to elsewhere", async () => {
  await using place = await scene();
  const { folder, cluster } = place;
  const stanza = await TestStanza.make(folder, cluster);
  await cluster.start();
  const elsewhere = await folder.directory("elsewhere");
  const backup = await folder.directory("conf/repo1/backup");
  await runAs(["ln", "-s", elsewhere, `${backup}/main`]);
  const result = await execute([
    "strace",
    "-f",
    "-qq",
    "-o",
    `${folder.path}/trace`,
    "-P",
    elsewhere,
    "-e",
    "trace=fsync",
    "-e",
    "inject=fsync:error=EIO",
    walferryPath,
    `--config=${stanza.config}`,
    "--stanza=main",
    "--no-online",
    "stanza-create",
  ]);
  assertEquals(result.code === 0, false, "the directory behind the link was never synced");
  assertIncludes(result.stdout, `unable to sync path '${backup}/main'`);
});

/** System calls of a push that can fail or be the last thing before the machine dies. */
const FAULTS = [
  "fsync:error=EIO:when=1",
  "rename,renameat,renameat2:error=EIO:when=1",
  "write:error=EIO:when=1",
  "fsync:signal=SIGKILL:when=1",
  "fsync:signal=SIGKILL:when=2",
  "rename,renameat,renameat2:signal=SIGKILL:when=1",
];

testWith(
  NEEDS,
  "a push that fails or dies at any durable step is never acknowledged without the segment, and the next one works",
  async () => {
    await using place = await scene();
    const { folder, cluster } = place;
    const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "none" } });
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    const repository = stanza.repositories[0]!;
    const archive = `${repository}/archive/main/15-1/0000000100000000`;
    await cluster.sql("select pg_create_restore_point('x')");
    const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
    const source = `${cluster.path}/pg_wal/${segment}`;
    const expected = `${archive}/${segment}-${sha1Hex(await Deno.readFile(source))}`;
    const push = [walferryPath, `--config=${stanza.config}`, "--stanza=main", "archive-push", source];
    for (const fault of FAULTS) {
      const [calls] = fault.split(":");
      const result = await execute([
        "strace",
        "-f",
        "-qq",
        "-o",
        `${folder.path}/trace`,
        "-e",
        `trace=${calls},fsync`,
        "-e",
        `inject=${fault}`,
        ...push,
      ]);
      const stored = (await runAs(["sh", "-c", `find ${repository} -name '${segment}-*' ! -name '*.tmp'`])).trim();
      if (stored !== "") {
        assertEquals(
          sha1Hex(await Deno.readFile(stored)),
          sha1Hex(await Deno.readFile(source)),
          `${fault}: a stored segment is whole`,
        );
      }
      if (result.code === 0) assertEquals(stored, expected, `${fault}: acknowledged without the segment`);
      const again = await stanza.walferry(["archive-push", source]);
      assertEquals(again.code, 0, `${fault}: ${again.stdout}`);
      assert((await Deno.stat(expected)).isFile);
      assertEquals((await stanza.pgbackrest(["archive-get", segment, `${folder.path}/got`])).code, 0);
      await Deno.remove(expected);
    }
  },
);

testWith(
  NEEDS,
  "a directory that fails while it is listed is an error, not the end of the list: nothing is absent, lost or left out",
  async () => {
    await using place = await scene();
    const { folder, cluster } = place;
    const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "none" } });
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    await cluster.sql("select pg_create_restore_point('x')");
    const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
    await stanza.must("walferry", ["archive-push", `${cluster.path}/pg_wal/${segment}`]);
    await stanza.must("walferry", ["--no-archive-check", "backup"]);
    const repository = stanza.repositories[0]!;
    const labels = () => runAs(["sh", "-c", `grep -o '^[0-9]*-[0-9]*F=' ${repository}/backup/main/backup.info`]);
    const before = await labels();
    const failing = async (directory: string, ...args: string[]) => {
      const result = await whileListFails(folder, directory, stanza.command("walferry", ...args));
      assertIncludes(result.stdout, /unable to list (path|file info for path) '/);
      assertIncludes(result.stdout, `'${directory}': Input/output error`);
      return result.code;
    };
    // 1 would end a recovery.
    const archive = `${repository}/archive/main/15-1/0000000100000000`;
    assertEquals(await failing(archive, "archive-get", segment, `${folder.path}/got`), 255);
    assertEquals(await failing(`${repository}/backup/main`, "expire"), 104);
    const backup = ["--type=full", "--no-archive-check", "--no-resume", "backup"];
    assertEquals(await failing(`${cluster.path}/base/1`, ...backup), 53);
    assertEquals(await labels(), before);

    const path = await folder.directory("restored", 0o700);
    const restore = ["--type=immediate", `--pg1-path=${path}`, "restore"];
    assertEquals(await failing(path, ...restore), 53);
    await stanza.must("walferry", restore);
    // What is listed only in part would be cleaned only in part.
    assertEquals(await failing(`${path}/base/1`, "--delta", ...restore), 53);
  },
);

testWith(
  NEEDS,
  "where it cannot be read what another repository is owed, expire removes no WAL",
  async () => {
    await using place = await scene();
    const { folder, cluster } = place;
    const stanza = await TestStanza.make(folder, cluster, {
      name: "owed",
      repositories: [{}, {}],
      global: { "compress-type": "none" },
    });
    await cluster.start();
    await stanza.must("walferry", ["stanza-create"]);
    await cluster.sql("select pg_create_restore_point('x')");
    const segment = await cluster.sql("select pg_walfile_name(pg_switch_wal())");
    await stanza.must("walferry", ["archive-push", `${cluster.path}/pg_wal/${segment}`]);
    await stanza.must("walferry", ["--repo=1", "--no-archive-check", "backup"]);
    const debts = `${folder.path}/owed/spool/walferry/main/debt/repo2`;
    await runAs(["mkdir", "-p", debts]);
    const expire = ["--repo=1", `--archive-expire-before=${segment.slice(0, 8)}FFFFFFFF00000000`, "expire"];
    const failed = await whileListFails(folder, debts, stanza.command("walferry", ...expire));
    assertIncludes(failed.stdout, `unable to list path '${debts}': Input/output error`);
    assertEquals(failed.code, 104, failed.stdout);
    const stored = `${stanza.repositories[0]!}/archive/main/15-1/${segment.slice(0, 16)}`;
    assertIncludes(await runAs(["ls", stored]), segment);
  },
);
