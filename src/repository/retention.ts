/**
 * What a repository no longer has to keep, decided from its lists alone: no store is touched here (behaviour spec §6). Doing it is
 * `expire.ts`.
 */
import type { BackupInfoEntry } from "../format/backup_info.ts";
import type { RetentionConfig } from "./config.ts";

/** Backups to remove, with the reason that is logged. */
export interface BackupExpiry {
  readonly reason: "full" | "diff" | "time-based" | "oldest" | "adhoc";
  /** Oldest first. */
  readonly labels: readonly string[];
}

/** A range of segments that is kept; `stop` absent = everything from `start` on. */
export interface WalRange {
  readonly start: string;
  readonly stop?: string;
}

/** What to keep of one archive id. */
export type ArchiveDecision =
  | { readonly kind: "keep all"; readonly reason: string }
  | { readonly kind: "remove archive id" }
  | {
    readonly kind: "keep ranges";
    readonly ranges: readonly WalRange[];
    /** First segment of the oldest backup that keeps WAL continuous from there. */
    readonly continuousFrom: string;
    /** No backup tells which timelines are of no use any more. */
    readonly keepsHistories?: true;
  };

const SECONDS_PER_DAY = 86400;

/** Behind the timeline in a name: no segment of it has a higher one. */
const TIMELINE_END = "F".repeat(16);

/**
 * These backups and every backup that needs one of them, directly or through another.
 * @param backups sorted by label
 * @returns labels, oldest first
 */
export function withDependants(backups: readonly BackupInfoEntry[], labels: Iterable<string>): string[] {
  const gone = new Set(labels);
  for (const entry of backups) {
    // References name everything that a backup needs, and what it needs sorts before it.
    const needed = [...(entry.references ?? []), ...(entry.prior === undefined ? [] : [entry.prior])];
    if (needed.some((label) => gone.has(label))) gone.add(entry.label);
  }
  return [...gone].sort();
}

/** Full backups that the retention no longer keeps, with everything that depends on them. */
export function expireFull(
  backups: readonly BackupInfoEntry[],
  retention: RetentionConfig,
  nowSeconds: number,
): BackupExpiry {
  const fulls = backups.filter(({ type }) => type === "full");
  if (retention.full === undefined) return { reason: "full", labels: [] };
  if (retention.fullType === "count") {
    const old = fulls.slice(0, Math.max(0, fulls.length - retention.full));
    return { reason: "full", labels: withDependants(backups, old.map(({ label }) => label)) };
  }
  const cutoff = nowSeconds - retention.full * SECONDS_PER_DAY;
  // The newest full that is older than the cutoff stays: it covers the moment of the cutoff.
  const covering = fulls.findLastIndex(({ timestampStop }) => timestampStop < cutoff);
  return {
    reason: "time-based",
    labels: withDependants(backups, fulls.slice(0, Math.max(0, covering)).map(({ label }) => label)),
  };
}

/** Differential backups that the retention no longer keeps, with their incrementals. Full backups count, but are not removed here. */
export function expireDiff(backups: readonly BackupInfoEntry[], retention: RetentionConfig): BackupExpiry {
  if (retention.diff === undefined) return { reason: "diff", labels: [] };
  const counted = backups.filter(({ type }) => type !== "incr");
  const old = counted.slice(0, Math.max(0, counted.length - retention.diff)).filter(({ type }) => type === "diff");
  return { reason: "diff", labels: withDependants(backups, old.map(({ label }) => label)) };
}

/** One backup named by the user, with everything that depends on it. */
export function expireSet(backups: readonly BackupInfoEntry[], label: string): BackupExpiry {
  return { reason: "adhoc", labels: withDependants(backups, [label]) };
}

/**
 * How many backups keep WAL continuous, or `undefined` for "WAL is never removed" (behaviour spec §6.1).
 * @param fullsRemaining full backups that stay when full retention is by time
 */
export function archiveRetention(
  retention: RetentionConfig,
  fullsRemaining: number,
  timeMet: boolean,
): { readonly count: number } | { readonly none: string } {
  if (retention.archive !== undefined) return { count: retention.archive };
  if (retention.archiveType === "diff") {
    return retention.diff === undefined
      ? { none: "option 'repo-retention-archive' is not set although 'repo-retention-archive-type' is diff" }
      : { count: retention.diff };
  }
  if (retention.archiveType === "incr") {
    return { none: "option 'repo-retention-archive' is not set although 'repo-retention-archive-type' is incr" };
  }
  if (retention.full === undefined) return { none: "option 'repo-retention-archive' is not set" };
  if (retention.fullType === "count") return { count: retention.full };
  return timeMet ? { count: fullsRemaining } : { none: "time-based archive retention not met" };
}

