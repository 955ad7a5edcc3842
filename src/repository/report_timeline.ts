/** The picture of a stanza in its repositories over time: backups as marks, how far WAL carries a recovery, verifications and drills, as SVG. */
import { escapeHtml } from "../report/html_page.ts";
import { timeTicks } from "../report/time_ticks.ts";
import { formatDuration, formatLocalTime, formatSize } from "../report/units.ts";
import type { DrillRecord } from "./drill_record.ts";
import type { BackupRow } from "./info_data.ts";
import { byStop } from "./info_json.ts";
import { isUnreadable } from "./report_attention.ts";
import { type ReportedStanza, type RepositorySight, rowId, uncovered } from "./report_data.ts";

const WIDTH = 1000;
/** Room for the names of the lanes. */
const LEFT = 84;
const RIGHT = 14;
const LANE_HEIGHT = 70;
const DRILL_HEIGHT = 30;
const TOP = 12;
const AXIS_HEIGHT = 30;
/** The higher a mark, the more of the cluster the backup holds by itself. */
const MARK_HEIGHTS = { full: 34, diff: 22, incr: 13 };
/** Narrower a mark can be neither seen nor hit; what falls within one is told together. */
const MARK_WIDTH_MIN = 6;
const TICKS_MAX = 7;

type Place = (ms: number) => number;

/** The picture, or nothing when there is nothing on it. */
export function timelineSvg({ info, repositories, drills = [] }: ReportedStanza, nowMs: number): string {
  const starts = repositories.flatMap((sight) => [
    ...sight.info.backups.map(({ entry }) => entry.timestampStart * 1000),
    ...sight.recoverable.map(({ fromMs }) => fromMs),
  ]);
  if (starts.length === 0) return "";
  const firstMs = starts.reduce((a, b) => Math.min(a, b));
  const spanMs = Math.max(nowMs - firstMs, 60_000);
  const x = (ms: number) => LEFT + (Math.min(Math.max(ms - firstMs, 0), spanMs) / spanMs) * (WIDTH - LEFT - RIGHT);
  const shownDrills = drills.filter(({ atMs }) => atMs >= firstMs);
  const drillHeight = shownDrills.length === 0 ? 0 : DRILL_HEIGHT;
  const bottom = TOP + repositories.length * LANE_HEIGHT + drillHeight;
  const lanes = repositories.map((sight, at) => lane(info.name, sight, TOP + at * LANE_HEIGHT, x));
  const name = escapeHtml(info.name);
  return `<h3>Timeline</h3><figure>
<div class="scroll newest" role="region" aria-label="timeline of ${name}" tabindex="0">
<svg class="wide" viewBox="0 0 ${WIDTH} ${
    bottom + AXIS_HEIGHT
  }" role="group" aria-label="Backups and WAL of stanza ${name} from ${formatLocalTime(firstMs)} to ${
    formatLocalTime(nowMs)
  }">
${axis(firstMs, firstMs + spanMs, bottom, x)}
${lanes.join("\n")}
${drillHeight === 0 ? "" : drillLane(shownDrills, bottom - DRILL_HEIGHT, x)}
</svg></div>
${legend(drillHeight > 0)}
</figure>`;
}

function legend(hasDrills: boolean): string {
  const entry = (shape: string, text: string) =>
    `<li><svg viewBox="0 0 18 16" aria-hidden="true">${shape}</svg>${text}</li>`;
  const bar = (type: keyof typeof MARK_HEIGHTS, height: number) =>
    `<rect class="${type}" x="6" y="${16 - height}" width="6" height="${height}" rx="1"/>`;
  return `<ul class="legend">${
    [
      entry(bar("full", 16), "full backup"),
      entry(bar("diff", 11), "differential"),
      entry(bar("incr", 6), "incremental"),
      entry(`<rect class="wal" x="0" y="4" width="18" height="8" rx="1"/>`, "recovery to any moment"),
      entry(`<line class="gap" x1="0" y1="8" x2="18" y2="8"/>`, "no recovery to these moments"),
      ...(hasDrills ? [entry(passedShape(9, 8), "drill passed"), entry(failedShape(9, 8), "drill failed")] : []),
    ].join("")
  }</ul>`;
}

function axis(fromMs: number, toMs: number, bottom: number, x: Place): string {
  const lines = timeTicks(fromMs, toMs, TICKS_MAX).map(({ ms, text }) => {
    const at = x(ms);
    const anchor = at < LEFT + 40 ? "start" : at > WIDTH - RIGHT - 40 ? "end" : "middle";
    return `<line class="axis" x1="${at.toFixed(1)}" y1="${TOP}" x2="${at.toFixed(1)}" y2="${bottom + 4}"/>` +
      `<text class="soft" x="${at.toFixed(1)}" y="${bottom + 20}" text-anchor="${anchor}">${text}</text>`;
  });
  return `<g aria-hidden="true">${lines.join("")}</g>`;
}

