/** `backup.info` held against the directories that are really there (repository-format §2.6, end). */
import { mayHoldFiles } from "../../backends/contract.ts";
import { toWalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import { FileTable } from "../format/file_table.ts";
import { isBackupLabel } from "../format/label.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Log } from "../report/log.ts";
import type { Repository } from "./repository.ts";
import { withDependants } from "./retention.ts";

/** A backup directory on disk. */
export interface BackupDirectory {
  readonly label: string;
  /** It has a `backup.manifest`: it is complete. */
  readonly complete: boolean;
  /** It has a `backup.manifest.copy` (alone: running, or left behind by a crash). */
  readonly hasCopy: boolean;
}

/** Backup directories that are looked into at once: hides the way to an object store, and is no flood of requests. */
const ASKED_TOGETHER = 16;

/** Backup directories of a stanza, sorted by label. */
export async function listBackupDirectories(repository: Repository, stanza: string): Promise<BackupDirectory[]> {
  const labels: string[] = [];
  for await (const entry of repository.storage.list(repository.backupPath(stanza))) {
    if (mayHoldFiles(entry) && isBackupLabel(entry.name)) labels.push(entry.name);
  }
  labels.sort();
  const directories: BackupDirectory[] = [];
  for (let from = 0; from < labels.length; from += ASKED_TOGETHER) {
    const some = labels.slice(from, from + ASKED_TOGETHER);
    directories.push(...await Promise.all(some.map((label) => directoryState(repository, stanza, label))));
  }
  return directories;
}

async function directoryState(repository: Repository, stanza: string, label: string): Promise<BackupDirectory> {
  const directory = repository.backupPath(stanza, label);
  const [manifest, copy] = await Promise.all([
    repository.storage.info(`${directory}/backup.manifest`),
    repository.storage.info(`${directory}/backup.manifest.copy`),
  ]);
  return { label, complete: manifest !== undefined, hasCopy: copy !== undefined };
}

/**
 * Labels of listed backups that cannot be restored from here: their manifest and its copy are gone. What builds on them can be: its own
 * manifest says where everything is. Manifests are not read.
 */
export async function lostLabels(
  repository: Repository,
  stanza: string,
  backups: readonly BackupInfoEntry[],
): Promise<ReadonlySet<string>> {
  const lost = new Set<string>();
  for (let from = 0; from < backups.length; from += ASKED_TOGETHER) {
    const some = backups.slice(from, from + ASKED_TOGETHER);
    await Promise.all(some.map(async ({ label }) => {
      const path = repository.backupPath(stanza, label, "backup.manifest");
      const found = await repository.storage.info(path) ?? await repository.storage.info(`${path}.copy`);
      if (found === undefined) lost.add(label);
    }));
  }
  if (lost.size === 0) return lost;
  // An expire at work takes a backup off the list before its files.
  const { backups: listed } = await repository.loadBackupInfo(stanza);
  return lost.intersection(new Set(listed.map(({ label }) => label)));
}

/** What became of the list. */
export interface Reconciled {
  /** There is something to save. */
  readonly changed: boolean;
  /**
   * Listed backups that cannot be used for now, sorted by label: they have lost their manifest and its copy, or build on one that has. Their
   * files are there and `verify --repair` may mend them, which goes by the list: whoever saves it saves them too ({@link withLost}).
   */
  readonly lost: readonly BackupInfoEntry[];
}

/**
 * `backup.info` made true: complete backups that it does not know are added, backups whose directory is gone are dropped together with
 * everything that depends on them, and lost ones are taken out. Changes the value given and tells what it did; saving is the caller's.
 */
export async function reconcileBackupInfo(
  repository: Repository,
  stanza: string,
  info: BackupInfo,
  log: Log,
): Promise<Reconciled> {
  const directories = await listBackupDirectories(repository, stanza);
  const complete = new Set(directories.filter((directory) => directory.complete).map(({ label }) => label));
  for (const { label, hasCopy } of directories) {
    const listed = info.backups.some((entry) => entry.label === label);
    if (listed && hasCopy && !complete.has(label) && await hasReadableCopy(repository, stanza, info, label, log)) {
      complete.add(label);
    }
  }
  let changed = false;
  for (const label of [...complete].sort()) {
    if (info.backups.some((entry) => entry.label === label)) continue;
    const entry = await adoptable(repository, stanza, info, label, log);
    if (entry === undefined) continue;
    log.warn(`backup '${label}' found in repository added to backup.info`);
    info.backups.push(entry);
    info.backups.sort((a, b) => (a.label < b.label ? -1 : 1));
    changed = true;
  }
  const there = new Set(directories.map(({ label }) => label));
  const drop = (without: ReadonlySet<string>, tell: (label: string) => void): BackupInfoEntry[] => {
    const first = info.backups.filter(({ label }) => !without.has(label)).map(({ label }) => label);
    const labels = new Set(withDependants(info.backups, first));
    const dropped = info.backups.filter(({ label }) => labels.has(label));
    info.backups = info.backups.filter(({ label }) => !labels.has(label));
    for (const { label } of dropped.toReversed()) tell(label);
    return dropped;
  };
  const gone = drop(there, (label) => log.warn(`backup '${label}' missing manifest removed from backup.info`));
  const lost = drop(
    complete,
    (label) =>
      log.warn(
        complete.has(label)
          ? `backup '${label}' builds on one that has lost its manifest`
          : `backup '${label}' has lost its manifest, it cannot be used\n` +
            "HINT: verify --repair mends it where another repository has it, and a new backup takes its place.",
      ),
  );
  return { changed: changed || gone.length > 0, lost };
}

/** The list with those that are lost in their places. */
export function withLost(info: BackupInfo, lost: readonly BackupInfoEntry[]): BackupInfo {
  const found = new Set(info.backups.map(({ label }) => label));
  const backups = [...info.backups, ...lost.filter(({ label }) => !found.has(label))];
  return { ...info, backups: backups.sort((a, b) => (a.label < b.label ? -1 : 1)) };
}

/**
 * A backup that is listed was complete: when only its manifest is gone, the copy is as good, and restore uses it. An unfinished backup has a
 * copy too, but is never listed.
 */
async function hasReadableCopy(
  repository: Repository,
  stanza: string,
  info: BackupInfo,
  label: string,
  log: Log,
): Promise<boolean> {
  try {
    await repository.loadManifest(stanza, label, info.cipherPass);
    log.warn(`backup '${label}' has lost its backup.manifest, the copy is used`);
    return true;
  } catch (error) {
    log.warn(
      `backup '${label}' has lost its backup.manifest and the copy cannot be read: ${toWalferryError(error).message}`,
    );
    return false;
  }
}

async function adoptable(
  repository: Repository,
  stanza: string,
  info: BackupInfo,
  label: string,
  log: Log,
): Promise<BackupInfoEntry | undefined> {
  let manifest: Manifest;
  try {
    manifest = await repository.loadManifest(stanza, label, info.cipherPass);
  } catch (error) {
    log.warn(
      `unable to read the manifest of backup '${label}', it is not added to backup.info: ${
        toWalferryError(error).message
      }`,
    );
    return undefined;
  }
  const known = info.history.some((entry) =>
    entry.id === manifest.historyId && entry.pgVersion === manifest.pgVersion && entry.systemId === manifest.systemId
  );
  const priorKnown = manifest.prior === undefined || info.backups.some((entry) => entry.label === manifest.prior);
  if (!known || !priorKnown) {
    log.warn(
      `backup '${label}' belongs to another cluster or its prior backup is missing: it is not added to backup.info`,
    );
    return undefined;
  }
  return entryOfManifest(manifest);
}

/** The line of `backup.info` for a manifest (repository-format §2.6). */
export function entryOfManifest(manifest: Manifest): BackupInfoEntry {
  const whole = { size: 0, repo: 0, map: 0 };
  const own = { size: 0, repo: 0, map: 0 };
  const references = new Set<string>();
  let errors = false;
  const files = FileTable.from(manifest.files);
  for (let index = 0; index < files.length; index++) {
    const reference = files.referenceAt(index);
    for (const sum of reference === undefined ? [whole, own] : [whole]) {
      sum.size += files.sizeAt(index);
      sum.repo += files.repoSizeAt(index);
      sum.map += files.mapSizeAt(index);
    }
    if (reference !== undefined) references.add(reference);
    if (files.checksumPageAt(index) === false) errors = true;
  }
  return {
    label: manifest.label,
    type: manifest.type,
    backrestFormat: 5,
    backrestVersion: manifest.backrestVersion,
    annotations: manifest.annotations.size === 0 ? undefined : manifest.annotations,
    archiveStart: manifest.archiveStart,
    archiveStop: manifest.archiveStop,
    error: errors,
    repoSizeBytes: whole.repo,
    repoSizeDeltaBytes: own.repo,
    repoSizeMapBytes: manifest.blockIncremental ? whole.map : undefined,
    repoSizeMapDeltaBytes: manifest.blockIncremental ? own.map : undefined,
    sizeBytes: whole.size,
    sizeDeltaBytes: own.size,
    lsnStart: manifest.lsnStart,
    lsnStop: manifest.lsnStop,
    prior: manifest.prior,
    references: manifest.type === "full" ? undefined : [...references].sort(),
    timestampStart: manifest.timestampStart,
    timestampStop: manifest.timestampStop,
    historyId: manifest.historyId,
    options: {
      archiveCheck: manifest.options.archiveCheck,
      archiveCopy: manifest.options.archiveCopy,
      backupStandby: manifest.options.backupStandby ?? false,
      checksumPage: manifest.options.checksumPage ?? false,
      compress: manifest.options.compressType !== "none",
      hardlink: manifest.options.hardlink,
      online: manifest.options.online,
    },
  };
}