/**
 * What to keep of one archive id (behaviour spec §6.3).
 * @param backups all backups that stay, sorted by label
 * @param count how many backups of the retention's type keep WAL continuous
 * @param expireBefore `archive-expire-before`: WAL from this segment on stays in any case, what is before it goes
 * @param spared labels that do not count while there are others
 */
export function decideArchive(
  backups: readonly BackupInfoEntry[],
  archiveType: RetentionConfig["archiveType"],
  count: number | undefined,
  historyId: number,
  isCurrent: boolean,
  expireBefore?: string,
  spared: ReadonlySet<string> = new Set(),
): ArchiveDecision {
  const types = archiveType === "full"
    ? ["full"]
    : archiveType === "diff"
    ? ["full", "diff"]
    : ["full", "diff", "incr"];
  const ofType = backups.filter(({ type }) => types.includes(type)).reverse();
  const candidates = ofType.filter(({ label }) => !spared.has(label));
  const met = count !== undefined && candidates.length > 0 && candidates.length >= count;
  if (!met && expireBefore === undefined) {
    return { kind: "keep all", reason: "not enough backups for the archive retention" };
  }
  const isLocal = (entry: BackupInfoEntry) => entry.historyId === historyId;
  const counting = candidates.filter(isLocal);
  const local = (counting.length > 0 ? counting : ofType.filter(isLocal)).reverse();
  if (local.length === 0) {
    // Of another cluster than the current one the named segment says nothing: only the retention may let its WAL go.
    if (!isCurrent) return met ? { kind: "remove archive id" } : { kind: "keep all", reason: "no backups" };
    if (expireBefore === undefined) return { kind: "keep all", reason: "no backups yet" };
    return {
      kind: "keep ranges",
      ranges: [{ start: expireBefore }],
      continuousFrom: expireBefore,
      keepsHistories: true,
    };
  }
  const globally = candidates.slice(0, count ?? candidates.length);
  const kept = local.filter((entry) => globally.includes(entry));
  const oldest = kept[0] ?? local.at(-1)!;
  if (oldest.archiveStart === undefined) return { kind: "keep all", reason: "the oldest kept backup was made offline" };
  const ranges: WalRange[] = [];
  for (const entry of backups) {
    const { archiveStart: start } = entry;
    if (entry.historyId !== historyId || start === undefined) continue;
    if (entry === oldest) ranges.push({ start });
    else if (entry.label < oldest.label) ranges.push({ start, stop: entry.archiveStop ?? start });
    // A promotion was given up, and the cluster went on with an older timeline: its names sort first. The original lets this WAL go.
    else if (start < oldest.archiveStart) ranges.push({ start, stop: start.slice(0, 8) + TIMELINE_END });
  }
  if (expireBefore !== undefined && expireBefore < oldest.archiveStart) ranges.push({ start: expireBefore });
  return { kind: "keep ranges", ranges, continuousFrom: oldest.archiveStart };
}

/**
 * The decision with the WAL of backups that are lost and may be mended: it makes them consistent again.
 * @param decision from the backups that can be used
 */
export function keepingLost(
  decision: ArchiveDecision,
  lost: readonly BackupInfoEntry[],
  historyId: number,
): ArchiveDecision {
  const ranges = lost.flatMap(({ historyId: own, archiveStart: start, archiveStop: stop }): WalRange[] =>
    own === historyId && start !== undefined ? [{ start, stop: stop ?? start }] : []
  );
  if (ranges.length === 0 || decision.kind === "keep all") return decision;
  if (decision.kind === "remove archive id") {
    return { kind: "keep all", reason: "a backup that lost its manifest needs it" };
  }
  return { ...decision, ranges: [...ranges, ...decision.ranges] };
}

/** Whether a range goes on to the end of its timeline, or further: a recovery may go on with it. */
export function isOpen({ stop }: WalRange): boolean {
  return stop === undefined || stop.endsWith(TIMELINE_END);
}

/** First segment that a recovery may go on from: history files of lower timelines are of no use. `undefined` when there is none. */
export function recoversFrom(ranges: readonly WalRange[]): string | undefined {
  return ranges.filter(isOpen).map(({ start }) => start).sort()[0];
}

/** True when a segment (or any file that begins with its name) lies in a range that is kept. */
export function isKept(segment: string, ranges: readonly WalRange[]): boolean {
  return ranges.some(({ start, stop }) => segment >= start && (stop === undefined || segment <= stop));
}

/** True when a directory of segments (16 digits) overlaps a range that is kept. */
export function overlaps(directory: string, ranges: readonly WalRange[]): boolean {
  return ranges.some(({ start, stop }) =>
    directory >= start.slice(0, 16) && (stop === undefined || directory <= stop.slice(0, 16))
  );
}
