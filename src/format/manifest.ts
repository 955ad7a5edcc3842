/**
 * What a `backup.manifest` says (repository-format §5), as values. Reading and writing its text is in `manifest_codec.ts`.
 *
 * Names in a manifest begin with `pg_data` or `pg_tblspc/<oid>`; they were checked when they were read: no empty segment,
 * no `.` or `..`, no leading slash, so that joining one to a directory stays below it.
 */

/** Owner as stored: a name, or `false` where the source's owner had no name. */
export type OwnerName = string | false;

/** First and last bad page of a run of bad pages (equal for a single one). Page numbers count through all segments of a relation. */
export type PageRange = readonly [first: number, last: number];

export interface ManifestFile {
  /** `pg_data/base/1/1259`, `pg_tblspc/16384/PG_15_202209061/5/16385`. */
  readonly name: string;
  /** Original bytes in the backup. */
  sizeBytes: number;
  /** Size when the list was made, only where it differs from `sizeBytes` (`szo`, 2.47+). */
  sizeOriginalBytes?: number;
  /** Modification time of the source, whole seconds since the epoch. */
  readonly timestamp: number;
  /** SHA-1 (hex) of the original content; absent for empty files and for files not copied yet. */
  checksum?: string;
  /** SHA-1 (hex) of the stored bytes, where they differ from the original (`rck`). */
  repoChecksum?: string;
  /** Stored bytes; equal to `sizeBytes` where nothing transformed them. */
  repoSizeBytes: number;
  /** Label of the backup that holds the bytes; absent = this one. */
  reference?: string;
  bundleId?: number;
  bundleOffset?: number;
  /** Block incremental: block size in bytes, checksum bytes per block, stored bytes of the map. */
  blockSizeBytes?: number;
  blockChecksumBytes?: number;
  blockMapBytes?: number;
  /** Absent where pages have no checksums; true = all valid. */
  checksumPage?: boolean;
  /** Bad pages, ascending, neighbours merged; absent with `checksumPage` false = the file is misaligned. */
  checksumPageErrors?: readonly PageRange[];
  /** Permission bits, e.g. 0o600. */
  readonly mode: number;
  readonly user: OwnerName;
  readonly group: OwnerName;
}

/** Files sorted by name in byte order: an array, or for very many a {@link FileTable}, which makes each entry when it is looked at. */
export interface ManifestFiles extends Iterable<ManifestFile> {
  readonly length: number;
  at(index: number): ManifestFile | undefined;
  /** One after the other, never all at once. */
  values(): IteratorObject<ManifestFile, undefined, unknown>;
}

export interface ManifestPath {
  readonly name: string;
  readonly mode: number;
  readonly user: OwnerName;
  readonly group: OwnerName;
}

export interface ManifestLink {
  readonly name: string;
  /** Text of the symbolic link, verbatim. */
  readonly destination: string;
  readonly user: OwnerName;
  readonly group: OwnerName;
}

/** A root of storage: the data directory, a tablespace, or something linked out of the data directory. */
export interface ManifestTarget {
  /** `pg_data`, `pg_tblspc/<oid>`, `pg_data/pg_wal`, `pg_data/postgresql.conf`. */
  readonly name: string;
  readonly type: "path" | "link";
  /** Directory; for a link to a file the directory part of its destination. May be relative for links. */
  readonly path: string;
  /** File name, only for links to files. */
  readonly file?: string;
  /** Oid as text, only for tablespaces. */
  readonly tablespaceId?: string;
  readonly tablespaceName?: string;
}

export interface ManifestDatabase {
  readonly name: string;
  readonly oid: number;
  /** Obsolete but required: largest system oid (`db-last-system-id`). */
  readonly lastSystemOid: number;
}

/** Everything of a manifest but its lists: small whatever the size of the cluster. */
export interface ManifestHeader {
  /** `backrest-version` of the writer. */
  backrestVersion: string;
  label: string;
  type: "full" | "diff" | "incr";
  prior?: string;
  /** Labels this backup needs, oldest first, its own last; absent in files of versions before 2.42. */
  references?: string[];
  timestampStart: number;
  timestampCopyStart: number;
  timestampStop: number;
  lsnStart?: string;
  lsnStop?: string;
  archiveStart?: string;
  archiveStop?: string;
  /**
   * Whose file system the times of the files come from, as `host:directory`; absent = the primary's. Written only for backups that were made on a
   * standby alone. The original ignores the key.
   */
  timesOf?: string;
  bundle: boolean;
  bundleRaw: boolean;
  blockIncremental: boolean;
  /**
   * History id, version text (`15`, `9.6`), system identifier, catalog and control version of the cluster. The original says id and system
   * only at the end: in its unfinished manifests both are 0, and the option `backupStandby` is absent.
   */
  historyId: number;
  pgVersion: string;
  systemId: bigint;
  catalogVersion: number;
  controlVersion: number;
  options: ManifestOptions;
  annotations: Map<string, string>;
  /** Passphrase of the backup's files, only in encrypted repositories. */
  cipherPass?: string;
}

/** `[backup:option]`. Optional ones may be missing in old files. */
export interface ManifestOptions {
  archiveCheck: boolean;
  archiveCopy: boolean;
  backupStandby?: boolean;
  bufferSizeBytes?: number;
  checksumPage?: boolean;
  compressType: "none" | "bz2" | "gz" | "lz4" | "zst";
  compressLevel?: number;
  compressLevelNetwork?: number;
  delta?: boolean;
  hardlink: boolean;
  online: boolean;
  processMax?: number;
}

export interface Manifest extends ManifestHeader {
  targets: ManifestTarget[];
  databases: ManifestDatabase[];
  files: ManifestFiles;
  links: ManifestLink[];
  paths: ManifestPath[];
  /** Owner and modes that most entries share; entries equal to them are written without. */
  defaults: ManifestDefaults;
}

export interface ManifestDefaults {
  file: { mode: number; user: OwnerName; group: OwnerName };
  path: { mode: number; user: OwnerName; group: OwnerName };
  link: { user: OwnerName; group: OwnerName };
}
