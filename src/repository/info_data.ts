/** What `info` knows about a stanza over all its repositories, gathered before it is shown (behaviour spec §7.6). */
import { mayHoldFiles } from "../../backends/contract.ts";
import { isWalferryError, toWalferryError } from "../errors.ts";
import type { ArchiveInfo } from "../format/archive_info.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import { isWalSegmentName } from "../format/wal_name.ts";
import type { Clock } from "../process/clock.ts";
import { type LockProgress, readLockState } from "../process/locks.ts";
import type { RepositoryRole } from "./config.ts";
import { type ArchiveState, readArchiveState } from "./archive_state.ts";
import { lostLabels } from "./backup_catalog.ts";
import type { InfoOptions } from "./options.ts";
import { type Outlook, outlookOf } from "./outlook.ts";
import type { Repository } from "./repository.ts";
import type { RepositorySet } from "./repository_set.ts";
import { archiveIdOf } from "./wal_archive.ts";

/** Status codes of `info`, with the text of each. */
export const INFO_STATUS = {
  ok: { code: 0, message: "ok" },
  missingPath: { code: 1, message: "missing stanza path" },
  noBackup: { code: 2, message: "no valid backups" },
  missingData: { code: 3, message: "missing stanza data" },
  mixed: { code: 4, message: "different across repos" },
  databaseMismatch: { code: 5, message: "database mismatch across repos" },
  backupMissing: { code: 6, message: "requested backup not found" },
  other: { code: 99, message: "other" },
} as const;

export interface InfoStatus {
  readonly code: number;
  readonly message: string;
}

/** WAL of one archive id in one repository. */
export interface ArchiveRange {
  readonly repositoryKey: number;
  readonly archiveId: string;
  readonly historyId: number;
  readonly pgVersion: string;
  readonly isCurrent: boolean;
  readonly min: string | undefined;
  readonly max: string | undefined;
}

/** One backup in one repository. */
export interface BackupRow {
  readonly repositoryKey: number;
  readonly entry: BackupInfoEntry;
  readonly pgVersion: string;
  readonly isCurrent: boolean;
  /** Only with `--set`. */
  readonly manifest?: Manifest;
  /** It cannot be restored from this repository: its manifest and the copy are gone. Absent where nobody looked. */
  readonly isLost?: boolean;
}

/** A cluster that the stanza belonged to, as one repository knows it. */
export interface DatabaseRow {
  readonly repositoryKey: number;
  readonly id: number;
  readonly pgVersion: string;
  readonly systemId: bigint;
}

/** One repository's view of the stanza. */
export interface RepositoryInfo {
  readonly key: number;
  /** A repository of role `wal` never has backups, and is well without. */
  readonly role: RepositoryRole;
  readonly cipher: "none" | "aes-256-cbc";
  readonly status: InfoStatus;
  readonly archives: readonly ArchiveRange[];
  readonly backups: readonly BackupRow[];
  readonly databases: readonly DatabaseRow[];
  /** Absent when it was not asked for, or the stanza cannot be read here. */
  readonly outlook?: Outlook;
}

export interface StanzaInfo {
  readonly name: string;
  readonly status: InfoStatus;
  readonly backupLock: { readonly held: boolean; readonly progress?: LockProgress };
  readonly restoreLock: { readonly held: boolean; readonly progress?: LockProgress };
  readonly repositories: readonly RepositoryInfo[];
  /** What this host knows beyond the repositories. */
  readonly archive: ArchiveState;
}

/** Gathers the stanzas asked for (or all that any repository has). */
export async function gatherInfo(
  set: RepositorySet,
  options: InfoOptions,
  clock: Clock,
  signal?: AbortSignal,
): Promise<StanzaInfo[]> {
  const names = options.stanza === undefined ? await stanzaNames(set) : [options.stanza];
  const infos: StanzaInfo[] = [];
  for (const name of names) infos.push(await stanzaInfo(set, name, options, clock, signal));
  return infos;
}

