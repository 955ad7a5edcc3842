/** What of a data directory a backup leaves out (behaviour spec §4.4), as pure functions of names. */

/** Directories of the data directory whose contents are made anew by the server; the directory itself is kept. */
const EMPTIED_DIRECTORIES = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
]);

/** Files of the data directory that belong to the running server or to an earlier backup or restore (13 and later). */
const SKIPPED_ROOT_FILES = new Set([
  "backup_label",
  "backup_label.old",
  "backup_manifest",
  "backup_manifest.tmp",
  "backup.manifest",
  "postgresql.auto.conf.tmp",
  "postmaster.opts",
  "postmaster.pid",
  "recovery.signal",
  "standby.signal",
]);

const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;
const RELATION = /^(\d+)(?:_(fsm|vm|init))?(?:\.\d+)?$/;
const INTERNAL_INIT = /^pg_internal\.init(?:\.\d+)?$/;

/** True when the contents of this directory (path below the data directory) are left out. */
export function isEmptiedDirectory(path: string, online: boolean): boolean {
  return EMPTIED_DIRECTORIES.has(path) || (online && path === "pg_wal/archive_status");
}

/** True for a name that is left out wherever it stands. */
export function isSkippedAnywhere(name: string): boolean {
  return name.startsWith("pgsql_tmp");
}

/** True for a file directly in the data directory that is left out. */
export function isSkippedRootFile(name: string): boolean {
  return SKIPPED_ROOT_FILES.has(name);
}

/** True for a regular file directly in `pg_wal` that is left out. */
export function isSkippedWalFile(online: boolean): boolean {
  return online;
}

/**
 * True for a directory that holds relation files: `global`, `base/<oid>`, and below a tablespace `<oid>`.
 * @param path below the data directory, or `pg_tblspc/<oid>/PG_.../<oid>`
 */
export function isDatabaseDirectory(path: string): boolean {
  return path === "global" || /^base\/\d+$/.test(path) || /^pg_tblspc\/\d+\/PG_[^/]+\/\d+$/.test(path);
}

/** Names in a database directory that are left out, given all names of it: caches, temporary and unlogged relations. */
export function skippedRelationFiles(names: Iterable<string>): Set<string> {
  const all = [...names];
  const unlogged = new Set(all.map((name) => /^(\d+)_init$/.exec(name)?.[1]).filter((number) => number !== undefined));
  return new Set(all.filter((name) => {
    if (INTERNAL_INIT.test(name) || TEMPORARY_RELATION.test(name)) return true;
    const relation = RELATION.exec(name);
    return relation !== null && relation[2] !== "init" && unlogged.has(relation[1]!);
  }));
}

/** True for a file of a database directory whose pages carry checksums. */
export function hasPageChecksums(name: string): boolean {
  return name !== "pg_filenode.map" && name !== "PG_VERSION" && name !== "pg_control";
}

/** Number of a relation's segment told by its file name: `16384.3` is 3, `16384` is 0. */
export function segmentNumber(name: string): number {
  return Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
}
