/** Options of `restore` as typed values. */
import type { ClusterConfig } from "../postgres/config.ts";
import type { RepositoryConfig } from "../repository/config.ts";

export type RestoreType = "default" | "immediate" | "time" | "xid" | "lsn" | "name" | "standby" | "preserve" | "none";

export interface RestoreOptions {
  readonly stanza: string;
  readonly cluster: ClusterConfig;
  readonly repositories: readonly RepositoryConfig[];
  /** A backup label, or `latest`. */
  readonly set: string;
  readonly type: RestoreType;
  /** Whether `--type` was given (an offline backup changes the default to `none`). */
  readonly typeChosen: boolean;
  readonly target?: string;
  /** `TZ` as this process was started with it: what local time a target without an offset is meant in. */
  readonly timeZone: string | undefined;
  readonly targetAction: "pause" | "promote" | "shutdown";
  readonly targetExclusive: boolean;
  /** `current`, `latest` or a timeline number (decimal or 0x...). */
  readonly targetTimeline?: string;
  readonly archiveMode: "preserve" | "off";
  readonly delta: boolean;
  readonly force: boolean;
  readonly dbInclude: readonly string[];
  readonly dbExclude: readonly string[];
  readonly linkAll: boolean;
  readonly linkMap: ReadonlyMap<string, string>;
  readonly tablespaceMap: ReadonlyMap<string, string>;
  readonly tablespaceMapAll?: string;
  /** Extra recovery settings, name (with underscores) to value. */
  readonly recoveryOptions: ReadonlyMap<string, string>;
  /** The text for `restore_command` up to and including `%f "%p"`, made by `src/cli`. */
  readonly restoreCommand: string;
  readonly processMax: number;
  readonly bufferBytes: number;
  readonly lockPath: string;
  readonly spoolPath: string;
  readonly pgVersionForce?: string;
}
