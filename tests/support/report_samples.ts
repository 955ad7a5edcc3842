/** Stanzas for the report as years of work, trouble and nothing leave them; the same every time. */
import type { BackupInfoEntry } from "../../src/format/backup_info.ts";
import type { DrillRecord } from "../../src/repository/drill_record.ts";
import { type BackupRow, INFO_STATUS, type RepositoryInfo, type StanzaInfo } from "../../src/repository/info_data.ts";
import type { ReportedStanza } from "../../src/repository/report_data.ts";
import type { VerificationMode, VerificationResult } from "../../src/repository/verification_results.ts";
import { ONLINE } from "./backup_options.ts";
import type { GapReason, RecoverableRange, WalGap } from "../../src/repository/wal_coverage.ts";

/** When the report is made, milliseconds since the epoch. */
export const REPORT_NOW = Date.UTC(2026, 5, 10, 12);
const DAY_SECONDS = 86_400;
const NOW_SECONDS = REPORT_NOW / 1000;
const CLUSTER_BYTES = 180 * 1024 ** 3;

/** The segment that was written so long ago, on timeline 1: some 400 each day. */
function segmentAt(agoDays: number): string {
  const number = 0xb1141 - Math.round(agoDays * 400);
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return `00000001${hex(number >> 8)}${hex(number & 0xff)}`;
}

/** A backup that ended so long ago. */
export function sampleBackup(
  label: string,
  type: "full" | "diff" | "incr",
  agoDays: number,
  more: Partial<BackupInfoEntry> = {},
): BackupInfoEntry {
  const part = { full: 0.4, diff: 0.06, incr: 0.01 }[type];
  // A course that is neither flat nor chance.
  const wave = 1 + 0.4 * Math.sin(agoDays / 9) + (agoDays % 7 === 3 ? 0.5 : 0);
  const sizeBytes = Math.round(CLUSTER_BYTES * (1 - agoDays / 4000));
  const stop = Math.round(NOW_SECONDS - agoDays * DAY_SECONDS);
  return {
    label,
    type,
    backrestFormat: 5,
    backrestVersion: "2.59.1",
    archiveStart: segmentAt(agoDays + 0.02),
    archiveStop: segmentAt(agoDays),
    error: false,
    repoSizeBytes: Math.round(sizeBytes * 0.4),
    repoSizeDeltaBytes: Math.round(sizeBytes * part * wave),
    sizeBytes,
    sizeDeltaBytes: Math.round(sizeBytes * part * 2),
    timestampStart: stop - Math.round(part * wave * 9000),
    timestampStop: stop,
    historyId: 1,
    options: ONLINE,
    ...more,
  };
}

function labelAt(agoDays: number, letter: "F" | "D" | "I", full?: string): string {
  const text = new Date(REPORT_NOW - agoDays * DAY_SECONDS * 1000).toISOString();
  const time = `${text.slice(0, 10).replaceAll("-", "")}-${text.slice(11, 19).replaceAll(":", "")}${letter}`;
  return full === undefined ? time : `${full}_${time}`;
}

/** A full backup each week, an incremental one each day, a differential one in the middle. */
function weeks(days: number, offset = 0.4): BackupInfoEntry[] {
  const entries: BackupInfoEntry[] = [];
  let full: string | undefined;
  for (let day = days; day >= 0; day--) {
    const ago = day + offset;
    if (full === undefined || day % 7 === 0) {
      full = labelAt(ago, "F");
      entries.push(sampleBackup(full, "full", ago));
    } else {
      const type = day % 7 === 4 ? "diff" : "incr";
      entries.push(sampleBackup(labelAt(ago, type === "diff" ? "D" : "I", full), type, ago));
    }
  }
  return entries;
}

function range(fromDays: number, toDays: number, more: Partial<RecoverableRange> = {}): RecoverableRange {
  return {
    timeline: 1,
    label: labelAt(fromDays, "F"),
    fromMs: REPORT_NOW - fromDays * DAY_SECONDS * 1000,
    toMs: REPORT_NOW - toDays * DAY_SECONDS * 1000,
    first: segmentAt(fromDays),
    last: segmentAt(toDays),
    ...more,
  };
}

function verification(mode: VerificationMode, agoDays: number, damages: number, repaired = 0): VerificationResult {
  return {
    mode,
    systemId: undefined,
    time: NOW_SECONDS - agoDays * DAY_SECONDS,
    durationSeconds: mode === "full" ? 5_130 : 48,
    damages,
    repaired,
  };
}

interface RepositoryParts {
  readonly backups?: readonly BackupInfoEntry[];
  readonly ranges?: readonly RecoverableRange[];
  readonly gaps?: readonly WalGap[];
  readonly verified?: readonly VerificationResult[];
  readonly more?: Partial<RepositoryInfo>;
}

