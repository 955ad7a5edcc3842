/**
 * What monitoring gets to see of stanzas: numbers in base units, one sample for each repository. Names of WAL files are no labels, since each
 * new one would begin a new series. docs/monitoring/README.md explains each.
 */
import { isWalSegmentName, timelineOf } from "../format/wal_name.ts";
import type { ArchiveLag } from "../postgres/archive_lag.ts";
import type { Labels, MetricFamily, Sample } from "../report/open_metrics.ts";
import type { VerificationResult } from "./verification_results.ts";
import { BACKREST_VERSION, WALFERRY_VERSION } from "../version.ts";
import type { DrillRecord } from "./drill_record.ts";
import { type BackupRow, INFO_STATUS, type RepositoryInfo, type StanzaInfo } from "./info_data.ts";

/** One stanza as it was seen. */
export interface StanzaSight {
  readonly info: StanzaInfo;
  /** When the repositories were read, milliseconds since the epoch. */
  readonly readMs: number;
  /** Absent where the cluster is not on this host; `unreadable` where its files are out of reach. */
  readonly lag: ArchiveLag | "unreadable" | undefined;
  /** Drills that were held on this host. */
  readonly drills: { readonly last?: DrillRecord; readonly passed?: DrillRecord };
}

/** Size of a segment unless the cluster was made with another one (PostgreSQL source: `DEFAULT_XLOG_SEG_SIZE`). */
const USUAL_SEGMENT_BYTES = 16 * 1024 ** 2;
const BACKUP_TYPES = ["full", "diff", "incr"] as const;

/** All metrics. */
export function metricFamilies(sights: readonly StanzaSight[], nowMs: number): MetricFamily[] {
  return [
    {
      name: "walferry_build_info",
      help: "Version of walferry, and the version of pgBackRest whose behaviour it has.",
      samples: [{ labels: { version: WALFERRY_VERSION, backrest_version: BACKREST_VERSION }, value: 1 }],
    },
    ...stanzaFamilies(sights),
    ...archiveFamilies(sights, nowMs),
    ...repositoryFamilies(sights),
    ...backupFamilies(sights, nowMs),
    ...walFamilies(sights),
    ...verificationFamilies(sights, nowMs),
    ...drillFamilies(sights),
  ];
}

function stanzaFamilies(sights: readonly StanzaSight[]): MetricFamily[] {
  const each = (value: (sight: StanzaSight) => number): Sample[] =>
    sights.map((sight) => ({ labels: { stanza: sight.info.name }, value: value(sight) }));
  return [
    {
      name: "walferry_repositories_read_timestamp_seconds",
      help: "When the repositories were read for these numbers.",
      samples: each(({ readMs }) => readMs / 1000),
    },
    {
      name: "walferry_stanza_status_code",
      help: "Status of the stanza as info tells it: 0 ok, 1 missing stanza path, 2 no valid backups, " +
        "3 missing stanza data, 4 different across repositories, 5 database mismatch, 99 other.",
      samples: each(({ info }) => info.status.code),
    },
    {
      name: "walferry_backup_running",
      help: "1 while a backup or expire of the stanza runs on this host.",
      samples: each(({ info }) => Number(info.backupLock.held)),
    },
    {
      name: "walferry_restore_running",
      help: "1 while a restore of the stanza runs on this host.",
      samples: each(({ info }) => Number(info.restoreLock.held)),
    },
  ];
}

