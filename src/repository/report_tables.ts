/** The lists of the report: backups, between which moments can be recovered, gaps in the WAL, drills. */
import { escapeHtml, type HtmlRow, htmlTable } from "../report/html_page.ts";
import { formatAge, formatDuration, formatLocalTime, formatSize } from "../report/units.ts";
import type { BackupRow } from "./info_data.ts";
import { byStop } from "./info_json.ts";
import { PIN } from "./keep.ts";
import { type ReportedStanza, rowId } from "./report_data.ts";
import type { GapReason } from "./wal_coverage.ts";

/** Backups that are seen at once; older ones are folded away. */
const BACKUPS_SHOWN = 20;
/** Ranges, gaps and drills that are listed; `info --output=json` has them all. */
const ROWS_MAX = 50;

const WHY: Readonly<Record<GapReason, string>> = {
  dropped: "dropped (archive-push-queue-max)",
  owed: "owed to this repository",
  arriving: "not there yet",
  missing: "missing",
};

/** Backups of all repositories, newest first. */
export function backupTables({ info, repositories }: ReportedStanza, nowMs: number): string {
  const backups = repositories.flatMap(({ info: { backups: own } }) => own).sort(byStop).reverse();
  if (backups.length === 0) return "<p>There are no backups.</p>";
  const longest = backups.reduce((most, { entry }) => Math.max(most, entry.timestampStop - entry.timestampStart), 1);
  const largest = backups.reduce((most, { entry }) => Math.max(most, entry.repoSizeDeltaBytes), 1);
  const rows = backups.map((row) => backupRow(info.name, row, { longest, largest, nowMs }));
  const columns = [
    { title: "Backup" },
    { title: "Repository" },
    { title: "Type" },
    { title: "Ended" },
    { title: "Duration", isNumber: true },
    { title: "Cluster", isNumber: true },
    { title: "Stored", isNumber: true },
    { title: "WAL from / to" },
    { title: "Notes" },
  ];
  const older = rows.slice(BACKUPS_SHOWN);
  const newest = htmlTable(`Backups of ${info.name}, newest first`, columns, rows.slice(0, BACKUPS_SHOWN));
  if (older.length === 0) return newest;
  return `${newest}<details><summary>${older.length} older backups</summary>${
    htmlTable(`Older backups of ${info.name}, newest first`, columns, older)
  }</details>`;
}

function backupRow(
  stanza: string,
  { entry, repositoryKey }: BackupRow,
  { longest, largest, nowMs }: { readonly longest: number; readonly largest: number; readonly nowMs: number },
): HtmlRow {
  const bar = (part: number, whole: number) =>
    `<span class="bar" style="width:${((part * 100) / whole).toFixed(1)}%" aria-hidden="true"></span>`;
  const seconds = entry.timestampStop - entry.timestampStart;
  const pin = entry.annotations?.get(PIN);
  const notes = [
    ...(entry.error === true ? ['<span class="bad">page checksum errors</span>'] : []),
    ...(pin === undefined ? [] : [escapeHtml(`pinned: ${pin}`)]),
    ...[...entry.annotations ?? []].filter(([key]) => key !== PIN).map(([key, value]) =>
      escapeHtml(`${key}: ${value}`)
    ),
  ];
  return {
    id: rowId(stanza, repositoryKey, entry.label),
    cells: [
      escapeHtml(entry.label),
      `repo${repositoryKey}`,
      entry.type,
      `${formatLocalTime(entry.timestampStop * 1000)}<br><span class="soft">${
        formatAge(nowMs - entry.timestampStop * 1000)
      } ago</span>`,
      `${formatDuration(seconds * 1000)}${bar(seconds, longest)}`,
      formatSize(entry.sizeBytes),
      `${formatSize(entry.repoSizeDeltaBytes)}${bar(entry.repoSizeDeltaBytes, largest)}`,
      entry.archiveStart === undefined ? "offline" : `${entry.archiveStart}<br>${entry.archiveStop ?? ""}`,
      notes.join("<br>"),
    ],
  };
}

/** Between which moments each repository can be recovered to, where its WAL was looked at, and what is missing. */
export function walTables({ info }: ReportedStanza): string {
  const all = info.repositories.flatMap(({ key, outlook }) =>
    (outlook?.wal ?? []).map((coverage) => ({ key, ...coverage }))
  );
  const found = all.flatMap(({ key, archiveId, ranges }) => ranges.map((range) => ({ key, archiveId, ...range })))
    .sort((a, b) => a.toMs - b.toMs);
  const ranges = found.map(({ key, archiveId, timeline, fromMs, toMs, label, first, last }): HtmlRow => ({
    cells: [
      formatLocalTime(fromMs),
      formatLocalTime(toMs),
      formatAge(toMs - fromMs),
      `repo${key}, ${escapeHtml(archiveId)}`,
      String(timeline),
      escapeHtml(label),
      `${first}<br>${last}`,
    ],
  }));
  const gaps = all.flatMap(({ key, archiveId, gaps }) =>
    gaps.map(({ first, last, count, sizeBytes, reason, label }): HtmlRow => ({
      cells: [
        `${first}<br>${last}`,
        `repo${key}, ${escapeHtml(archiveId)}`,
        String(count),
        formatSize(sizeBytes),
        reason === "arriving" ? WHY[reason] : `<span class="bad">${WHY[reason]}</span>`,
        label === undefined ? "no recovery crosses it" : escapeHtml(`backup ${label} cannot become consistent`),
      ],
    }))
  );
  const rangeTable = ranges.length === 0 ? "" : htmlTable(`Recovery of ${info.name} to any moment between`, [
    { title: "From" },
    { title: "To" },
    { title: "Length", isNumber: true },
    { title: "Repository" },
    { title: "Timeline", isNumber: true },
    { title: "From backup" },
    { title: "WAL from / to" },
  ], ranges.slice(-ROWS_MAX).reverse());
  const gapTable = gaps.length === 0 ? "" : htmlTable(`Gaps in the WAL of ${info.name}`, [
    { title: "WAL from / to" },
    { title: "Repository" },
    { title: "Segments", isNumber: true },
    { title: "Size", isNumber: true },
    { title: "Why" },
    { title: "Consequence", isWords: true },
  ], gaps.slice(-ROWS_MAX).reverse());
  const more = [["ranges", ranges.length], ["gaps", gaps.length]] as const;
  const left = more.filter(([, count]) => count > ROWS_MAX).map(([what, count]) =>
    `<p class="soft">${count - ROWS_MAX} older ${what} are not listed: info --output=json has them.</p>`
  );
  return `${rangeTable}${gapTable}${left.join("")}`;
}

/** Drills on this host, newest first. */
export function drillTable({ info, drills }: ReportedStanza): string {
  if (drills === undefined) return "";
  if (drills.length === 0) return `<p class="soft">No drill of this stanza was held on this host.</p>`;
  const duration = (ms: number | undefined) => (ms === undefined ? "" : formatDuration(ms));
  return htmlTable(
    `Drills of ${info.name} on this host, newest first`,
    [
      { title: "Ended" },
      { title: "Result" },
      { title: "Backup" },
      { title: "Restore", isNumber: true },
      { title: "Recovery", isNumber: true },
    ],
    drills.slice(-ROWS_MAX).reverse().map(({ isGood, atMs, label, restoreMs, recoverMs }) => ({
      cells: [
        formatLocalTime(atMs),
        isGood ? '<span class="good">passed</span>' : '<span class="bad">failed</span>',
        escapeHtml(label ?? "none"),
        duration(restoreMs),
        duration(recoverMs),
      ],
    })),
  );
}
