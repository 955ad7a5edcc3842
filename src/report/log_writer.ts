/** Where log messages go: console, standard error and a file, in pgBackRest's line format or as JSON (behaviour spec §8.2-8.3). */
import { type Log, LOG_LEVELS, type LogLevel } from "./log.ts";
import { withoutControls } from "./shown_text.ts";
import { formatLocalTime, formatUtcOffset } from "./units.ts";
import { writeFully } from "./write_fully.ts";

export interface LogOptions {
  readonly console: LogLevel;
  readonly stderr: LogLevel;
  /** Absent = this command writes no file. */
  readonly file?: { readonly level: LogLevel; readonly path: string };
  readonly format: "text" | "json";
  /** Time on console lines. */
  readonly timestamp: boolean;
  /** Digits of the process number: 2, or 3 when `process-max` is above 99. */
  readonly processDigits: number;
  /** `[DRY-RUN] ` in front of every message. */
  readonly dryRun?: boolean;
  /** Clears a progress line before anything is written to a terminal, and draws it again behind it. */
  readonly aroundTerminal?: (write: () => void) => void;
}

/** A log over its outputs. Disposing closes the file. */
export interface OpenLog extends Log, Disposable {
  /** The most talkative level that any output shows. */
  readonly level: LogLevel;
}

const encoder = new TextEncoder();

/** Opens the outputs. A file that cannot be opened is a warning on the others; the command goes on. */
export function createLog(options: LogOptions): OpenLog {
  return new LogWriter(options);
}

class LogWriter implements OpenLog {
  readonly #options: LogOptions;
  readonly #file: Deno.FsFile | undefined;
  readonly level: LogLevel;

  constructor(options: LogOptions) {
    this.#options = options;
    const levels = [options.console, options.stderr, options.file?.level ?? "off"].map((level) =>
      LOG_LEVELS.indexOf(level)
    );
    this.level = LOG_LEVELS[Math.max(...levels)]!;
    if (options.file === undefined || options.file.level === "off") return;
    try {
      this.#file = Deno.openSync(options.file.path, { append: true, create: true, mode: 0o640 });
      const head = `${this.#file.statSync().size > 0 ? "\n" : ""}-------------------PROCESS START-------------------\n`;
      if (options.format === "text") writeMessage(this.#file, head);
    } catch (error) {
      this.warn(
        `unable to open log file '${options.file.path}': ${
          (error as Error).message
        }\nNOTE: process will continue without log file.`,
      );
    }
  }

  error(message: string, code?: number): void {
    this.#write("error", message, 0, code);
  }
  warn(message: string): void {
    this.#write("warn", message, 0);
  }
  info(message: string): void {
    this.#write("info", message, 0);
  }
  detail(message: string | (() => string), process = 0): void {
    if (!this.#isRead("detail")) return;
    this.#write("detail", typeof message === "string" ? message : message(), process);
  }
  debug(message: string): void {
    this.#write("debug", message, 0);
  }
  trace(message: string): void {
    this.#write("trace", message, 0);
  }

  #isRead(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(this.level);
  }

  #write(level: LogLevel, message: string, process: number, code?: number): void {
    if (!this.#isRead(level)) return;
    const rank = LOG_LEVELS.indexOf(level);
    const shows = (limit: LogLevel) => rank <= LOG_LEVELS.indexOf(limit);
    const text = `${this.#options.dryRun ? "[DRY-RUN] " : ""}${message}`;
    const nowMs = Date.now();
    const line = (timestamp: boolean, withProcess: boolean) =>
      this.#options.format === "json"
        ? jsonLine(nowMs, level, process, text, code)
        : this.#textLine(nowMs, level, process, text, code, timestamp, withProcess);
    // One message goes to one of the two: standard error when its level is asked for there, else the console.
    if (shows(this.#options.stderr)) this.#terminal(Deno.stderr, line(false, false));
    else if (shows(this.#options.console)) {
      const isTold = this.#terminal(Deno.stdout, line(this.#options.timestamp, true));
      // An answer that finds the disk full must not end without a word, because the word goes the same way.
      if (!isTold && level === "error") this.#terminal(Deno.stderr, line(false, false));
    }
    if (this.#file !== undefined && shows(this.#options.file!.level)) writeMessage(this.#file, line(true, true));
  }

  /** @returns as `writeMessage` */
  #terminal(output: { writeSync(bytes: Uint8Array): number }, line: string): boolean {
    const around = this.#options.aroundTerminal;
    if (around === undefined) return writeMessage(output, line);
    let isTold = false;
    around(() => isTold = writeMessage(output, line));
    return isTold;
  }

  #textLine(
    nowMs: number,
    level: LogLevel,
    process: number,
    text: string,
    code: number | undefined,
    timestamp: boolean,
    withProcess: boolean,
  ): string {
    const time = timestamp ? `${formatLocalTime(nowMs, true)} ` : "";
    const who = withProcess ? `P${String(process).padStart(this.#options.processDigits, "0")} ` : "";
    const head = withProcess ? `${time}${who}${level.toUpperCase().padStart(6)}: ` : `${level.toUpperCase()}: `;
    const shown = withoutControls(text);
    const coded = code === undefined ? shown : `[${String(code).padStart(3, "0")}]: ${shown}`;
    return `${head}${coded.replaceAll("\n", `\n${" ".repeat(head.length)}`)}\n`;
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }
}

function jsonLine(nowMs: number, level: LogLevel, process: number, message: string, code: number | undefined): string {
  const offset = formatUtcOffset(nowMs);
  // RFC 3339 wants minutes in the offset, and readers of JSON logs refuse a time without them.
  const time = `${formatLocalTime(nowMs, true).replace(" ", "T")}${offset.includes(":") ? offset : `${offset}:00`}`;
  return `${JSON.stringify({ time, level, process, code, message })}\n`;
}

/** @returns false when somebody wants to read it and it could not be written */
function writeMessage(output: { writeSync(bytes: Uint8Array): number }, text: string): boolean {
  try {
    writeFully(output, encoder.encode(text));
    return true;
  } catch (error) {
    // A reader that went away (`walferry ... | head`) or a full log disk must not fail a backup.
    if (!(error instanceof Error)) throw error;
    return error instanceof Deno.errors.BrokenPipe;
  }
}
