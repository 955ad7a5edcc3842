/**
 * Which repositories are known to be away, shared by all processes of a stanza: `<spool-path>/walferry/<stanza>/health/<use>/repoN`. One that
 * failed is left alone for a growing time, then tried by one caller; so a dead store costs one time-out now and then, not one per segment.
 */
import type { Clock } from "../process/clock.ts";
import { parseRecord, stateRoot } from "./spool_files.ts";

/** Pauses after a failure in milliseconds: first, growth, longest. */
const PAUSE_FIRST = 2000;
const PAUSE_GROWTH = 2;
const PAUSE_MAX = 60_000;
/** Longest reason that is kept, in characters. */
const REASON_MAX = 500;
const FILE_MODE = 0o640;
const PATH_MODE = 0o750;

/** A repository that failed. */
export interface Outage {
  /** Failures in a row. */
  readonly failures: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly nextTryMs: number;
  readonly reason: string;
}

export class HealthBoard {
  readonly #path: string;
  readonly #clock: Clock;
  /** What could not be written: then only this process knows it. */
  readonly #own = new Map<number, Outage>();

  /** @param use one that is slow to read from may be good to write to: each use has its own board */
  constructor(spoolPath: string, stanza: string, clock: Clock, use: "push" | "get") {
    this.#path = `${stateRoot(spoolPath, stanza)}/health/${use}`;
    this.#clock = clock;
  }

  /** `undefined` = nothing bad is known. */
  outage(key: number): Outage | undefined {
    const own = this.#own.get(key);
    if (own !== undefined) return own;
    try {
      return parse(Deno.readTextFileSync(this.#file(key)));
    } catch {
      // What cannot be read is not known, and a repository of which nothing is known is tried: a spool in trouble must not end a recovery.
      return undefined;
    }
  }

  /** Whether it may be asked now: nothing bad is known, or the pause is over. */
  mayTry(key: number): boolean {
    const outage = this.outage(key);
    // A clock that was set back must not lengthen the pause beyond its longest.
    return outage === undefined || outage.nextTryMs <= this.#clock.nowMs() ||
      outage.nextTryMs > this.#clock.nowMs() + PAUSE_MAX;
  }

  /**
   * Takes the try that is due, so that others go on leaving the repository alone meanwhile.
   * @returns whether it may be asked
   */
  takeTry(key: number): boolean {
    if (!this.mayTry(key)) return false;
    const outage = this.outage(key);
    if (outage !== undefined) {
      this.#write(key, { ...outage, nextTryMs: this.#clock.nowMs() + pauseAfter(outage.failures) });
    }
    return true;
  }

  /** @returns whether it was well before */
  failed(key: number, reason: string): boolean {
    const before = this.outage(key);
    const failures = (before?.failures ?? 0) + 1;
    const nowMs = this.#clock.nowMs();
    this.#write(key, {
      failures,
      sinceMs: before?.sinceMs ?? nowMs,
      nextTryMs: nowMs + pauseAfter(failures),
      reason: reason.slice(0, REASON_MAX),
    });
    return before === undefined;
  }

  /** @returns whether it was away before */
  answered(key: number): boolean {
    const wasAway = this.outage(key) !== undefined;
    this.#own.delete(key);
    if (wasAway) removeIfPossible(this.#file(key));
    return wasAway;
  }

  #file(key: number): string {
    return `${this.#path}/repo${key}`;
  }

  #write(key: number, outage: Outage): void {
    const temporary = `${this.#file(key)}.${crypto.randomUUID().slice(0, 8)}.pgbackrest.tmp`;
    try {
      Deno.mkdirSync(this.#path, { recursive: true, mode: PATH_MODE });
      Deno.writeTextFileSync(temporary, JSON.stringify(outage), { mode: FILE_MODE });
      Deno.renameSync(temporary, this.#file(key));
      this.#own.delete(key);
    } catch {
      // Never worth a failure: without a spool each process finds out by itself.
      this.#own.set(key, outage);
      removeIfPossible(temporary);
    }
  }
}

/** What stays because of a spool in trouble is looked at again, and costs no more than a try. */
function removeIfPossible(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

function pauseAfter(failures: number): number {
  return Math.min(PAUSE_MAX, PAUSE_FIRST * PAUSE_GROWTH ** (failures - 1));
}

/** A file that tells nothing (half of one is never seen) knows nothing. */
function parse(text: string): Outage | undefined {
  const { failures, sinceMs, nextTryMs, reason } = parseRecord(text) ?? {};
  if (typeof failures !== "number" || typeof sinceMs !== "number" || typeof nextTryMs !== "number") return undefined;
  return { failures, sinceMs, nextTryMs, reason: typeof reason === "string" ? reason : "" };
}
