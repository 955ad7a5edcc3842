/** Trying again what failed in passing: with growing, jittered pauses, until a deadline. */
import type { WalferryError } from "../src/errors.ts";
import { systemClock } from "../src/process/clock.ts";
import type { NetworkLimits } from "./config.ts";
import { RequestFailure } from "./request_failure.ts";

/** First pause and longest pause in milliseconds. */
const PAUSE_FIRST = 100;
const PAUSE_MAX = 10_000;

/** A try that took so much of `ioTimeoutMs` was given up by it, or flowed for as long. */
const LONG_SHARE = 0.9;

/**
 * Runs an action until it succeeds, fails for good, or `limits.retryMs` have passed since the first try. Where they are no less than one silence
 * may last, the first try that was as long leaves time for another: one answer that never comes, which stores in a cloud owe now and then, would
 * otherwise be the end of a backup.
 * @throws what the last try threw; after several tries its message tells how many, for how long, and what the first one said
 */
export async function retrying<T>(
  limits: NetworkLimits,
  signal: AbortSignal | undefined,
  action: (attempt: number) => Promise<T>,
): Promise<T> {
  const startMs = performance.now();
  let first: RequestFailure | undefined;
  let hadLong = limits.retryMs < limits.ioTimeoutMs;
  for (let attempt = 1;; attempt++) {
    signal?.throwIfAborted();
    const tryStartMs = performance.now();
    try {
      return await action(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RequestFailure)) throw error;
      first ??= error;
      const nowMs = performance.now();
      const elapsedMs = nowMs - startMs;
      const pauseMs = pauseBefore(attempt, error.retryAfterMs);
      const isFirstLong = !hadLong && nowMs - tryStartMs >= limits.ioTimeoutMs * LONG_SHARE;
      hadLong ||= isFirstLong;
      const isOver = elapsedMs + pauseMs > limits.retryMs && !isFirstLong;
      if (!error.transient || isOver) throw summary(error, first, attempt, elapsedMs);
      await systemClock.sleep(pauseMs, signal);
    }
  }
}

/** Doubles from try to try; half of it is left to chance, so that many who failed together do not come back together. */
function pauseBefore(attempt: number, retryAfterMs: number | undefined): number {
  const full = Math.min(PAUSE_MAX, PAUSE_FIRST * 2 ** (attempt - 1));
  return Math.max(retryAfterMs ?? 0, full / 2 + Math.random() * full / 2);
}

function summary(last: RequestFailure, first: RequestFailure, attempts: number, elapsedMs: number): WalferryError {
  if (attempts === 1) return last;
  const before = first.message === last.message ? "" : `\nfirst try: ${first.message}`;
  return new RequestFailure(
    last.kind,
    `${last.message} (${attempts} tries in ${(elapsedMs / 1000).toFixed(1)} s)${before}`,
    { transient: last.transient, hint: last.hint, cause: last },
  );
}
