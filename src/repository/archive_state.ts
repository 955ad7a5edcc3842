/** What this host knows about the archive beyond what the repositories hold: who is away, what they are owed, what was dropped. */
import { isWalferryError } from "../errors.ts";
import type { Clock } from "../process/clock.ts";
import { formatDuration, formatLocalTime, formatSize } from "../report/units.ts";
import { DebtLedger, type DebtSummary } from "./debts.ts";
import { type ArchiveHole, DroppedWal, openHoles } from "./dropped_wal.ts";
import { HealthBoard, type Outage } from "./health.ts";
import type { KnownLosses } from "./wal_coverage.ts";

export interface ArchiveState {
  readonly debts: readonly DebtSummary[];
  readonly outages: readonly { readonly key: number; readonly outage: Outage }[];
  readonly holes: readonly ArchiveHole[];
  /** Why the spool could not be read: another account may ask than the one that archives. */
  readonly unknownBecause?: string;
}

/**
 * Reads the spool.
 * @param backupStarts as for `openHoles`
 * @param systemId cluster that the stanza belongs to now, where that is known
 */
export async function readArchiveState(
  spoolPath: string,
  stanza: string,
  keys: readonly number[],
  backupStarts: readonly (string | undefined)[],
  clock: Clock,
  systemId: bigint | undefined,
): Promise<ArchiveState> {
  const health = new HealthBoard(spoolPath, stanza, clock, "push");
  const outages = keys.flatMap((key) => {
    const outage = health.outage(key);
    return outage === undefined ? [] : [{ key, outage }];
  });
  try {
    const dropped = new DroppedWal(spoolPath, stanza);
    return {
      debts: (await new DebtLedger(spoolPath, stanza).summaries()).filter(({ key }) => keys.includes(key)),
      outages,
      holes: openHoles(await (systemId === undefined ? dropped.names() : dropped.namesOf(systemId)), backupStarts),
    };
  } catch (error) {
    if (!isWalferryError(error, "PathOpen") && !isWalferryError(error, "FileOpen")) throw error;
    return { debts: [], outages, holes: [], unknownBecause: error.text };
  }
}

/** Why segments may be missing in a repository. Nothing where the spool cannot be read: {@link readArchiveState} tells of that. */
export async function readKnownLosses(spoolPath: string, stanza: string, key: number): Promise<KnownLosses> {
  try {
    const dropped = await new DroppedWal(spoolPath, stanza).names();
    return { dropped, owed: await new DebtLedger(spoolPath, stanza).names(key) };
  } catch (error) {
    if (!isWalferryError(error, "PathOpen") && !isWalferryError(error, "FileOpen")) throw error;
    return { dropped: [], owed: [] };
  }
}

/** A line for each repository that is behind or away, and for each hole; none when all is well. */
export function describeArchiveState({ debts, outages, holes, unknownBecause }: ArchiveState, nowMs: number): string[] {
  const keys = [...new Set([...debts, ...outages].map(({ key }) => key))].sort((a, b) => a - b);
  const repositories = keys.map((key) => {
    const debt = debts.find((candidate) => candidate.key === key);
    const outage = outages.find((candidate) => candidate.key === key)?.outage;
    const behind = debt === undefined ? [] : [
      `${debt.count} WAL file(s) (${formatSize(debt.sizeBytes)}) behind${
        Number.isFinite(debt.oldestMs) ? ` since ${formatLocalTime(debt.oldestMs)}` : ""
      }`,
    ];
    const away = outage === undefined ? [] : [
      outage.nextTryMs <= nowMs ? "next try is due" : `next try in ${formatDuration(outage.nextTryMs - nowMs)}`,
    ];
    const since = debt === undefined && outage !== undefined ? [`away since ${formatLocalTime(outage.sinceMs)}`] : [];
    const reason = outage === undefined ? "" : `: ${outage.reason.split("\n", 1)[0]}`;
    return `repo${key}: ${[...behind, ...since, ...away].join(", ")}${reason}`;
  });
  return [
    ...(unknownBecause === undefined ? [] : [`what repositories are owed is not known: ${unknownBecause}`]),
    ...repositories,
    ...holes.map(({ first, last, count }) =>
      `hole in the archive: ${
        count === 1 ? `WAL segment ${first} was` : `${count} WAL segments ${first} to ${last} were`
      } dropped (archive-push-queue-max); no recovery crosses it: take a new full backup`
    ),
  ];
}
