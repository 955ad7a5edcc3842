/** Progress on a terminal: one line on standard error with bytes, rate and remaining time, drawn by `cli-progress`. */
// @ts-types="@types/cli-progress"
import { SingleBar } from "cli-progress";
import type { Progress } from "./progress.ts";
import { formatDuration, formatPercent, formatRate, formatSize } from "./units.ts";

/** Redraws a second; more would only cost. */
const DRAWS_PER_SECOND = 5;

/** What the bar shows beside numbers. */
interface BarText {
  readonly title: string;
}

/**
 * A progress line, and the wrapper that log lines must be written through so that they do not tear it.
 * Draw it only when standard error is a terminal.
 */
export function createProgressBar(): {
  readonly progress: Progress;
  readonly aroundTerminal: (write: () => void) => void;
} {
  let bar: SingleBar | undefined;
  let startMs = 0;
  let doneBytes = 0;
  let totalBytes = 0;
  const progress: Progress = {
    start(title, total) {
      startMs = performance.now();
      doneBytes = 0;
      totalBytes = total;
      bar = new SingleBar({
        format: (_options, _params, payload: BarText) =>
          line(payload.title, doneBytes, totalBytes, performance.now() - startMs),
        fps: DRAWS_PER_SECOND,
        hideCursor: true,
        clearOnComplete: true,
        stopOnComplete: false,
      });
      bar.start(total, 0, { title } satisfies BarText);
    },
    advance(bytes) {
      doneBytes += bytes;
      bar?.update(doneBytes);
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
  return {
    progress,
    aroundTerminal(write) {
      if (bar !== undefined) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
      write();
    },
  };
}

/** `backup  42.10%  1.2GB of 2.9GB  310MB/s  6.1 s left` */
function line(title: string, done: number, total: number, elapsedMs: number): string {
  const left = done === 0 || done >= total ? "" : `  ${formatDuration((elapsedMs / done) * (total - done))} left`;
  return `${title}  ${formatPercent(done, total)}  ${formatSize(done)} of ${formatSize(total)}  ${
    formatRate(done, elapsedMs)
  }${left}`;
}
