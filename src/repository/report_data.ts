/** What the report shows beyond `info`: between which moments each repository can be recovered to. */
import type { ArchiveLag } from "../postgres/archive_lag.ts";
import type { DrillRecord } from "./drill_record.ts";
import type { RepositoryInfo, StanzaInfo } from "./info_data.ts";
import { storedAtMs } from "./newest_wal.ts";
import type { Repository } from "./repository.ts";
import type { RepositorySet } from "./repository_set.ts";

/** Moments, milliseconds since the epoch. */
export interface Recoverable {
  /** End of the oldest backup from which WAL goes on. */
  readonly fromMs: number;
  /** When the newest WAL was stored. */
  readonly toMs: number;
  /** Absent when the WAL was not looked at. */
  readonly timeline?: number;
}

export interface RepositorySight {
  readonly info: RepositoryInfo;
  /**
   * Empty without a backup, or without WAL behind it. Where the WAL was looked at, what is between gaps; else one from the oldest backup to
   * the newest WAL, whatever is missing in between.
   */
  readonly recoverable: readonly Recoverable[];
}

/** One stanza as the report shows it. */
export interface ReportedStanza {
  readonly info: StanzaInfo;
  readonly repositories: readonly RepositorySight[];
  readonly lag: ArchiveLag | "unreadable" | undefined;
  /** Drills on this host, oldest first; absent where nobody looked. */
  readonly drills?: readonly DrillRecord[];
}

/** What this host knows of a stanza, beside its repositories. */
export interface HostSight {
  readonly lag: ReportedStanza["lag"];
  readonly drills?: readonly DrillRecord[];
}

/** Adds what the report needs to what `info` knows. */
export async function reportedStanza(
  set: RepositorySet,
  info: StanzaInfo,
  host: HostSight,
): Promise<ReportedStanza> {
  const repositories = await Promise.all(info.repositories.map(async (repository): Promise<RepositorySight> => ({
    info: repository,
    recoverable: await recoverableOf(
      set.repositories.find(({ key }) => key === repository.key)!,
      info.name,
      repository,
    ),
  })));
  return { info, repositories, ...host };
}

async function recoverableOf(
  repository: Repository,
  stanza: string,
  info: RepositoryInfo,
): Promise<Recoverable[]> {
  if (info.outlook?.wal !== undefined) return info.outlook.wal.flatMap(({ ranges }) => ranges);
  const range = info.archives.find(({ isCurrent }) => isCurrent);
  const { min, max } = range ?? {};
  if (range === undefined || min === undefined || max === undefined) return [];
  // A history of timelines goes on from the older one: only the place in the WAL says what is before what.
  const oldest = info.backups.find(({ entry: { archiveStart }, isCurrent }) =>
    isCurrent && archiveStart !== undefined && archiveStart.slice(8) >= min.slice(8)
  );
  if (oldest === undefined) return [];
  const toMs = await storedAtMs(repository, stanza, range.archiveId, max);
  const fromMs = oldest.entry.timestampStop * 1000;
  return toMs === undefined || toMs < fromMs ? [] : [{ fromMs, toMs }];
}

/** What lies between ranges and in none of them, oldest first. */
export function uncovered(ranges: readonly Recoverable[]): Array<{ readonly fromMs: number; readonly toMs: number }> {
  const between: Array<{ fromMs: number; toMs: number }> = [];
  let reachedMs = -Infinity;
  for (const { fromMs, toMs } of [...ranges].sort((a, b) => a.fromMs - b.fromMs)) {
    if (reachedMs !== -Infinity && fromMs > reachedMs) between.push({ fromMs: reachedMs, toMs: fromMs });
    reachedMs = Math.max(reachedMs, toMs);
  }
  return between;
}

/** Name of the row of a backup, for links. */
export function rowId(stanza: string, repositoryKey: number, label: string): string {
  return `backup-${encodeURIComponent(stanza)}-${repositoryKey}-${label}`;
}
