/** `backup.info` as values (repository-format §2.6): the clusters of a stanza and its usable backups. */
import { WalferryError } from "../errors.ts";
import { checkedHistory, currentHistoryEntry, historyId } from "./archive_info.ts";
import { type InfoLine, parseInfoFile, renderInfoFile, sortedByKey } from "./info_file.ts";
import { InfoValues } from "./info_values.ts";
import { renderJson, renderString } from "./json.ts";
import { parseLabel } from "./label.ts";
import { isWalSegmentName } from "./wal_name.ts";

export interface BackupHistoryEntry {
  readonly id: number;
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly catalogVersion: number;
  readonly controlVersion: number;
}

/** One usable backup: a line of `[backup:current]`. Sizes in bytes, times in seconds since the epoch. */
export interface BackupInfoEntry {
  readonly label: string;
  readonly type: "full" | "diff" | "incr";
  readonly backrestFormat: number;
  readonly backrestVersion: string;
  annotations?: Map<string, string>;
  /** First and last WAL segment needed; absent for offline backups. */
  readonly archiveStart?: string;
  readonly archiveStop?: string;
  /** Page checksum errors were found; absent = not recorded. */
  readonly error?: boolean;
  readonly repoSizeBytes: number;
  readonly repoSizeDeltaBytes: number;
  readonly repoSizeMapBytes?: number;
  readonly repoSizeMapDeltaBytes?: number;
  readonly sizeBytes: number;
  readonly sizeDeltaBytes: number;
  readonly lsnStart?: string;
  readonly lsnStop?: string;
  readonly prior?: string;
  /** Labels this backup needs, sorted, without itself. */
  readonly references?: readonly string[];
  readonly timestampStart: number;
  readonly timestampStop: number;
  readonly historyId: number;
  readonly options: {
    readonly archiveCheck: boolean;
    readonly archiveCopy: boolean;
    readonly backupStandby: boolean;
    readonly checksumPage: boolean;
    readonly compress: boolean;
    readonly hardlink: boolean;
    readonly online: boolean;
  };
}

export interface BackupInfo {
  backrestVersion: string;
  currentId: number;
  /** Oldest first. */
  history: BackupHistoryEntry[];
  /** Sorted by label. */
  backups: BackupInfoEntry[];
  /** Passphrase of manifests, only in encrypted repositories. */
  cipherPass?: string;
}

/** @throws WalferryError `Format`, `JsonFormat` or `Checksum` */
export function parseBackupInfo(text: string): BackupInfo {
  const { lines, backrestVersion } = parseInfoFile(text);
  const history = lines.filter(({ section }) => section === "db:history").map((line) => {
    const values = InfoValues.ofLine(line);
    return {
      id: historyId(line.key),
      pgVersion: values.string("db-version"),
      systemId: values.bigint("db-system-id"),
      catalogVersion: values.integer("db-catalog-version"),
      controlVersion: values.integer("db-control-version"),
    };
  });
  const info: BackupInfo = {
    backrestVersion,
    currentId: InfoValues.ofSection(lines, "db").integer("db-id"),
    history: checkedHistory(history),
    backups: lines.filter(({ section }) => section === "backup:current").map(parseEntry),
    cipherPass: InfoValues.ofSection(lines, "cipher").optionalString("cipher-pass"),
  };
  info.backups.sort((a, b) => (a.label < b.label ? -1 : 1));
  const twice = info.backups.find(({ label }, index) => label === info.backups[index + 1]?.label);
  if (twice !== undefined) throw new WalferryError("Format", `backup ${twice.label} stands twice`);
  currentHistoryEntry(info);
  return info;
}

