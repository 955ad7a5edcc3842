/** The steps that interop tests are made of: a cluster with an interesting layout, its growth, its archive, and restored copies held against it. */
import { assertEquals, assertIncludes } from "./assert.ts";
import { runAs, TestFolder } from "./accounts.ts";
import { TestCluster } from "./postgres.ts";
import type { TestStanza } from "./programs.ts";

/** The two that are held against each other. */
export type Program = "walferry" | "pgbackrest";

/** A cluster with everything that makes a layout interesting. */
export async function makeCluster(folder: TestFolder): Promise<TestCluster> {
  // Nobody but the test touches files: what is found unchanged is compared between runs.
  const settings = "archive_mode = on\narchive_command = 'false'\nautovacuum = off";
  const cluster = await TestCluster.init(folder, { settings });
  const tablespace = await folder.directory("ts", 0o700);
  const linked = await folder.directory("linked", 0o700);
  await runAs(["mv", `${cluster.path}/pg_xact`, `${linked}/pg_xact`]);
  await runAs(["ln", "-s", `${linked}/pg_xact`, `${cluster.path}/pg_xact`]);
  await runAs(["mv", `${cluster.path}/pg_hba.conf`, `${linked}/pg_hba.conf`]);
  await runAs(["ln", "-s", "../linked/pg_hba.conf", `${cluster.path}/pg_hba.conf`]);
  await cluster.start();
  await cluster.sql(`create tablespace ts1 location '${tablespace}'`);
  await cluster.sql(`create table plain as select g id, md5(g::text) v from generate_series(1, 3000) g;
    create table spaced tablespace ts1 as select g id, repeat('x', 100) v from generate_series(1, 2000) g;
    create unlogged table fleeting as select 1 a;
    create table empty(a int);`);
  return cluster;
}

/** Lets the cluster archive with one of the two. */
export async function archiveWith(cluster: TestCluster, stanza: TestStanza, program: Program): Promise<void> {
  await cluster.sql(`alter system set archive_command = '${stanza.commandLine(program, "archive-push", "%p")}'`);
  await cluster.reload();
  await cluster.until(
    `select current_setting('archive_command') like '%${program}%archive-push%'`,
    "the archive_command to change",
  );
}

let restores = 0;

/** Restores with one program, recovers with its archive-get, and gives what `use` finds in the running copy; its pages are checked too. */
export async function inRestoredCopy<T>(
  folder: TestFolder,
  stanza: TestStanza,
  program: Program,
  options: readonly string[],
  use: (copy: TestCluster) => Promise<T>,
): Promise<T> {
  const name = `r${++restores}`;
  const path = await folder.directory(name, 0o700);
  const tablespaces = await folder.directory(`${name}-ts`, 0o700);
  await stanza.must(program, [
    `--pg1-path=${path}`,
    `--tablespace-map-all=${tablespaces}`,
    // An end at the backup itself has no timeline to choose.
    ...(options.includes("--type=immediate") ? [] : ["--target-timeline=current"]),
    ...options,
    "restore",
  ]);
  await using cluster = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
  await cluster.start();
  await cluster.untilPrimary();
  const found = await use(cluster);
  await cluster.stop();
  assertIncludes(await runAs(["/usr/lib/postgresql/15/bin/pg_checksums", "--check", "-D", path]), "Bad checksums:  0");
  await runAs(["rm", "-rf", path, tablespaces]);
  return found;
}

/** The dump of a restored copy of {@link makeCluster}'s cluster; `judge` sees the copy while it runs. */
export async function restoredDump(
  folder: TestFolder,
  stanza: TestStanza,
  program: Program,
  options: readonly string[] = [],
  judge?: (copy: TestCluster) => Promise<void>,
): Promise<string> {
  return await inRestoredCopy(folder, stanza, program, options, async (copy) => {
    assertEquals(
      await copy.sql("select (sum(id) + (select count(*) from spaced))::text from plain"),
      await copy.sql("select expected from marker"),
    );
    assertEquals(await copy.sql("select count(*) from fleeting"), "0", "an unlogged table is empty after a restore");
    const dump = await copy.dump();
    await judge?.(copy);
    return normalized(dump);
  });
}

/** Where tablespaces lie differs between the original and a restored copy. */
export function normalized(dump: string): string {
  return dump.replaceAll(/LOCATION '[^']*'/g, "LOCATION ''");
}

/** Adds rows, and a marker by which a restored copy proves itself. */
export async function grow(cluster: TestCluster): Promise<void> {
  await cluster.sql(`insert into plain select g, md5(g::text) from generate_series(10000, 10500) g;
    create table if not exists marker(expected text);
    delete from marker;
    insert into marker select (sum(id) + (select count(*) from spaced))::text from plain;`);
  await cluster.archiveSegment();
}

/** `info` of both programs, without what only newer releases and only walferry have. */
export async function sameInfo(stanza: TestStanza): Promise<void> {
  let ours = await infoBy("walferry", stanza);
  for (let attempt = 0;; attempt++) {
    const theirs = await infoBy("pgbackrest", stanza);
    const now = await infoBy("walferry", stanza);
    // The archiver may have been at work between two questions.
    const isStill = JSON.stringify(now) === JSON.stringify(ours);
    ours = now;
    if (isStill || attempt === 20) return assertEquals(ours, theirs);
  }
}

async function infoBy(program: Program, stanza: TestStanza): Promise<unknown> {
  // The system identifier has more digits than a double.
  const text = (await stanza.must(program, ["--output=json", "info"])).replaceAll(
    /"system-id":(\d+)/g,
    '"system-id":"$1"',
  );
  const stanzas = JSON.parse(text) as Array<{ status: { lock: { restore?: unknown } }; walferry?: unknown }>;
  for (const stanza of stanzas) {
    delete stanza.status.lock.restore;
    delete stanza.walferry;
  }
  return stanzas;
}

/** Kills a command of either program as soon as it has written so many lines with a text in them. */
export async function killAfterLines(
  stanza: TestStanza,
  program: Program,
  args: readonly string[],
  text: string,
  lines: number,
): Promise<void> {
  const command = stanza.commandLine(program, "--log-level-console=detail", "--process-max=1", ...args);
  const script = `exec 3< <(exec ${command} 2>&1); child=$!; lines=0
    while read -r line <&3; do
      case $line in *"${text}"*) lines=$((lines + 1)); [ $lines -ge ${lines} ] && break;; esac
    done
    # Processes of its own may hold its locks for a moment.
    own=$(pgrep -P $child)
    kill -KILL $child && echo killed
    for one in $own; do tail --pid=$one -f /dev/null; done`;
  assertIncludes(await runAs(["bash", "-c", script]), "killed");
}

/** Kills a backup of walferry as soon as its list of stored files was saved so many times. */
export async function killAfterSaves(
  stanza: TestStanza,
  type: string,
  saves: number,
  more: readonly string[] = [],
): Promise<void> {
  const options = [
    "--manifest-save-threshold=1",
    "--log-level-console=detail",
    "--process-max=1",
    `--type=${type}`,
    ...more,
  ];
  const command = stanza.commandLine("walferry", ...options, "backup");
  // The output is read line by line, so that nothing depends on the speed of the machine.
  const script = `exec 3< <(exec ${command} 2>&1); child=$!; saves=0
    while read -r line <&3; do
      case $line in *"backup.manifest.copy saved"*) saves=$((saves + 1)); [ $saves -ge ${saves} ] && break;; esac
    done
    kill -KILL $child && echo killed`;
  assertIncludes(await runAs(["bash", "-c", script]), "killed");
}
