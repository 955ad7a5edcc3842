/** Options of `archive-push` and `archive-get` as typed values. */
import type { ClusterConfig } from "../postgres/config.ts";
import type { RepositoryConfig } from "../repository/config.ts";
import type { CompressSetting } from "../stream/compress_type.ts";

export interface ArchivePushOptions {
  readonly stanza: string;
  /** The command's parameter: `%p` (relative to the data directory) or an absolute path; of the background process, `pg_wal`. */
  readonly walPath: string;
  /** Absent when no `pg1-path` is configured: only absolute paths work then and the cluster's identity is not compared. */
  readonly cluster?: ClusterConfig;
  readonly repositories: readonly RepositoryConfig[];
  readonly compress: CompressSetting;
  readonly headerCheck: boolean;
  /** Warn when a segment is already there with the same checksum. */
  readonly modeCheck: boolean;
  /** Bytes of waiting WAL above which segments are dropped; absent = never. */
  readonly queueMaxBytes?: number;
  readonly timeoutMs: number;
  readonly lockPath: string;
  readonly spoolPath: string;
  /** Repositories that must hold a file before it is acknowledged (`archive-push-quorum`, as a number). */
  readonly quorum: number;
  /** `pg-version-force`. */
  readonly pgVersionForce?: string;
}

/** `archive-push` with `archive-async=y`. */
export interface ArchivePushAsyncOptions extends ArchivePushOptions {
  /** The background process must know where the cluster is. */
  readonly cluster: ClusterConfig;
}

/** The background process of asynchronous archiving. */
export interface PushServiceOptions extends ArchivePushAsyncOptions {
  readonly processMax: number;
  /** How long it stays without work, in milliseconds; 0 = it ends with its batch. */
  readonly lingerMs: number;
  /** False without `archive-async`: it only pays what repositories are owed, and ends. */
  readonly pushes: boolean;
  /** Whether the program or its configuration is no longer what the process was started with. Does not cross to workers. */
  readonly isOutdated?: () => Promise<boolean>;
}

export interface ArchiveGetOptions {
  readonly stanza: string;
  /** `%f`: segment, history or backup file name. */
  readonly walName: string;
  /** `%p`: where to put it, relative to the data directory or absolute. */
  readonly destination: string;
  readonly cluster: ClusterConfig;
  readonly repositories: readonly RepositoryConfig[];
  readonly timeoutMs: number;
  readonly lockPath: string;
  readonly spoolPath: string;
  readonly pgVersionForce?: string;
}

/** `archive-get` with `archive-async=y`, and its background process (whose `walName` is the first segment to fetch). */
export interface ArchiveGetAsyncOptions extends ArchiveGetOptions {
  /** Bytes of WAL that are fetched ahead. */
  readonly queueMaxBytes: number;
  /** How long the background process stays without work while the cluster recovers, in milliseconds; 0 = it ends with its batch. */
  readonly lingerMs: number;
  /** Whether the program or its configuration is no longer what the process was started with. Does not cross to workers. */
  readonly isOutdated?: () => Promise<boolean>;
  readonly processMax: number;
}