function lane(stanza: string, { info, recoverable }: RepositorySight, top: number, x: Place): string {
  const base = top + LANE_HEIGHT - 24;
  const bar = base + 5;
  const extent = (fromMs: number, toMs: number) => ({ from: x(fromMs), width: Math.max(2, x(toMs) - x(fromMs)) });
  const wal = recoverable.map(({ fromMs, toMs }) => {
    const { from, width } = extent(fromMs, toMs);
    const title = `repo${info.key}: recovery to any moment from ${formatLocalTime(fromMs)} to ${formatLocalTime(toMs)}`;
    return `<rect class="wal" role="listitem" aria-label="${title}" x="${from.toFixed(1)}" y="${bar}" width="${
      width.toFixed(1)
    }" height="9" rx="1"><title>${title}</title></rect>`;
  });
  const gaps = uncovered(recoverable).map(({ fromMs, toMs }) => {
    const { from, width } = extent(fromMs, toMs);
    const title = `repo${info.key}: no recovery to moments between ${formatLocalTime(fromMs)} and ${
      formatLocalTime(toMs)
    }`;
    return `<line class="gap" role="listitem" aria-label="${title}" x1="${from.toFixed(1)}" y1="${bar + 4.5}" x2="${
      (from + width).toFixed(1)
    }" y2="${bar + 4.5}"><title>${title}</title></line>`;
  });
  const marks = together(info.backups, x).map((rows) => mark(stanza, rows, base, x));
  const name = `repo${info.key}`;
  const nothing = isUnreadable(info)
    ? "not known: the repository cannot be read"
    : info.role === "wal"
    ? "WAL only, for backups of other repositories"
    : "no backups";
  const isEmpty = marks.length === 0 && wal.length === 0;
  // Where the picture is wider than the screen its end is seen first: the name stands there too.
  return `<g role="list" aria-label="repository ${info.key}"><text x="0" y="${base}" aria-hidden="true">${name}</text>` +
    `<text class="soft echo" x="${WIDTH - RIGHT}" y="${top + 6}" text-anchor="end" aria-hidden="true">${
      isEmpty ? `${name}, ${nothing}` : name
    }</text>` +
    (isEmpty ? `<text class="soft" role="listitem" x="${LEFT}" y="${base - 4}">${nothing}</text>` : "") +
    `<rect class="track" x="${LEFT}" y="${bar}" width="${WIDTH - LEFT - RIGHT}" height="9" rx="1"/>` +
    `${marks.join("")}${wal.join("")}${gaps.join("")}</g>`;
}

/** Backups whose marks would lie on each other, oldest first. */
function together(backups: readonly BackupRow[], x: Place): BackupRow[][] {
  const groups: BackupRow[][] = [];
  let end = -Infinity;
  for (const row of [...backups].sort(byStop)) {
    const at = x(row.entry.timestampStart * 1000);
    if (at >= end) {
      groups.push([row]);
      end = Math.max(at + MARK_WIDTH_MIN + 1, x(row.entry.timestampStop * 1000));
    } else groups.at(-1)!.push(row);
  }
  return groups;
}

/** A mark leads to its row of the table (of several to the newest), with the keyboard too. */
function mark(stanza: string, rows: readonly BackupRow[], base: number, x: Place): string {
  const newest = rows.at(-1)!;
  const type = (["full", "diff", "incr"] as const).find((one) => rows.some(({ entry }) => entry.type === one))!;
  const [startMs, stopMs] = [rows[0]!.entry.timestampStart * 1000, newest.entry.timestampStop * 1000];
  const width = Math.max(MARK_WIDTH_MIN, rows.length > 1 ? 0 : x(stopMs) - x(startMs));
  const left = Math.min(x(startMs), WIDTH - RIGHT - width);
  const height = MARK_HEIGHTS[type];
  const title = escapeHtml(rows.length === 1 ? titleOf(newest) : titleOfMany(rows, startMs, stopMs));
  return `<g role="listitem"><a href="#${
    escapeHtml(rowId(stanza, newest.repositoryKey, newest.entry.label))
  }" aria-label="${title}">` +
    `<rect class="${type}" x="${left.toFixed(1)}" y="${base - height}" width="${
      width.toFixed(1)
    }" height="${height}" rx="1">` +
    `<title>${title}</title></rect></a></g>`;
}

function titleOf({ entry }: BackupRow): string {
  const seconds = entry.timestampStop - entry.timestampStart;
  return `${entry.type} backup ${entry.label}, ${formatLocalTime(entry.timestampStop * 1000)}, ${
    formatDuration(seconds * 1000)
  }, ${formatSize(entry.sizeBytes)}`;
}

function titleOfMany(rows: readonly BackupRow[], startMs: number, stopMs: number): string {
  const counts = (["full", "diff", "incr"] as const).map((type) => ({
    type,
    count: rows.filter(({ entry }) => entry.type === type).length,
  })).filter(({ count }) => count > 0).map(({ type, count }) => `${count} ${type}`);
  return `${rows.length} backups (${counts.join(", ")}), ${formatLocalTime(startMs)} to ${formatLocalTime(stopMs)}`;
}

function drillLane(drills: readonly DrillRecord[], top: number, x: Place): string {
  const middle = top + DRILL_HEIGHT / 2;
  const shapes = drills.map(({ isGood, atMs, label }) => {
    const title = escapeHtml(
      `drill ${isGood ? "passed" : "failed"}, ${formatLocalTime(atMs)}${label === undefined ? "" : `, ${label}`}`,
    );
    const shape = isGood ? passedShape(x(atMs), middle) : failedShape(x(atMs), middle);
    return `<g role="listitem" aria-label="${title}"><title>${title}</title>${shape}</g>`;
  });
  return `<g role="list" aria-label="drills"><text x="0" y="${middle + 5}" aria-hidden="true">drills</text>${
    shapes.join("")
  }</g>`;
}

/** A diamond. */
function passedShape(x: number, y: number): string {
  return `<path class="passed" d="M${x.toFixed(1)} ${y - 7}l7 7-7 7-7-7z"/>`;
}

/** A cross. */
function failedShape(x: number, y: number): string {
  return `<path class="failed" d="M${(x - 5).toFixed(1)} ${y - 5}l10 10m0-10l-10 10"/>`;
}
