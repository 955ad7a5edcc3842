/**
 * Both directions of the format, for every compression with and without encryption: what walferry wrote the real pgbackrest reads, checks
 * and restores; what pgbackrest wrote (bundles, differential and incremental backups too) walferry restores; and both take turns on one
 * repository. The cluster has a tablespace, a linked directory and a linked file.
 */
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { accountOwn, runAs, TestFolder } from "../support/accounts.ts";
import {
  archiveWith,
  grow,
  makeCluster,
  normalized,
  type Program,
  restoredDump,
  sameInfo,
} from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"];
const COMPRESS_TYPES = ["none", "gz", "lz4", "zst", "bz2"] as const;
const CIPHERS = [undefined, "correct horse battery staple"] as const;

for (const compressType of COMPRESS_TYPES) {
  for (const cipherPass of CIPHERS) {
    testWith(
      NEEDS,
      `interop with compress-type ${compressType}, ${cipherPass === undefined ? "plain" : "encrypted"}`,
      async (test) => {
        await using folder = await TestFolder.make();
        await using cluster = await makeCluster(folder);
        const global = { "compress-type": compressType, "process-max": "2" };

        const ours = await TestStanza.make(folder, cluster, { name: "ours", repositories: [{ cipherPass }], global });
        await test.step("pgbackrest reads, checks and verifies what walferry wrote", async () => {
          await ours.must("walferry", ["stanza-create"]);
          await archiveWith(cluster, ours, "walferry");
          await ours.must("walferry", ["check"]);
          await ours.must("walferry", ["--type=full", "backup"]);
          await grow(cluster);
          await sameInfo(ours);
          await ours.must("pgbackrest", ["check"]);
          const report = await ours.must("pgbackrest", ["--output=text", "--verbose", "verify"]);
          assertIncludes(report, "status: ok");
          assertIncludes(report, /backup: \d{8}-\d{6}F, status: valid/);
          assertEquals(/(missing|checksum invalid|size invalid|other): [1-9]/.test(report), false, report);
        });
        await test.step("pgbackrest restores walferry's backup and recovers from its archive", async () => {
          assertEquals(await restoredDump(folder, ours, "pgbackrest"), normalized(await cluster.dump()));
        });
        await test.step("pgbackrest goes on where walferry was: archive, incremental backup; walferry restores it", async () => {
          await archiveWith(cluster, ours, "pgbackrest");
          await grow(cluster);
          await ours.must("pgbackrest", ["--type=incr", "backup"]);
          await archiveWith(cluster, ours, "walferry");
          await grow(cluster);
          await sameInfo(ours);
          assertEquals(await restoredDump(folder, ours, "walferry"), normalized(await cluster.dump()));
        });

        const theirs = await TestStanza.make(folder, cluster, {
          name: "theirs",
          repositories: [{ cipherPass, options: { bundle: cipherPass === undefined ? "n" : "y" } }],
          global,
        });
        await test.step("walferry reads, checks and restores what pgbackrest wrote: full, differential, incremental", async () => {
          await theirs.must("pgbackrest", ["stanza-create"]);
          await archiveWith(cluster, theirs, "pgbackrest");
          await theirs.must("pgbackrest", ["--type=full", "backup"]);
          await grow(cluster);
          await theirs.must("pgbackrest", ["--type=diff", "backup"]);
          await grow(cluster);
          await theirs.must("pgbackrest", ["--type=incr", "backup"]);
          await grow(cluster);
          await sameInfo(theirs);
          await theirs.must("walferry", ["stanza-create"]);
          await theirs.must("walferry", ["check"]);
          assertEquals(await restoredDump(folder, theirs, "walferry"), normalized(await cluster.dump()));
        });
        await test.step("walferry goes on where pgbackrest was: archive and full backup; pgbackrest restores it", async () => {
          await archiveWith(cluster, theirs, "walferry");
          await theirs.must("walferry", ["--type=full", "backup"]);
          await grow(cluster);
          assertEquals(await restoredDump(folder, theirs, "pgbackrest"), normalized(await cluster.dump()));
        });
      },
    );
  }
}

testWith(NEEDS, "each program hands the other's WAL out byte for byte", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ cipherPass: "secret" }],
    global: { "compress-type": "zst" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  for (const [pusher, getter] of [["walferry", "pgbackrest"], ["pgbackrest", "walferry"]] as const) {
    await archiveWith(cluster, stanza, pusher);
    const segment = await cluster.archiveSegment();
    const destination = `${folder.path}/${segment}-${getter}`;
    await stanza.must(getter, ["archive-get", segment, destination]);
    const original = `${folder.path}/${segment}-again`;
    await stanza.must(pusher, ["archive-get", segment, original]);
    await runAs(["cmp", destination, original]);
    // A timeline history and a segment that is not there.
    await folder.file("00000002.history", "1\t0/3000000\tno recovery target specified\n");
    await stanza.must(pusher, ["archive-push", `${folder.path}/00000002.history`]);
    await stanza.must(getter, ["archive-get", "00000002.history", `${destination}.history`]);
    assertEquals(await Deno.readTextFile(`${destination}.history`), "1\t0/3000000\tno recovery target specified\n");
    assertEquals((await stanza[getter](["archive-get", "0000000100000000000000FF", destination])).code, 1);
  }
});