function parseEntry(line: InfoLine): BackupInfoEntry {
  const label = parseLabel(line.key);
  if (label === undefined) {
    throw new WalferryError("Format", `'${line.key.slice(0, 60)}' at line ${line.line} is not a backup label`);
  }
  const values = InfoValues.ofLine(line);
  const references = values.optionalStrings("backup-reference");
  const [archiveStart, archiveStop] = ["backup-archive-start", "backup-archive-stop"].map((key) => {
    const segment = values.optionalString(key);
    // What WAL is removed is decided by comparing with these.
    if (segment === undefined || isWalSegmentName(segment)) return segment;
    throw new WalferryError("Format", `${key} at line ${line.line} is not the name of a WAL segment`);
  });
  values.string("backup-type");
  for (const needed of [...(references ?? []), values.optionalString("backup-prior") ?? label.full]) {
    if (parseLabel(needed) === undefined) {
      throw new WalferryError("Format", `'${needed.slice(0, 60)}' at line ${line.line} is not a backup label`);
    }
  }
  return {
    label: line.key,
    type: label.type,
    backrestFormat: values.integer("backrest-format"),
    backrestVersion: values.string("backrest-version"),
    annotations: values.optionalStringMap("backup-annotation"),
    archiveStart,
    archiveStop,
    error: values.optionalBoolean("backup-error"),
    repoSizeBytes: values.integer("backup-info-repo-size"),
    repoSizeDeltaBytes: values.integer("backup-info-repo-size-delta"),
    repoSizeMapBytes: values.optionalInteger("backup-info-repo-size-map"),
    repoSizeMapDeltaBytes: values.optionalInteger("backup-info-repo-size-map-delta"),
    sizeBytes: values.integer("backup-info-size"),
    sizeDeltaBytes: values.integer("backup-info-size-delta"),
    lsnStart: values.optionalString("backup-lsn-start"),
    lsnStop: values.optionalString("backup-lsn-stop"),
    prior: values.optionalString("backup-prior"),
    references,
    timestampStart: values.integer("backup-timestamp-start"),
    timestampStop: values.integer("backup-timestamp-stop"),
    historyId: values.integer("db-id"),
    options: {
      archiveCheck: values.boolean("option-archive-check"),
      archiveCopy: values.boolean("option-archive-copy"),
      backupStandby: values.boolean("option-backup-standby"),
      checksumPage: values.boolean("option-checksum-page"),
      compress: values.boolean("option-compress"),
      hardlink: values.boolean("option-hardlink"),
      online: values.boolean("option-online"),
    },
  };
}

function renderEntry(entry: BackupInfoEntry): string {
  return renderJson({
    "backrest-format": entry.backrestFormat,
    "backrest-version": entry.backrestVersion,
    ...(entry.annotations === undefined ? {} : { "backup-annotation": Object.fromEntries(entry.annotations) }),
    // Offline backups carry these two as null, not as absent.
    "backup-archive-start": entry.archiveStart ?? null,
    "backup-archive-stop": entry.archiveStop ?? null,
    ...present("backup-error", entry.error),
    "backup-info-repo-size": entry.repoSizeBytes,
    "backup-info-repo-size-delta": entry.repoSizeDeltaBytes,
    ...present("backup-info-repo-size-map", entry.repoSizeMapBytes),
    ...present("backup-info-repo-size-map-delta", entry.repoSizeMapDeltaBytes),
    "backup-info-size": entry.sizeBytes,
    "backup-info-size-delta": entry.sizeDeltaBytes,
    ...present("backup-lsn-start", entry.lsnStart),
    ...present("backup-lsn-stop", entry.lsnStop),
    ...present("backup-prior", entry.prior),
    ...(entry.references === undefined ? {} : { "backup-reference": [...entry.references] }),
    "backup-timestamp-start": entry.timestampStart,
    "backup-timestamp-stop": entry.timestampStop,
    "backup-type": entry.type,
    "db-id": entry.historyId,
    "option-archive-check": entry.options.archiveCheck,
    "option-archive-copy": entry.options.archiveCopy,
    "option-backup-standby": entry.options.backupStandby,
    "option-checksum-page": entry.options.checksumPage,
    "option-compress": entry.options.compress,
    "option-hardlink": entry.options.hardlink,
    "option-online": entry.options.online,
  });
}

function present<T>(key: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [key]: value };
}

/** Text of the file. */
export function renderBackupInfo(info: BackupInfo): string {
  const current = currentHistoryEntry(info);
  return [...renderInfoFile(info.backrestVersion, [
    ["backup:current", sortedByKey(info.backups.map((entry) => [entry.label, renderEntry(entry)] as const))],
    ["cipher", info.cipherPass === undefined ? [] : [["cipher-pass", renderString(info.cipherPass)]]],
    ["db", [
      ["db-catalog-version", String(current.catalogVersion)],
      ["db-control-version", String(current.controlVersion)],
      ["db-id", String(info.currentId)],
      ["db-system-id", String(current.systemId)],
      ["db-version", renderString(current.pgVersion)],
    ]],
    [
      "db:history",
      info.history.map((entry) =>
        [
          String(entry.id),
          renderJson({
            "db-catalog-version": entry.catalogVersion,
            "db-control-version": entry.controlVersion,
            "db-system-id": entry.systemId,
            "db-version": entry.pgVersion,
          }),
        ] as const
      ),
    ],
  ])].join("");
}
