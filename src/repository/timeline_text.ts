/** The picture of a stanza over time for a terminal: backups as letters, and below them how far WAL carries a recovery. */
import { formatLocalTime, formatUtcOffset } from "../report/units.ts";
import type { BackupRow } from "./info_data.ts";
import type { Recoverable, ReportedStanza, RepositorySight } from "./report_data.ts";

interface Strokes {
  readonly wal: string;
  readonly none: string;
  readonly axis: string;
  readonly tick: string;
}

const UTF8: Strokes = { wal: "━", none: "·", axis: "─", tick: "┬" };
const ASCII: Strokes = { wal: "=", none: ".", axis: "-", tick: "+" };
/** Room for `repo256 WAL 12 `: the names of lanes. */
const LEFT = 16;
/** Narrower than this nothing can be told from anything. */
const DRAWN_MIN = 20;
/** Room for the text of a tick, `11-20 22:56`, and air behind it. */
const TICK_COLUMNS = 14;
/** Lanes of older timelines are counted, not drawn. */
const TIMELINES_MAX = 5;
/** What is drawn where several backups fall into one column: who stands first. */
const LETTERS = { full: "F", diff: "D", incr: "I" } as const;

/** Drawings of all stanzas with a line that explains them. */
export function renderTimelineText(
  stanzas: readonly ReportedStanza[],
  { columns, isUtf8 }: { readonly columns: number; readonly isUtf8: boolean },
  nowMs: number,
): string {
  if (stanzas.length === 0) return "No stanzas exist in the repository.\n";
  const strokes = isUtf8 ? UTF8 : ASCII;
  const width = Math.max(DRAWN_MIN, columns - LEFT);
  const legend = `F full, D diff, I incr backup   ${strokes.wal.repeat(2)} recoverable   ${
    strokes.none.repeat(2)
  } not\n`;
  return [...stanzas.map((stanza) => stanzaLanes(stanza, width, strokes, nowMs)), legend].join("\n");
}

function stanzaLanes({ info, repositories }: ReportedStanza, width: number, strokes: Strokes, nowMs: number): string {
  const starts = repositories.flatMap(({ info: { backups }, recoverable }) => [
    ...backups.map(({ entry }) => entry.timestampStart * 1000),
    ...recoverable.map(({ fromMs }) => fromMs),
  ]);
  if (starts.length === 0) return `stanza: ${info.name}\n    no backups\n`;
  const firstMs = starts.reduce((a, b) => Math.min(a, b));
  const spanMs = Math.max(1, nowMs - firstMs);
  const column = (ms: number) => Math.min(width - 1, Math.max(0, Math.floor(((ms - firstMs) / spanMs) * width)));
  const moment = (ms: number) => `${formatLocalTime(ms)}${formatUtcOffset(ms)}`;
  const lanes = repositories.flatMap((repository) => repositoryLanes(repository, width, column, strokes));
  return [
    `stanza: ${info.name}   ${moment(firstMs)} to ${moment(nowMs)}`,
    ...lanes,
    ...axis(firstMs, spanMs, width, strokes),
    "",
  ].join("\n");
}

function repositoryLanes(
  { info, recoverable }: RepositorySight,
  width: number,
  column: (ms: number) => number,
  strokes: Strokes,
): string[] {
  const timelines = [...new Set(recoverable.map(({ timeline }) => timeline))].sort((a, b) => (a ?? 0) - (b ?? 0));
  const drawn = timelines.slice(-TIMELINES_MAX);
  const names = drawn.length < 2 ? ["WAL"] : drawn.map((timeline) => `WAL ${timeline}`);
  const older = timelines.length - drawn.length;
  const wal = names.map((name, at) =>
    lane(name, walLane(recoverable.filter(({ timeline }) => timeline === drawn[at]), width, column, strokes))
  );
  return [
    lane(`repo${info.key}`, backupLane(info.backups, width, column)),
    ...wal,
    ...(older === 0 ? [] : [lane("", `${older} older timelines`)]),
  ];
}

function lane(name: string, drawn: string): string {
  return `${`    ${name}`.padEnd(LEFT)}${drawn}`.trimEnd();
}

function backupLane(backups: readonly BackupRow[], width: number, column: (ms: number) => number): string {
  const cells = Array<string>(width).fill(" ");
  // What is rarer is written over what is not.
  for (const type of ["incr", "diff", "full"] as const) {
    for (const { entry } of backups) {
      if (entry.type === type) cells[column(entry.timestampStop * 1000)] = LETTERS[type];
    }
  }
  return cells.join("");
}

function walLane(
  ranges: readonly Recoverable[],
  width: number,
  column: (ms: number) => number,
  strokes: Strokes,
): string {
  const cells = Array<string>(width).fill(strokes.none);
  for (const { fromMs, toMs } of ranges) cells.fill(strokes.wal, column(fromMs), column(toMs) + 1);
  return cells.join("");
}

/** A line with ticks, and below it when they are. */
function axis(firstMs: number, spanMs: number, width: number, strokes: Strokes): string[] {
  const ticks = Math.max(1, Math.floor(width / TICK_COLUMNS));
  const line = Array<string>(width).fill(strokes.axis);
  let words = "";
  for (let tick = 0; tick < ticks; tick++) {
    const at = Math.floor((tick * width) / ticks);
    line[at] = strokes.tick;
    words = words.padEnd(at) + formatLocalTime(firstMs + (at / width) * spanMs).slice(5, 16);
  }
  return [lane("", line.join("")), lane("", words)];
}
