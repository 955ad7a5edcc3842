/** The walk over a data directory. */
import { type ClusterScan, scanCluster, type ScanRequest } from "../../src/backup/cluster_scan.ts";
import type { WalferryError } from "../../src/errors.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { makeClusterFiles, temporaryDirectory, writeFile } from "../support/cluster_files.ts";
import { recordingLog } from "../support/recording_log.ts";

async function scan(
  pgPath: string,
  request: Partial<ScanRequest> = {},
  log = recordingLog(),
): Promise<ClusterScan> {
  return await scanCluster(
    {
      pgPath,
      tablespaceDirectory: "PG_15_202209061",
      online: true,
      exclude: [],
      tablespaces: new Map([["16384", "fast"]]),
      ...request,
    },
    log,
    new AbortController().signal,
  );
}

const names = (entries: Iterable<{ readonly name: string }>) => [...entries].map(({ name }) => name);

Deno.test("an online backup lists every file but those that only the running server needs", async () => {
  using directory = temporaryDirectory();
  const pgPath = `${directory.path}/pg`;
  makeClusterFiles(pgPath);
  for (
    const left of [
      "postmaster.pid",
      "backup_label.old",
      "base/5/t3_16390",
      "base/5/pg_internal.init",
      "base/5/pgsql_tmp/x",
      "base/pgsql_tmp/y",
      "pg_notify/0000",
      "pg_stat_tmp/global.stat",
      "pg_wal/archive_status/000000010000000000000001.done",
    ]
  ) writeFile(`${pgPath}/${left}`, "x");
  writeFile(`${pgPath}/base/5/16500`, "unlogged");
  writeFile(`${pgPath}/base/5/16500_init`, "init");
  writeFile(`${pgPath}/pg_wal/summaries/one.summary`, "kept");
  const found = await scan(pgPath);
  assertEquals(names(found.files), [
    "pg_data/PG_VERSION",
    "pg_data/base/1/1259",
    "pg_data/base/1/2600",
    "pg_data/base/1/PG_VERSION",
    "pg_data/base/5/16384",
    "pg_data/base/5/16500_init",
    "pg_data/base/5/PG_VERSION",
    "pg_data/global/1260",
    "pg_data/global/pg_control",
    "pg_data/global/pg_filenode.map",
    "pg_data/pg_hba.conf",
    "pg_data/pg_wal/summaries/one.summary",
    "pg_data/pg_xact/0000",
    "pg_data/postgresql.conf",
  ]);
  assertEquals(names(found.paths), [
    "pg_data",
    "pg_data/base",
    "pg_data/base/1",
    "pg_data/base/5",
    "pg_data/global",
    "pg_data/pg_notify",
    "pg_data/pg_stat_tmp",
    "pg_data/pg_tblspc",
    "pg_data/pg_wal",
    "pg_data/pg_wal/archive_status",
    "pg_data/pg_wal/summaries",
    "pg_data/pg_xact",
  ]);
  assertEquals(found.targets, [{ name: "pg_data", type: "path", path: pgPath }]);
  assertEquals([found.defaults.file.mode, found.defaults.path.mode], [0o600, 0o700]);
});

Deno.test("an offline backup holds the WAL as well", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(directory.path);
  const found = await scan(directory.path, { online: false });
  assertEquals(names(found.files).filter((name) => name.startsWith("pg_data/pg_wal/")), [
    "pg_data/pg_wal/000000010000000000000001",
  ]);
});

