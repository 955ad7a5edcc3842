/**
 * WAL that nothing here tells of: behind the last segment of a timeline nobody can know that there was more, unless another repository has it.
 * From the first segment that a backup needs on, what others have of this cluster and this one has not is copied.
 */
import { toWalferryError } from "../errors.ts";
import { isWalSegmentName } from "../format/wal_name.ts";
import { syncWal } from "../repository/sync_wal.ts";
import { archiveIdOf } from "../repository/wal_archive.ts";
import type { RepairPlace } from "./repair_place.ts";

/** What one repository gave. */
export interface BroughtWal {
  readonly from: string;
  readonly archiveId: string;
  /** In order. */
  readonly segments: readonly string[];
}

/** @throws WalferryError of the store that is repaired, and when its `backup.info` is lost */
export async function bringWal(place: RepairPlace): Promise<BroughtWal[]> {
  const { repository, others, stanza, context, atOnce } = place;
  if (repository.config.role === "backup") return [];
  const { backups } = await repository.loadBackupInfo(stanza);
  const first = backups.flatMap(({ archiveStart }) => archiveStart ?? []).map((name) => name.slice(8)).sort()[0];
  if (first === undefined) return [];
  const { history } = await repository.loadArchiveInfo(stanza, context.signal);
  const brought: BroughtWal[] = [];
  for (const other of others) {
    if (other.config.role === "backup") continue;
    const segments = new Map<bigint, string[]>();
    try {
      const { conflicts } = await syncWal({
        from: other,
        to: repository,
        stanza,
        atOnce,
        dryRun: false,
        signal: context.signal,
        // Of any timeline: what lies before is what expire removed.
        isWanted: (name) => !isWalSegmentName(name.slice(0, 24)) || name.slice(8, 24) >= first,
        onCopied: (name, systemId) => {
          if (isWalSegmentName(name)) segments.set(systemId, [...segments.get(systemId) ?? [], name]);
        },
      });
      for (const name of conflicts) {
        context.log.warn(`${other.name} has WAL segment ${name} with other content than ${repository.name}`);
      }
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = toWalferryError(thrown);
      context.log.warn(`${repository.name}: WAL of ${other.name} could not all be copied: ${error.message}`);
    }
    for (const [systemId, names] of segments) {
      const archiveId = archiveIdOf(history.findLast((entry) => entry.systemId === systemId)!);
      brought.push({ from: other.name, archiveId, segments: names.sort() });
    }
  }
  return brought;
}
