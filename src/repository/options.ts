/** Options of the commands that work on a stanza's repositories, as typed values. */
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

export interface CheckOptions {
  readonly stanza: string;
  readonly clusters: readonly ClusterConfig[];
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
  readonly lockPath: string;
  readonly spoolPath: string;
}

export interface ExpireOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  readonly set?: string;
  readonly oldest: boolean;
  readonly archiveExpireBefore?: string;
  readonly dryRun: boolean;
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

export interface RepoGcOptions {
  readonly repositories: readonly RepositoryConfig[];
  /** Only what began at least this long ago: what is younger may still be on its way. */
  readonly olderThanMs: number;
  readonly dryRun: boolean;
}