export function sampleRepository(key: number, parts: RepositoryParts = {}): RepositoryInfo {
  const { backups = [], ranges = [], gaps = [], verified = [], more = {} } = parts;
  return {
    key,
    role: "all",
    cipher: key === 2 ? "aes-256-cbc" : "none",
    status: backups.length === 0 ? INFO_STATUS.noBackup : INFO_STATUS.ok,
    archives: [],
    databases: [],
    backups: backups.map((entry): BackupRow => ({ repositoryKey: key, pgVersion: "15", isCurrent: true, entry })),
    outlook: {
      wal: [{ archiveId: "15-1", historyId: 1, ranges, gaps, badHistories: [] }],
      verified,
      unknown: [],
    },
    ...more,
  };
}

export function sampleStanza(
  name: string,
  repositories: readonly RepositoryInfo[],
  more: Partial<StanzaInfo> & { readonly lag?: ReportedStanza["lag"]; readonly drills?: readonly DrillRecord[] } = {},
): ReportedStanza {
  const { lag, drills = [], ...rest } = more;
  return {
    info: {
      name,
      status: repositories[0]!.status,
      backupLock: { held: false },
      restoreLock: { held: false },
      repositories,
      archive: { debts: [], outages: [], holes: [] },
      ...rest,
    },
    repositories: repositories.map((info) => ({
      info,
      recoverable: (info.outlook?.wal ?? []).flatMap(({ ranges }) => ranges),
    })),
    lag,
    drills,
  };
}

/** A stanza that was made just now. */
export function emptyStanza(name = "new"): ReportedStanza {
  return sampleStanza(name, [sampleRepository(1)]);
}

/** Two repositories, all well, for so many days. */
export function calmStanza(name = "main", days = 30): ReportedStanza {
  const drills = Array.from({ length: Math.ceil(days / 30) }, (_, at): DrillRecord => ({
    isGood: true,
    atMs: REPORT_NOW - (days - at * 30 - 2) * DAY_SECONDS * 1000,
    label: labelAt(days - at * 30, "F"),
    restoreMs: 1_260_000,
    recoverMs: 84_000,
  }));
  const verified = [verification("full", 9, 0), verification("quick", 0.3, 0)];
  return sampleStanza(name, [
    sampleRepository(1, { backups: weeks(Math.min(days, 60)), ranges: [range(Math.min(days, 60), 0.001)], verified }),
    sampleRepository(2, { backups: weeks(days, 0.6), ranges: [range(days, 0.002)], verified }),
  ], { drills });
}

/** Nearly everything that can be wrong. */
export function troubledStanza(name = "orders"): ReportedStanza {
  const backups = weeks(24);
  backups[backups.length - 1] = {
    ...backups.at(-1)!,
    error: true,
    annotations: new Map([["walferry-pin", "audit <2026>"]]),
  };
  const gap = (fromDays: number, toDays: number, reason: GapReason, label?: string): WalGap => {
    const count = Math.round((fromDays - toDays) * 400) + 1;
    return {
      sizeBytes: count * 16 * 1024 ** 2,
      count,
      first: segmentAt(fromDays),
      last: segmentAt(toDays),
      reason,
      label,
    };
  };
  const dropped = gap(0.2, 0.19, "dropped");
  return sampleStanza(name, [
    sampleRepository(1, {
      backups,
      ranges: [range(24.4, 15), range(13.4, 6), range(4.4, 0.2)],
      gaps: [
        gap(20.4, 20.39, "missing", backups[4]!.label),
        gap(15, 14.99, "missing"),
        gap(6, 5.95, "missing"),
        dropped,
      ],
      verified: [verification("full", 9, 4, 2), verification("quick", 1.1, 0)],
    }),
    sampleRepository(2, {
      more: {
        outlook: undefined,
        status: {
          code: 99,
          message: "[HostConnectError] unable to connect to 's3.example.com:443':\nconnection refused",
        },
      },
    }),
    sampleRepository(3, { more: { role: "wal" } }),
  ], {
    status: INFO_STATUS.mixed,
    backupLock: { held: true },
    archive: {
      debts: [{ key: 2, count: 1207, sizeBytes: 1207 * 16 * 1024 ** 2, oldestMs: REPORT_NOW - 26 * 3_600_000 }],
      outages: [{
        key: 2,
        outage: {
          failures: 37,
          sinceMs: REPORT_NOW - 26 * 3_600_000,
          nextTryMs: REPORT_NOW + 42_000,
          reason: "connection refused",
        },
      }],
      holes: [dropped],
    },
    lag: {
      files: 41,
      sizeBytes: 41 * 16 * 1024 ** 2,
      oldestMs: REPORT_NOW - 17 * 60_000,
      segmentBytes: 16 * 1024 ** 2,
    },
    drills: [
      {
        isGood: true,
        atMs: REPORT_NOW - 17 * DAY_SECONDS * 1000,
        label: backups[0]!.label,
        restoreMs: 1_300_000,
        recoverMs: 40_000,
      },
      { isGood: false, atMs: REPORT_NOW - 3 * DAY_SECONDS * 1000, label: backups[20]!.label, restoreMs: 1_310_000 },
    ],
  });
}
