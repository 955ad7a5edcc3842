/** Continuity of WAL, from the names of segments alone: spans of neighbours, and what is missing between two places. Pure arithmetic. */
import { segmentNameOf, segmentNumber, timelineOf } from "../format/wal_name.ts";

/** Segments arrive out of order when several are pushed at once: a hole in front of one that is younger than this may still be filled. */
export const ARRIVING_MS = 60_000;

/** Neighbouring segments of one timeline, by their places ({@link segmentNumber}). */
export interface SegmentSpan {
  readonly timeline: number;
  readonly first: number;
  last: number;
  /** When the first of them was stored, seconds since the epoch. */
  readonly firstStoredTime: number;
  /** When the last of them was stored, likewise. */
  lastStoredTime: number;
}

/** Places on one timeline, both included. */
export interface SegmentRun {
  readonly timeline: number;
  readonly first: number;
  readonly last: number;
}

/** Gathers spans from names that come sorted. */
export class SpanBuilder {
  readonly #segmentBytes: number;
  readonly spans: SegmentSpan[] = [];

  constructor(segmentBytes: number) {
    this.#segmentBytes = segmentBytes;
  }

  add(name: string, storedTime: number): void {
    const timeline = timelineOf(name);
    const place = segmentNumber(name, this.#segmentBytes);
    const span = this.spans.at(-1);
    if (span !== undefined && span.timeline === timeline && place <= span.last + 1) {
      if (place > span.last) span.lastStoredTime = storedTime;
      span.last = Math.max(span.last, place);
    } else {
      this.spans.push({ timeline, first: place, last: place, firstStoredTime: storedTime, lastStoredTime: storedTime });
    }
  }
}

/** The parts of a run that no span covers, ascending. */
export function missingIn(spans: readonly SegmentSpan[], run: SegmentRun): SegmentRun[] {
  const missing: SegmentRun[] = [];
  let next = run.first;
  for (const { timeline, first, last } of spans) {
    if (timeline !== run.timeline || last < next) continue;
    if (first > run.last) break;
    if (first > next) missing.push({ timeline, first: next, last: first - 1 });
    next = last + 1;
  }
  if (next <= run.last) missing.push({ timeline: run.timeline, first: next, last: run.last });
  return missing;
}

/** The parts of a run that are in none of these runs, ascending. */
export function outside(run: SegmentRun, runs: readonly SegmentRun[]): SegmentRun[] {
  const spans = runs.map((other) => ({ ...other, firstStoredTime: 0, lastStoredTime: 0 }));
  return missingIn(spans.sort((a, b) => a.first - b.first), run);
}

/** The parts of a run that are in some of these runs, ascending. */
export function inside(run: SegmentRun, runs: readonly SegmentRun[]): SegmentRun[] {
  return outside(run, outside(run, runs));
}

/** First and last segment of a run by name. */
export function namesOfRun(
  { timeline, first, last }: SegmentRun,
  segmentBytes: number,
): { start: string; stop: string } {
  return { start: segmentNameOf(timeline, first, segmentBytes), stop: segmentNameOf(timeline, last, segmentBytes) };
}

/** Every segment of a run by name. */
export function* segmentsOfRun(run: SegmentRun, segmentBytes: number): Generator<string> {
  for (let place = run.first; place <= run.last; place++) yield segmentNameOf(run.timeline, place, segmentBytes);
}
