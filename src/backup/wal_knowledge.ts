/**
 * When the server's summaries of its WAL may say that a file is what it was at the prior backup, so that nobody reads it
 * (docs/decisions/0015). Everything that cannot be shown to hold is a reason to read.
 */
import { isWalferryError } from "../errors.ts";
import type { Manifest, ManifestFile, ManifestFiles } from "../format/manifest.ts";
import { formatLsn, parseLsn, timelineOf } from "../format/wal_name.ts";
import type { ClusterConnection } from "../postgres/connection.ts";
import {
  type ChangedFiles,
  type FileInWal,
  firstUncovered,
  listSummaries,
  readChanges,
  type SummarySettings,
  summarySettings,
  waitForSummaries,
} from "../postgres/wal_summaries.ts";
import type { CommandContext } from "../process/command_context.ts";
import { formatSize } from "../report/units.ts";
import { clusterName, futureFile, olderFile } from "./delta.ts";
import type { BackupPlan } from "./planner.ts";
import type { BackupRun, Opened, Started } from "./stages.ts";
import type { OnlineStart } from "./start_stop.ts";

/** What the WAL since the start of a prior backup says of a file of the cluster, by its manifest name. */
export type WalKnowledge = (name: string) => FileInWal;

/** Where this backup stands against a prior one. */
export interface SummaryUse {
  readonly prior: Manifest;
  readonly settings: SummarySettings | undefined;
  /** Segment in which this backup began. */
  readonly walSegment: string;
  /** When it began, seconds since the epoch by the server's clock. */
  readonly timestampStart: number;
  readonly pageChecksums: boolean;
  /** Files are read from a standby. */
  readonly fromStandby: boolean;
  /** A file whose time speaks of a clock that went back, or of a file that was put there. */
  readonly oddFile: ManifestFile | undefined;
}

/** The files of the cluster, and the second behind which a time is one of the future. */
export interface FileTimes {
  readonly files: ManifestFiles;
  readonly latestSeconds: number;
}

/**
 * What the WAL says, by key of the repository; one that is not in it has a past about which nothing can be said.
 *
 * @throws WalferryError what the session throws when it is gone; the signal's reason
 */
export async function walKnowledge(
  run: BackupRun,
  opened: Opened,
  started: Started,
  list: FileTimes,
): Promise<ReadonlyMap<number, WalKnowledge>> {
  const known = new Map<number, WalKnowledge>();
  const { cluster, participants, lineages } = opened;
  const { server } = cluster;
  const { online, timestampStart } = started;
  if (!run.options.walSummary || server === undefined || online === undefined) return known;
  if (participants.live.every(({ repository }) => lineages.get(repository.key)!.prior === undefined)) return known;
  const settings = await asked(() => summarySettings(server));
  const reader = new SummaryReader(server, online, run.context);
  const future = futureFile(list.files, list.latestSeconds);
  for (const participant of participants.live) {
    const { key } = participant.repository;
    const { prior } = lineages.get(key)!;
    if (prior === undefined) continue;
    const use = {
      prior,
      walSegment: online.walSegment,
      timestampStart,
      pageChecksums: cluster.control.pageChecksums,
      fromStandby: cluster.readsStandby,
      oddFile: future ?? olderFile(list.files, prior),
    };
    const found = typeof settings === "string"
      ? settings
      : reasonToRead({ ...use, settings }) ?? await reader.since(prior.lsnStart!, settings!);
    if (typeof found === "string") {
      participants.tell(participant).info(`WAL summaries are not used on top of ${prior.label}: ${found}`);
    } else {
      known.set(key, (name) => found.of(name));
    }
  }
  return known;
}

