/** The lines that `info` and `check` have for what pgBackRest does not tell: one for each thing, none where there is nothing to tell. */
import { formatLocalTime, formatSize, formatUtcOffset } from "../report/units.ts";
import type { RepositoryInfo } from "./info_data.ts";
import { standingResults } from "./verification_results.ts";
import type { GapReason, RecoverableRange, WalGap } from "./wal_coverage.ts";

/** More lines than this of one kind and one repository are counted, not shown: `--output=json` has them all. */
const LINES_MAX = 10;

const WHY: Readonly<Record<GapReason, readonly [one: string, several: string]>> = {
  dropped: ["was dropped (archive-push-queue-max)", "were dropped (archive-push-queue-max)"],
  owed: ["is owed to this repository", "are owed to this repository"],
  arriving: ["is not there yet", "are not there yet"],
  missing: ["is missing", "are missing"],
};

/** The last verifications that say something, and what could not be found out. */
export function verificationLines({ key, outlook }: RepositoryInfo): string[] {
  if (outlook === undefined) return [];
  const { verified, unknown } = outlook;
  const results = standingResults(verified).map(({ mode, time, damages }) =>
    `repo${key}: verified (${mode}) ${timeWithOffset(time * 1000)}: ${
      damages === 0 ? "ok" : `${damages} missing or damaged`
    }`
  );
  return [...results, ...unknown.map((text) => `repo${key}: ${text.split("\n", 1)[0]}`)];
}

/** Between which moments one cluster of the stanza can be recovered, and what WAL is missing. */
export function walLines({ key, outlook }: RepositoryInfo, historyId: number): string[] {
  const found = outlook?.wal?.find((coverage) => coverage.historyId === historyId);
  if (found === undefined) return [];
  const newest = found.ranges.slice(-LINES_MAX);
  const older = found.ranges.length - newest.length;
  return [
    ...(older === 0 ? [] : [`${older} more ranges to recover to`]),
    ...newest.map(rangeLine),
    ...gapLines(found.gaps),
    ...found.badHistories.map((name) => `timeline history ${name} cannot be used`),
  ].map((line) => `repo${key}: ${line}`);
}

/** A line for each gap, the first ones of many. */
export function gapLines(gaps: readonly WalGap[]): string[] {
  const more = gaps.length - LINES_MAX;
  return [...gaps.slice(0, LINES_MAX).map(gapLine), ...(more > 0 ? [`${more} more gaps in the WAL`] : [])];
}

/** Between which moments, in words. */
export function rangeLine({ fromMs, toMs, label, timeline, last }: RecoverableRange): string {
  return `recoverable on timeline ${timeline}: ${timeWithOffset(fromMs)} (${label}) to ${
    timeWithOffset(toMs)
  } at the latest (WAL ${last})`;
}

function gapLine({ first, last, count, sizeBytes, reason, label }: WalGap): string {
  const [one, several] = WHY[reason];
  const what = count === 1
    ? `segment ${first} ${one}`
    : `${count} segments (${formatSize(sizeBytes)}) ${first} to ${last} ${several}`;
  if (label !== undefined) {
    return `WAL ${what}: backup ${label} needs ${count === 1 ? "it" : "them"} to become consistent`;
  }
  return reason === "arriving" ? `gap in the WAL: ${what}` : `gap in the WAL: ${what}: no recovery crosses it`;
}

function timeWithOffset(ms: number): string {
  return `${formatLocalTime(ms)}${formatUtcOffset(ms)}`;
}
