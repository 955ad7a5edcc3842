/** Which WAL there must be: what makes each backup consistent, and what recovery goes on with from the oldest backup that keeps it. */
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { TimelineFork } from "../format/timeline_history.ts";
import { segmentNumber, timelineOf } from "../format/wal_name.ts";
import type { RetentionConfig } from "./config.ts";
import { countingFulls, sparedLabels } from "./keep.ts";
import { type ArchiveDecision, archiveRetention, decideArchive } from "./retention.ts";
import type { SegmentRun, SegmentSpan } from "./wal_span.ts";

export interface WalNeed {
  readonly run: SegmentRun;
  /** The backup that it makes consistent; absent = continuity for recovery to a later point. */
  readonly label?: string;
  /** The backup was made without looking at the archive: its WAL may never have been meant for this one. */
  readonly unchecked?: boolean;
  /** The backup holds a copy of it (archive-copy): without the archive it becomes consistent all the same. */
  readonly copied?: boolean;
}

/** Of which archive id, and what is kept of it. */
export interface RetentionFacts {
  readonly historyId: number;
  readonly isCurrent: boolean;
  readonly retention: RetentionConfig;
  /** Milliseconds since the epoch: where retention goes by age, what is old. */
  readonly nowMs: number;
}

export interface NeedFacts extends RetentionFacts {
  readonly backupInfo: BackupInfo;
  readonly spans: readonly SegmentSpan[];
  /** Forks of each timeline whose history file is there. */
  readonly forks: ReadonlyMap<number, readonly TimelineFork[]>;
  readonly segmentBytes: number;
  /** Only what this backup needs. */
  readonly set?: string;
}

/** First segment from which WAL must be continuous, as expire keeps it; `undefined` when nothing needs it. */
export function continuousFrom(facts: NeedFacts): string | undefined {
  const { backups } = facts.backupInfo;
  // Offline backups count for expire. Behind one it keeps everything that is left, but holes from before it stay.
  const online = backups.filter(({ archiveStart }) => archiveStart !== undefined);
  const [all, some] = [continuousAmong(facts, backups), continuousAmong(facts, online)];
  if (all === undefined || some === undefined) return undefined;
  return all > some ? all : some;
}

function continuousAmong(facts: RetentionFacts, backups: readonly BackupInfoEntry[]): string | undefined {
  const starts = backups.flatMap(({ historyId: own, archiveStart }) =>
    own === facts.historyId && archiveStart !== undefined ? [archiveStart] : []
  );
  if (starts.length === 0) return undefined;
  const decision = retainedWal(facts, backups);
  if (decision.kind === "remove archive id") return undefined;
  return decision.kind === "keep ranges" ? decision.continuousFrom : starts.sort()[0];
}

/** What expire keeps of the WAL of an archive id, were it to run now. @param backups sorted by label */
export function retainedWal(
  { historyId, isCurrent, retention, nowMs }: RetentionFacts,
  backups: readonly BackupInfoEntry[],
): ArchiveDecision {
  const spared = sparedLabels(backups, retention, nowMs / 1000);
  const kept = archiveRetention(retention, countingFulls(backups, spared), true);
  const count = "count" in kept ? kept.count : undefined;
  return decideArchive(backups, retention.archiveType, count, historyId, isCurrent, undefined, spared);
}

/** Backups first, each with its own range; then continuity, a run for each timeline. */
export function walNeeds(facts: NeedFacts): WalNeed[] {
  const needs = backupNeeds(facts);
  if (facts.set !== undefined) return needs;
  const from = continuousFrom(facts);
  return from === undefined ? needs : [...needs, ...continuityNeeds(facts, from).map((run) => ({ run }))];
}

function backupNeeds({ historyId, backupInfo, segmentBytes, set }: NeedFacts): WalNeed[] {
  const needs: WalNeed[] = [];
  for (const entry of backupInfo.backups) {
    const { archiveStart, archiveStop = archiveStart, label } = entry;
    if (entry.historyId !== historyId || archiveStart === undefined || archiveStop === undefined) continue;
    if (set !== undefined && label !== set) continue;
    const common = { label, unchecked: !entry.options.archiveCheck, copied: entry.options.archiveCopy };
    const place = (name: string) => segmentNumber(name, segmentBytes);
    const timelines = [timelineOf(archiveStart), timelineOf(archiveStop)] as const;
    if (timelines[0] === timelines[1]) {
      const run = { timeline: timelines[0], first: place(archiveStart), last: place(archiveStop) };
      needs.push({ ...common, run });
    } else {
      for (const [at, name] of [archiveStart, archiveStop].entries()) {
        needs.push({ ...common, run: { timeline: timelines[at]!, first: place(name), last: place(name) } });
      }
    }
  }
  return needs;
}

/** A run that still grows. */
interface GrowingRun {
  readonly timeline: number;
  first: number;
  last: number;
}

function continuityNeeds({ spans, forks, segmentBytes }: NeedFacts, from: string): SegmentRun[] {
  const oldest = timelineOf(from);
  const runs = new Map<number, GrowingRun>();
  const start = segmentNumber(from, segmentBytes);
  runs.set(oldest, { timeline: oldest, first: start, last: start });
  for (const { timeline, first, last } of spans) {
    if (timeline < oldest) continue;
    const run = runs.get(timeline);
    if (run === undefined) runs.set(timeline, { timeline, first, last });
    else run.last = Math.max(run.last, last);
  }
  for (const [timeline, history] of forks) followHistory(timeline, history, segmentBytes, runs);
  return [...runs.values()].sort((a, b) => a.timeline - b.timeline);
}

/** Each timeline must be whole from where it began to where it was left, as far as a recovery gets into it: also one of which nothing is there. */
function followHistory(
  timeline: number,
  history: readonly TimelineFork[],
  segmentBytes: number,
  runs: Map<number, GrowingRun>,
): void {
  // Where the timeline before was left, once a recovery is known to get there.
  let begin: number | undefined;
  for (const fork of history) {
    const left = Number(fork.lsn / BigInt(segmentBytes));
    let run = runs.get(fork.timeline);
    if (run === undefined) {
      // Left within the segment in which it began: that segment is in the next timeline, and there is no other.
      if (begin === undefined || begin >= left) continue;
      runs.set(fork.timeline, run = { timeline: fork.timeline, first: begin, last: left - 1 });
    }
    if (begin !== undefined) run.first = Math.min(run.first, begin);
    begin = left < run.first ? undefined : left;
    if (begin !== undefined) run.last = Math.max(run.last, left - 1);
  }
  const own = runs.get(timeline);
  if (own !== undefined && begin !== undefined) own.first = Math.min(own.first, begin);
}
