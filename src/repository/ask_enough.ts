/** Asking several repositories at once and going on when enough of them have answered: one that hangs adds next to nothing. */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { Clock } from "../process/clock.ts";
import type { Repository } from "./repository.ts";
import type { Outcome } from "./repository_set.ts";

/**
 * How long the others may take when enough have answered: so many times as long as those took, within these limits in milliseconds. A
 * repository that is merely farther away is waited for; one that says nothing is owed what it missed.
 */
const GRACE_FACTOR = 2;
const GRACE: GraceLimits = { minMs: 500, maxMs: 5000 };

export interface GraceLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

export interface AskEnough {
  /** Answers that count as enough. At or above the number of repositories everyone is waited for. */
  readonly needed: number;
  readonly grace?: GraceLimits;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Asks every repository the same thing at once. Whoever has not answered within the grace is told to stop and counts as failed.
 * @param counts whether an answer is one of those that are enough
 * @param question is given a signal that aborts when nobody waits any more
 */
export async function askEnough<T>(
  repositories: readonly Repository[],
  question: (repository: Repository, signal: AbortSignal) => Promise<T>,
  { needed, clock, signal, grace = GRACE }: AskEnough,
  counts: (value: T) => boolean = () => true,
): Promise<Outcome<T>[]> {
  const outcomes = new Map<Repository, Outcome<T>>();
  const startMs = clock.monotonicMs();
  const late = new AbortController();
  const done = new AbortController();
  const { promise: graceOver, resolve: endGrace } = Promise.withResolvers<void>();
  let graceBegun = false;
  const beginGrace = () => {
    const good = [...outcomes.values()].filter((outcome) => outcome.ok && counts(outcome.value)).length;
    if (graceBegun || good < needed || outcomes.size === repositories.length) return;
    graceBegun = true;
    const graceMs = Math.min(grace.maxMs, Math.max(grace.minMs, GRACE_FACTOR * (clock.monotonicMs() - startMs)));
    // Ended early when everyone has answered: nobody waits for it then.
    clock.sleep(graceMs, done.signal).then(endGrace, () => undefined);
  };
  const asked = repositories.map(async (repository) => {
    let outcome: Outcome<T>;
    try {
      outcome = { ok: true, repository, value: await question(repository, AbortSignal.any([signal, late.signal])) };
    } catch (error) {
      outcome = { ok: false, repository, failure: { key: repository.key, error: toWalferryError(error) } };
    }
    if (outcomes.has(repository)) return;
    outcomes.set(repository, outcome);
    beginGrace();
  });
  beginGrace();
  await Promise.race([Promise.all(asked), graceOver]);
  done.abort();
  const seconds = ((clock.monotonicMs() - startMs) / 1000).toFixed(1);
  for (const repository of repositories) {
    if (outcomes.has(repository)) continue;
    const error = new WalferryError("Service", `no answer within ${seconds} s, while the others answered`);
    outcomes.set(repository, { ok: false, repository, failure: { key: repository.key, error }, isLate: true });
  }
  late.abort(new WalferryError("Service", "not waited for any longer"));
  return repositories.map((repository) => outcomes.get(repository)!);
}
