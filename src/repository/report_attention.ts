/** What somebody should do something about, as the report puts it first: one sentence for each thing. */
import { formatAge, formatLocalTime, formatSize } from "../report/units.ts";
import { type ArchiveState, describeArchiveState } from "./archive_state.ts";
import { INFO_STATUS, type RepositoryInfo, type StanzaInfo } from "./info_data.ts";
import { byStop } from "./info_json.ts";
import { gapLines } from "./outlook_text.ts";
import type { ReportedStanza, RepositorySight } from "./report_data.ts";
import { standingResults } from "./verification_results.ts";
import type { WalGap } from "./wal_coverage.ts";

/** WAL that waits shorter than this is on its way, milliseconds. */
const LAG_PATIENCE_MS = 5 * 60_000;

/** `bad`: data is or may be lost; `warn`: something is not known, or a loss is past. */
export type Level = "bad" | "warn" | "good";

export interface Attention {
  readonly level: Exclude<Level, "good">;
  readonly text: string;
  /** The repository it is about; absent when it is about none or about several. */
  readonly key?: number;
}

type Trouble = Omit<Attention, "level">;

/** The most urgent first: what is being lost now, then what would be missed when it is needed, then what is not known. */
export function attentionsOf(stanza: ReportedStanza, nowMs: number): Attention[] {
  const { info, repositories } = stanza;
  const walOf = repositories.map((sight) => ({ sight, wal: walTrouble(sight.info, info.archive) }));
  const bad = [
    ...repositories.flatMap(noRecovery),
    ...lateWal(stanza, nowMs),
    // What repositories are owed may be unknown: that is no trouble of the archive.
    ...unnamed(describeArchiveState({ ...info.archive, unknownBecause: undefined }, nowMs)),
    ...walOf.flatMap(({ sight, wal }) => named(sight.info, gapLines(wal.open))),
    ...repositories.flatMap((sight) => named(sight.info, damageOf(sight.info))),
    ...failedDrill(stanza),
  ];
  const { unknownBecause } = info.archive;
  const warn = [
    ...walOf.flatMap(({ sight, wal }) =>
      named(sight.info, [
        ...gapLines(wal.past).map((line) => `${line} (newer backups are not affected)`),
        ...wal.histories,
      ])
    ),
    ...info.repositories.flatMap((repository) => named(repository, repository.outlook?.unknown ?? [])),
    ...unnamed(unknownBecause === undefined ? [] : [`what repositories are owed is not known: ${unknownBecause}`]),
    ...unnamed(stanza.lag === "unreadable" ? ["how far archiving is cannot be told: pg_wal is out of reach"] : []),
  ];
  return [
    ...bad.map((trouble) => ({ level: "bad", ...trouble }) as const),
    ...warn.map((trouble) => ({ level: "warn", ...trouble }) as const),
  ];
}

/** How a repository is, of all that is told of its stanza. */
export function levelOf({ key }: RepositoryInfo, { archive }: StanzaInfo, attentions: readonly Attention[]): Level {
  const isBehind = [...archive.debts, ...archive.outages].some((one) => one.key === key);
  const own = attentions.filter((one) => one.key === key);
  return isBehind ? "bad" : own.find(({ level }) => level === "bad")?.level ?? own[0]?.level ?? "good";
}

function named({ key }: RepositoryInfo, lines: readonly string[]): Trouble[] {
  return lines.map((line) => ({ key, text: `repo${key}: ${line}` }));
}

function unnamed(lines: readonly string[]): Trouble[] {
  return lines.map((text) => ({ text }));
}

/** Why nothing could be restored from a repository. */
function noRecovery({ info, recoverable }: RepositorySight): Trouble[] {
  if (!isWell(info)) return named(info, [statusText(info)]);
  return info.outlook?.wal !== undefined && needsWal(info) && recoverable.length === 0
    ? named(info, ["there is no WAL to make its backups consistent: no moment can be recovered to"])
    : [];
}

/** Whether any backup can be restored only with WAL from the archive. */
export function needsWal({ backups }: RepositoryInfo): boolean {
  return backups.some(({ entry: { archiveStart, options } }) => archiveStart !== undefined && !options.archiveCopy);
}

