/** The report as one page: what needs attention first, then how far back and how far forward each stanza goes, in pictures and in lists. */
import { escapeHtml, type Fact, htmlFacts, htmlPage, type HtmlRow, htmlTable } from "../report/html_page.ts";
import { formatAge, formatLocalTime, formatSize, formatUtcOffset } from "../report/units.ts";
import { WALFERRY_VERSION } from "../version.ts";
import type { RepositoryInfo } from "./info_data.ts";
import { byStop } from "./info_json.ts";
import {
  type Attention,
  attentionsOf,
  describeLag,
  isUnreadable,
  type Level,
  levelOf,
  needsWal,
} from "./report_attention.ts";
import { repositoryCharts } from "./report_charts.ts";
import type { ReportedStanza, RepositorySight } from "./report_data.ts";
import { backupTables, drillTable, walTables } from "./report_tables.ts";
import { timelineSvg } from "./report_timeline.ts";
import { verificationTable } from "./report_verifications.ts";
import { standingResults } from "./verification_results.ts";

interface Judged {
  readonly stanza: ReportedStanza;
  readonly attentions: readonly Attention[];
}

/** The page. */
export function renderReportHtml(stanzas: readonly ReportedStanza[], host: string, nowMs: number): string {
  const when = `${formatLocalTime(nowMs)}${formatUtcOffset(nowMs)}`;
  const judged = stanzas.map((stanza) => ({ stanza, attentions: attentionsOf(stanza, nowMs) }));
  return htmlPage(
    `Backups as of ${when}`,
    `<header><h1>Backups and WAL</h1>
<p class="soft">as of <time datetime="${
      new Date(nowMs).toISOString()
    }">${when}</time>, told by walferry ${WALFERRY_VERSION} on ${escapeHtml(host)}</p></header>
${verdict(judged)}
${stanzas.length > 1 ? overview(judged, nowMs) : ""}
${judged.map((one) => section(one, nowMs)).join("\n")}`,
  );
}

/** What somebody who has a minute needs to read. */
function verdict(judged: readonly Judged[]): string {
  if (judged.length === 0) return `<p class="note warn">No stanzas exist in the repositories.</p>`;
  const troubled = judged.filter(({ attentions }) => attentions.length > 0);
  if (troubled.length === 0) {
    return `<p class="note good">Nothing needs attention: every repository has what it is for, and no WAL is known to be missing or late.</p>`;
  }
  // Of a single stanza everything follows at once.
  if (judged.length === 1) return "";
  const items = troubled.map(({ stanza, attentions }) => {
    const more = attentions.length === 1 ? "" : `, and ${attentions.length - 1} more`;
    return `<li class="note ${attentions[0]!.level}">${spoken(attentions[0]!)}<a href="#${stanzaId(stanza)}">${
      escapeHtml(stanza.info.name)
    }</a>: ${escapeHtml(attentions[0]!.text)}${more}</li>`;
  });
  return `<section aria-labelledby="attention"><h2 id="attention">Needs attention</h2><ul class="notes">${
    items.join("")
  }</ul></section>`;
}

function overview(judged: readonly Judged[], nowMs: number): string {
  const rows = judged.flatMap(({ stanza, attentions }) =>
    stanza.repositories.map((sight): HtmlRow => ({
      cells: [
        `<a href="#${stanzaId(stanza)}">${escapeHtml(stanza.info.name)}</a>`,
        `repo${sight.info.key}`,
        badge(levelOf(sight.info, stanza.info, attentions)),
        isUnreadable(sight.info) ? NOT_KNOWN : String(sight.info.backups.length),
        lastBackup(sight.info, nowMs),
        recoveryEnds(sight).join("<br>"),
        isUnreadable(sight.info) ? NOT_KNOWN : formatSize(storedBytes(sight.info)),
        debtOf(stanza, sight.info.key),
      ],
    }))
  );
  return htmlTable("All stanzas", [
    { title: "Stanza" },
    { title: "Repository" },
    { title: "Status" },
    { title: "Backups", isNumber: true },
    { title: "Last backup" },
    { title: "Recovery from / to" },
    { title: "Stored", isNumber: true },
    { title: "Owed" },
  ], rows);
}

