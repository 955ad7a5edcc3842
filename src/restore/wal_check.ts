/**
 * Whether the WAL that makes the chosen backup consistent is there. Without it PostgreSQL does not start, and its advice leads astray
 * ("touch recovery.signal", "remove backup_label"): said before the restore, somebody can choose another backup.
 */
import { toWalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";
import type { WalGap } from "../repository/wal_coverage.ts";
import { missingForBackups } from "../repository/wal_sight.ts";

/** What is looked at. */
export interface WalCheck {
  readonly stanza: string;
  /** All that the recovery will ask, in the order in which they are looked at. */
  readonly repositories: readonly Repository[];
  /** As the repository of the backup has it. */
  readonly info: BackupInfo;
  readonly entry: BackupInfoEntry;
}

/** Warns of a segment that no repository has. What cannot be looked at is no reason to warn, and none to keep anybody from restoring. */
export async function warnOfMissingWal(check: WalCheck, { log, clock, signal }: CommandContext): Promise<void> {
  const { stanza, repositories, info, entry } = check;
  const cluster = info.history.find(({ id }) => id === entry.historyId);
  if (cluster === undefined) return;
  let missing: readonly WalGap[] | undefined;
  for (const repository of repositories.filter(({ config }) => config.role !== "backup")) {
    try {
      const archiveInfo = await repository.loadArchiveInfo(stanza);
      const known = archiveInfo.history.find((one) =>
        one.systemId === cluster.systemId && one.pgVersion === cluster.pgVersion
      );
      // It has nothing of this cluster.
      if (known === undefined) continue;
      const gaps = await missingForBackups({
        repository,
        stanza,
        archiveInfo: { ...archiveInfo, history: [known] },
        backupInfo: { ...info, backups: [{ ...entry, historyId: known.id }] },
        losses: { dropped: [], owed: [] },
        nowMs: clock.nowMs(),
        signal,
      });
      missing = missing?.filter((gap) => gaps.some((other) => overlap(gap, other))) ?? gaps;
    } catch (error) {
      signal.throwIfAborted();
      log.detail(
        `${repository.name}: whether the backup has its WAL is not known: ${toWalferryError(error).message}`,
      );
      return;
    }
    if (missing.length === 0) return;
  }
  const [first] = missing ?? [];
  if (first === undefined) return;
  log.warn(
    `WAL segment ${first.first} is in no repository: backup set ${entry.label} cannot become consistent, and PostgreSQL will not start on it\n` +
      "HINT: use --set to restore an earlier backup; 'info' tells between which moments can be recovered.",
  );
}

function overlap(a: WalGap, b: WalGap): boolean {
  return a.first <= b.last && b.first <= a.last;
}
