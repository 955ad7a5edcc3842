/** Progress of a long command as seen by the one who does the work; how it is drawn is not its business. */
export interface Progress {
  /** Begins a phase: what is being done, and how many bytes it is in all. */
  start(title: string, totalBytes: number): void;
  /** So many more bytes are done. */
  advance(bytes: number): void;
  /** The phase is over; the line is removed. */
  stop(): void;
}

/** Progress that shows nothing. */
export const silentProgress: Progress = { start() {}, advance() {}, stop() {} };