function lateWal(stanza: ReportedStanza, nowMs: number): Trouble[] {
  const { lag } = stanza;
  const text = describeLag(stanza, nowMs);
  if (text === undefined || lag === undefined || lag === "unreadable" || lag.oldestMs === undefined) return [];
  return nowMs - lag.oldestMs > LAG_PATIENCE_MS ? unnamed([text]) : [];
}

/** Gaps that matter to recovery from now on, and those that a newer backup has left behind; what is told elsewhere is in neither. */
function walTrouble({ key, backups, outlook }: RepositoryInfo, archive: ArchiveState) {
  const open: WalGap[] = [];
  const past: WalGap[] = [];
  const histories: string[] = [];
  for (const { gaps, badHistories, historyId } of outlook?.wal ?? []) {
    const newestStart = backups.filter(({ entry }) => entry.historyId === historyId)
      .map(({ entry }) => placeOf(entry.archiveStart ?? "")).reduce((a, b) => (a > b ? a : b), "");
    for (const gap of gaps) {
      if (gap.reason === "arriving" || (gap.label === undefined && isToldElsewhere(gap, key, archive))) continue;
      const isPast = gap.label === undefined && newestStart > placeOf(gap.last);
      (isPast ? past : open).push(gap);
    }
    histories.push(...badHistories.map((file) => `timeline history ${file} cannot be used`));
  }
  return { open, past, histories };
}

/** Where in the WAL a segment is, whatever its timeline. */
function placeOf(segment: string): string {
  return segment.slice(8);
}

/** A debt or a hole says what to do as well. */
function isToldElsewhere({ reason, first }: WalGap, key: number, { debts, holes }: ArchiveState): boolean {
  if (reason === "owed") return debts.some((debt) => debt.key === key);
  return reason === "dropped" &&
    holes.some((hole) => placeOf(hole.first) <= placeOf(first) && placeOf(first) <= placeOf(hole.last));
}

function damageOf({ backups, outlook }: RepositoryInfo): string[] {
  const newest = [...backups].sort(byStop).at(-1)?.entry;
  return [
    ...backups.filter(({ isLost = false }) => isLost).map(({ entry: { label } }) =>
      `backup ${label} cannot be restored, its manifest is lost: verify --repair mends what another copy has`
    ),
    ...standingResults(outlook?.verified ?? []).filter(({ damages }) => damages > 0).map(({ mode, time, damages }) =>
      `the verification (${mode}) of ${
        formatLocalTime(time * 1000)
      } found ${damages} missing or damaged: verify --repair mends what another copy has`
    ),
    ...(newest?.error === true
      ? [`backup ${newest.label} met pages with a wrong checksum: info --set=${newest.label} names the files`]
      : []),
  ];
}

function failedDrill({ drills = [] }: ReportedStanza): Trouble[] {
  const last = drills.at(-1);
  if (last === undefined || last.isGood) return [];
  // Not always the backup is to blame: a drill that had no room proves nothing.
  const subject = last.label === undefined ? "the drill" : `the drill of backup ${last.label}`;
  const why = last.why === undefined ? "" : `: ${last.why}`;
  return unnamed([`${subject} at ${formatLocalTime(last.atMs)} was not passed${why}`]);
}

/** WAL that PostgreSQL has finished and that is not archived yet; `undefined` when there is none, or nobody knows. */
export function describeLag({ lag }: ReportedStanza, nowMs: number): string | undefined {
  if (lag === undefined || lag === "unreadable" || lag.oldestMs === undefined) return undefined;
  return `${lag.files} WAL file(s) (${formatSize(lag.sizeBytes)}) wait to be archived, the oldest since ${
    formatAge(nowMs - lag.oldestMs)
  }`;
}

/** Without backups is well only what never has any. */
export function isWell({ role, status: { code } }: RepositoryInfo): boolean {
  return code === INFO_STATUS.ok.code || (role === "wal" && code === INFO_STATUS.noBackup.code);
}

/** What is wrong with a repository. */
export function statusText({ status }: RepositoryInfo): string {
  return status.message.replaceAll("\n", " ");
}

/** A repository that could not be read: nothing is known of what it holds. */
export function isUnreadable({ status: { code } }: RepositoryInfo): boolean {
  return code === INFO_STATUS.other.code;
}
