/** Options of `start` and `stop` as typed values. */
export interface StartStopOptions {
  /** Absent = all stanzas. */
  readonly stanza?: string;
  readonly force: boolean;
  readonly lockPath: string;
}
