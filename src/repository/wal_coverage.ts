/** From what to what WAL carries a recovery, and what of it is missing and why. Pure arithmetic over names of segments. */
import type { BackupInfoEntry } from "../format/backup_info.ts";
import type { TimelineFork } from "../format/timeline_history.ts";
import { isPossibleSegment, parseLsn, segmentNumber, timelineOf } from "../format/wal_name.ts";
import { type NeedFacts, walNeeds } from "./wal_needs.ts";
import {
  ARRIVING_MS,
  inside,
  missingIn,
  namesOfRun,
  outside,
  type SegmentRun,
  type SegmentSpan,
  SpanBuilder,
} from "./wal_span.ts";

/** Every moment between these two can be recovered to, along this timeline. */
export interface RecoverableRange {
  readonly timeline: number;
  /** The oldest backup that reaches into it. */
  readonly label: string;
  /** Its end, from which it is consistent: milliseconds since the epoch. */
  readonly fromMs: number;
  /** First and last segment on this timeline. */
  readonly first: string;
  readonly last: string;
  /**
   * When the last segment was stored, milliseconds since the epoch: nothing in it happened later. Where it was stored long behind its end (archiving
   * had failed, a repository was filled from another one) the last moment is earlier.
   */
  readonly toMs: number;
}

/**
 * `dropped`: given up because the queue was full; `owed`: acknowledged, and this repository still gets it; `arriving`: what is behind it was
 * stored just now; `missing`: nobody knows why.
 */
export type GapReason = "dropped" | "owed" | "arriving" | "missing";

export interface WalGap {
  readonly first: string;
  readonly last: string;
  readonly count: number;
  /** Of the segments, not compressed. */
  readonly sizeBytes: number;
  readonly reason: GapReason;
  /** The backup that cannot become consistent without it; absent = recovery from an earlier backup ends there. */
  readonly label?: string;
}

/** What this host knows of segments that a repository lacks, by name. */
export interface KnownLosses {
  readonly dropped: readonly string[];
  readonly owed: readonly string[];
}

/** Ranges by timeline and place. */
export function recoverableRanges(
  { backupInfo, historyId, spans, forks, segmentBytes }: NeedFacts,
): RecoverableRange[] {
  const ranges = new Map<SegmentSpan, RecoverableRange>();
  const backups = backupInfo.backups.filter((entry) => entry.historyId === historyId)
    .sort((a, b) => a.timestampStop - b.timestampStop);
  for (const entry of backups) {
    for (const { span, from } of reach(entry, spans, forks, segmentBytes)) {
      if (ranges.has(span)) continue;
      const names = namesOfRun({ timeline: span.timeline, first: from, last: span.last }, segmentBytes);
      ranges.set(span, {
        timeline: span.timeline,
        label: entry.label,
        fromMs: entry.timestampStop * 1000,
        first: names.start,
        last: names.stop,
        // A segment that was copied later from elsewhere may have any time; no range ends before it begins.
        toMs: Math.max(span.lastStoredTime, entry.timestampStop) * 1000,
      });
    }
  }
  return [...ranges.values()].sort((a, b) => (a.first < b.first ? -1 : 1));
}

interface Reached {
  readonly span: SegmentSpan;
  /** Place of the first segment that recovery from the backup needs there. */
  readonly from: number;
}