function section({ stanza, attentions }: Judged, nowMs: number): string {
  const { info, repositories } = stanza;
  const id = stanzaId(stanza);
  const level = attentions[0]?.level ?? "good";
  const lag = describeLag(stanza, nowMs);
  const isUrgent = attentions.some(({ text }) => text === lag);
  const charts = repositories.map((sight) => repositoryCharts(sight.info, nowMs)).join("");
  return `<section class="stanza" aria-labelledby="${id}">
<div class="head"><h2 id="${id}">Stanza ${escapeHtml(info.name)}</h2>${badge(level)}</div>
${lead(stanza, nowMs)}
${notes(attentions)}
${lag === undefined || isUrgent ? "" : `<p class="soft">${escapeHtml(lag)}</p>`}
${runningNote(stanza)}
<div class="cards">${repositories.map((sight) => card({ stanza, attentions }, sight, nowMs)).join("\n")}</div>
${timelineSvg(stanza, nowMs)}
${charts === "" ? "" : `<h3>Sizes and durations</h3><div class="cards charts">${charts}</div>`}
<h3>Recovery</h3>${walTables(stanza) || '<p class="soft">There is no WAL behind a backup, or it was not looked at.</p>'}
<h3>Verifications</h3>${verificationTable(info)}
<h3>Drills</h3>${drillTable(stanza)}
<h3>Backups</h3>${backupTables(stanza, nowMs)}
</section>`;
}

/** What the colour says, for those who hear the page. */
function spoken({ level }: Pick<Attention, "level">): string {
  return `<span class="unseen">${level === "bad" ? "urgent: " : "to look at: "}</span>`;
}

/** The first question of whoever has lost a cluster. */
function lead({ repositories, lag }: ReportedStanza, nowMs: number): string {
  const best = repositories.flatMap(({ info: { key }, recoverable }) => recoverable.map((one) => ({ key, ...one })))
    .reduce<{ readonly key: number; readonly toMs: number } | undefined>(
      (newest, one) => newest === undefined || one.toMs > newest.toMs ? one : newest,
      undefined,
    );
  if (best === undefined) return "";
  // What waits on this host is in no repository.
  const waitingMs = typeof lag === "object" ? lag.oldestMs : undefined;
  const latestMs = Math.min(best.toMs, waitingMs ?? Infinity);
  return `<p>Newest moment to recover to: <strong>${formatLocalTime(latestMs)}</strong> at the latest, ${
    formatAge(nowMs - latestMs)
  } ago, out of repo${best.key}.</p>`;
}

function notes(attentions: readonly Attention[]): string {
  if (attentions.length === 0) return "";
  const items = attentions.map(({ level, text }) =>
    `<li class="note ${level}">${spoken({ level })}${escapeHtml(text)}</li>`
  );
  return `<ul class="notes">${items.join("")}</ul>`;
}

function runningNote({ info: { backupLock, restoreLock } }: ReportedStanza): string {
  const running = [...(backupLock.held ? ["a backup or expire"] : []), ...(restoreLock.held ? ["a restore"] : [])];
  return running.length === 0 ? "" : `<p>On this host ${running.join(" and ")} is running.</p>`;
}

/** What is told of a repository that cannot be read, where another has a fact. */
const NOT_KNOWN = '<span class="soft">not known</span>';

