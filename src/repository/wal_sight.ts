/** Looks at the WAL of a stanza in one repository: names only, a directory at a time, so that an archive of any length fits in memory. */
import { toWalferryError } from "../errors.ts";
import type { ArchiveHistoryEntry, ArchiveInfo } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { parseTimelineHistory, type TimelineFork } from "../format/timeline_history.ts";
import { isPossibleSegment, timelineOf } from "../format/wal_name.ts";
import { collect } from "../stream/sources.ts";
import { decodeText, type Repository } from "./repository.ts";
import { isStoreFailure } from "./store_failure.ts";
import { archiveIdOf } from "./wal_archive.ts";
import { type KnownLosses, type RecoverableRange, recoverableRanges, type WalGap, walGaps } from "./wal_coverage.ts";
import { listArchiveId, listWalDirectory } from "./wal_directory.ts";
import type { NeedFacts } from "./wal_needs.ts";
import { findSegmentBytes } from "./wal_segment_size.ts";
import { type SegmentSpan, SpanBuilder } from "./wal_span.ts";

/** Largest timeline history that is read, in bytes. */
const HISTORY_BYTES_MAX = 1024 * 1024;

/** One archive id. */
export interface WalCoverage {
  readonly archiveId: string;
  readonly historyId: number;
  readonly ranges: readonly RecoverableRange[];
  readonly gaps: readonly WalGap[];
  /** History files that cannot be used: ranges end where they would go on. */
  readonly badHistories: readonly string[];
}

/** What is looked at. */
export interface WalPlace {
  readonly repository: Repository;
  readonly stanza: string;
  readonly archiveInfo: ArchiveInfo;
  readonly backupInfo: BackupInfo;
  readonly losses: KnownLosses;
  /** Whether a segment that is listed is of use. Default: every one. */
  readonly isUsable?: (archiveId: string, segment: string) => boolean;
  readonly nowMs: number;
  readonly signal?: AbortSignal;
}

/** Every archive id, in the order of the history. @throws WalferryError of the store */
export async function lookAtWal(place: WalPlace): Promise<WalCoverage[]> {
  const found: WalCoverage[] = [];
  for (const entry of place.archiveInfo.history) found.push(await coverageOf(place, entry, "all"));
  return found;
}

/**
 * What backups lack to become consistent: only the directories with their WAL are listed.
 * @throws WalferryError of the store
 */
export async function missingForBackups(place: WalPlace): Promise<WalGap[]> {
  const gaps: WalGap[] = [];
  for (const entry of place.archiveInfo.history) gaps.push(...(await coverageOf(place, entry, "of backups")).gaps);
  return gaps.filter(({ label }) => label !== undefined);
}

async function coverageOf(
  { repository, stanza, archiveInfo, backupInfo, losses, isUsable = () => true, nowMs, signal }: WalPlace,
  entry: ArchiveHistoryEntry,
  wanted: "all" | "of backups",
): Promise<WalCoverage> {
  const archiveId = archiveIdOf(entry);
  const root = repository.archivePath(stanza, archiveId);
  const { directories, histories } = await listArchiveId(repository, root, signal);
  const { cipherPass } = archiveInfo;
  const segmentBytes = await findSegmentBytes(repository, root, directories, cipherPass, signal);
  const isWanted = wanted === "all" ? () => true : aroundBackups(backupInfo, entry.id);
  const isCounted = (name: string) => isPossibleSegment(name, segmentBytes) && isUsable(archiveId, name);
  const spans = await spansOf(repository, root, directories.filter(isWanted), segmentBytes, isCounted, signal);
  const forks = new Map<number, readonly TimelineFork[]>();
  const badHistories: string[] = [];
  for (const { name } of wanted === "all" ? histories : []) {
    const found = await readHistory(repository, `${root}/${name}`, timelineOf(name), cipherPass, signal);
    if (found === "bad") badHistories.push(name);
    else if (found !== undefined) forks.set(timelineOf(name), found);
  }
  const facts: NeedFacts = {
    historyId: entry.id,
    isCurrent: entry.id === archiveInfo.currentId,
    backupInfo,
    retention: repository.config.retention,
    spans,
    forks,
    segmentBytes,
    nowMs,
  };
  const found = { archiveId, historyId: entry.id, badHistories };
  // Where only backups go there is no archive: each holds its WAL itself.
  if (repository.config.role === "backup") return { ...found, ranges: recoverableRanges(facts), gaps: [] };
  const gaps = walGaps(facts, losses, nowMs);
  if (gaps.length === 0) return { ...found, ranges: recoverableRanges(facts), gaps };
  const left = { ...facts, backupInfo: await stillThere(repository, stanza, backupInfo) };
  return { ...found, ranges: recoverableRanges(left), gaps: walGaps(left, losses, nowMs) };
}

/**
 * Without the backups that expired meanwhile: expire takes them off the list before it removes their WAL. Newer ones are left out, for the
 * WAL was listed before them.
 */
async function stillThere(repository: Repository, stanza: string, before: BackupInfo): Promise<BackupInfo> {
  const now = await repository.loadBackupInfo(stanza);
  const known = new Set(before.backups.map(({ label }) => label));
  return { ...now, backups: now.backups.filter(({ label }) => known.has(label)) };
}

/** Directories that hold WAL from the beginning to the end of a backup. */
function aroundBackups(backupInfo: BackupInfo, historyId: number): (directory: string) => boolean {
  const places = backupInfo.backups.flatMap(({ historyId: own, archiveStart, archiveStop = archiveStart }) =>
    own === historyId && archiveStart !== undefined
      ? [{ first: archiveStart.slice(0, 16), last: archiveStop!.slice(0, 16) }]
      : []
  );
  return (directory) => places.some(({ first, last }) => first <= directory && directory <= last);
}

async function spansOf(
  repository: Repository,
  root: string,
  directories: readonly string[],
  segmentBytes: number,
  isCounted: (name: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<SegmentSpan[]> {
  const builder = new SpanBuilder(segmentBytes);
  for (const directory of directories) {
    const { segments } = await listWalDirectory(repository, root, directory, signal);
    for (const { name, partial, storedTime } of segments) {
      if (!partial && isCounted(name)) builder.add(name, storedTime);
    }
  }
  return builder.spans;
}

async function readHistory(
  repository: Repository,
  path: string,
  timeline: number,
  cipherPass: string | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly TimelineFork[] | "bad" | undefined> {
  try {
    const stream = await repository.readWith(path, cipherPass, { signal });
    // Expired since it was listed.
    if (stream === undefined) return undefined;
    return parseTimelineHistory(decodeText(await collect(stream, HISTORY_BYTES_MAX)), timeline);
  } catch (thrown) {
    const error = toWalferryError(thrown);
    if (isStoreFailure(error)) throw error;
    return "bad";
  }
}
