/** Log levels and the interface that everything below logs through; the writers are in `log_writer.ts`. */

/** Levels from silent to talkative, as in the options `log-level-*`. */
export const LOG_LEVELS = ["off", "error", "warn", "info", "detail", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log that takes whole messages; lines behind the first are indented by the writer. */
export interface Log {
  /** `code` is printed as `[055]: ` in front of the message. */
  error(message: string, code?: number): void;
  warn(message: string): void;
  info(message: string): void;
  /**
   * @param message a function is asked only when somebody reads the line: there may be a million of them
   * @param process number of the worker that did it (0 = main), printed as `P01`
   */
  detail(message: string | (() => string), process?: number): void;
  debug(message: string): void;
  trace(message: string): void;
}