/** What this host knows of archiving. */
function archiveFamilies(sights: readonly StanzaSight[], nowMs: number): MetricFamily[] {
  const ofLag = (value: (lag: ArchiveLag) => number): Sample[] =>
    sights.flatMap(({ info, lag }) =>
      lag === undefined || lag === "unreadable" ? [] : [{ labels: { stanza: info.name }, value: value(lag) }]
    );
  const ofHoles = (value: (holes: StanzaInfo["archive"]["holes"]) => number): Sample[] =>
    sights.map(({ info }) => ({ labels: { stanza: info.name }, value: value(info.archive.holes) }));
  return [
    {
      name: "walferry_archive_status_readable",
      help:
        "1 when pg_wal/archive_status of pg1-path could be read, 0 when it is out of reach; absent where there is none.",
      samples: sights.flatMap(({ info, lag }) =>
        lag === undefined ? [] : [{ labels: { stanza: info.name }, value: lag === "unreadable" ? 0 : 1 }]
      ),
    },
    {
      name: "walferry_archive_lag_segments",
      help: "WAL files that PostgreSQL has finished and that are not archived yet.",
      samples: ofLag(({ files }) => files),
    },
    {
      name: "walferry_archive_lag_bytes",
      help: "Size of the WAL segments that are not archived yet.",
      samples: ofLag(({ sizeBytes }) => sizeBytes),
    },
    {
      name: "walferry_archive_lag_seconds",
      help: "How long the WAL file that waits longest has waited to be archived; 0 = none waits.",
      samples: ofLag(({ oldestMs }) => (oldestMs === undefined ? 0 : Math.max(0, nowMs - oldestMs) / 1000)),
    },
    {
      name: "walferry_archive_holes",
      help:
        "Places where WAL was dropped (archive-push-queue-max), and no newer full backup exists: no recovery crosses them.",
      samples: ofHoles((holes) => holes.length),
    },
    {
      name: "walferry_archive_dropped_segments",
      help: "WAL segments that these holes consist of.",
      samples: ofHoles((holes) => holes.reduce((sum, { count }) => sum + count, 0)),
    },
  ];
}

/** Of others nothing is known: no numbers are better than wrong ones. */
function isReadable({ status: { code } }: RepositoryInfo): boolean {
  return code === INFO_STATUS.ok.code || code === INFO_STATUS.noBackup.code;
}

/** Every repository with its labels. */
function repositoriesOf(
  sights: readonly StanzaSight[],
): Array<{ sight: StanzaSight; repository: RepositoryInfo; labels: Labels }> {
  return sights.flatMap((sight) =>
    sight.info.repositories.map((repository) => ({
      sight,
      repository,
      labels: { stanza: sight.info.name, repo: repository.key },
    }))
  );
}

function repositoryFamilies(sights: readonly StanzaSight[]): MetricFamily[] {
  const all = repositoriesOf(sights).map(({ sight: { info: { archive } }, repository, labels }) => ({
    repository,
    labels,
    debt: archive.debts.find(({ key }) => key === repository.key),
    outage: archive.outages.find(({ key }) => key === repository.key)?.outage,
  }));
  const each = (value: (one: (typeof all)[number]) => number | undefined): Sample[] =>
    all.flatMap((one) => {
      const found = value(one);
      return found === undefined ? [] : [{ labels: one.labels, value: found }];
    });
  return [
    {
      name: "walferry_repository_status_code",
      help: "Status of the stanza in one repository, as walferry_stanza_status_code.",
      samples: each(({ repository }) => repository.status.code),
    },
    {
      name: "walferry_repository_readable",
      help: "1 when the repository was read and knows the stanza, 0 when not: see walferry_repository_status_code.",
      samples: each(({ repository }) => Number(isReadable(repository))),
    },
    {
      name: "walferry_archive_debt_segments",
      help: "WAL files that PostgreSQL was told are archived and that this repository does not hold yet.",
      samples: each(({ debt }) => debt?.count ?? 0),
    },
    {
      name: "walferry_archive_debt_bytes",
      help: "Size of the WAL that this repository is owed.",
      samples: each(({ debt }) => debt?.sizeBytes ?? 0),
    },
    {
      name: "walferry_archive_debt_oldest_timestamp_seconds",
      help: "Since when this repository is behind; absent when it is not.",
      samples: each(({ debt }) =>
        debt !== undefined && Number.isFinite(debt.oldestMs) ? debt.oldestMs / 1000 : undefined
      ),
    },
    {
      name: "walferry_repository_away",
      help: "1 while archive-push leaves the repository alone because it failed.",
      samples: each(({ outage }) => Number(outage !== undefined)),
    },
    {
      name: "walferry_repository_away_since_timestamp_seconds",
      help: "Since when the repository is away; absent when it is not.",
      samples: each(({ outage }) => (outage === undefined ? undefined : outage.sinceMs / 1000)),
    },
    {
      name: "walferry_repository_away_failures",
      help: "Failures in a row of a repository that is away; absent when it is not.",
      samples: each(({ outage }) => outage?.failures),
    },
  ];
}

