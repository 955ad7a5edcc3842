/** What must be refused, with which exit code, and that nothing is lost or half written (behaviour spec §2, §3, §5, §8). */
import { sha1Hex } from "../../src/stream/hash.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, type RunResult, TestFolder } from "../support/accounts.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];

/** A running cluster with a stanza in two repositories and a backup in the first. */
async function scene(): Promise<{ folder: TestFolder; cluster: TestCluster; stanza: TestStanza } & AsyncDisposable> {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, {}], global: { "compress-type": "zst" } });
  await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  return {
    folder,
    cluster,
    stanza,
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function expectCode(result: RunResult, code: number, part: string): void {
  const text = `${result.stdout}${result.stderr}`;
  assertEquals(result.code, code, text);
  assertIncludes(text, part);
}

/** Path of the only stored form of a segment in a repository. */
async function storedSegment(repository: string, segment: string): Promise<string> {
  return (await runAs(["find", repository, "-name", `${segment}-*`])).trim();
}

testWith(
  NEEDS,
  "archive-push: same content twice, other content, wrong size, wrong cluster, wrong parameters",
  async () => {
    await using place = await scene();
    const { cluster, stanza, folder } = place;
    const segment = await cluster.archiveSegment();
    const path = `${cluster.path}/pg_wal/${segment}`;
    const push = (file: string) => stanza.walferry(["archive-push", file]);

    expectCode(await push(path), 0, "already exists in the repo1 archive with the same checksum");
    const bytes = await Deno.readFile(path);
    const other = bytes.slice();
    other[8000]! ^= 1;
    await folder.file(segment, other);
    expectCode(
      await push(`${folder.path}/${segment}`),
      45,
      "already exists in the repo1 archive with a different checksum",
    );
    for (const repository of stanza.repositories) {
      assertEquals(
        (await runAs(["find", repository, "-name", `${segment}*`])).trim().split("\n").length,
        1,
      );
    }

    // The same content in two forms (another compress-type meanwhile, another host) is no reason to stop archiving; with other content it is.
    const form = await storedSegment(stanza.repositories[0]!, segment);
    const twin = form.replace(/\.zst$/, ".gz");
    await runAs(["cp", form, twin]);
    expectCode(await push(path), 0, "already exists in the repo1 archive with the same checksum");
    expectCode(await push(`${folder.path}/${segment}`), 45, "duplicates found in archive for WAL segment");
    await runAs(["rm", twin]);

    const history = `${folder.path}/00000002.history`;
    await folder.file("00000002.history", "1\t0/3000000\tno recovery target specified\n");
    for (let time = 0; time < 2; time++) expectCode(await push(history), 0, "pushed WAL file");
    await folder.file("00000002.history", "1\t0/2000000\tbefore 2026-11-28\n");
    expectCode(
      await push(history),
      45,
      "'00000002.history' already exists in the repo1 archive with different content",
    );
    const stored = await runAs([
      "sh",
      "-c",
      `cat ${stanza.repositories.join("/archive/main/15-1/00000002.history ")}/archive/main/15-1/00000002.history`,
    ]);
    assertEquals(stored.split("0/3000000").length, 3, "the first one is where it was");

    const next = "0000000100000000000000AA";
    await folder.file(next, bytes.slice(0, bytes.length - 8192));
    expectCode(await push(`${folder.path}/${next}`), 28, "a segment of this cluster is 16777216");
    const foreign = bytes.slice();
    foreign[24]! ^= 0xff;
    await folder.file(next, foreign);
    expectCode(await push(`${folder.path}/${next}`), 44, "do not match stanza");
    // Without a data directory the stanza says whose WAL it is.
    const lines = (await Deno.readTextFile(stanza.config)).split("\n").filter((line) => !line.startsWith("pg1-"));
    const alone = await folder.file("alone.conf", lines.join("\n"));
    const pushAlone = (file: string) =>
      execute([walferryPath, `--config=${alone}`, "--stanza=main", "archive-push", file]);
    expectCode(await pushAlone(`${folder.path}/${next}`), 44, "do not match stanza");
    expectCode(await pushAlone(path), 0, "pushed WAL file");
    await folder.file(next, "");
    expectCode(await push(`${folder.path}/${next}`), 29, `WAL file '${folder.path}/${next}' is none: `);
    await folder.file(next, new Uint8Array(16 << 20));
    expectCode(await push(`${folder.path}/${next}`), 46, "unexpected WAL magic 0");
    expectCode(await push(`${folder.path}/0000000100000000000000AB`), 55, "unable to open missing file");
    assertEquals(await storedSegment(stanza.repositories[0]!, next), "");

    expectCode(await stanza.walferry(["archive-push"]), 43, "wal-path");
    expectCode(await stanza.walferry(["archive-push", "a", "b"]), 96, "extra parameters");
    expectCode(
      await stanza.walferry(["archive-push", `pg_wal/${segment}`], { cwd: "/" }),
      32,
      "is not the same as option pg1-path",
    );
    expectCode(
      await stanza.walferry(["archive-push", `pg_wal/${segment}`], { cwd: cluster.path }),
      0,
      "pushed WAL file",
    );
  },
);

testWith(
  NEEDS,
  "archive-push: a repository that fails is told, the other one holds the file, and the next try mends it",
  async () => {
    await using place = await scene();
    const { cluster, stanza } = place;
    const [repo1, repo2] = stanza.repositories as [string, string];
    const segment = await cluster.archiveSegment();
    await runAs(["rm", await storedSegment(repo1, segment), await storedSegment(repo2, segment)]);
    await runAs(["mv", `${repo2}/archive`, `${repo2}/away`]);
    const path = `${cluster.path}/pg_wal/${segment}`;
    expectCode(await stanza.walferry(["archive-push", path]), 104, "repo2: [FileMissingError]");
    assert(await storedSegment(repo1, segment) !== "");
    await runAs(["mv", `${repo2}/away`, `${repo2}/archive`]);
    expectCode(await stanza.walferry(["archive-push", path]), 0, "pushed WAL file");
    assert(await storedSegment(repo2, segment) !== "");
    await runAs(["mv", `${repo1}/archive`, `${repo1}/away`]);
    await runAs(["mv", `${repo2}/archive`, `${repo2}/away`]);
    expectCode(await stanza.walferry(["archive-push", path]), 103, "unable to find a valid repository");
  },
);

testWith(NEEDS, "archive-push: a queue that is too long drops the segment and says what that means", async () => {
  await using place = await scene();
  const { cluster, stanza } = place;
  const segment = await cluster.archiveSegment();
  await runAs([
    "touch",
    `${cluster.path}/pg_wal/archive_status/0000000100000000000000F1.ready`,
    `${cluster.path}/pg_wal/archive_status/0000000100000000000000F2.ready`,
  ]);
  const push = (limit: string) =>
    stanza.walferry([`--archive-push-queue-max=${limit}`, "archive-push", `${cluster.path}/pg_wal/${segment}`]);
  expectCode(await push("16MiB"), 0, `dropped WAL file '${segment}' because archive queue exceeded 16MB`);
  expectCode(await push("1GiB"), 0, "pushed WAL file");
  // The server is to outlive a spool in trouble, too. Without asynchronous archiving nothing that is archived needs it.
  const spool = `${stanza.folder.path}/conf/spool`;
  await runAs(["sh", "-c", `rm -rf ${spool} && ln -s /dev/null ${spool}`]);
  expectCode(await stanza.walferry(["archive-push", `${cluster.path}/pg_wal/${segment}`]), 0, "pushed WAL file");
  expectCode(await push("1GiB"), 0, "pushed WAL file");
  expectCode(await push("16MiB"), 0, "it could not be noted, so that info and check do not know of this hole");
  await runAs(["sh", "-c", `rm ${spool} && mkdir -m 0 ${spool}`]);
  for (const limit of ["1GiB", "16MiB"]) expectCode(await push(limit), 0, "command end: completed successfully");
});

testWith(
  NEEDS,
  "archive-get: absent is 1 only when every repository says so; damage and silence give way to the other copy",
  async () => {
    await using place = await scene();
    const { cluster, stanza, folder } = place;
    const [repo1, repo2] = stanza.repositories as [string, string];
    const segment = await cluster.archiveSegment();
    const destination = `${folder.path}/got`;
    const get = (name: string, ...options: string[]) => stanza.walferry([...options, "archive-get", name, destination]);
    const original = await Deno.readFile(`${cluster.path}/pg_wal/${segment}`);
    const delivered = async () => {
      assertEquals(sha1Hex(await Deno.readFile(destination)), sha1Hex(original));
      await Deno.remove(destination);
    };

    expectCode(await get(segment), 0, `found ${segment} in the repo1: 15-1 archive`);
    await delivered();
    expectCode(await get("0000000100000000000000FE"), 1, "unable to find 0000000100000000000000FE in the archive");
    expectCode(await get("00000009.history"), 1, "unable to find 00000009.history");

    const stored = await storedSegment(repo1, segment);
    const good = await Deno.readFile(stored);
    const damaged = good.slice();
    damaged[good.length >> 1]! ^= 0xff;
    for (
      const bad of [damaged, good.slice(0, good.length >> 1), new Uint8Array(0), new TextEncoder().encode("rubbish")]
    ) {
      await Deno.writeFile(stored, bad);
      expectCode(await get(segment, "--repo=1"), 255, "unable to get");
      assertEquals(
        await execute(["test", "-e", destination]).then(({ code }) => code),
        1,
        "nothing wrong was delivered",
      );
      const result = await get(segment);
      expectCode(result, 0, `found ${segment} in the repo2`);
      assertIncludes(result.stdout, "WARN: repo1: [");
      await delivered();
      // The good copy took the damaged one's place.
      expectCode(await get(segment, "--repo=1"), 0, `found ${segment} in the repo1`);
      await delivered();
    }

    await runAs(["mv", `${repo1}/archive`, `${repo1}/away`]);
    expectCode(await get(segment), 0, `found ${segment} in the repo2`);
    await delivered();
    // The repository that cannot be asked may have it: that must not end a recovery.
    expectCode(
      await get("0000000100000000000000FE"),
      255,
      "unable to tell whether 0000000100000000000000FE is in the archive",
    );
    expectCode(await get("0000000100000000000000FE", "--archive-get-exit=compat"), 103, "unable to tell");
    expectCode(await get("0000000100000000000000FE", "--repo=2"), 1, "unable to find");
    await runAs(["mv", `${repo2}/archive`, `${repo2}/away`]);
    expectCode(await get(segment), 255, "unable to find a valid repository");
    await runAs(["mv", `${repo1}/away`, `${repo1}/archive`]);
    await runAs(["mv", `${repo2}/away`, `${repo2}/archive`]);

    await Deno.writeFile(stored.replace(/-[0-9a-f]{40}/, `-${"0".repeat(40)}`), good);
    expectCode(await get(segment), 255, "duplicates found for WAL segment");
    expectCode(await stanza.walferry(["archive-get", segment]), 255, "requires parameter");
    expectCode(await stanza.walferry(["--bogus", "archive-get", segment, destination]), 255, "invalid option");
    expectCode(
      await execute([walferryPath, "--config=/does/not/exist", "--stanza=main", "archive-get", segment, destination]),
      255,
      "missing file",
    );
  },
);

testWith(NEEDS, "recovery stops instead of ending early while a repository cannot be asked", async () => {
  await using place = await scene();
  const { cluster, stanza, folder } = place;
  await stanza.must("walferry", ["--type=full", "backup"]);
  await cluster.sql("create table t as select 1 a");
  await cluster.archiveSegment();
  const path = await folder.directory("r", 0o700);
  await stanza.must("walferry", [`--pg1-path=${path}`, "restore"]);
  await runAs(["mv", `${stanza.repositories[1]}/archive`, `${stanza.repositories[1]}/away`]);
  await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
  const failed = await restored.start().then(() => false, () => true);
  assert(failed, "PostgreSQL must not come up while the end of the archive is unknown");
  assertIncludes(await restored.log(), "startup process");
  await runAs(["mv", `${stanza.repositories[1]}/away`, `${stanza.repositories[1]}/archive`]);
  await restored.start();
  await restored.untilPrimary();
  assertEquals(await restored.sql("select a from t"), "1");
});

testWith(NEEDS, "stanza commands: idempotent, wrong cluster, damaged info files, upgrade, delete", async () => {
  await using place = await scene();
  const { cluster, stanza, folder } = place;
  const [repo1] = stanza.repositories as [string];
  expectCode(await stanza.walferry(["stanza-create"]), 0, "already exists on repo1 and is valid");
  await Deno.writeTextFile(`${repo1}/archive/main/archive.info`, "rubbish");
  expectCode(await stanza.walferry(["check"]), 0, "successfully archived");
  await runAs(["rm", `${repo1}/archive/main/archive.info`, `${repo1}/archive/main/archive.info.copy`]);
  expectCode(await stanza.walferry(["stanza-create"]), 55, "archive.info is missing on repo1");
  await runAs(["cp", `${stanza.repositories[1]}/archive/main/archive.info`, `${repo1}/archive/main/archive.info`]);
  expectCode(await stanza.walferry(["stanza-create"]), 0, "already exists on repo1");
  assert((await Deno.stat(`${repo1}/archive/main/archive.info.copy`)).isFile, "the copy is made again");

  // The server answers, and knows better than the configuration.
  for (const command of ["check", "stanza-create"]) {
    const said = `HINT: the data directory of the server that answers is '${cluster.path}': does pg1-path say so?`;
    expectCode(await stanza.walferry([`--pg1-path=${folder.path}/none`, command]), 55, said);
  }
  await stanza.must("walferry", ["stop"]);
  const stopped = await stanza.walferry(["--archive-timeout=200ms", "check"]);
  expectCode(stopped, 82, "WARN: stop file exists for stanza main");
  await stanza.must("walferry", ["start"]);
  await using other = await TestCluster.init(folder, { name: "other" });
  const wrong = [`--pg1-path=${other.path}`, "--no-online"];
  expectCode(await stanza.walferry([...wrong, "stanza-create"]), 28, "do not match the database");
  expectCode(await stanza.walferry([...wrong, "--type=full", "backup"]), 51, "");
  expectCode(await stanza.walferry([...wrong, "stanza-upgrade"]), 0, "completed successfully");
  expectCode(await stanza.walferry([...wrong, "stanza-upgrade"]), 0, "is already up to date");
  expectCode(await stanza.pgbackrest(["info"]), 0, "db (current)");
  expectCode(
    await stanza.walferry([
      "archive-push",
      `${cluster.path}/pg_wal/${await cluster.sql("select pg_walfile_name(pg_current_wal_lsn())")}`,
    ]),
    103,
    "do not match repo1 stanza",
  );

  // What this host knows of the stanza goes with it: of the one repository first, all of it with the last.
  const state = `${folder.path}/conf/spool/walferry/main`;
  const known = ["debt/repo1/0", "debt/repo2/0", "health/push/repo1", "health/push/repo2", "dropped/0"];
  for (const name of known) {
    await runAs(["mkdir", "-p", `${state}/${name}/..`.replace(/[^/]+\/\.\.$/, "")]);
    await runAs(["touch", `${state}/${name}`]);
  }
  const kept = async () => (await execute(["find", state, "-type", "f"])).stdout.split("\n").filter(Boolean).sort();
  expectCode(await stanza.walferry(["stanza-delete"]), 37, "requires option: repo");
  expectCode(await stanza.walferry(["--repo=1", "stanza-delete"]), 55, "stop file does not exist");
  await stanza.must("walferry", ["stop"]);
  expectCode(await stanza.walferry(["--repo=1", "stanza-delete"]), 38, "postmaster.pid exists");
  expectCode(await stanza.walferry(["--repo=1", "--force", "stanza-delete"]), 0, "deleted from repo1");
  assertEquals(await runAs(["find", `${repo1}/archive`, `${repo1}/backup`, "-mindepth", "1"]), "");
  const others = ["debt/repo2/0", "dropped/0", "health/push/repo2"].map((name) => `${state}/${name}`);
  assertEquals(await kept(), others);
  await stanza.must("walferry", ["stop"]);
  // The other one cannot be asked whether it still holds the stanza.
  await runAs(["chmod", "000", `${stanza.repositories[1]}/archive`]);
  const blind = await stanza.walferry(["--repo=1", "--force", "stanza-delete"]);
  await runAs(["chmod", "750", `${stanza.repositories[1]}/archive`]);
  expectCode(blind, 0, "is kept: repo2:");
  assertEquals(await kept(), others);
  await stanza.must("walferry", ["stop"]);
  expectCode(await stanza.walferry(["--repo=2", "--force", "stanza-delete"]), 0, "deleted from repo2");
  // The stop file went with the last one.
  const again = ["--repo=2", "--log-level-console=info", "stanza-delete"];
  expectCode(await stanza.walferry(again), 0, "is in none of the repositories");
  assertEquals(await kept(), []);
});

testWith(
  NEEDS,
  "restore: running server, files in the way, unknown set, no backup, damaged and missing files",
  async () => {
    await using place = await scene();
    const { stanza, folder } = place;
    const [repo1, repo2] = stanza.repositories as [string, string];
    const target = await folder.directory("target", 0o700);
    const restore = (...options: string[]) => stanza.walferry([`--pg1-path=${target}`, ...options, "restore"]);
    expectCode(await restore(), 75, "no backup set found to restore");
    await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
    const label = (await Deno.readLink(`${repo1}/backup/main/latest`)).trim();

    expectCode(await stanza.walferry(["restore"]), 38, "unable to restore while PostgreSQL is running");
    expectCode(await restore("--set=20200101-000000F"), 75, "is not valid");
    expectCode(await restore("--set=../x"), 75, "is not valid");
    expectCode(
      await restore("--type=time", "--target=2001-01-01 00:00:00"),
      75,
      "unable to find backup set with stop time less than",
    );
    expectCode(await restore("--type=time", "--target=yesterday"), 29, "time format must be");
    expectCode(await restore("--tablespace-map=nope=/x"), 76, "nope");
    expectCode(await restore("--link-map=nope=/x"), 78, "nope");
    expectCode(await restore("--db-include=nope"), 80, "nope");
    expectCode(await restore("--db-include=postgres"), 81, "system databases");
    assertEquals(await runAs(["find", target, "-mindepth", "1"]), "", "nothing was written by what was refused");
    await folder.file("target/precious", "x");
    expectCode(await restore(), 40, "because it contains files");
    expectCode(await restore("--delta"), 40, "because it contains files");
    assertEquals(await Deno.readTextFile(`${target}/precious`), "x");
    await Deno.remove(`${target}/precious`);

    // One file damaged and one gone in the first repository: both come from the second.
    const data = `${repo1}/backup/main/${label}/pg_data`;
    await Deno.writeTextFile(`${data}/PG_VERSION.zst`, "damage");
    await runAs(["rm", `${data}/global/1262.zst`]);
    const mended = await restore("--type=immediate", "--target-action=promote");
    expectCode(mended, 0, "WARN: repo1: [");
    await using restored = await TestCluster.over(folder, target, { settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    await restored.stop();

    await runAs(["rm", "-rf", `${repo2}/backup`]);
    await runAs(["rm", "-rf", target]);
    await folder.directory("target", 0o700);
    expectCode(await restore(), 55, "unable to open missing file");
    assertEquals(
      await execute(["test", "-e", `${target}/global/pg_control`]).then(({ code }) => code),
      1,
      "an unfinished restore cannot be started",
    );
    const start = await execute(["/usr/lib/postgresql/15/bin/pg_ctl", "-D", target, "-w", "start"]);
    assert(start.code !== 0);
  },
);

testWith(
  NEEDS,
  "restore --delta keeps what is right, mends what is not, removes what does not belong; --force copies all",
  async () => {
    await using place = await scene();
    const { cluster, stanza, folder } = place;
    await cluster.sql("create table t as select g id, md5(g::text) v from generate_series(1, 50000) g");
    await stanza.must("walferry", ["--type=full", "backup"]);
    const target = await folder.directory("target", 0o700);
    const restore = (...options: string[]) =>
      stanza.walferry([
        `--pg1-path=${target}`,
        "--log-level-console=detail",
        "--type=immediate",
        "--target-action=promote",
        ...options,
        "restore",
      ]);
    expectCode(await restore(), 0, "restore size");
    const table = `${target}/${await cluster.sql("select pg_relation_filepath('t')")}`;
    const inode = (await Deno.stat(table)).ino;
    const catalog = `${target}/global/1262`;
    const bytes = await Deno.readFile(catalog);
    bytes[100]! ^= 1;
    await Deno.writeFile(catalog, bytes);
    await folder.file("target/base/stray", "x");
    await Deno.remove(`${target}/global/pg_control`);
    const delta = await restore("--delta");
    expectCode(delta, 0, "exists and matches backup");
    assertIncludes(delta.stdout, `remove invalid file '${target}/base/stray'`);
    assertIncludes(delta.stdout, /restore file \S+global\/1262 \(/);
    assertEquals((await Deno.stat(table)).ino, inode);
    expectCode(await restore("--force"), 0, "restore size");
    await using restored = await TestCluster.over(folder, target, { settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    assertEquals(await restored.sql("select count(*) from t"), "50000");
  },
);

testWith(NEEDS, "backup: a database name that no manifest can hold is refused before anything is copied", async () => {
  await using place = await scene();
  const { cluster, stanza } = place;
  await cluster.sql('create database "a=b [x]"');
  await cluster.sql('create database "two\nlines"');
  const refused = await stanza.walferry(["--type=full", "backup"]);
  expectCode(refused, 81, 'the name of database "two\\nlines" (oid ');
  const root = stanza.repositories[0]!;
  assertEquals((await runAs(["find", `${root}/backup/main`, "-name", "*F*"])).trim(), "");
  await cluster.sql('alter database "two\nlines" rename to "one line"');
  await stanza.must("walferry", ["--type=full", "backup"]);
  await stanza.must("walferry", ["verify"]);
});

testWith(NEEDS, "restore: selected databases, other places for tablespaces and links", async () => {
  await using place = await scene();
  const { cluster, stanza, folder } = place;
  const original = await folder.directory("ts", 0o700);
  await cluster.sql(`create tablespace fast location '${original}'`);
  await cluster.sql("create database wanted");
  await cluster.sql("create database unwanted");
  await cluster.sql("create table t as select 42 a", "wanted");
  await cluster.sql("create table t tablespace fast as select 43 a", "unwanted");
  await cluster.sql("create table s tablespace fast as select 44 a", "wanted");
  await stanza.must("walferry", ["--type=full", "backup"]);
  const target = await folder.directory("target", 0o700);
  const elsewhere = await folder.directory("elsewhere", 0o700);
  const wal = await folder.directory("wal", 0o700);
  await stanza.must("walferry", [
    `--pg1-path=${target}`,
    "--db-include=wanted",
    `--tablespace-map=fast=${elsewhere}`,
    `--link-map=pg_wal=${wal}`,
    "--type=immediate",
    "--target-action=promote",
    "restore",
  ]);
  assertEquals(await Deno.readLink(`${target}/pg_wal`), wal);
  await using restored = await TestCluster.over(folder, target, { settings: "archive_mode = off" });
  await restored.start();
  await restored.untilPrimary();
  assertEquals([await restored.sql("select a from t", "wanted"), await restored.sql("select a from s", "wanted")], [
    "42",
    "44",
  ]);
  assertEquals(
    await restored.sql("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'fast'"),
    elsewhere,
  );
  assertEquals(await restored.sql("select 1", "unwanted").then(() => "connected", () => "refused"), "refused");
  await restored.sql("drop database unwanted");
  await restored.stop();

  // Without the map the tablespace would go where the cluster that runs has its own.
  const again = ["--delta", `--pg1-path=${target}`, `--link-map=pg_wal=${wal}`, "--type=none", "restore"];
  expectCode(await stanza.walferry(again), 40, `unable to restore to path '${original}/PG_15`);
  assertEquals(await cluster.sql("select a from s", "wanted"), "44");
  expectCode(await stanza.walferry([`--tablespace-map=fast=${elsewhere}`, ...again]), 0, "completed successfully");
});

testWith(NEEDS, "restore --delta --force does not take the zeros of an excluded database for its content", async () => {
  await using place = await scene();
  const { cluster, stanza, folder } = place;
  await cluster.sql("create database unwanted");
  await cluster.sql("checkpoint");
  await stanza.must("walferry", ["--type=full", "backup"]);
  const target = await folder.directory("target", 0o700);
  const restore = (...options: string[]) => stanza.must("walferry", [`--pg1-path=${target}`, ...options, "restore"]);
  const catalog = await cluster.sql("select pg_relation_filepath('pg_proc')", "unwanted");
  const content = await Deno.readFile(`${cluster.path}/${catalog}`);
  await restore("--db-exclude=unwanted");
  assert((await Deno.readFile(`${target}/${catalog}`)).every((byte) => byte === 0));
  await restore("--delta", "--force");
  assertEquals(sha1Hex(await Deno.readFile(`${target}/${catalog}`)), sha1Hex(content));
});

for (
  const [name, type, target, expected] of [
    ["a name", "name", "here", "2"],
    ["a transaction", "xid", "select xid from mark", "2"],
    ["a location", "lsn", "select lsn from mark", "2"],
  ] as const
) {
  testWith(NEEDS, `restore to ${name}`, async () => {
    await using place = await scene();
    const { cluster, stanza, folder } = place;
    await cluster.sql("create table t as select 1 a");
    await stanza.must("walferry", ["--type=full", "backup"]);
    await cluster.sql("insert into t values (2)");
    await cluster.sql("select pg_create_restore_point('here')");
    await cluster.sql("create table mark as select pg_current_xact_id()::text xid, pg_current_wal_lsn()::text lsn");
    const value = target.startsWith("select") ? await cluster.sql(target) : target;
    await cluster.sql("insert into t values (3)");
    await cluster.archiveSegment();
    const path = await folder.directory("target", 0o700);
    const options = type === "xid" ? ["--target-exclusive"] : [];
    await stanza.must("walferry", [
      `--pg1-path=${path}`,
      `--type=${type}`,
      `--target=${value}`,
      "--target-action=promote",
      ...options,
      "restore",
    ]);
    await using restored = await TestCluster.over(folder, path, { settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    assertEquals(await restored.sql("select max(a) from t"), expected);
  });
}

testWith(NEEDS, "restore as a standby, with recovery settings kept, and with none", async () => {
  await using place = await scene();
  const { stanza, folder } = place;
  await stanza.must("walferry", ["--type=full", "backup"]);
  const has = async (path: string) => (await execute(["test", "-e", path])).code === 0;
  const at = async (name: string, ...options: string[]) => {
    const path = await folder.directory(name, 0o700);
    await stanza.must("walferry", [`--pg1-path=${path}`, ...options, "restore"]);
    return path;
  };
  const standby = await at(
    "standby",
    "--type=standby",
    "--recovery-option=primary_conninfo=host=/x user='it''s'",
    "--archive-mode=off",
  );
  assertEquals([await has(`${standby}/standby.signal`), await has(`${standby}/recovery.signal`)], [true, false]);
  const settings = await Deno.readTextFile(`${standby}/postgresql.auto.conf`);
  assertIncludes(settings, "primary_conninfo = 'host=/x user=''it''''s'''");
  assertIncludes(settings, "archive_mode = 'off'");
  await using server = await TestCluster.over(folder, standby);
  await server.start();
  assertEquals(await server.sql("select pg_is_in_recovery()::text"), "true");
  await server.stop();

  const none = await at("none", "--type=none");
  assertEquals([
    await has(`${none}/recovery.signal`),
    (await Deno.readTextFile(`${none}/postgresql.auto.conf`)).includes("restore_command"),
  ], [false, false]);
  await stanza.must("walferry", [`--pg1-path=${standby}`, "--delta", "--type=preserve", "restore"]);
  assertEquals(await Deno.readTextFile(`${standby}/postgresql.auto.conf`), settings);
});

testWith(NEEDS, "expire and retention over real backups; info before, during and after", async () => {
  await using place = await scene();
  const { cluster, stanza } = place;
  expectCode(await stanza.walferry(["info"]), 0, "status: error (no valid backups)");
  const labels: string[] = [];
  for (let round = 0; round < 3; round++) {
    await stanza.must("walferry", ["--type=full", "--repo1-retention-full=2", "backup"]);
    labels.push(await Deno.readLink(`${stanza.repositories[0]}/backup/main/latest`));
    await cluster.archiveSegment();
  }
  const left = JSON.parse(
    (await stanza.must("walferry", ["--repo=1", "--output=json", "info"])).replaceAll(
      /"system-id":\d+/g,
      '"system-id":0',
    ),
  ) as Array<{ backup: Array<{ label: string; archive: { start: string } }>; archive: Array<{ min: string }> }>;
  assertEquals(left[0]!.backup.map(({ label }) => label), labels.slice(1));
  assertEquals(left[0]!.archive[0]!.min, left[0]!.backup[0]!.archive.start);
  expectCode(await stanza.walferry(["--repo=1", "--dry-run", `--set=${labels[1]}`, "expire"]), 0, "[DRY-RUN]");
  expectCode(
    await stanza.walferry(["--repo=1", `--set=${labels[1]}`, "expire"]),
    0,
    `expire adhoc backup ${labels[1]}`,
  );
  expectCode(
    await stanza.walferry(["--repo=1", `--set=${labels[2]}`, "expire"]),
    104,
    "cannot be expired until another full backup",
  );
  expectCode(await stanza.pgbackrest(["--repo=1", "--output=text", "--verbose", "verify"]), 0, "status: ok");
  expectCode(await stanza.walferry([`--set=${labels[2]}`, "--repo=1", "info"]), 0, "database list: postgres (5)");
});

testWith(
  [...NEEDS, "bash"],
  "a backup killed at any moment leaves a repository that the next backup and pgbackrest work with",
  async () => {
    await using place = await scene();
    const { cluster, stanza } = place;
    await cluster.sql("create table t as select g id, repeat(md5(g::text), 20) v from generate_series(1, 60000) g");
    for (const seconds of ["0.08", "0.2", "0.35", "0.5", "0.7", "0.9"]) {
      await execute([
        "timeout",
        "-s",
        "KILL",
        seconds,
        ...stanza.commandLine("walferry", "--type=full", "backup").split(" "),
      ]);
      expectCode(await stanza.walferry(["info"]), 0, "stanza: main");
    }
    expectCode(await stanza.walferry(["--type=full", "backup"]), 0, "new backup label = ");
    expectCode(await stanza.pgbackrest(["--repo=1", "--output=text", "--verbose", "verify"]), 0, "status: ok");
    const directories =
      (await runAs(["find", `${stanza.repositories[0]}/backup/main`, "-maxdepth", "1", "-name", "*F"])).trim().split(
        "\n",
      );
    const info = JSON.parse(
      (await stanza.must("walferry", ["--repo=1", "--output=json", "info"])).replaceAll(
        /"system-id":\d+/g,
        '"system-id":0',
      ),
    ) as Array<{ backup: unknown[] }>;
    assertEquals(directories.length, info[0]!.backup.length, "leftovers of killed backups are gone");
    assertEquals(
      await cluster.sql("select count(*) from pg_stat_activity where application_name like 'pgBackRest%'"),
      "0",
    );
  },
);

testWith(
  NEEDS,
  "two backups at once: the second is refused, the first completes; a signal ends one with 63 and releases its locks",
  async () => {
    await using place = await scene();
    const { cluster, stanza } = place;
    await cluster.sql("create table t as select g id, repeat(md5(g::text), 20) v from generate_series(1, 100000) g");
    const first = stanza.walferry(["--type=full", "--compress-type=bz2", "backup"]);
    await cluster.until(
      "select exists (select from pg_stat_activity where application_name = 'pgBackRest [backup]')",
      "the first backup to begin",
    );
    expectCode(await stanza.walferry(["--type=full", "backup"]), 50, "unable to acquire lock on file");
    expectCode(await stanza.walferry(["info"]), 0, "backup/expire running");
    expectCode(await first, 0, "new backup label = ");

    const ended = execute([
      "timeout",
      "-s",
      "TERM",
      "--preserve-status",
      "0.6",
      ...stanza.commandLine("walferry", "--type=full", "--compress-type=bz2", "backup").split(" "),
    ]);
    expectCode(await ended, 63, "terminated on signal SIGTERM");
    assertEquals(await runAs(["find", `${stanza.folder.path}/conf/lock`, "-name", "*.lock"]), "");
  },
);

testWith(
  NEEDS,
  "a repository path that is a file, cannot be written or is not there gives one clear line",
  async () => {
    await using place = await scene();
    const { stanza, folder } = place;
    const file = await folder.file("afile", "x");
    expectCode(await stanza.walferry([`--repo1-path=${file}`, "stanza-create"]), 53, "a part of this path is a file");
    const locked = await folder.directory("locked", 0o500);
    expectCode(await stanza.walferry([`--repo1-path=${locked}`, "stanza-create"]), 47, `${locked}`);
    expectCode(
      await stanza.walferry([`--repo1-path=${folder.path}/nowhere`, "--repo=1", "info"]),
      0,
      "status: error (missing stanza path)",
    );
    expectCode(
      await stanza.walferry([`--repo1-path=${folder.path}/nowhere`, "--repo=1", "--type=full", "backup"]),
      55,
      "has a stanza-create been performed?",
    );
  },
);

testWith(NEEDS, "a WAL gap at the end of a backup is found before the backup counts", async () => {
  await using place = await scene();
  const { cluster, stanza } = place;
  await cluster.sql("alter system set archive_command = 'true # walferry'");
  await cluster.reload();
  expectCode(
    await stanza.walferry(["--archive-timeout=1s", "--type=full", "backup"]),
    82,
    "was not archived before the",
  );
  await cluster.sql("alter system set archive_command = 'true'");
  await cluster.reload();
  await cluster.until("select current_setting('archive_command') = 'true'", "the setting");
  expectCode(await stanza.walferry(["--type=full", "backup"]), 68, "must contain");
  expectCode(await stanza.walferry(["check"]), 68, "must contain");
});

Deno.test("root is refused where it would write files that others cannot replace", async () => {
  if (Deno.uid() !== 0) return;
  const result = await execute([walferryPath, "--stanza=main", "--no-config", "--pg1-path=/x", "backup"], {
    asSelf: true,
  });
  expectCode(result, 31, "does not run as root");
});

testWith(
  NEEDS,
  "expire and backup never remove a complete backup that they cannot read, and use the copy of a lost manifest",
  async () => {
    await using place = await scene();
    const { stanza } = place;
    const directory = `${stanza.repositories[0]}/backup/main`;
    const labels: string[] = [];
    for (let round = 0; round < 3; round++) {
      await stanza.must("walferry", ["--type=full", "backup"]);
      labels.push(await Deno.readLink(`${directory}/latest`));
    }
    const [first, second] = labels as [string, string, string];
    await runAs(["rm", `${directory}/${first}/backup.manifest`]);
    expectCode(
      await stanza.walferry(["--repo=1", "expire"]),
      0,
      `backup '${first}' has lost its backup.manifest, the copy is used`,
    );
    assertIncludes(await stanza.must("walferry", ["--repo=1", "info"]), first);

    // A complete backup that backup.info does not know and whose manifest cannot be read just now.
    await runAs(["cp", "-a", `${directory}/${second}`, `${directory}/20200101-000000F`]);
    await Deno.writeTextFile(`${directory}/20200101-000000F/backup.manifest`, "damaged");
    await Deno.writeTextFile(`${directory}/20200101-000000F/backup.manifest.copy`, "damaged");
    const expired = await stanza.walferry(["--repo=1", "--repo1-retention-full=1", "expire"]);
    expectCode(expired, 0, "backup 20200101-000000F is complete but not in backup.info, it is kept");
    const left = (await runAs(["sh", "-c", `cd ${directory} && ls -d *F`])).trim().split("\n").sort();
    assertEquals(left, ["20200101-000000F", labels[2]!]);
  },
);
