/** `repo-sync`: gives one repository the backups and the WAL that another one has and it has not. */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import { formatSize } from "../report/units.ts";
import { reconcileBackupInfo, withLost } from "../repository/backup_catalog.ts";
import { DebtLedger } from "../repository/debts.ts";
import type { RepoSyncOptions } from "../repository/options.ts";
import type { Repository } from "../repository/repository.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { withDependants } from "../repository/retention.ts";
import { syncBackup } from "../repository/sync_backup.ts";
import { sameCluster, syncWal } from "../repository/sync_wal.ts";

/**
 * WAL first, oldest first, then backups in the order of their labels, so that what one builds on is there before it: a run that is cut off
 * leaves nothing that looks whole and is not.
 * @throws WalferryError `Command` when something could not be copied; the rest was
 */
export async function repoSync(options: RepoSyncOptions, context: CommandContext): Promise<number> {
  const { stanza, lockPath, from, to } = options;
  assertNotStopped(lockPath, stanza);
  // Neither a backup nor an expire may change what is compared and copied.
  using _lock = acquireLocks(lockPath, stanza, "backup", [from.key, to.key], context.execId);
  await using set = await RepositorySet.open([from, to]);
  const [source, target] = [from.key, to.key].map((key) => set.repositories.find((one) => one.key === key)!);
  const failures: string[] = [];
  if (to.role !== "backup") failures.push(...await copyWal(source!, target!, options, context));
  if (to.role !== "wal") failures.push(...await copyBackups(source!, target!, options, context));
  if (failures.length === 0) return 0;
  throw new WalferryError("Command", `${target!.name} could not be given everything:\n${failures.join("\n")}`);
}

async function copyWal(
  source: Repository,
  target: Repository,
  { stanza, processMax, dryRun, spoolPath }: RepoSyncOptions,
  { log, signal }: CommandContext,
): Promise<string[]> {
  const ledger = new DebtLedger(spoolPath, stanza);
  const { copied, copiedBytes, conflicts } = await syncWal({
    from: source,
    to: target,
    stanza,
    atOnce: processMax,
    dryRun,
    signal,
    onCopied: (name, systemId, checksum) => {
      log.detail(`${dryRun ? "would copy" : "copied"} WAL file '${name}' from ${source.name} to ${target.name}`);
      if (checksum !== undefined) ledger.settleContent(systemId, target.key, name, checksum);
    },
  });
  log.info(
    `${dryRun ? "would copy" : "copied"} ${copied} WAL file(s) (${
      formatSize(copiedBytes)
    }) from ${source.name} to ${target.name}`,
  );
  return conflicts.map((name) =>
    `WAL segment ${name} has another checksum there (are multiple primaries archiving to this stanza?)`
  );
}

async function copyBackups(
  source: Repository,
  target: Repository,
  { stanza, processMax, dryRun, set }: RepoSyncOptions,
  { log, signal }: CommandContext,
): Promise<string[]> {
  const [fromInfo, toInfo, toArchive] = await Promise.all([
    source.loadBackupInfo(stanza),
    target.loadBackupInfo(stanza),
    target.loadArchiveInfo(stanza),
  ]);
  const { changed, lost } = await reconcileBackupInfo(target, stanza, toInfo, log);
  if (changed && !dryRun) await target.saveBackupInfo(stanza, withLost(toInfo, lost));
  const unusable = new Set(lost.map(({ label }) => label));
  const isThere = (wanted: string) => !unusable.has(wanted) && toInfo.backups.some(({ label }) => label === wanted);
  if (set !== undefined && !fromInfo.backups.some(({ label }) => label === set)) {
    throw new WalferryError("BackupSetInvalid", `backup set ${set} is not valid: ${source.name} does not have it`);
  }
  const failures: string[] = [];
  for (const entry of fromInfo.backups) {
    if (isThere(entry.label)) continue;
    if (set !== undefined && entry.label !== set) continue;
    const cluster = fromInfo.history.find(({ id }) => id === entry.historyId);
    const there = cluster === undefined ? undefined : sameCluster(toArchive, cluster);
    if (there === undefined) {
      log.warn(`backup ${entry.label} is left out: ${target.name} does not know its cluster`);
      continue;
    }
    if (entry.prior !== undefined && !isThere(entry.prior)) {
      failures.push(`backup ${entry.label}: it builds on ${entry.prior}, which is not there`);
      continue;
    }
    if (withDependants(lost, [entry.label]).some((label) => label !== entry.label && unusable.has(label))) {
      // What builds on it there refers to its files as they are stored there, and here they may be stored in another form.
      failures.push(`backup ${entry.label}: others build on it there, verify --repair brings it back with them`);
      continue;
    }
    if (dryRun) {
      log.info(`would copy backup ${entry.label} (${formatSize(entry.repoSizeDeltaBytes)})`);
      toInfo.backups.push(entry);
      unusable.delete(entry.label);
      continue;
    }
    try {
      const { files, sizeBytes } = await syncBackup({
        from: source,
        to: target,
        stanza,
        label: entry.label,
        fromInfo,
        toInfo,
        historyId: there.id,
        atOnce: processMax,
        signal,
      });
      unusable.delete(entry.label);
      log.info(`copied backup ${entry.label} (${files} files, ${formatSize(sizeBytes)}) to ${target.name}`);
    } catch (error) {
      signal.throwIfAborted();
      const failure = toWalferryError(error);
      log.error(`backup ${entry.label} could not be copied: ${failure.text}`, failure.code);
      failures.push(`backup ${entry.label}: [${failure.name}] ${failure.message}`);
    }
  }
  return failures;
}