Deno.test("linked directories and files are listed under the name of the link", async () => {
  using directory = temporaryDirectory();
  const pgPath = `${directory.path}/pg`;
  makeClusterFiles(pgPath);
  Deno.renameSync(`${pgPath}/pg_xact`, `${directory.path}/xact`);
  Deno.symlinkSync(`${directory.path}/xact`, `${pgPath}/pg_xact`);
  Deno.mkdirSync(`${directory.path}/etc`);
  Deno.renameSync(`${pgPath}/pg_hba.conf`, `${directory.path}/etc/hba.conf`);
  Deno.symlinkSync("../etc/hba.conf", `${pgPath}/pg_hba.conf`);
  const found = await scan(pgPath);
  assertEquals(found.targets, [
    { name: "pg_data", type: "path", path: pgPath },
    { name: "pg_data/pg_hba.conf", type: "link", path: "../etc", file: "hba.conf" },
    { name: "pg_data/pg_xact", type: "link", path: `${directory.path}/xact` },
  ]);
  assertEquals(found.links.map(({ name, destination }) => [name, destination]), [
    ["pg_data/pg_hba.conf", "../etc/hba.conf"],
    ["pg_data/pg_xact", `${directory.path}/xact`],
  ]);
  const files = new Map([...found.files].map((file) => [file.name, file.sizeBytes]));
  assertEquals([files.get("pg_data/pg_hba.conf"), files.get("pg_data/pg_xact/0000")], [20, 8192]);
  assertEquals(names(found.paths).includes("pg_data/pg_xact"), true);
});

Deno.test("of a tablespace only what belongs to this release is listed", async () => {
  using directory = temporaryDirectory();
  const pgPath = `${directory.path}/pg`;
  makeClusterFiles(pgPath);
  const tablespace = `${directory.path}/ts`;
  writeFile(`${tablespace}/PG_15_202209061/5/16385`, "x");
  writeFile(`${tablespace}/PG_14_202107181/5/16385`, "old");
  Deno.symlinkSync(tablespace, `${pgPath}/pg_tblspc/16384`);
  const found = await scan(pgPath);
  assertEquals(found.targets[1], {
    name: "pg_tblspc/16384",
    type: "link",
    path: tablespace,
    tablespaceId: "16384",
    tablespaceName: "fast",
  });
  assertEquals(names(found.links), ["pg_data/pg_tblspc/16384"]);
  assertEquals(names(found.files).filter((name) => name.startsWith("pg_tblspc")), [
    "pg_tblspc/16384/PG_15_202209061/5/16385",
  ]);
  assertEquals(names(found.paths).filter((name) => name.startsWith("pg_tblspc")), [
    "pg_tblspc",
    "pg_tblspc/16384",
    "pg_tblspc/16384/PG_15_202209061",
    "pg_tblspc/16384/PG_15_202209061/5",
  ]);
  const offline = await scan(pgPath, { online: false, tablespaces: undefined });
  assertEquals(offline.targets[1]?.tablespaceName, "ts16384");
});

Deno.test("exclusions leave out a file, a directory, or only what is in it, and say so", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(directory.path);
  const log = recordingLog();
  const found = await scan(directory.path, { exclude: ["pg_hba.conf", "base/1", "base/5/", "global"] }, log);
  assertEquals(names(found.files), ["pg_data/PG_VERSION", "pg_data/pg_xact/0000", "pg_data/postgresql.conf"]);
  assertEquals(names(found.paths).filter((name) => /base|global/.test(name)), ["pg_data/base", "pg_data/base/5"]);
  assertIncludes(log.text(), `INFO exclude '${directory.path}/pg_hba.conf' from backup using 'pg_hba.conf' exclusion`);
  assertIncludes(
    log.text(),
    `INFO exclude contents of '${directory.path}/base/5' from backup using 'base/5/' exclusion`,
  );
});

Deno.test("special files are left out with a warning", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(directory.path);
  using listener = Deno.listen({ transport: "unix", path: `${directory.path}/socket` });
  const log = recordingLog();
  const found = await scan(directory.path, {}, log);
  assertEquals(names(found.files).includes("pg_data/socket"), false);
  assertIncludes(log.text(), `WARN exclude special file '${directory.path}/socket' from backup`);
  assertEquals(listener.addr.transport, "unix");
});

