/** Options of `drill` as typed values. */
import type { RepositoryConfig } from "../repository/config.ts";

/** What recovery goes on to; those of `restore` that end in a cluster which can be asked. */
export type DrillType = "default" | "immediate" | "time" | "xid" | "lsn" | "name";

/** A statement of the user's. */
export interface DrillQuery {
  readonly sql: string;
  /** Result as text: columns by `|`, rows by line ends. Absent = any, if only the statement succeeds. */
  readonly expected?: string;
}

export interface DrillOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  /** A backup label, or `latest`. */
  readonly set: string;
  readonly type: DrillType;
  /** Whether `--type` was given (an offline backup needs no recovery). */
  readonly typeChosen: boolean;
  readonly target?: string;
  readonly targetExclusive: boolean;
  readonly targetTimeline?: string;
  /** Directory below which the scratch directory is made; absent = beside the data directory, else `/var/tmp`. */
  readonly drillPath?: string;
  /** Data directories of the clusters that are configured. */
  readonly clusterPaths: readonly string[];
  /** Local repositories. */
  readonly repositoryPaths: readonly string[];
  /** Directory of PostgreSQL's programs; absent = look for those of the backup's release. */
  readonly pgBin?: string;
  /** Database user to try first. */
  readonly pgUser?: string;
  /** Settings of the scratch cluster that replace the drill's own. */
  readonly settings: ReadonlyMap<string, string>;
  readonly checksums: boolean;
  readonly amcheck: boolean;
  readonly dump: boolean;
  readonly queries: readonly DrillQuery[];
  readonly queryDatabase: string;
  readonly dbTimeoutMs: number;
  /** Leave the scratch directory behind. */
  readonly keep: boolean;
  readonly output: "text" | "json";
  readonly environment: Readonly<Record<string, string>>;
  /** The text for `restore_command`, for a data directory and a spool of the drill's own. Made by `src/cli`. */
  readonly restoreCommand: (dataPath: string, spoolPath: string) => string;
  readonly processMax: number;
  readonly bufferBytes: number;
  readonly lockPath: string;
  /** Where the outcome is kept for monitoring; nothing else there is used. */
  readonly spoolPath: string;
  readonly pgVersionForce?: string;
}
