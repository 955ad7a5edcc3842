/** The report as one page: what there is, how far back and how far forward it goes, and what is wrong. */
import { escapeHtml, htmlPage, type HtmlRow, htmlTable } from "../report/html_page.ts";
import { formatDuration, formatLocalTime, formatSize, formatUtcOffset } from "../report/units.ts";
import { WALFERRY_VERSION } from "../version.ts";
import { describeArchiveState } from "./archive_state.ts";
import { INFO_STATUS } from "./info_data.ts";
import { byStop } from "./info_json.ts";
import { gapLines } from "./outlook_text.ts";
import { verificationTable } from "./report_verifications.ts";
import { type ReportedStanza, rowId } from "./report_data.ts";
import { timelineSvg } from "./report_timeline.ts";

/** The page. */
export function renderReportHtml(stanzas: readonly ReportedStanza[], host: string, nowMs: number): string {
  const when = `${formatLocalTime(nowMs)}${formatUtcOffset(nowMs)}`;
  return htmlPage(
    `Backups as of ${when}`,
    `<h1>Backups and WAL</h1>
<p class="soft">as of <time datetime="${
      new Date(nowMs).toISOString()
    }">${when}</time>, told by walferry ${WALFERRY_VERSION} on ${escapeHtml(host)}</p>
${stanzas.length === 0 ? "<p>No stanzas exist in the repositories.</p>" : overview(stanzas, nowMs)}
${stanzas.map((stanza) => section(stanza, nowMs)).join("\n")}`,
  );
}

function overview(stanzas: readonly ReportedStanza[], nowMs: number): string {
  const rows = stanzas.flatMap((stanza) =>
    stanza.repositories.map(({ info, recoverable }): HtmlRow => {
      const last = [...info.backups].sort(byStop).at(-1)?.entry;
      const debt = stanza.info.archive.debts.find(({ key }) => key === info.key);
      return {
        cells: [
          `<a href="#${stanzaId(stanza)}">${escapeHtml(stanza.info.name)}</a>`,
          `repo${info.key}${info.cipher === "none" ? "" : ", encrypted"}`,
          statusHtml(info.status),
          String(info.backups.length),
          last === undefined ? "none" : `${formatDuration(nowMs - last.timestampStop * 1000)} ago`,
          recoverable.length === 0
            ? '<span class="bad">no moment</span>'
            : formatLocalTime(Math.min(...recoverable.map(({ fromMs }) => fromMs))),
          recoverable.length === 0 ? "" : formatLocalTime(Math.max(...recoverable.map(({ toMs }) => toMs))),
          // What each backup added is what all of them take together.
          formatSize(info.backups.reduce((sum, { entry }) => sum + entry.repoSizeDeltaBytes, 0)),
          debt === undefined
            ? "nothing"
            : `<span class="bad">${debt.count} WAL files, ${formatSize(debt.sizeBytes)}</span>`,
        ],
      };
    })
  );
  return htmlTable("All stanzas", [
    { title: "Stanza" },
    { title: "Repository" },
    { title: "Status" },
    { title: "Backups", isNumber: true },
    { title: "Last backup" },
    { title: "Recovery from" },
    { title: "to" },
    { title: "Stored", isNumber: true },
    { title: "Owed" },
  ], rows);
}

function section(stanza: ReportedStanza, nowMs: number): string {
  const { info, repositories } = stanza;
  const gaps = info.repositories.flatMap(({ key, outlook }) =>
    (outlook?.wal ?? []).flatMap((coverage) => gapLines(coverage.gaps)).map((line) => `repo${key}: ${line}`)
  );
  const notes = [...describeArchiveState(info.archive, nowMs), ...lagNotes(stanza, nowMs), ...gaps]
    .map((line) => `<p class="bad">${escapeHtml(line)}</p>`);
  return `<section aria-labelledby="${stanzaId(stanza)}">
<h2 id="${stanzaId(stanza)}">Stanza ${escapeHtml(info.name)}</h2>
<p>Status: ${statusHtml(info.status)}</p>
${notes.join("\n")}
${timelineSvg(info.name, repositories, nowMs)}
${backupTable(stanza)}
${verificationTable(info)}
</section>`;
}

function lagNotes({ lag }: ReportedStanza, nowMs: number): string[] {
  if (lag === undefined) return [];
  if (lag === "unreadable") return ["how far archiving is cannot be told: pg_wal is out of reach"];
  if (lag.oldestMs === undefined) return [];
  return [
    `${lag.files} WAL file(s) (${formatSize(lag.sizeBytes)}) wait to be archived, the oldest since ${
      formatDuration(Math.max(0, nowMs - lag.oldestMs))
    }`,
  ];
}

function backupTable({ info, repositories }: ReportedStanza): string {
  const backups = repositories.flatMap(({ info: { backups: own } }) => own).sort(byStop).reverse();
  if (backups.length === 0) return "<p>There are no backups.</p>";
  const longest = Math.max(1, ...backups.map(({ entry }) => entry.timestampStop - entry.timestampStart));
  const largest = Math.max(1, ...backups.map(({ entry }) => entry.repoSizeDeltaBytes));
  const bar = (part: number, whole: number) =>
    `<span class="bar" style="width:${((part * 100) / whole).toFixed(1)}%" aria-hidden="true"></span>`;
  const rows = backups.map(({ entry, repositoryKey }): HtmlRow => {
    const seconds = entry.timestampStop - entry.timestampStart;
    return {
      id: rowId(info.name, repositoryKey, entry.label),
      cells: [
        escapeHtml(entry.label),
        `repo${repositoryKey}`,
        entry.type,
        formatLocalTime(entry.timestampStart * 1000),
        `${formatDuration(seconds * 1000)}${bar(seconds, longest)}`,
        formatSize(entry.sizeBytes),
        `${formatSize(entry.repoSizeDeltaBytes)}${bar(entry.repoSizeDeltaBytes, largest)}`,
        entry.archiveStart === undefined ? "offline" : `${entry.archiveStart} / ${entry.archiveStop ?? ""}`,
        entry.error === true ? '<span class="bad">page checksum errors</span>' : "none",
      ],
    };
  });
  return htmlTable(`Backups of ${info.name}, newest first`, [
    { title: "Backup" },
    { title: "Repository" },
    { title: "Type" },
    { title: "Begun" },
    { title: "Duration", isNumber: true },
    { title: "Size of the cluster", isNumber: true },
    { title: "Stored by it", isNumber: true },
    { title: "WAL from / to" },
    { title: "Errors" },
  ], rows);
}

function statusHtml({ code, message }: { readonly code: number; readonly message: string }): string {
  return `<span class="${code === INFO_STATUS.ok.code ? "good" : "bad"}">${
    escapeHtml(message).replaceAll("\n", "<br>")
  }</span>`;
}

function stanzaId({ info }: ReportedStanza): string {
  return `stanza-${escapeHtml(encodeURIComponent(info.name))}`;
}
