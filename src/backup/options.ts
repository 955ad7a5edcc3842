/** Options of `backup` as typed values. */
import type { BackupStandby } from "../postgres/cluster_group.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import type { RepositoryConfig } from "../repository/config.ts";
import type { CompressSetting } from "../stream/compress_type.ts";

export type BackupType = "full" | "diff" | "incr";

export interface BackupOptions {
  readonly stanza: string;
  readonly type: BackupType;
  /** Every configured cluster of the stanza; exactly one must be the primary, but for a backup on a standby alone. */
  readonly clusters: readonly ClusterConfig[];
  readonly backupStandby: BackupStandby;
  /** Name of this host. */
  readonly host: string;
  /** The repositories to write to: one by default, several with `--repo=1,2` or `--repo=all`. */
  readonly repositories: readonly RepositoryConfig[];
  /** Repositories that hold an archive: what one without it (`repo-role=backup`) takes its WAL from. */
  readonly walSources: readonly RepositoryConfig[];
  /** Whether `--repo` was given, and how many repositories are configured: for the message about the default. */
  readonly repositoryChosen: boolean;
  readonly configuredRepositories: number;
  readonly compress: CompressSetting;
  readonly online: boolean;
  readonly force: boolean;
  readonly startFast: boolean;
  readonly archiveCheck: boolean;
  readonly archiveCopy: boolean;
  readonly archiveModeCheck: boolean;
  readonly archiveTimeoutMs: number;
  /** Absent = as the cluster's control file says. */
  readonly checksumPage?: boolean;
  readonly pageHeaderCheck: boolean;
  readonly exclude: readonly string[];
  /** Contents decide what has changed since the prior backup, not sizes and times. */
  readonly delta: boolean;
  /** `wal-summary`: the server's summaries of its WAL say which relation files changed, where they can. */
  readonly walSummary: boolean;
  /** An interrupted backup is gone on with, and this one leaves word of what it has stored. */
  readonly resume: boolean;
  /** `manifest-save-threshold`: bytes copied between two saves of the unfinished manifest. */
  readonly manifestSaveBytes: number;
  readonly annotations: ReadonlyMap<string, string>;
  readonly processMax: number;
  readonly bufferBytes: number;
  /** `expire-auto`: expire what the retention of each repository no longer keeps, after the backup. */
  readonly expireAuto: boolean;
  readonly dbTimeoutMs: number;
  readonly lockPath: string;
  /** Where this host keeps the journal of an unfinished backup. */
  readonly spoolPath: string;
  readonly pgVersionForce?: string;
}
