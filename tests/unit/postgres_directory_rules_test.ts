/** Which files of a data directory a backup leaves out. */
import {
  contentsSkipped,
  firstBlockOf,
  hasCheckedPages,
  isDatabaseDirectory,
  isSkippedFile,
  isTemporaryName,
  skippedRelationFiles,
} from "../../src/postgres/directory_rules.ts";
import { archivesWithUs } from "../../src/postgres/backup_functions.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("contents of the server's own directories are left out", () => {
  const cases: [string, boolean, "all" | "files" | "none"][] = [
    ["pg_data/pg_dynshmem", true, "all"],
    ["pg_data/pg_notify", true, "all"],
    ["pg_data/pg_replslot", false, "all"],
    ["pg_data/pg_serial", true, "all"],
    ["pg_data/pg_snapshots", true, "all"],
    ["pg_data/pg_stat_tmp", true, "all"],
    ["pg_data/pg_subtrans", true, "all"],
    ["pg_data/pg_wal", true, "files"],
    ["pg_data/pg_wal", false, "none"],
    ["pg_data/pg_wal/archive_status", true, "all"],
    ["pg_data/pg_wal/archive_status", false, "none"],
    ["pg_data/pg_wal/summaries", true, "none"],
    ["pg_data/base", true, "none"],
    ["pg_data/base/pg_notify", true, "none"],
    ["pg_tblspc/1/pg_notify", true, "none"],
  ];
  for (const [directory, online, expected] of cases) {
    assertEquals(contentsSkipped(directory, online), expected, `${directory} online=${online}`);
  }
});

Deno.test("files of the root that belong to the running server or to a recovery are left out", () => {
  const skipped = [
    "backup_label",
    "backup_label.old",
    "backup_manifest",
    "backup_manifest.tmp",
    "postgresql.auto.conf.tmp",
    "postmaster.opts",
    "postmaster.pid",
    "recovery.signal",
    "standby.signal",
  ];
  for (const name of skipped) {
    assertEquals(isSkippedFile("pg_data", name), true, name);
    assertEquals(isSkippedFile("pg_data/sub", name), false, `sub/${name}`);
  }
  for (const name of ["PG_VERSION", "postgresql.conf", "postgresql.auto.conf", "tablespace_map", "current_logfiles"]) {
    assertEquals(isSkippedFile("pg_data", name), false, name);
  }
});

Deno.test("relations live in global, in databases and in databases of tablespaces", () => {
  const cases: [string, boolean][] = [
    ["pg_data/global", true],
    ["pg_data/base/5", true],
    ["pg_tblspc/16384/PG_15_202209061/5", true],
    ["pg_data/base", false],
    ["pg_data/base/pgsql_tmp", false],
    ["pg_data/base/5/sub", false],
    ["pg_tblspc/16384/PG_15_202209061", false],
    ["pg_data", false],
  ];
  for (const [directory, expected] of cases) assertEquals(isDatabaseDirectory(directory), expected, directory);
});

Deno.test("caches, temporary relations and all but the init fork of unlogged relations are left out", () => {
  const names = [
    "1259",
    "1259_fsm",
    "1259_vm",
    "1259.1",
    "16384",
    "16384.1",
    "16384_fsm",
    "16384_fsm.1",
    "16384_vm",
    "16384_init",
    "163840",
    "t3_16400",
    "t3_16400_fsm",
    "t3_16400.2",
    "t3_x",
    "pg_internal.init",
    "pg_internal.init.1234",
    "pg_internal.initial",
    "PG_VERSION",
    "pg_filenode.map",
  ];
  assertEquals([...skippedRelationFiles(names)].sort(), [
    "16384",
    "16384.1",
    "16384_fsm",
    "16384_fsm.1",
    "16384_vm",
    "pg_internal.init",
    "pg_internal.init.1234",
    "t3_16400",
    "t3_16400.2",
    "t3_16400_fsm",
  ]);
});

Deno.test("temporary files are left out wherever they stand", () => {
  assertEquals(["pgsql_tmp", "pgsql_tmp1234.0", "pgsql_tm", "x_pgsql_tmp"].map(isTemporaryName), [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("pages are checked in relation files only", () => {
  const cases: [string, boolean][] = [
    ["pg_data/base/1/1259", true],
    ["pg_data/base/1/1259_fsm", true],
    ["pg_data/global/1260", true],
    ["pg_tblspc/16384/PG_15_202209061/5/16385.1", true],
    ["pg_data/global/pg_control", false],
    ["pg_data/global/pg_filenode.map", false],
    ["pg_data/base/1/PG_VERSION", false],
    ["pg_data/pg_xact/0000", false],
    ["pg_data/PG_VERSION", false],
  ];
  for (const [path, expected] of cases) assertEquals(hasCheckedPages(path), expected, path);
});

Deno.test("the block number of a file's first page counts the segments before it", () => {
  assertEquals(firstBlockOf("pg_data/base/1/1259", 8192), 0);
  assertEquals(firstBlockOf("pg_data/base/1/1259.1", 8192), 131072);
  assertEquals(firstBlockOf("pg_data/base/1/1259_fsm.12", 8192), 12 * 131072);
  assertEquals(firstBlockOf("pg_data/base/1/1259.1", 32768), 32768);
});

Deno.test("an archive command is ours when it names one of the two programs", () => {
  const cases: [string, boolean][] = [
    ["pgbackrest --stanza=main archive-push %p", true],
    ["/usr/local/bin/walferry --stanza=main archive-push %p", true],
    ["test -f /var/spool/walferry/archive/main/out/%f.ok || walferry archive-push %p", true],
    ["cp %p /archive/%f", false],
    ["", false],
  ];
  for (const [command, expected] of cases) assertEquals(archivesWithUs(command), expected, command);
});