/** Spans that recovery from a backup gets into: its own, and those of timelines that were left for from there. */
function reach(
  { archiveStart, archiveStop = archiveStart, lsnStop, options: { archiveCopy } }: BackupInfoEntry,
  spans: readonly SegmentSpan[],
  forks: ReadonlyMap<number, readonly TimelineFork[]>,
  segmentBytes: number,
): Reached[] {
  if (archiveStart === undefined || archiveStop === undefined) return [];
  const placeOf = ({ lsn }: TimelineFork) => Number(lsn / BigInt(segmentBytes));
  const spanAt = (timeline: number, place: number) =>
    spans.find((span) => span.timeline === timeline && span.first <= place && place <= span.last);
  const [start, stop] = [segmentNumber(archiveStart, segmentBytes), segmentNumber(archiveStop, segmentBytes)];
  const timeline = timelineOf(archiveStop);
  // A backup with its own copy needs of the archive only what comes behind it.
  const own = spanAt(timeline, stop) ?? (archiveCopy ? spanAt(timeline, stop + 1) : undefined);
  // From one timeline into the next: what lies between is for verify to judge.
  const begin = timelineOf(archiveStart) === timeline ? own : spanAt(timelineOf(archiveStart), start);
  if (own === undefined) return [];
  if (!archiveCopy && (begin === undefined || begin.first > start)) return [];
  const consistentLsn = lsnStop === undefined ? BigInt(stop) * BigInt(segmentBytes) : parseLsn(lsnStop);
  const found: Reached[] = [{ span: own, from: Math.max(stop, own.first) }];
  for (let at = 0; at < found.length; at++) {
    const { span, from } = found[at]!;
    for (const [child, history] of forks) {
      const fork = history.find(({ timeline }) => timeline === span.timeline);
      if (fork === undefined || fork.lsn < consistentLsn) continue;
      const place = placeOf(fork);
      if (place < from || place > span.last + 1) continue;
      // The segment in which timelines part is in the child, with what came before in it: timelines that were left in it again are passed through.
      if (history.some((other) => other.timeline > fork.timeline && placeOf(other) !== place)) continue;
      const next = spanAt(child, place);
      if (next !== undefined && !found.some((one) => one.span === next)) found.push({ span: next, from: place });
    }
  }
  return found;
}

/** What is missing of what there must be; what several need is told once, with the first backup that needs it. */
export function walGaps(facts: NeedFacts, losses: KnownLosses, nowMs: number): WalGap[] {
  const dropped = runsOf(losses.dropped, facts.segmentBytes);
  const owed = runsOf(losses.owed, facts.segmentBytes);
  const gaps: WalGap[] = [];
  const told: SegmentRun[] = [];
  const needs = walNeeds(facts);
  for (const { run, label, unchecked, copied } of needs) {
    // Made without looking at the archive: its WAL may never have been meant for this one.
    if (unchecked) continue;
    if (copied) {
      // A recovery from an earlier backup needs it still; where there is none, nobody does.
      const isFirst = needs.every((other) =>
        other.label === undefined || other.label === label || other.run.first > run.first
      );
      if (isFirst) told.push(run);
      continue;
    }
    for (const hole of missingIn(facts.spans, run)) {
      for (const part of outside(hole, told)) {
        const ofOwed = inside(part, owed);
        const rest = outside(part, owed);
        const ofDropped = rest.flatMap((one) => inside(one, dropped));
        const unknown = rest.flatMap((one) => outside(one, dropped));
        const reason = label === undefined && isArriving(hole, facts.spans, nowMs) ? "arriving" : "missing";
        gaps.push(
          ...ofOwed.map((one) => gapOf(one, "owed", label, facts.segmentBytes)),
          ...ofDropped.map((one) => gapOf(one, "dropped", label, facts.segmentBytes)),
          ...unknown.map((one) => gapOf(one, reason, label, facts.segmentBytes)),
        );
        told.push(part);
      }
    }
  }
  return gaps.sort((a, b) => (a.first < b.first ? -1 : 1));
}

function gapOf(run: SegmentRun, reason: GapReason, label: string | undefined, segmentBytes: number): WalGap {
  const { start, stop } = namesOfRun(run, segmentBytes);
  const count = run.last - run.first + 1;
  return { first: start, last: stop, count, sizeBytes: count * segmentBytes, reason, label };
}

function isArriving(hole: SegmentRun, spans: readonly SegmentSpan[], nowMs: number): boolean {
  const behind = spans.find(({ timeline, first }) => timeline === hole.timeline && first > hole.last);
  return behind !== undefined && nowMs - behind.firstStoredTime * 1000 < ARRIVING_MS;
}

function runsOf(names: readonly string[], segmentBytes: number): SegmentRun[] {
  const builder = new SpanBuilder(segmentBytes);
  for (const name of [...names].sort()) if (isPossibleSegment(name, segmentBytes)) builder.add(name, 0);
  return builder.spans;
}