function backupFamilies(sights: readonly StanzaSight[], nowMs: number): MetricFamily[] {
  const readable = repositoriesOf(sights).filter(({ repository }) => isReadable(repository));
  const groups = readable.flatMap(({ repository, labels }) =>
    BACKUP_TYPES.map((type) => ({
      labels: { ...labels, type },
      backups: repository.backups.filter(({ entry }) => entry.type === type),
    }))
  );
  const last = (value: (entry: BackupRow["entry"]) => number): Sample[] =>
    groups.flatMap(({ labels, backups }) => {
      const newest = backups.at(-1);
      return newest === undefined ? [] : [{ labels, value: value(newest.entry) }];
    });
  return [
    {
      name: "walferry_backups",
      help: "Backups in the repository.",
      samples: groups.map(({ labels, backups }) => ({ labels, value: backups.length })),
    },
    {
      name: "walferry_backup_last_start_timestamp_seconds",
      help: "When the last backup of the type began.",
      samples: last(({ timestampStart }) => timestampStart),
    },
    {
      name: "walferry_backup_last_stop_timestamp_seconds",
      help: "When the last backup of the type ended.",
      samples: last(({ timestampStop }) => timestampStop),
    },
    {
      name: "walferry_backup_last_age_seconds",
      help: "Time since the end of the last backup of the type.",
      samples: last(({ timestampStop }) => Math.max(0, Math.round(nowMs / 1000) - timestampStop)),
    },
    {
      name: "walferry_backup_last_duration_seconds",
      help: "How long the last backup of the type took.",
      samples: last(({ timestampStart, timestampStop }) => timestampStop - timestampStart),
    },
    {
      name: "walferry_backup_last_database_size_bytes",
      help: "Size of the cluster in the last backup of the type.",
      samples: last(({ sizeBytes }) => sizeBytes),
    },
    {
      name: "walferry_backup_last_database_delta_bytes",
      help: "Part of it that the last backup of the type copied.",
      samples: last(({ sizeDeltaBytes }) => sizeDeltaBytes),
    },
    {
      name: "walferry_backup_last_repository_size_bytes",
      help: "Stored size of all files that the last backup of the type needs.",
      samples: last(({ repoSizeBytes }) => repoSizeBytes),
    },
    {
      name: "walferry_backup_last_repository_delta_bytes",
      help: "Stored size that the last backup of the type added.",
      samples: last(({ repoSizeDeltaBytes }) => repoSizeDeltaBytes),
    },
    {
      name: "walferry_backup_last_page_errors",
      help: "1 when the last backup of the type met pages with a wrong checksum.",
      samples: last(({ error }) => Number(error === true)),
    },
  ];
}

