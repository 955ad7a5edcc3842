/** `expire --plan`: why each backup and each range of WAL stays or goes. Decided by the same functions as the removal itself. */
import type { BackupInfoEntry } from "../format/backup_info.ts";
import type { RetentionConfig } from "./config.ts";
import { keptBeyond, withNeeds } from "./keep.ts";
import { type ArchiveDecision, type BackupExpiry, isOpen, type WalRange } from "./retention.ts";

/** The label of a differential or incremental backup begins with that of its full backup. */
const FULL_LABEL_CHARACTERS = "20260101-000000F".length;

/** One line of the plan. */
export interface PlannedBackup {
  readonly label: string;
  readonly stays: boolean;
  readonly reason: string;
}

/**
 * @param backups before anything is removed, sorted by label
 * @param expiries what is removed, in the order in which it is decided
 * @param spared what would be removed if nothing else kept it
 */
export function planBackups(
  backups: readonly BackupInfoEntry[],
  retention: RetentionConfig,
  expiries: readonly BackupExpiry[],
  spared: ReadonlySet<string>,
): PlannedBackup[] {
  const kept = keptBeyond(backups, retention.keep);
  const gone = new Map(expiries.flatMap(({ labels, reason }) => labels.map((label) => [label, reason] as const)));
  const staying = backups.filter(({ label }) => !gone.has(label));
  return backups.map((entry) => {
    const { label, type } = entry;
    const reason = gone.get(label);
    if (reason !== undefined) {
      const isOfSpared = type !== "full" && reason !== "diff" && spared.has(label.slice(0, FULL_LABEL_CHARACTERS));
      const why = isOfSpared
        ? "its full backup stays only for another reason"
        : goneReason(entry, reason, gone, retention);
      return { label, stays: false, reason: why };
    }
    const own = kept.get(label);
    if (own !== undefined) return { label, stays: true, reason: own };
    const needing = staying.find((other) => other.label !== label && withNeeds(backups, [other.label]).has(label));
    if (type === "full" && !spared.has(label)) return { label, stays: true, reason: fullReason(retention) };
    if (needing !== undefined) return { label, stays: true, reason: `needed by ${needing.label}` };
    return { label, stays: true, reason: `its full backup stays${type === "diff" ? diffReason(retention) : ""}` };
  });
}

function fullReason({ full, fullType }: RetentionConfig): string {
  if (full === undefined) return "no retention of full backups is set";
  return fullType === "count" ? `one of the newest ${full} full backups` : `needed for the last ${full} days`;
}

function diffReason({ diff }: RetentionConfig): string {
  return diff === undefined ? "" : `, and it is one of the newest ${diff} full and differential backups`;
}

function goneReason(
  { label, prior, references }: BackupInfoEntry,
  reason: BackupExpiry["reason"],
  gone: ReadonlyMap<string, string>,
  { full, diff }: RetentionConfig,
): string {
  const lost = [...(references ?? []), ...(prior === undefined ? [] : [prior])].find((one) =>
    one !== label && gone.has(one)
  );
  if (lost !== undefined) return `it needs ${lost}, which goes`;
  switch (reason) {
    case "full":
      return `beyond the newest ${full} full backups`;
    case "time-based":
      return `not needed for the last ${full} days`;
    case "diff":
      return `beyond the newest ${diff} full and differential backups`;
    case "oldest":
      return "the oldest full backup that nothing else keeps, and what builds on it";
    case "adhoc":
      return "named by --set";
  }
}

/** What becomes of the WAL of one archive id, in words. */
export function describeArchivePlan(archiveId: string, decision: ArchiveDecision): string[] {
  switch (decision.kind) {
    case "keep all":
      return [`${archiveId}: all WAL stays (${decision.reason})`];
    case "remove archive id":
      return [`${archiveId}: all WAL goes: no backup of that cluster stays`];
    case "keep ranges":
      return [
        ...decision.ranges.filter(({ start }) => start !== decision.continuousFrom).map((range) =>
          `${archiveId}: ${describeRange(range)}`
        ),
        `${archiveId}: WAL from ${decision.continuousFrom} on stays: recovery to any moment; everything else goes`,
      ];
  }
}

function describeRange(range: WalRange): string {
  const { start, stop } = range;
  if (!isOpen(range)) return `WAL ${start} to ${stop} stays: it makes an older backup consistent`;
  if (stop === undefined) return `WAL from ${start} on stays: archive-expire-before names it`;
  return `WAL from ${start} to the end of its timeline stays: a newer backup began on this timeline`;
}
