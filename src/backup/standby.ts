/**
 * The standby's part of a backup (commands-and-behaviour §4.5): that it has come as far as the backup's start before files are read from it,
 * and that it stays a standby. The backup itself is started and stopped on the primary, where the list of files is made as well.
 */
import { WalferryError } from "../errors.ts";
import { formatLsn, parseLsn } from "../format/wal_name.ts";
import { checkClusterConfig } from "../postgres/backup_functions.ts";
import type { FoundCluster } from "../postgres/cluster_group.ts";
import type { ClusterConnection } from "../postgres/connection.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import { checkpointPosition, replayPosition, restartPoint, type StandbyPosition } from "../postgres/replay.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { BackupOptions } from "./options.ts";

/** Pauses between two looks at how far the standby is. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/** Refuses a standby whose settings do not fit, or that follows another cluster. @throws WalferryError `DbMismatch` */
export function checkStandby(standby: FoundCluster, primary: ControlData, options: BackupOptions): void {
  checkClusterConfig(standby.connection, {
    control: standby.control,
    // It archives nothing.
    archiveCheck: false,
    archiveModeCheck: false,
    pgVersionForce: options.pgVersionForce,
  });
  if (standby.control.systemId === primary.systemId) return;
  throw new WalferryError(
    "DbMismatch",
    `system-id ${standby.control.systemId} of ${standby.connection.name} does not match system-id ${primary.systemId} of the primary`,
    { hint: "is it a standby of this primary?" },
  );
}

/**
 * Waits until everything up to the start of the backup is in the files of the standby.
 *
 * @param lsn where the backup begins
 * @param timeline of the primary
 * @throws WalferryError `ArchiveTimeout` when it gets no further for `archive-timeout`; `DbMismatch` when it does not follow the primary;
 * `DbQuery`
 */
export async function catchUp(
  { connection, control }: FoundCluster,
  lsn: string,
  timeline: number,
  options: BackupOptions,
  context: CommandContext,
): Promise<void> {
  context.log.info(`wait for replay on the standby to reach ${lsn}`);
  if (control.checkpointLsn > parseLsn(lsn)) {
    throw new WalferryError(
      "DbMismatch",
      `standby checkpoint '${formatLsn(control.checkpointLsn)}' is ahead of target '${lsn}'`,
    );
  }
  const replayed = await progress(() => replayPosition(connection, lsn), options.archiveTimeoutMs, context);
  if (!replayed.reached) {
    throw new WalferryError(
      "ArchiveTimeout",
      `timeout before standby replayed to ${lsn} - only reached ${replayed.lsn}`,
      {
        hint: "is replication running and current on the standby?\n" +
          "disable the 'backup-standby' option to backup directly from the primary.",
      },
    );
  }
  // The record of the primary's checkpoint lies behind the start: one that was not replayed yet gives no restart point, the next try does.
  const flushed = await progress(
    async () => {
      await restartPoint(connection);
      return await checkpointPosition(connection, lsn);
    },
    options.archiveTimeoutMs,
    context,
  );
  if (!flushed.reached) {
    throw new WalferryError(
      "ArchiveTimeout",
      `timeout before standby checkpoint lsn reached ${lsn} - only reached ${flushed.lsn}`,
    );
  }
  const now = readControlFile(connection.config.path, options.pgVersionForce);
  if (now.timeline !== timeline) {
    throw new WalferryError("DbMismatch", `standby is on timeline ${now.timeline} but expected ${timeline}`);
  }
  context.log.info(`replay on the standby reached ${lsn}`);
}

/** Looks until the target is reached, or the position has not moved for so long. */
async function progress(
  look: () => Promise<StandbyPosition>,
  timeoutMs: number,
  { clock, signal }: CommandContext,
): Promise<StandbyPosition> {
  let last = await look();
  let deadline = clock.monotonicMs() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; !last.reached; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const leftMs = deadline - clock.monotonicMs();
    if (leftMs <= 0) return last;
    await clock.sleep(Math.min(pauseMs, leftMs), signal);
    const next = await look();
    if (next.lsn !== last.lsn) deadline = clock.monotonicMs() + timeoutMs;
    last = next;
  }
  return last;
}

/** @throws WalferryError `DbMismatch` when the standby was promoted; `DbQuery` when the session is gone */
export async function assertStillStandby(connection: ClusterConnection): Promise<void> {
  if (await connection.inRecovery()) return;
  throw new WalferryError("DbMismatch", "standby is no longer in recovery", {
    hint: "was the standby promoted during the backup?",
  });
}
