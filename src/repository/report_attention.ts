/** What somebody should do something about, as the report puts it first: one sentence for each thing. */
import { formatAge, formatLocalTime, formatSize } from "../report/units.ts";
import { describeArchiveState } from "./archive_state.ts";
import { INFO_STATUS, type RepositoryInfo } from "./info_data.ts";
import { byStop } from "./info_json.ts";
import { gapLines } from "./outlook_text.ts";
import type { ReportedStanza } from "./report_data.ts";
import { standingResults } from "./verification_results.ts";

/** WAL that waits shorter than this is on its way, milliseconds. */
const LAG_PATIENCE_MS = 5 * 60_000;

export interface Attention {
  /** `bad`: data is or may be lost; `warn`: something is not known, or late. */
  readonly level: "bad" | "warn";
  readonly text: string;
}

/** The worse first. */
export function attentionsOf(stanza: ReportedStanza, nowMs: number): Attention[] {
  const bad: string[] = [];
  const warn: string[] = [];
  const { info, lag, drills = [] } = stanza;
  for (const repository of info.repositories) {
    const name = `repo${repository.key}`;
    if (!isWell(repository)) bad.push(`${name}: ${statusText(repository)}`);
    const newest = [...repository.backups].sort(byStop).at(-1)?.entry;
    if (newest?.error === true) bad.push(`${name}: backup ${newest.label} met pages with a wrong checksum`);
    const { wal = [], verified = [], unknown = [] } = repository.outlook ?? {};
    for (const { gaps, badHistories } of wal) {
      bad.push(...gapLines(gaps.filter(({ reason }) => reason !== "arriving")).map((line) => `${name}: ${line}`));
      warn.push(...badHistories.map((file) => `${name}: timeline history ${file} cannot be used`));
    }
    for (const { mode, time, damages } of standingResults(verified)) {
      if (damages > 0) {
        bad.push(
          `${name}: the verification (${mode}) of ${formatLocalTime(time * 1000)} found ${damages} missing or damaged`,
        );
      }
    }
    warn.push(...unknown.map((line) => `${name}: ${line}`));
  }
  const { unknownBecause } = info.archive;
  bad.push(...describeArchiveState({ ...info.archive, unknownBecause: undefined }, nowMs));
  if (unknownBecause !== undefined) warn.push(`what repositories are owed is not known: ${unknownBecause}`);
  if (lag === "unreadable") warn.push("how far archiving is cannot be told: pg_wal is out of reach");
  const lagText = describeLag(stanza, nowMs);
  if (lagText !== undefined && lag !== undefined && lag !== "unreadable" && nowMs - lag.oldestMs! > LAG_PATIENCE_MS) {
    bad.push(lagText);
  }
  const drill = drills.at(-1);
  if (drill !== undefined && !drill.isGood) {
    bad.push(`the drill of ${formatLocalTime(drill.atMs)} did not find a good backup`);
  }
  return [
    ...bad.map((text) => ({ level: "bad", text }) as const),
    ...warn.map((text) => ({ level: "warn", text }) as const),
  ];
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
