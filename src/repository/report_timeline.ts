/** The picture of a stanza in its repositories over time: backups as marks, and how far WAL carries a recovery, as SVG. */
import { escapeHtml } from "../report/html_page.ts";
import { formatDuration, formatLocalTime, formatSize } from "../report/units.ts";
import type { BackupRow } from "./info_data.ts";
import { type RepositorySight, rowId } from "./report_data.ts";

const WIDTH = 1000;
/** Room for the names of the lanes. */
const LEFT = 80;
const RIGHT = 12;
const LANE_HEIGHT = 64;
const TOP = 10;
const AXIS_HEIGHT = 28;
/** The higher a mark, the more of the cluster the backup holds by itself. */
const MARK_HEIGHTS = { full: 30, diff: 20, incr: 12 };
const MARK_WIDTH_MIN = 5;
const TICKS = 6;

/** The picture, or nothing when there is nothing on it. */
export function timelineSvg(stanza: string, repositories: readonly RepositorySight[], nowMs: number): string {
  const starts = repositories.flatMap(({ info }) => info.backups.map(({ entry }) => entry.timestampStart * 1000));
  if (starts.length === 0) return "";
  const firstMs = Math.min(...starts);
  const spanMs = Math.max(nowMs - firstMs, 1000);
  const x = (ms: number) => LEFT + (Math.min(Math.max(ms - firstMs, 0), spanMs) / spanMs) * (WIDTH - LEFT - RIGHT);
  const bottom = TOP + repositories.length * LANE_HEIGHT;
  const lanes = repositories.map((repository, at) => lane(stanza, repository, TOP + at * LANE_HEIGHT, x));
  return `<div class="scroll" role="region" aria-label="timeline of ${escapeHtml(stanza)}" tabindex="0">
<svg viewBox="0 0 ${WIDTH} ${bottom + AXIS_HEIGHT}" role="group" aria-label="Backups and WAL of stanza ${
    escapeHtml(stanza)
  } from ${formatLocalTime(firstMs)} to ${formatLocalTime(nowMs)}">
${axis(firstMs, spanMs, bottom, x)}
${lanes.join("\n")}
</svg></div>
<ul class="legend soft"><li>high mark: full backup</li><li>middle: differential</li><li>low: incremental</li><li>line below: WAL for recovery to any moment</li></ul>`;
}

function axis(firstMs: number, spanMs: number, bottom: number, x: (ms: number) => number): string {
  const lines: string[] = [];
  for (let tick = 0; tick <= TICKS; tick++) {
    const ms = firstMs + (spanMs * tick) / TICKS;
    const at = x(ms).toFixed(1);
    const text = formatLocalTime(ms);
    const shown = spanMs > 3 * 86_400_000 ? text.slice(0, 10) : text.slice(5, 16);
    const anchor = tick === 0 ? "start" : tick === TICKS ? "end" : "middle";
    lines.push(
      `<line class="axis" x1="${at}" y1="${TOP}" x2="${at}" y2="${bottom}"/>` +
        `<text class="soft" x="${at}" y="${bottom + 18}" text-anchor="${anchor}">${shown}</text>`,
    );
  }
  return `<g aria-hidden="true">${lines.join("")}</g>`;
}

function lane(
  stanza: string,
  repository: RepositorySight,
  top: number,
  x: (ms: number) => number,
): string {
  const { info, recoverable } = repository;
  const base = top + LANE_HEIGHT - 22;
  const name = `<text x="0" y="${base}">repo${info.key}</text>`;
  const marks = info.backups.map((row) => mark(stanza, row, base, x));
  const wal = recoverable.map(({ fromMs, toMs }) =>
    `<rect class="wal" x="${x(fromMs).toFixed(1)}" y="${base + 5}" width="${
      Math.max(2, x(toMs) - x(fromMs)).toFixed(1)
    }" height="6"><title>repo${info.key}: recovery to any moment from ${formatLocalTime(fromMs)} to ${
      formatLocalTime(toMs)
    }</title></rect>`
  );
  return `<g role="list" aria-label="repository ${info.key}">${name}${marks.join("")}${wal.join("")}</g>`;
}

/** A mark leads to its row of the table, with the keyboard too. */
function mark(stanza: string, { entry, repositoryKey }: BackupRow, base: number, x: (ms: number) => number): string {
  const [startMs, stopMs] = [entry.timestampStart * 1000, entry.timestampStop * 1000];
  const width = Math.max(MARK_WIDTH_MIN, x(stopMs) - x(startMs));
  const height = MARK_HEIGHTS[entry.type];
  const left = Math.min(x(startMs), WIDTH - RIGHT - width);
  const title = `${entry.type} backup ${entry.label}, ${formatLocalTime(stopMs)}, ${
    formatDuration(stopMs - startMs)
  }, ${formatSize(entry.sizeBytes)}`;
  return `<a role="listitem" href="#${escapeHtml(rowId(stanza, repositoryKey, entry.label))}" aria-label="${
    escapeHtml(title)
  }"><rect class="${entry.type}" x="${left.toFixed(1)}" y="${base - height}" width="${
    width.toFixed(1)
  }" height="${height}" rx="1"><title>${escapeHtml(title)}</title></rect></a>`;
}
