/** A log that keeps its lines for the test to look at. */
import type { Log } from "../../src/report/log.ts";

export interface RecordingLog extends Log {
  /** `WARN text`, one line each, in order. */
  readonly lines: readonly string[];
  text(): string;
}

export function recordingLog(): RecordingLog {
  const lines: string[] = [];
  const keep = (level: string) => (message: string | (() => string)) =>
    void lines.push(`${level} ${typeof message === "string" ? message : message()}`);
  return {
    lines,
    text: () => lines.join("\n"),
    error: keep("ERROR"),
    warn: keep("WARN"),
    info: keep("INFO"),
    detail: keep("DETAIL"),
    debug: keep("DEBUG"),
    trace: keep("TRACE"),
  };
}
