/**
 * WAL that nothing here tells of: behind the last segment of a timeline nobody can know that there was more, unless another repository has it.
 * From the first segment that a backup needs on, what others have of this cluster and this one has not is copied, as far as the retention of
 * this repository keeps it: expire would only remove it again.
 */
import { toWalferryError } from "../errors.ts";
import { currentHistoryEntry } from "../format/archive_info.ts";
import type { BackupInfoEntry } from "../format/backup_info.ts";
import { isHistoryName, isWalSegmentName, timelineOf } from "../format/wal_name.ts";
import { isKept } from "../repository/retention.ts";
import { syncWal } from "../repository/sync_wal.ts";
import { archiveIdOf } from "../repository/wal_archive.ts";
import { retainedWal, type RetentionFacts } from "../repository/wal_needs.ts";
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
  if (backups.length === 0) return [];
  const archiveInfo = await repository.loadArchiveInfo(stanza, context.signal);
  const { history } = archiveInfo;
  const { retention } = repository.config;
  const rules = new Map(history.map((entry) => {
    const isCurrent = entry.id === currentHistoryEntry(archiveInfo).id;
    const facts = { historyId: entry.id, isCurrent, retention, nowMs: context.clock.nowMs() };
    return [archiveIdOf(entry), wantedWal(facts, backups)];
  }));
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
        isWanted: (name, archiveId) => rules.get(archiveId)?.(name) ?? false,
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

/** Which WAL files of an archive id are brought. */
function wantedWal(facts: RetentionFacts, backups: readonly BackupInfoEntry[]): (name: string) => boolean {
  const starts = backups.flatMap(({ historyId, archiveStart }) =>
    historyId === facts.historyId && archiveStart !== undefined ? [archiveStart.slice(8)] : []
  );
  const first = starts.sort()[0];
  const decision = retainedWal(facts, backups);
  // A cluster of which there is no backup needs none, and its timelines neither.
  if (first === undefined || decision.kind === "remove archive id") return () => false;
  return (name) => {
    const segment = name.slice(0, 24);
    if (isHistoryName(name)) {
      return decision.kind === "keep all" || timelineOf(name) >= timelineOf(decision.continuousFrom);
    }
    // Of any timeline: what lies before is what expire removed.
    return segment.slice(8) >= first && (decision.kind === "keep all" || isKept(segment, decision.ranges));
  };
}
