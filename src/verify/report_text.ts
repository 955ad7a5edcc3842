/** The report as text. The lines on archives and backups are pgBackRest's, for programs that read them. */
import { shownName, withoutControls } from "../report/shown_text.ts";
import { rangeLine } from "../repository/outlook_text.ts";
import { type Finding, type Tally, validOf } from "./finding.ts";
import type { VerifyMode } from "./options.ts";
import { describeKind, isSound, type RepairOutcome, type VerifyReport } from "./report.ts";

/** Findings shown for one archive id or backup unless everything is wanted. */
const SHOWN_MAX = 20;

/** How much is said. */
export interface ReportTextOptions {
  /** With continuous spans of WAL, and every finding. */
  readonly verbose: boolean;
  /** Others are verified too: then the text says which one this is. */
  readonly isOneOfMany: boolean;
}

export function renderReportText(report: VerifyReport, { verbose, isOneOfMany }: ReportTextOptions): string {
  const { archives, backups, findings } = report;
  const lines = [
    `stanza: ${report.stanza}`,
    ...(isOneOfMany ? [`repo: ${report.repositoryKey}`] : []),
    `status: ${isSound(report) ? "ok" : "error"}`,
  ];
  const show = (some: readonly Finding[], indent: string) => {
    const shown = verbose ? some : some.slice(0, SHOWN_MAX);
    for (const { severity, kind, path, message, repaired } of shown) {
      lines.push(
        `${indent}${severity === "damage" ? "" : "note: "}${describeKind(kind)}: ${shownName(path)}: ${
          withoutControls(message)
        }${repaired === undefined ? "" : ` (repaired: ${withoutControls(repaired)})`}`,
      );
    }
    if (shown.length < some.length) lines.push(`${indent}and ${some.length - shown.length} more (--verbose shows all)`);
  };
  const other = findings.kept.filter(({ archiveId, label }) => archiveId === undefined && label === undefined);
  show(other, "  ");
  for (const { id, tally, read, spans } of archives) {
    lines.push(`  archiveId: ${id}, total WAL checked: ${tally.checked}, total valid WAL: ${validOf(tally)}`);
    lines.push(`    ${counts(tally)}`);
    if (report.mode.kind !== "full") lines.push(`    read: ${read} of ${tally.checked}`);
    if (verbose) { for (const { start, stop } of spans) lines.push(`    wal start: ${start}, wal stop: ${stop}`); }
    show(findings.kept.filter(({ archiveId, label }) => archiveId === id && label === undefined), "    ");
  }
  for (const { label, status, tally, read } of backups) {
    lines.push(
      `  backup: ${label}, status: ${status}, total files checked: ${tally.checked}, total valid files: ${
        validOf(tally)
      }`,
    );
    lines.push(`    ${counts(tally)}`);
    if (report.mode.kind === "sample") lines.push(`    read: ${read}`);
    show(findings.kept.filter((finding) => finding.label === label), "    ");
  }
  const known = new Set(backups.map(({ label }) => label));
  show(findings.kept.filter(({ label }) => label !== undefined && !known.has(label)), "  ");
  if (findings.omitted > 0) lines.push(`  and ${findings.omitted} more findings that are only counted`);
  if (report.mode.kind === "quick") lines.push("  quick: lists and info files only, no content was read");
  if (report.outcome !== undefined) lines.push(...outcomeLines(report.outcome, findings.damages, report.mode));
  return `${lines.join("\n")}\n`;
}

/** What is left after a repair, as far as the mode found out. */
export function outcomeLines(
  { lostBackups, ranges, ownEnds }: RepairOutcome,
  damages: number,
  mode: VerifyMode,
): string[] {
  return [
    `  after the repair: ${damages === 0 ? "nothing is" : damages} missing or damaged${extentOf(mode)}`,
    ...(lostBackups.length === 0 ? [] : [`    cannot be restored: ${lostBackups.join(", ")}`]),
    ...(ranges.length > 0
      ? []
      : ownEnds.length === 0
      ? ["    no range of moments can be recovered to"]
      : [`    only the end of a backup can be recovered to, by the WAL that it holds itself: ${ownEnds.join(", ")}`]),
    ...ranges.map(({ archiveId, range }) => `    ${archiveId}: ${rangeLine(range)}`),
  ];
}

/** What a result says nothing of. */
function extentOf(mode: VerifyMode): string {
  switch (mode.kind) {
    case "full":
      return "";
    case "quick":
      return " (quick: no content was read)";
    case "sample":
      return ` (sample: ${mode.percent}% was read)`;
    case "since-last":
      return " (since-last: only what is new was read)";
  }
}

function counts({ missing, checksum, size, other }: Tally): string {
  return `missing: ${missing}, checksum invalid: ${checksum}, size invalid: ${size}, other: ${other}`;
}