/** Names below `backup/` in any repository. A repository that cannot be read shows in each stanza's own status. */
async function stanzaNames(set: RepositorySet): Promise<string[]> {
  const names = new Set<string>();
  const outcomes = await set.ask(async (repository) => {
    const found: string[] = [];
    for await (const entry of repository.storage.list("backup")) if (mayHoldFiles(entry)) found.push(entry.name);
    return found;
  });
  for (const outcome of outcomes) if (outcome.ok) { for (const name of outcome.value) names.add(name); }
  if (names.size === 0 && outcomes.some(({ ok }) => !ok)) names.add("[invalid]");
  return [...names].sort();
}

async function stanzaInfo(
  set: RepositorySet,
  name: string,
  options: InfoOptions,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<StanzaInfo> {
  const repositories = await Promise.all(
    set.repositories.map((repository) => repositoryInfo(repository, name, options, clock.nowMs(), signal)),
  );
  const keys = set.repositories.map(({ key }) => key);
  const { systemId } = repositories.flatMap(({ databases }) => databases.slice(-1))[0] ?? {};
  return {
    name,
    status: overallStatus(repositories),
    backupLock: readLockState(options.lockPath, name, "backup", keys),
    restoreLock: readLockState(options.lockPath, name, "restore", keys),
    repositories,
    archive: await readArchiveState(
      options.spoolPath,
      name,
      keys,
      newestFullStarts(set, repositories),
      clock,
      systemId,
    ),
  };
}

/** Where the newest full backup of each repository that takes backups begins. */
function newestFullStarts(set: RepositorySet, repositories: readonly RepositoryInfo[]): (string | undefined)[] {
  return repositories.filter(({ key }) => set.repositories.find((one) => one.key === key)!.config.role !== "wal")
    .map(({ backups }) => backups.map(({ entry }) => entry).filter(({ type }) => type === "full").at(-1)?.archiveStart);
}

function overallStatus(repositories: readonly RepositoryInfo[]): InfoStatus {
  const codes = new Set(repositories.map(({ status }) => status.code));
  if (codes.size > 1) return INFO_STATUS.mixed;
  // What is wrong differs between repositories: it stands with each of them.
  if (codes.has(INFO_STATUS.other.code)) return INFO_STATUS.other;
  const current = new Set(repositories.flatMap(({ databases }) => {
    const last = databases.at(-1);
    return last === undefined ? [] : [`${last.pgVersion} ${last.systemId}`];
  }));
  if (current.size > 1) return INFO_STATUS.databaseMismatch;
  return repositories[0]!.status;
}

async function repositoryInfo(
  repository: Repository,
  stanza: string,
  options: InfoOptions,
  nowMs: number,
  signal: AbortSignal | undefined,
): Promise<RepositoryInfo> {
  const { cipher, role } = repository.config;
  const base = { key: repository.key, role, cipher: cipher.type, archives: [], backups: [], databases: [] };
  if (options.detailLevel === "progress") return { ...base, status: await statusOfPath(repository, stanza) };
  let backupInfo: BackupInfo;
  let archiveInfo: ArchiveInfo;
  try {
    backupInfo = await repository.loadBackupInfo(stanza);
  } catch (error) {
    if (!isWalferryError(error, "FileMissing")) return { ...base, status: otherStatus(error) };
    const status = await statusOfPath(repository, stanza);
    return { ...base, status: status.code === INFO_STATUS.ok.code ? INFO_STATUS.missingData : status };
  }
  try {
    archiveInfo = await repository.loadArchiveInfo(stanza);
    if (options.set !== undefined && !backupInfo.backups.some(({ label }) => label === options.set)) {
      return { ...base, status: INFO_STATUS.backupMissing };
    }
    const databases = archiveInfo.history.map(({ id, pgVersion, systemId }) => ({
      repositoryKey: repository.key,
      id,
      pgVersion,
      systemId,
    }));
    const archives = await archiveRanges(repository, stanza, archiveInfo);
    const isSeen = options.sight !== undefined && options.sight !== "none";
    const lost = isSeen ? await lostLabels(repository, stanza, backupInfo.backups) : undefined;
    const backups = await backupRows(repository, stanza, backupInfo, options, lost);
    const usable = { ...backupInfo, backups: backupInfo.backups.filter(({ label }) => !lost?.has(label)) };
    const status = backupInfo.backups.length === 0 ? INFO_STATUS.noBackup : INFO_STATUS.ok;
    const outlook = options.sight === undefined
      ? undefined
      : await outlookOf(repository, stanza, { archiveInfo, backupInfo: usable }, options, nowMs, signal);
    return { ...base, archives, backups, databases, status, outlook };
  } catch (error) {
    return { ...base, status: otherStatus(error) };
  }
}

/** Whether the repository has the stanza at all; no info file is read. */
async function statusOfPath(repository: Repository, stanza: string): Promise<InfoStatus> {
  try {
    const path = await repository.storage.info(repository.backupPath(stanza));
    return path === undefined ? INFO_STATUS.missingPath : INFO_STATUS.ok;
  } catch (error) {
    return otherStatus(error);
  }
}

function otherStatus(thrown: unknown): InfoStatus {
  const error = toWalferryError(thrown);
  return { code: INFO_STATUS.other.code, message: `[${error.name}] ${error.text}` };
}

/** First and last segment of each archive id, from two directories at most: nothing in between is listed. */
async function archiveRanges(repository: Repository, stanza: string, info: ArchiveInfo): Promise<ArchiveRange[]> {
  const ranges: ArchiveRange[] = [];
  for (const entry of info.history) {
    const archiveId = archiveIdOf(entry);
    const root = repository.archivePath(stanza, archiveId);
    const directories: string[] = [];
    for await (const each of repository.storage.list(root)) {
      if (mayHoldFiles(each) && /^[0-9A-F]{16}$/.test(each.name)) directories.push(each.name);
    }
    directories.sort();
    const isCurrent = entry.id === info.currentId;
    const min = await firstSegment(repository, root, directories, (names) => names[0]);
    const max = min === undefined
      ? undefined
      : await firstSegment(repository, root, directories.reverse(), (names) => names.at(-1));
    if (min !== undefined || isCurrent) {
      ranges.push({
        repositoryKey: repository.key,
        archiveId,
        historyId: entry.id,
        pgVersion: entry.pgVersion,
        isCurrent,
        min,
        max,
      });
    }
  }
  return ranges;
}

/** The chosen segment of the first directory that has any. */
async function firstSegment(
  repository: Repository,
  root: string,
  directories: readonly string[],
  choose: (sorted: readonly string[]) => string | undefined,
): Promise<string | undefined> {
  for (const directory of directories) {
    const names: string[] = [];
    for await (const { name } of repository.storage.list(`${root}/${directory}`)) {
      const segment = name.slice(0, 24);
      if (isWalSegmentName(segment) && /^-[0-9a-f]{40}/.test(name.slice(24))) names.push(segment);
    }
    const found = choose(names.sort());
    if (found !== undefined) return found;
  }
  return undefined;
}

async function backupRows(
  repository: Repository,
  stanza: string,
  info: BackupInfo,
  options: InfoOptions,
  lost: ReadonlySet<string> | undefined,
): Promise<BackupRow[]> {
  const rows: BackupRow[] = [];
  for (const entry of info.backups) {
    if (options.set !== undefined && entry.label !== options.set) continue;
    if (options.type !== undefined && entry.type !== options.type) continue;
    rows.push({
      repositoryKey: repository.key,
      entry,
      pgVersion: info.history.find(({ id }) => id === entry.historyId)?.pgVersion ?? "",
      isCurrent: entry.historyId === info.currentId,
      isLost: lost?.has(entry.label),
      manifest: options.set === undefined
        ? undefined
        : await repository.loadManifest(stanza, entry.label, info.cipherPass),
    });
  }
  return rows;
}