testWith([...NEEDS, "flock"], "locks and stop files of one program hold for the other", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "zst" } });
  await stanza.must("walferry", ["stanza-create"]);
  const lock = `${folder.path}/conf/lock`;
  // 2.45 names its backup lock by the stanza, newer ones by repository too.
  for (const name of ["main-backup.lock", "main-backup-1.lock"]) {
    await Deno.writeTextFile(`${lock}/${name}`, "");
    await accountOwn(`${lock}/${name}`);
    const { code, stdout } = await stanzaUnder(`${lock}/${name}`, stanza, "walferry");
    assertEquals(code, 50, stdout);
    assertIncludes(stdout, "unable to acquire lock on file");
  }
  assertEquals((await stanzaUnder(`${lock}/main-backup.lock`, stanza, "pgbackrest")).code, 50);

  await stanza.must("pgbackrest", ["stop"]);
  for (const args of [["--type=full", "backup"], ["archive-push", `${cluster.path}/pg_wal/000000010000000000000001`]]) {
    assertEquals((await stanza.walferry(args)).code, 62);
  }
  await stanza.must("walferry", ["start"]);
  await stanza.must("walferry", ["stop"]);
  assertEquals((await stanza.pgbackrest(["--type=full", "backup"])).code, 62);
  await stanza.must("pgbackrest", ["start"]);
});

/** Runs a backup while something else holds a lock file. */
async function stanzaUnder(
  file: string,
  stanza: TestStanza,
  program: Program,
): Promise<{ code: number; stdout: string }> {
  const command = stanza.commandLine(program, "--type=full", "backup");
  const script = `flock -x -n ${file} sh -c '${command}; echo exit=$?'`;
  const stdout = await runAs(["sh", "-c", script]);
  return { code: Number(/exit=(\d+)/.exec(stdout)![1]), stdout };
}

testWith(NEEDS, "a backup that one program left half done does not harm the next backup of the other", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "gz", "process-max": "1" } });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  // Enough that a backup is caught in the middle of its copying.
  await cluster.sql("create table wide as select g id, repeat(md5(g::text), 20) v from generate_series(1, 60000) g");
  const backups = `${stanza.repositories[0]}/backup/main`;
  for (const [killed, next] of [["walferry", "pgbackrest"], ["pgbackrest", "walferry"]] as const) {
    await killMidway(stanza, killed, backups);
    assertIncludes((await backupDirectories(backups)).join(" "), "half done");
    await stanza.must(next, ["--type=full", "backup"]);
    assertEquals((await backupDirectories(backups)).filter((name) => name.includes("half done")), []);
    await grow(cluster);
    await sameInfo(stanza);
    assertIncludes(await stanza.must("pgbackrest", ["--output=text", "--verbose", "verify"]), "status: ok");
    assertEquals(await restoredDump(folder, stanza, killed), normalized(await cluster.dump()));
  }
});

/** Kills a full backup as soon as its first files stand in the repository. */
async function killMidway(stanza: TestStanza, program: Program, backups: string): Promise<void> {
  // The loop looks at the directory until it holds files of the cluster, so that nothing depends on the speed of the machine.
  const script = `${stanza.commandLine(program, "--type=full", "backup")} >/dev/null 2>&1 & child=$!
    until [ "$(find ${backups}/*F/pg_data/base -type f 2>/dev/null | wc -l)" -gt "$(find ${backups}/*F -maxdepth 1 -name backup.manifest -exec dirname {} ';' 2>/dev/null | xargs -r -I{} find {}/pg_data/base -type f | wc -l)" ]; do
      kill -0 $child || exit 9; sleep 0.01; done
    pkill -KILL -P $child; kill -KILL $child; wait $child; true`;
  await runAs(["bash", "-c", script]);
}

/** Names of backup directories; those without a manifest are marked. */
async function backupDirectories(backups: string): Promise<string[]> {
  const script =
    `cd ${backups} && for d in *F; do [ -e $d/backup.manifest ] && echo $d || echo "$d half done"; done; true`;
  return (await runAs(["bash", "-c", script])).trim().split("\n");
}

testWith(NEEDS, "each program expires what the other wrote, and takes the same backups and the same WAL", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "zst", "expire-auto": "n" } });
  await stanza.must("walferry", ["stanza-create"]);
  for (const program of ["walferry", "pgbackrest", "walferry", "pgbackrest"] as const) {
    await archiveWith(cluster, stanza, program);
    await grow(cluster);
    await stanza.must(program, ["--type=full", "backup"]);
    await stanza.must("pgbackrest", ["--type=incr", "backup"]);
    await stanza.must("walferry", ["--type=diff", "backup"]);
    await stanza.must("walferry", ["--type=incr", "backup"]);
  }
  await grow(cluster);
  const repository = stanza.repositories[0]!;
  const listing = async (path: string) =>
    (await runAs(["sh", "-c", `cd ${path} && find archive backup -not -name '*.info*' | sort`])).trim();
  for (
    const retention of [
      ["--repo1-retention-full=3"],
      ["--repo1-retention-full=3", "--repo1-retention-diff=1", "--repo1-retention-archive=2"],
      ["--repo1-retention-full=2", "--repo1-retention-archive-type=diff", "--repo1-retention-archive=1"],
      ["--repo1-retention-full=1"],
    ]
  ) {
    // One and the same repository, expired by each.
    const copy = `${folder.path}/copy`;
    await runAs(["cp", "-a", repository, copy]);
    await stanza.must("pgbackrest", [`--repo1-path=${copy}`, ...retention, "expire"]);
    await stanza.must("walferry", ["--repo=1", ...retention, "expire"]);
    assertEquals(await listing(repository), await listing(copy), retention.join(" "));
    await sameInfo(stanza);
    await runAs(["rm", "-rf", copy]);
  }
  assertIncludes(await stanza.must("pgbackrest", ["--output=text", "--verbose", "verify"]), "status: ok");
  for (const program of ["walferry", "pgbackrest"] as const) {
    assertEquals(await restoredDump(folder, stanza, program), normalized(await cluster.dump()));
  }
});
