/** What verify found out about one stanza in one repository, as values. How it is shown is in report_text.ts and report_json.ts. */
import type { RecoverableRange } from "../repository/wal_coverage.ts";
import type { DamagedObjects } from "./damaged_objects.ts";
import type { Finding, FindingKind, FindingList, Tally } from "./finding.ts";
import type { VerifyMode } from "./options.ts";

/** Continuous WAL on one timeline. */
export interface WalSpan {
  readonly start: string;
  readonly stop: string;
  readonly segments: number;
}

/** One archive id. */
export interface ArchiveReport {
  readonly id: string;
  segmentBytes: number;
  /** Segments. */
  readonly tally: Tally;
  /** Segments whose content was read. */
  read: number;
  /** In order of timeline and place. */
  spans: readonly WalSpan[];
}

export type BackupStatus = "valid" | "invalid" | "manifest missing" | "in-progress";

/** One backup. */
export interface BackupReport {
  readonly label: string;
  status: BackupStatus;
  /** Files of its manifest, those that other backups hold included. */
  tally: Tally;
  /** Files whose content was read, in this backup's own part. */
  read: number;
}

/** What a repair left. */
export interface RepairOutcome {
  /** Backups that lack something, sorted. */
  readonly lostBackups: readonly string[];
  /** By archive id: every moment between the two of a range can be recovered to. */
  readonly ranges: ReadonlyArray<{ readonly archiveId: string; readonly range: RecoverableRange }>;
  /** Backups that hold a copy of the WAL they need, and lack nothing: their own end can be recovered to without any archive. Sorted. */
  readonly ownEnds: readonly string[];
}

export interface VerifyReport {
  readonly stanza: string;
  readonly repositoryKey: number;
  /** The cluster that the stanza is of now; absent when no info file told. */
  readonly systemId: bigint | undefined;
  readonly mode: VerifyMode;
  readonly archives: readonly ArchiveReport[];
  readonly backups: readonly BackupReport[];
  readonly findings: FindingList;
  /** What the objects must be that are not. */
  readonly damaged: DamagedObjects;
  /** Files that are bad, by the backup that holds them, and name. */
  readonly badFiles: ReadonlyMap<string, ReadonlyMap<string, FindingKind>>;
  /** Backups that need bad files, by the backup that holds these. */
  readonly affected: ReadonlyMap<string, ReadonlySet<string>>;
  /** What a repair left; absent when none was asked for. */
  outcome?: RepairOutcome;
}

/** True when nothing that a restore could need is missing or damaged. */
export function isSound({ findings }: VerifyReport): boolean {
  return findings.damages === 0;
}

/** In words: `missing`, `checksum invalid` ... */
export function describeKind(kind: Finding["kind"]): string {
  return kind === "checksum" || kind === "size" ? `${kind} invalid` : kind;
}
