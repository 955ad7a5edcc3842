/** What a drill found out, as values and as the text and the JSON that it is told in. */
import type { WalferryError } from "../errors.ts";
import { withoutControls } from "../report/shown_text.ts";
import { formatDuration, formatLocalTime } from "../report/units.ts";

export type DrillStepName = "restore" | "recover" | "archive" | "query" | "dump" | "amcheck" | "stop" | "checksums";

/** One part of the drill. */
export interface DrillStep {
  readonly name: DrillStepName;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly durationMs: number;
  /** One line, or why it failed. */
  readonly detail: string;
}

/** The backup that was restored. */
export interface DrilledBackup {
  readonly label: string;
  readonly repositoryKey: number;
  readonly type: "full" | "diff" | "incr";
  /** End of the backup, milliseconds since the epoch. */
  readonly stopMs: number;
  /** Bytes of the cluster. */
  readonly sizeBytes: number;
}

/** Where recovery ended. */
export interface Recovered {
  readonly lsn: string | undefined;
  /** Commit or abort of the last transaction that was replayed, milliseconds since the epoch; absent = none was. */
  readonly lastTransactionMs: number | undefined;
}

export interface DrillReport {
  readonly stanza: string;
  readonly startMs: number;
  target: { readonly type: string; readonly value?: string };
  backup?: DrilledBackup;
  /** Version of the programs that ran. */
  postgres?: string;
  steps: DrillStep[];
  recovered?: Recovered;
  /** The scratch directory, when it was kept. */
  kept?: string;
  durationMs: number;
  /** What ended the drill before it was through. */
  error?: WalferryError;
}

/** True when the backup was restored, recovered, and passed every test that was asked for. */
export function isGood({ error, steps }: DrillReport): boolean {
  return error === undefined && steps.every(({ outcome }) => outcome !== "failed");
}

/** In one word: `failed` is about the backup, `error` about the drill. */
function verdictOf(report: DrillReport): "good" | "failed" | "error" {
  if (isGood(report)) return "good";
  return report.error === undefined || report.error.kind === "DrillFailed" ? "failed" : "error";
}

const VERDICTS = { good: "is good", failed: "FAILED", error: "could not be drilled to the end" };

/** Time of a step that ran once, `undefined` when it was not reached. */
export function durationOf({ steps }: DrillReport, name: DrillStepName): number | undefined {
  return steps.find((step) => step.name === name)?.durationMs;
}

/** For people. */
export function renderDrillText(report: DrillReport, nowMs: number): string {
  const { stanza, backup, steps, recovered } = report;
  const what = backup === undefined
    ? "no backup was restored"
    : `backup ${backup.label} of repo${backup.repositoryKey}`;
  const lines = [
    `drill of stanza ${stanza}: ${backup === undefined ? what : `${what} ${VERDICTS[verdictOf(report)]}`}`,
  ];
  const width = Math.max(...steps.map(({ name }) => name.length));
  for (const { name, outcome, durationMs, detail } of steps) {
    const time = outcome === "skipped" ? "" : formatDuration(durationMs);
    lines.push(
      `  ${name.padEnd(width)}  ${outcome.padEnd(7)}  ${time.padStart(9)}  ${detail.replaceAll("\n", "\n      ")}`
        .trimEnd(),
    );
  }
  if (recovered !== undefined) {
    const { lastTransactionMs, lsn } = recovered;
    lines.push(
      lastTransactionMs === undefined
        ? "  last transaction: none behind the backup"
        : `  last transaction: ${formatLocalTime(lastTransactionMs)} (${
          formatDuration(nowMs - lastTransactionMs)
        } ago)`,
      `  recovered to: ${lsn ?? "the end of the backup"}`,
    );
  }
  if (report.kept !== undefined) lines.push(`  kept: ${report.kept}`);
  return withoutControls(`${lines.join("\n")}\n`);
}

/** For programs: one object on one line. docs/drill.md says what its members mean. */
export function renderDrillJson(report: DrillReport): string {
  const { stanza, target, backup, steps, recovered, error } = report;
  return `${
    JSON.stringify({
      backup: backup === undefined ? null : {
        label: backup.label,
        "repo-key": backup.repositoryKey,
        size: backup.sizeBytes,
        stop: Math.floor(backup.stopMs / 1000),
        type: backup.type,
      },
      "duration-ms": Math.round(report.durationMs),
      error: error === undefined ? null : { code: error.code, message: error.text, name: error.name },
      kept: report.kept ?? null,
      "last-transaction": recovered?.lastTransactionMs === undefined ? null : recovered.lastTransactionMs / 1000,
      lsn: recovered?.lsn ?? null,
      postgres: report.postgres ?? null,
      "recover-ms": rounded(durationOf(report, "recover")),
      "restore-ms": rounded(durationOf(report, "restore")),
      result: verdictOf(report),
      stanza,
      start: Math.floor(report.startMs / 1000),
      step: steps.map(({ name, outcome, durationMs, detail }) => ({
        detail,
        "duration-ms": Math.round(durationMs),
        name,
        result: outcome,
      })),
      target: { type: target.type, value: target.value ?? null },
    })
  }\n`;
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value);
}