const REFUSED: readonly [what: string, prepare: (base: string, pgPath: string) => void, code: number][] = [
  ["a directory in pg_tblspc", (_base, pgPath) => Deno.mkdirSync(`${pgPath}/pg_tblspc/16384`), 69],
  ["a file in pg_tblspc", (_base, pgPath) => writeFile(`${pgPath}/pg_tblspc/x`, "x"), 69],
  ["a link to a link", (base, pgPath) => {
    Deno.mkdirSync(`${base}/real`);
    Deno.symlinkSync(`${base}/real`, `${base}/hop`);
    Deno.symlinkSync(`${base}/hop`, `${pgPath}/linked`);
  }, 70],
  ["a link to nothing", (base, pgPath) => Deno.symlinkSync(`${base}/none`, `${pgPath}/linked`), 55],
  ["a link into the data directory", (_base, pgPath) => Deno.symlinkSync(`${pgPath}/base`, `${pgPath}/linked`), 70],
  ["a link to what holds the data directory", (base, pgPath) => Deno.symlinkSync(base, `${pgPath}/linked`), 70],
  ["two links to one directory", (base, pgPath) => {
    Deno.mkdirSync(`${base}/real`);
    Deno.symlinkSync(`${base}/real`, `${pgPath}/a`);
    Deno.symlinkSync(`${base}/real`, `${pgPath}/b`);
  }, 70],
  ["a tablespace below another link", (base, pgPath) => {
    Deno.mkdirSync(`${base}/real/ts/PG_15_202209061`, { recursive: true });
    Deno.symlinkSync(`${base}/real`, `${pgPath}/a`);
    Deno.symlinkSync(`${base}/real/ts`, `${pgPath}/pg_tblspc/16384`);
  }, 70],
  ["a tablespace that the server does not know", (base, pgPath) => {
    Deno.mkdirSync(`${base}/ts`);
    Deno.symlinkSync(`${base}/ts`, `${pgPath}/pg_tblspc/999`);
  }, 25],
  ["a tablespace whose disk is not mounted", (base, pgPath) => {
    Deno.mkdirSync(`${base}/ts`);
    Deno.symlinkSync(`${base}/ts`, `${pgPath}/pg_tblspc/16384`);
  }, 41],
  ["a link in pg_tblspc that no tablespace has", (base, pgPath) => {
    Deno.mkdirSync(`${base}/ts`);
    Deno.symlinkSync(`${base}/ts`, `${pgPath}/pg_tblspc/16384.old`);
  }, 28],
  ["a name with a line feed", (_base, pgPath) => writeFile(`${pgPath}/a\nb`, "x"), 28],
];

for (const [what, prepare, code] of REFUSED) {
  Deno.test(`${what} ends the walk with ${code}`, async () => {
    using directory = temporaryDirectory();
    const pgPath = `${directory.path}/pg`;
    makeClusterFiles(pgPath);
    prepare(directory.path, pgPath);
    const error = await assertThrows<WalferryError>(() => scan(pgPath));
    assertEquals(error.code, code, error.message);
  });
}

Deno.test("an offline backup asks nobody for tablespaces, and takes no other name for an oid either", async () => {
  using directory = temporaryDirectory();
  const pgPath = `${directory.path}/pg`;
  makeClusterFiles(pgPath);
  Deno.mkdirSync(`${directory.path}/ts`);
  Deno.symlinkSync(`${directory.path}/ts`, `${pgPath}/pg_tblspc/16384.old`);
  const offline = { online: false, tablespaces: undefined };
  const error = await assertThrows<WalferryError>(() => scan(pgPath, offline));
  assertIncludes(error.message, `'${pgPath}/pg_tblspc/16384.old' is not a tablespace: its name is no oid`);
  const found = await scan(pgPath, { ...offline, exclude: ["pg_tblspc/16384.old"] });
  assertEquals(found.targets.map(({ name }) => name), ["pg_data"]);
});

Deno.test("a name that is not UTF-8 is refused, never left out in silence", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(directory.path);
  const made = new Deno.Command("sh", { args: ["-c", "printf x > $(printf 'a\\377b')"], cwd: directory.path })
    .outputSync();
  assertEquals(made.success, true);
  const error = await assertThrows<WalferryError>(() => scan(directory.path));
  assertEquals(error.code, 28);
});

Deno.test("a data directory that is not there is named", async () => {
  const error = await assertThrows<WalferryError>(() => scan("/nowhere/pg"));
  assertEquals([error.kind, error.message], ["PathMissing", "unable to list file info for missing path '/nowhere/pg'"]);
});