function card({ stanza, attentions }: Judged, sight: RepositorySight, nowMs: number): string {
  const { info } = sight;
  const facts: Fact[] = [
    ...(info.role === "wal" ? [] : [["Last backup", lastBackup(info, nowMs)] as const]),
    ...(info.role === "wal" ? [] : [
      ["Recovery", recoveryEnds(sight).join(" to<br>")],
      ["Backups", backupCount(info)],
    ] as const),
    ["Gaps", gapCount(info)],
    ["Owed", debtOf(stanza, info.key)],
    ["Verified", verifiedText(info, nowMs)],
    ["Encryption", info.cipher],
    ...(info.role === "all" ? [] : [["Holds", info.role === "wal" ? "WAL only" : "backups only"] as const]),
  ];
  return `<article class="card" aria-label="repository ${info.key} of ${
    escapeHtml(stanza.info.name)
  }"><div class="head"><h3>repo${info.key}</h3>${badge(levelOf(info, stanza.info, attentions))}</div>${
    htmlFacts(facts)
  }</article>`;
}

/** That nobody looked is not that there are none. */
function gapCount({ backups, outlook }: RepositoryInfo): string {
  // What must be there follows from the backups.
  if (outlook === undefined || backups.length === 0) return NOT_KNOWN;
  if (outlook.wal === undefined) return outlook.unknown.length > 0 ? NOT_KNOWN : "not looked for (--gaps)";
  const count = outlook.wal.flatMap(({ gaps }) => gaps).filter(({ reason }) => reason !== "arriving").length;
  return count === 0 ? "none" : `<span class="bad">${count} in the WAL</span>`;
}

/** The most thorough verification that still stands, and worse ones beside it. */
function verifiedText({ outlook }: RepositoryInfo, nowMs: number): string {
  if (outlook === undefined) return NOT_KNOWN;
  const standing = standingResults(outlook.verified);
  if (standing.length === 0) return outlook.unknown.length === 0 ? "never" : NOT_KNOWN;
  return standing.filter(({ damages }, at) => at === 0 || damages > 0).map(({ mode, time, damages }) =>
    `${formatAge(nowMs - time * 1000)} ago (${mode}): ${
      damages === 0 ? '<span class="good">ok</span>' : `<span class="bad">${damages} missing or damaged</span>`
    }`
  ).join("<br>");
}

function badge(level: Level): string {
  return `<span class="badge ${level}">${{ bad: "needs attention", warn: "look at it", good: "ok" }[level]}</span>`;
}

function backupCount(info: RepositoryInfo): string {
  if (isUnreadable(info)) return NOT_KNOWN;
  return info.backups.length === 0 ? "none" : `${info.backups.length}, ${formatSize(storedBytes(info))} stored`;
}

function lastBackup(info: RepositoryInfo, nowMs: number): string {
  if (isUnreadable(info)) return NOT_KNOWN;
  const last = [...info.backups].sort(byStop).at(-1)?.entry;
  return last === undefined ? "none" : `${formatAge(nowMs - last.timestampStop * 1000)} ago (${last.type})`;
}

/** First and last moment; what is in between may have gaps, which the picture shows. */
function recoveryEnds({ info, recoverable }: RepositorySight): string[] {
  if (isUnreadable(info)) return [NOT_KNOWN];
  if (info.role === "wal" && recoverable.length === 0) return ['<span class="soft">WAL only</span>'];
  if (recoverable.length === 0 && info.backups.length > 0 && !needsWal(info)) return ["the end of each backup"];
  if (recoverable.length === 0) return ['<span class="bad">no moment</span>'];
  return [
    formatLocalTime(recoverable.reduce((first, { fromMs }) => Math.min(first, fromMs), Infinity)),
    formatLocalTime(recoverable.reduce((last, { toMs }) => Math.max(last, toMs), -Infinity)),
  ];
}

/** What each backup added is what all of them take together. */
function storedBytes({ backups }: RepositoryInfo): number {
  return backups.reduce((sum, { entry }) => sum + entry.repoSizeDeltaBytes, 0);
}

function debtOf({ info }: ReportedStanza, key: number): string {
  const debt = info.archive.debts.find((one) => one.key === key);
  return debt === undefined
    ? "nothing"
    : `<span class="bad">${debt.count} WAL files, ${formatSize(debt.sizeBytes)}</span>`;
}

function stanzaId({ info }: ReportedStanza): string {
  return `stanza-${escapeHtml(encodeURIComponent(info.name))}`;
}