/** First and last segment of the stanza's current archive. */
function walFamilies(sights: readonly StanzaSight[]): MetricFamily[] {
  const ends = repositoriesOf(sights).flatMap(({ sight: { lag }, repository, labels }) => {
    const range = repository.archives.find(({ isCurrent }) => isCurrent);
    if (range?.min === undefined || range.max === undefined) return [];
    const segmentBytes = lag === undefined || lag === "unreadable" ? USUAL_SEGMENT_BYTES : lag.segmentBytes;
    return [{ labels, min: range.min, max: range.max, segmentBytes }];
  }).filter(({ min, max }) => isWalSegmentName(min) && isWalSegmentName(max));
  return [
    {
      name: "walferry_wal_archived_first_lsn_bytes",
      help: "Where the oldest archived WAL segment begins, as a position in the WAL.",
      samples: ends.map(({ labels, min, segmentBytes }) => ({ labels, value: startOf(min, segmentBytes) })),
    },
    {
      name: "walferry_wal_archived_last_lsn_bytes",
      help: "Where the newest archived WAL segment ends, as a position in the WAL.",
      samples: ends.map(({ labels, max, segmentBytes }) => ({
        labels,
        value: startOf(max, segmentBytes) + segmentBytes,
      })),
    },
    {
      name: "walferry_wal_archived_last_timeline",
      help: "Timeline of the newest archived WAL segment.",
      samples: ends.map(({ labels, max }) => ({ labels, value: timelineOf(max) })),
    },
  ];
}

function verificationFamilies(sights: readonly StanzaSight[], nowMs: number): MetricFamily[] {
  const all = repositoriesOf(sights).flatMap(({ repository, labels }) =>
    (repository.outlook?.verified ?? []).map((result) => ({ result, labels: { ...labels, mode: result.mode } }))
  );
  const each = (value: (result: VerificationResult) => number): Sample[] =>
    all.map(({ result, labels }) => ({ labels, value: value(result) }));
  return [
    {
      name: "walferry_verify_last_timestamp_seconds",
      help: "End of the last verification of the mode (full, since-last, sample, quick).",
      samples: each(({ time }) => time),
    },
    {
      name: "walferry_verify_last_age_seconds",
      help: "Time since then.",
      samples: each(({ time }) => Math.max(0, Math.round(nowMs / 1000) - time)),
    },
    {
      name: "walferry_verify_last_duration_seconds",
      help: "How long it took.",
      samples: each(({ durationSeconds }) => durationSeconds),
    },
    {
      name: "walferry_verify_last_damages",
      help: "Things that were missing or damaged when it ended; 0 = all is well.",
      samples: each(({ damages }) => damages),
    },
    {
      name: "walferry_verify_last_repaired",
      help: "Things that it repaired.",
      samples: each(({ repaired }) => repaired),
    },
  ];
}

function drillFamilies(sights: readonly StanzaSight[]): MetricFamily[] {
  const each = (value: (drills: StanzaSight["drills"]) => number | undefined): Sample[] =>
    sights.flatMap(({ info, drills }) => {
      const found = value(drills);
      return found === undefined ? [] : [{ labels: { stanza: info.name }, value: found }];
    });
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  return [
    {
      name: "walferry_drill_last_timestamp_seconds",
      help: "End of the last drill on this host.",
      samples: each(({ last }) => seconds(last?.atMs)),
    },
    {
      name: "walferry_drill_last_passed",
      help: "1 when the backup of the last drill was good, 0 when it was not or the drill could not be held.",
      samples: each(({ last }) => (last === undefined ? undefined : Number(last.isGood))),
    },
    {
      name: "walferry_drill_passed_timestamp_seconds",
      help: "End of the last drill that found a good backup.",
      samples: each(({ passed }) => seconds(passed?.atMs)),
    },
    {
      name: "walferry_drill_passed_restore_seconds",
      help: "How long the restore of that drill took.",
      samples: each(({ passed }) => seconds(passed?.restoreMs)),
    },
    {
      name: "walferry_drill_passed_recover_seconds",
      help: "How long the recovery of that drill took.",
      samples: each(({ passed }) => seconds(passed?.recoverMs)),
    },
  ];
}

/** Position of a segment's first byte. A double holds it exactly up to 8 PiB. */
function startOf(name: string, segmentBytes: number): number {
  return parseInt(name.slice(8, 16), 16) * 2 ** 32 + parseInt(name.slice(16), 16) * segmentBytes;
}
