/** How sizes and durations of backups went over time, as SVG. What they show stands in the table of backups too. */
import { escapeHtml } from "../report/html_page.ts";
import { timeTicks } from "../report/time_ticks.ts";
import { formatAge, formatSize } from "../report/units.ts";
import type { BackupRow, RepositoryInfo } from "./info_data.ts";
import { byStop } from "./info_json.ts";

const WIDTH = 480;
const HEIGHT = 174;
const LEFT = 106;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 142;
const BAR_WIDTH = 4;
const TICKS_MAX = 3;

interface Point {
  readonly ms: number;
  readonly value: number;
  readonly type: BackupRow["entry"]["type"];
}

interface Chart {
  readonly title: string;
  readonly points: readonly Point[];
  readonly format: (value: number) => string;
}

/** The two charts of a repository; nothing when there are too few backups for a course. */
export function repositoryCharts({ key, backups }: RepositoryInfo, nowMs: number): string {
  if (backups.length < 3) return "";
  const rows = [...backups].sort(byStop);
  const points = (value: (entry: BackupRow["entry"]) => number): Point[] =>
    rows.map(({ entry }) => ({ ms: entry.timestampStop * 1000, value: value(entry), type: entry.type }));
  return [
    chart({
      title: `repo${key}: stored by each backup`,
      points: points((entry) => entry.repoSizeDeltaBytes),
      format: formatSize,
    }, nowMs),
    chart({
      title: `repo${key}: duration of each backup`,
      points: points((entry) => (entry.timestampStop - entry.timestampStart) * 1000),
      format: formatAge,
    }, nowMs),
  ].join("\n");
}

function chart({ title, points, format }: Chart, nowMs: number): string {
  const fromMs = points[0]!.ms;
  const spanMs = Math.max(nowMs - fromMs, 60_000);
  const highest = points.reduce((most, { value }) => Math.max(most, value), 1);
  const x = (ms: number) => LEFT + ((ms - fromMs) / spanMs) * (WIDTH - LEFT - RIGHT - BAR_WIDTH);
  const height = (value: number) => Math.max(1.5, (value / highest) * (BOTTOM - TOP));
  const bars = highestInEachColumn(points, x).map(({ ms, value, type }) =>
    `<rect class="${type}" x="${x(ms).toFixed(1)}" y="${
      (BOTTOM - height(value)).toFixed(1)
    }" width="${BAR_WIDTH}" height="${height(value).toFixed(1)}"/>`
  );
  const levels = [1, 0.5, 0].map((part) => {
    const y = (BOTTOM - part * (BOTTOM - TOP)).toFixed(1);
    return `<line class="axis" x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}"/><text class="soft" x="${
      LEFT - 6
    }" y="${(Number(y) + 4).toFixed(1)}" text-anchor="end">${part === 0 ? "0" : format(highest * part)}</text>`;
  });
  const ticks = timeTicks(fromMs, fromMs + spanMs, TICKS_MAX).map(({ ms, text }) => {
    const at = x(ms);
    const anchor = at < LEFT + 50 ? "start" : at > WIDTH - RIGHT - 50 ? "end" : "middle";
    return `<text class="soft" x="${at.toFixed(1)}" y="${BOTTOM + 22}" text-anchor="${anchor}">${text}</text>`;
  });
  const values = points.map(({ value }) => value);
  const told = `${title}: ${points.length} backups, the last ${format(values.at(-1)!)}, between ${
    format(values.reduce((a, b) => Math.min(a, b)))
  } and ${format(highest)}`;
  return `<figure class="card"><h3>${escapeHtml(title)}</h3>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(told)}"><g aria-hidden="true">${
    levels.join("")
  }${ticks.join("")}${bars.join("")}</g></svg></figure>`;
}

/** Of bars that would lie on each other the highest, so that years fit into the width. */
function highestInEachColumn(points: readonly Point[], x: (ms: number) => number): Point[] {
  const columns = new Map<number, Point>();
  for (const point of points) {
    const column = Math.round(x(point.ms) / (BAR_WIDTH + 1));
    const known = columns.get(column);
    if (known === undefined || known.value < point.value) columns.set(column, point);
  }
  return [...columns.values()];
}
