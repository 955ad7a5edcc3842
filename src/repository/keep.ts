/** Backups that stay although the retention by number or days would let them go: pinned ones, and the newest full of each of the last periods. */
import type { BackupInfoEntry } from "../format/backup_info.ts";
import { formatDate } from "../report/units.ts";
import type { KeepConfig, RetentionConfig } from "./config.ts";
import { expireDiff, expireFull } from "./retention.ts";

/** Annotation of a pinned backup; other programs show it and let it be. */
export const PIN = "walferry-pin";

/** Whether a backup is pinned. */
export function isPinned({ annotations }: BackupInfoEntry): boolean {
  return annotations?.has(PIN) ?? false;
}

/** Names of the periods that a time is in, by the clock of this host. */
const PERIODS: Readonly<Record<keyof KeepConfig, (date: Date) => string>> = {
  daily: (date) => formatDate(date),
  // A week begins on Monday: the period is named by that day.
  weekly: (date) => formatDate(new Date(date.getFullYear(), date.getMonth(), date.getDate() - (date.getDay() + 6) % 7)),
  monthly: (date) => formatDate(date).slice(0, 7),
  yearly: (date) => String(date.getFullYear()),
};

/**
 * Why backups are kept beyond the other rules, by label.
 * @param backups sorted by label
 */
export function keptBeyond(backups: readonly BackupInfoEntry[], keep: KeepConfig): Map<string, string> {
  const kept = new Map<string, string>();
  for (const entry of backups) if (isPinned(entry)) kept.set(entry.label, "pinned");
  const fulls = backups.filter(({ type }) => type === "full").reverse();
  for (const name of ["daily", "weekly", "monthly", "yearly"] as const) {
    const seen = new Set<string>();
    for (const { label, timestampStop } of fulls) {
      if (seen.size >= (keep[name] ?? 0)) break;
      const period = PERIODS[name](new Date(timestampStop * 1000));
      if (seen.has(period)) continue;
      seen.add(period);
      if (!kept.has(label)) kept.set(label, `${name}, ${period}`);
    }
  }
  return kept;
}

/**
 * Backups that stay only because something else than their number or age keeps them. For the WAL they count as if they were gone: a pinned
 * differential backup must not take the place of an older one from which recovery would begin.
 *
 * @param backups sorted by label, before or behind the removal
 */
export function sparedLabels(
  backups: readonly BackupInfoEntry[],
  retention: RetentionConfig,
  nowSeconds: number,
): Set<string> {
  const kept = withNeeds(backups, keptBeyond(backups, retention.keep).keys());
  const old = new Set(expireFull(backups, retention, nowSeconds).labels);
  const left = backups.filter(({ label }) => kept.has(label) || !old.has(label));
  return old.union(new Set(expireDiff(left, retention).labels)).intersection(kept);
}

/** Full backups that keep WAL continuous where their age decides. @param spared see {@link sparedLabels} */
export function countingFulls(backups: readonly BackupInfoEntry[], spared: ReadonlySet<string>): number {
  return backups.filter(({ type, label }) => type === "full" && !spared.has(label)).length;
}

/** These backups and everything that they need. @param backups sorted by label */
export function withNeeds(backups: readonly BackupInfoEntry[], labels: Iterable<string>): Set<string> {
  const needed = new Set(labels);
  for (const entry of [...backups].reverse()) {
    if (!needed.has(entry.label)) continue;
    for (const label of entry.references ?? []) needed.add(label);
    if (entry.prior !== undefined) needed.add(entry.prior);
  }
  return needed;
}
