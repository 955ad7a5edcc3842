/**
 * Which files of a data directory a backup leaves out, by name alone (commands-and-behaviour §4.4; PostgreSQL source:
 * `src/backend/backup/basebackup.c`). The releases from 13 to 18 agree. Walking the directory is not done here.
 *
 * Paths are names of the manifest: `pg_data/...`, `pg_tblspc/<oid>/<release directory>/...`.
 */

/** Directories of the root whose content belongs to the running server; the directory itself is kept, empty. */
const CONTENTS_SKIPPED: ReadonlySet<string> = new Set([
  "pg_data/pg_dynshmem",
  "pg_data/pg_notify",
  "pg_data/pg_replslot",
  "pg_data/pg_serial",
  "pg_data/pg_snapshots",
  "pg_data/pg_stat_tmp",
  "pg_data/pg_subtrans",
]);

/** Files of the root that must not reach a restored cluster. */
const FILES_SKIPPED: ReadonlySet<string> = new Set([
  "backup_label",
  "backup_label.old",
  "backup_manifest",
  "backup_manifest.tmp",
  "postgresql.auto.conf.tmp",
  "postmaster.opts",
  "postmaster.pid",
  "recovery.signal",
  "standby.signal",
]);

const DATABASE_DIRECTORY = /^(?:pg_data\/global|pg_data\/base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)$/;
const INTERNAL_INIT = /^pg_internal\.init(?:\.\d+)?$/;
const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm))?(?:\.\d+)?$/;
const RELATION = /^(\d+)(?:_(fsm|vm|init))?(?:\.(\d+))?$/;

/** Pages of a relation segment file of 1 GiB with pages of 8 KiB; the product of the two stays 1 GiB for other page sizes. */
const SEGMENT_FILE_BYTES = 1024 * 1024 * 1024;

/** Files with this start are temporary wherever they stand, directories too. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith("pgsql_tmp");
}

/** What is left out of the content of a directory: everything, its regular files only, or nothing by this rule. */
export function contentsSkipped(directory: string, online: boolean): "all" | "files" | "none" {
  if (CONTENTS_SKIPPED.has(directory)) return "all";
  if (!online) return "none";
  // WAL of an online backup comes from the archive; subdirectories such as `summaries` are part of the cluster.
  if (directory === "pg_data/pg_wal/archive_status") return "all";
  return directory === "pg_data/pg_wal" ? "files" : "none";
}

/** Files of the root that are never stored. */
export function isSkippedFile(directory: string, name: string): boolean {
  return directory === "pg_data" && FILES_SKIPPED.has(name);
}

/** A directory that holds relations. */
export function isDatabaseDirectory(directory: string): boolean {
  return DATABASE_DIRECTORY.test(directory);
}

/**
 * Names of a database directory that are left out: relation cache files, temporary relations, and every fork of an unlogged relation
 * but its `_init` fork, from which recovery makes the others anew.
 */
export function skippedRelationFiles(names: readonly string[]): Set<string> {
  const unlogged = new Set<string>();
  for (const name of names) {
    const match = name.includes("_init") ? RELATION.exec(name) : null;
    if (match?.[2] === "init") unlogged.add(match[1]!);
  }
  const skipped = new Set<string>();
  for (const name of names) {
    const isOther = name.startsWith("t") || name.startsWith("p");
    // A directory may hold a million relations, of which few are unlogged.
    if (!isOther && unlogged.size === 0) continue;
    const relation = isOther ? null : RELATION.exec(name);
    const isUnlogged = relation !== null && relation[2] !== "init" && unlogged.has(relation[1]!);
    if (isUnlogged || (isOther && (INTERNAL_INIT.test(name) || TEMPORARY_RELATION.test(name)))) skipped.add(name);
  }
  return skipped;
}

/** True when the pages of this file carry checksums in a cluster that has them (repository-format §9). */
export function hasCheckedPages(path: string): boolean {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  return isDatabaseDirectory(path.slice(0, slash)) && name !== "pg_filenode.map" && name !== "PG_VERSION" &&
    name !== "pg_control";
}

/** Block number of the first page in this file of a relation: the suffix `.N` counts segments of 1 GiB. */
export function firstBlockOf(path: string, pageBytes: number): number {
  const suffix = /\.(\d+)$/.exec(path)?.[1];
  return suffix === undefined ? 0 : Number(suffix) * (SEGMENT_FILE_BYTES / pageBytes);
}
