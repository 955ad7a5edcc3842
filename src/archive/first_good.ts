/** Trying several sources of one thing: one after the other, the next one also when the one before is slow, and whoever is first wins. */
import { toWalferryError, type WalferryError } from "../errors.ts";
import type { Clock } from "../process/clock.ts";

/** So long those that lost may tidy up, in milliseconds. */
const TIDY_MS = 300;

/** What came of the sources. */
export interface FirstGood<S, T> {
  readonly winner: { readonly source: S; readonly value: T } | undefined;
  /** Those that failed before. */
  readonly failures: readonly { readonly source: S; readonly error: WalferryError }[];
  /** Those that were overtaken by a later one. */
  readonly overtaken: readonly S[];
}

/**
 * @param attempt is given a signal that aborts when another one has won
 * @param patienceMs how long one may take until the next one is tried beside it
 * @param isFinal errors behind which no other source is tried
 * @throws what is final, and the signal's reason
 */
export async function firstGood<S, T>(
  sources: readonly S[],
  attempt: (source: S, signal: AbortSignal) => Promise<T>,
  { patienceMs, isFinal, clock, signal }: {
    readonly patienceMs: number;
    readonly isFinal: (error: WalferryError) => boolean;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<FirstGood<S, T>> {
  const failures: { source: S; error: WalferryError }[] = [];
  const stopped = new AbortController();
  const both = AbortSignal.any([signal, stopped.signal]);
  const running = new Map<S, Promise<void>>();
  let winner: { source: S; value: T } | undefined;
  let final: WalferryError | undefined;
  const begin = (source: S) => {
    const run = attempt(source, both).then((value) => {
      winner ??= { source, value };
    }, (thrown) => {
      const error = toWalferryError(thrown);
      if (winner !== undefined) return;
      if (isFinal(error)) final ??= error;
      failures.push({ source, error });
    }).then(() => void running.delete(source));
    running.set(source, run);
  };
  for (let next = 0; winner === undefined && final === undefined;) {
    signal.throwIfAborted();
    if (next < sources.length) begin(sources[next++]!);
    else if (running.size === 0) break;
    const waiting = new AbortController();
    const begun = running.size;
    // With nobody left to try there is nothing but to wait.
    const impatience = next < sources.length
      ? clock.sleep(patienceMs, waiting.signal).catch(() => undefined)
      : new Promise<void>(() => {});
    while (running.size === begun && winner === undefined) {
      const over = await Promise.race([impatience.then(() => true), Promise.race(running.values()).then(() => false)]);
      if (over) break;
    }
    waiting.abort();
  }
  const overtaken = [...running.keys()];
  stopped.abort(new DOMException("another one was faster", "AbortError"));
  // What was begun tidies up behind itself; one that hangs in spite of the signal is not waited for.
  const tidied = new AbortController();
  await Promise.race([Promise.all(running.values()), clock.sleep(TIDY_MS, tidied.signal).catch(() => undefined)]);
  tidied.abort();
  signal.throwIfAborted();
  if (final !== undefined && winner === undefined) throw final;
  return { winner, failures, overtaken };
}
