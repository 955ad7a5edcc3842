/**
 * When a backup of a stanza was last drilled, and when the last drill was passed: `<spool-path>/walferry/<stanza>/drill/last` and
 * `last-good`; and the drills before it, a line of JSON for each, in `history`. Monitoring and the report ask for it; nothing else depends
 * on it.
 */
import { parseRecord, SpoolDirectory } from "./spool_files.ts";

/** Drills that are remembered: a year of weekly ones and more. */
const HISTORY_MAX = 100;

/** What one drill found out. */
export interface DrillRecord {
  readonly isGood: boolean;
  /** End of the drill, milliseconds since the epoch. */
  readonly atMs: number;
  /** The backup, when one was chosen. */
  readonly label?: string;
  /** What failed, of a drill that was not passed. */
  readonly why?: string;
  /** Absent when the drill did not come so far. */
  readonly restoreMs?: number;
  readonly recoverMs?: number;
}

export class DrillRecords {
  readonly #directory: SpoolDirectory;

  constructor(spoolPath: string, stanza: string) {
    this.#directory = new SpoolDirectory(spoolPath, stanza, "drill");
  }

  /** Keeps the outcome of a drill. @throws Deno's own errors */
  record(record: DrillRecord): void {
    const text = JSON.stringify(record);
    this.#directory.write("last", text);
    if (record.isGood) this.#directory.write("last-good", text);
    const lines = (this.#directory.read("history") ?? "").split("\n").filter((line) => line !== "");
    this.#directory.write("history", `${[...lines, text].slice(-HISTORY_MAX).join("\n")}\n`);
  }

  /** The drills that are remembered, oldest first. @throws WalferryError `FileOpen` */
  history(): DrillRecord[] {
    const text = this.#directory.read("history");
    // Versions before kept the last one only.
    if (text === undefined) return [this.last("last")].filter((record) => record !== undefined);
    return text.split("\n").map(parse).filter((record) => record !== undefined);
  }

  /** The last drill, or the last one that was passed. @returns `undefined` when there was none @throws WalferryError `FileOpen` */
  last(which: "last" | "last-good"): DrillRecord | undefined {
    const text = this.#directory.read(which);
    return text === undefined ? undefined : parse(text);
  }
}

/** A file that somebody else wrote is no record. */
function parse(text: string): DrillRecord | undefined {
  const { isGood, atMs, label, why, restoreMs, recoverMs } = parseRecord(text) ?? {};
  if (typeof isGood !== "boolean" || typeof atMs !== "number") return undefined;
  return {
    isGood,
    atMs,
    label: typeof label === "string" ? label : undefined,
    why: typeof why === "string" ? why : undefined,
    restoreMs: typeof restoreMs === "number" ? restoreMs : undefined,
    recoverMs: typeof recoverMs === "number" ? recoverMs : undefined,
  };
}
