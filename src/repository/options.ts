/** Options of the commands that work on a stanza's repositories, as typed values. */
import type { BackupStandby } from "../postgres/cluster_group.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import type { RepositoryConfig } from "./config.ts";

/** `stanza-create`, `stanza-upgrade`, `stanza-delete`. */
export interface StanzaOptions {
  readonly stanza: string;
  readonly clusters: readonly ClusterConfig[];
  readonly repositories: readonly RepositoryConfig[];
  readonly online: boolean;
  readonly force: boolean;
  readonly dbTimeoutMs: number;
  readonly lockPath: string;
  readonly pgVersionForce?: string;
}

export interface StanzaDeleteOptions extends StanzaOptions {
  /** Repositories that are configured too, and may hold the stanza still. */
  readonly others: readonly RepositoryConfig[];
  readonly spoolPath: string;
}

export interface CheckOptions {
  readonly stanza: string;
  readonly clusters: readonly ClusterConfig[];
  /** A standby that is wanted and cannot be found is told of. */
  readonly backupStandby: BackupStandby;
  readonly repositories: readonly RepositoryConfig[];
  readonly archiveCheck: boolean;
  readonly archiveModeCheck: boolean;
  readonly archiveTimeoutMs: number;
  /** `archive-async`: there is an `archive_command` that starts no program for each segment. */
  readonly archiveAsync: boolean;
  readonly dbTimeoutMs: number;
  readonly lockPath: string;
  readonly spoolPath: string;
  readonly pgVersionForce?: string;
}

export interface InfoOptions {
  /** Absent = every stanza found in the repositories. */
  readonly stanza?: string;
  readonly repositories: readonly RepositoryConfig[];
  /** Only this backup, with details. */
  readonly set?: string;
  readonly type?: "full" | "diff" | "incr";
  readonly output: "text" | "json";
  readonly detailLevel: "full" | "progress";
  /**
   * Where names of WAL are listed to find gaps and what can be recovered to: everywhere, in repositories of directories, nowhere. Absent =
   * nothing beyond pgBackRest's `info` is wanted.
   */
  readonly sight?: "all" | "directories" | "none";
  /** Draw it, so wide, with these characters, instead of the list. */
  readonly timeline?: { readonly columns: number; readonly isUtf8: boolean };
  readonly lockPath: string;
  readonly spoolPath: string;
}

/** One stanza (or all that the repositories have) of `metrics` and `report`. */
export interface MetricsScope {
  readonly info: InfoOptions;
  /** Data directory of the stanza's first cluster. */
  readonly clusterPath?: string;
  readonly pgVersionForce?: string;
}

/** Where a server listens. */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

export interface ReportOptions {
  readonly scopes: readonly MetricsScope[];
  /** File of the page; `-` = standard output. */
  readonly htmlPath: string;
}

export interface MetricsOptions {
  readonly scopes: readonly MetricsScope[];
  /** Absent = to standard output, once. */
  readonly listen?: ListenAddress;
  /** How old what is known of the repositories may be, milliseconds. */
  readonly maxAgeMs: number;
}

export interface ExpireOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  /** Repositories with backups: what a repository without any (`repo-role=wal`) keeps its WAL for. */
  readonly backupSources: readonly RepositoryConfig[];
  readonly set?: string;
  readonly oldest: boolean;
  readonly archiveExpireBefore?: string;
  /** Tell why each backup and each range of WAL stays or goes; `dryRun` is set then. */
  readonly plan: boolean;
  readonly dryRun: boolean;
  /** Keys of all repositories that hold WAL: what one of them is owed, the others keep. */
  readonly archiveKeys: readonly number[];
  readonly lockPath: string;
  readonly spoolPath: string;
}

/** `rekey` */
export interface RekeyOptions {
  /** Absent = every one that the repository holds. */
  readonly stanza: string | undefined;
  readonly repositories: readonly RepositoryConfig[];
  /** Change nothing; prove that the new passphrase opens everything by itself. */
  readonly confirm: boolean;
  readonly lockPath: string;
}

/** `repo-sync` */
export interface RepoSyncOptions {
  readonly stanza: string;
  readonly from: RepositoryConfig;
  readonly to: RepositoryConfig;
  /** Only this backup; absent = all. */
  readonly set?: string;
  readonly dryRun: boolean;
  readonly processMax: number;
  readonly lockPath: string;
  readonly spoolPath: string;
}

/** One repository and a path in it, as it was typed. */
interface RepoPathOptions {
  readonly repository: RepositoryConfig;
  readonly path: string;
}

export interface RepoLsOptions extends RepoPathOptions {
  readonly filter?: RegExp;
  readonly recurse: boolean;
  readonly sort: "asc" | "desc" | "none";
  readonly output: "text" | "json";
}

export interface RepoGetOptions extends RepoPathOptions {
  readonly stanza?: string;
  /** Neither decrypt nor look for a passphrase. */
  readonly raw: boolean;
  /** Decrypt with this instead of the passphrase that the path tells. */
  readonly cipherPass?: string;
  readonly ignoreMissing: boolean;
}

export interface RepoPutOptions extends RepoPathOptions {
  readonly stanza?: string;
  /** Store it as it comes. */
  readonly raw: boolean;
  readonly cipherPass?: string;
}

export interface RepoRmOptions extends RepoPathOptions {
  readonly recurse: boolean;
}

export interface AnnotateOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  readonly set: string;
  /** An empty value removes the note. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly lockPath: string;
}

/** `pin`; without a reason, `unpin`. */
export interface PinOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  readonly set: string;
  readonly reason: string | undefined;
  readonly lockPath: string;
}

export interface ManifestOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  /** A label, or `latest`. */
  readonly set: string;
  /** Only files whose bytes this backup holds. */
  readonly reference?: string;
  readonly filter?: RegExp;
  readonly output: "text" | "json";
}

export interface RepoGcOptions {
  readonly repositories: readonly RepositoryConfig[];
  /** Only what began at least this long ago: what is younger may still be on its way. */
  readonly olderThanMs: number;
  readonly dryRun: boolean;
}
