/** The report as one JSON object on one line; those of several repositories as a list of such. docs/operations.md says what its members mean. */
import { type JsonObject, renderAnswer } from "../format/json.ts";
import { type Tally, validOf } from "./finding.ts";
import { isSound, type RepairOutcome, type VerifyReport } from "./report.ts";

/** @param several a list, of which each member is one repository's report */
export function renderReportsJson(reports: readonly VerifyReport[], several: boolean): string {
  const values = reports.map(valueOf);
  return several ? `${renderAnswer(values)}\n` : values.map((value) => `${renderAnswer(value)}\n`).join("");
}

function valueOf(report: VerifyReport): JsonObject {
  const { mode } = report;
  return {
    archive: report.archives.map(({ id, tally, read, spans }) => ({
      id,
      read,
      span: spans.map(({ start, stop, segments }) => ({ segments, start, stop })),
      wal: renderTally(tally),
    })),
    backup: report.backups.map(({ label, status, tally, read }) => ({
      file: renderTally(tally),
      label,
      read,
      status,
    })),
    finding: report.findings.kept.map(({ kind, severity, path, message, archiveId, label, segments, repaired }) => ({
      ...(archiveId === undefined ? {} : { "archive-id": archiveId }),
      ...(label === undefined ? {} : { backup: label }),
      kind,
      message,
      path,
      ...(repaired === undefined ? {} : { repaired }),
      ...(segments === undefined ? {} : { segment: { ...segments } }),
      severity,
    })),
    "finding-damage": report.findings.damages,
    "finding-omitted": report.findings.omitted,
    mode: mode.kind,
    ...(report.outcome === undefined ? {} : { repair: renderOutcome(report.outcome) }),
    repo: report.repositoryKey,
    ...(mode.kind === "sample" ? { "sample-percent": String(mode.percent) } : {}),
    stanza: report.stanza,
    status: isSound(report) ? "ok" : "error",
  };
}

function renderOutcome({ lostBackups, ranges, ownEnds }: RepairOutcome): JsonObject {
  return {
    "lost-backup": [...lostBackups],
    "own-end": [...ownEnds],
    recoverable: ranges.map(({ archiveId, range: { label, timeline, fromMs, toMs, first, last } }) => ({
      backup: label,
      id: archiveId,
      max: last,
      min: first,
      timeline,
      timestamp: { start: Math.floor(fromMs / 1000), stop: Math.floor(toMs / 1000) },
    })),
  };
}

function renderTally(tally: Tally): Record<string, number> {
  const { checked, missing, checksum, size, other } = tally;
  return { checked, "checksum-invalid": checksum, missing, other, "size-invalid": size, valid: validOf(tally) };
}
