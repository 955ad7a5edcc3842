/** What one repository is and how long it keeps things, as plain values that can cross a thread boundary. Made once by `src/cli`. */
import type { StorageConfig } from "../../backends/config.ts";

/** Encryption of a repository as configured; the passphrase is the user's, which opens the info files only. */
export type CipherConfig =
  | { readonly type: "none" }
  | {
    readonly type: "aes-256-cbc";
    readonly passphrase: string;
    /** The one before (`rekey`): opens what was not written since. */
    readonly previous?: string;
  };

/** `repoN-retention-keep-*`: for how many of the last days, weeks, months and years with a full backup the newest one of each stays. */
export interface KeepConfig {
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
}

/** `repoN-retention-*`. An absent number is "not configured". */
export interface RetentionConfig {
  readonly fullType: "count" | "time";
  /** Number of full backups, or days, by `fullType`. */
  readonly full?: number;
  readonly diff?: number;
  readonly archiveType: "full" | "diff" | "incr";
  readonly archive?: number;
  /** Days that manifests of expired backups stay in `backup.history`; absent = for ever, 0 = none. */
  readonly historyDays?: number;
  readonly keep: KeepConfig;
}

/** What a repository is for (`repoN-role`): WAL, backups with the WAL that makes them consistent, or both. */
export type RepositoryRole = "all" | "wal" | "backup";

/** `repoN-bundle`: small files of a backup are stored together. Bytes. */
export interface BundleConfig {
  /** A bundle is full when the files in it have this size together. */
  readonly sizeBytes: number;
  /** Largest file that goes into a bundle. */
  readonly limitBytes: number;
}

/** Thresholds and what holds from each on, the largest first. */
export type ThresholdMap = ReadonlyArray<readonly [threshold: number, value: number]>;

/** `repoN-block`: of files that change in parts the changed blocks are stored. Bytes. */
export interface BlockConfig {
  /** By size of the file: size of its blocks. */
  readonly sizeMap: ThresholdMap;
  /** By age of the file in seconds: a factor for the size of its blocks; 0 = it is stored whole. */
  readonly ageMap: ThresholdMap;
  /** By size of the blocks: bytes of their checksums. */
  readonly checksumMap: ThresholdMap;
  /** Size of super blocks in differential and incremental backups. */
  readonly superBytes: number;
  /** Size of super blocks in full backups. */
  readonly superFullBytes: number;
}

/** One configured repository (`repoN-...`). */
export interface RepositoryConfig {
  /** The N of `repoN`. Ascending keys are the order of use. */
  readonly key: number;
  readonly role: RepositoryRole;
  readonly storage: StorageConfig;
  readonly cipher: CipherConfig;
  readonly retention: RetentionConfig;
  /** Make the links `latest` and `pg_tblspc/<oid>` where the store can (`repoN-symlink`). */
  readonly symlink: boolean;
  /** Unchanged files get a second name in a differential or incremental backup where the store can (`repoN-hardlink`). */
  readonly hardlink: boolean;
  /** Absent = every file is stored alone. */
  readonly bundle?: BundleConfig;
  /** Absent = files are stored whole. Only together with bundles. */
  readonly block?: BlockConfig;
}

/** So long a file system may take for one call where others are asked beside it, in milliseconds: the default of `io-timeout`. */
const FILE_CALL_MS = 60_000;

/** Several repositories for one thread: a file system that does not answer must not hold up what the others are asked. */
export function amongOthers(configs: readonly RepositoryConfig[]): readonly RepositoryConfig[] {
  if (configs.length < 2) return configs;
  return configs.map((config) => {
    const { storage } = config;
    if (storage.type !== "posix" && storage.type !== "cifs") return config;
    return { ...config, storage: { ...storage, callLimitMs: FILE_CALL_MS } };
  });
}