/** Why summaries say nothing about the files of this prior backup, whatever is in them; `undefined` when they may. */
export function reasonToRead(use: SummaryUse): string | undefined {
  const { prior, settings, walSegment, timestampStart } = use;
  if (settings === undefined) return "the server has none before release 17";
  if (!settings.enabled) return "summarize_wal is off";
  // Else a page can change on disk without a word in the WAL.
  if (!use.pageChecksums && !settings.hintsLogged) return "neither page checksums nor wal_log_hints are on";
  if (use.fromStandby || prior.options.backupStandby === true) return "a standby is or was read";
  if (!prior.options.online || prior.lsnStart === undefined) return "it was made offline";
  const timeline = timelineOf(walSegment);
  for (const segment of [prior.archiveStart, prior.archiveStop]) {
    if (segment === undefined || timelineOf(segment) !== timeline) return "it was made on another timeline";
  }
  // What is done to files while no server runs is in no WAL (an older copy put back, pg_rewind, pg_checksums), nor are other settings then.
  if (settings.serverStart >= prior.timestampStart) return "the server was started since";
  // The line before believes the clock.
  if (prior.timestampStop > timestampStart) return "the clock went back";
  if (use.oddFile !== undefined) return `the times of files cannot be believed (${clusterName(use.oddFile)})`;
  return undefined;
}

/** Tells how much is known from the WAL. */
export function tellOfWal(
  { participants }: Opened,
  { entries }: BackupPlan,
  known: ReadonlyMap<number, WalKnowledge>,
): void {
  for (const participant of participants.live) {
    const { key } = participant.repository;
    const inWal = known.get(key);
    if (inWal === undefined) continue;
    let files = 0;
    let sizeBytes = 0;
    for (const file of entries.get(key)!) {
      if (file.reference === undefined || inWal(file.name) !== "unchanged") continue;
      files++;
      sizeBytes += file.sizeBytes;
    }
    participants.tell(participant).info(
      `WAL summaries: ${files} relation files (${formatSize(sizeBytes)}) did not change and are not read`,
    );
  }
}

/** The answer to a question, or why there is none: a right that is missing, a summary that was removed or is damaged. Files can be read. */
async function asked<T>(question: () => Promise<T>): Promise<T | string> {
  try {
    return await question();
  } catch (error) {
    if (!isWalferryError(error, "DbQuery")) throw error;
    return error.cause instanceof Error ? error.cause.message : error.text;
  }
}

/** Reads what changed since an LSN, once for all repositories whose prior backups began there. */
class SummaryReader {
  readonly #connection: ClusterConnection;
  readonly #online: OnlineStart;
  readonly #context: CommandContext;
  readonly #found = new Map<string, ChangedFiles | string>();

  constructor(connection: ClusterConnection, online: OnlineStart, context: CommandContext) {
    this.#connection = connection;
    this.#online = online;
    this.#context = context;
  }

  /** The changed files, or why they are not known. */
  async since(lsn: string, settings: SummarySettings): Promise<ChangedFiles | string> {
    const found = this.#found.get(lsn) ?? await asked(() => this.#read(lsn, settings));
    this.#found.set(lsn, found);
    return found;
  }

  async #read(lsn: string, { segmentPages }: SummarySettings): Promise<ChangedFiles | string> {
    const { clock, signal } = this.#context;
    const timeline = timelineOf(this.#online.walSegment);
    const stretch = { start: parseLsn(lsn), end: parseLsn(this.#online.lsn) };
    if (stretch.start >= stretch.end) return `it began at ${lsn}, behind this one at ${this.#online.lsn}`;
    if (!await waitForSummaries(this.#connection, this.#online.lsn, clock, signal)) {
      return `the server has not summarized its WAL up to ${this.#online.lsn}`;
    }
    const summaries = await listSummaries(this.#connection, timeline, stretch);
    const gap = firstUncovered(summaries, stretch);
    if (gap !== undefined) return `the server has no summary of its WAL from ${formatLsn(gap)}`;
    // A summary begins where a checkpoint does, and a backup too: a cluster with another history has none there.
    if (!summaries.some(({ start }) => start === stretch.start)) return `the server's WAL has no checkpoint at ${lsn}`;
    return await readChanges(this.#connection, timeline, summaries, segmentPages) ?? "too many files changed";
  }
}
