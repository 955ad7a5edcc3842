/** What every command gets besides its options: the outside world, passed in so that nothing below reaches for globals. */
import type { Log } from "../report/log.ts";
import type { Progress } from "../report/progress.ts";
import type { Clock } from "./clock.ts";

export interface CommandContext {
  readonly log: Log;
  readonly clock: Clock;
  /** Shows how far a long command is on a terminal; does nothing elsewhere. */
  readonly progress: Progress;
  /** Aborts on SIGTERM, SIGINT and SIGHUP with a `Term` error as reason. */
  readonly signal: AbortSignal;
  /** Writes a result to standard output, byte for byte. */
  readonly output: (content: string | Uint8Array) => void;
  /** `<pid>-<8 hex>`: names this run in lock files and logs. */
  readonly execId: string;
  /**
   * Told by a command that found out which of its repositories it had to do with: nothing is known of the others, however it ends. Absent =
   * nobody wants to know.
   */
  readonly tookPart?: (keys: readonly number[]) => void;
}
