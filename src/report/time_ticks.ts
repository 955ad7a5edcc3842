/** Where the marks of a time axis stand: at full hours, days, months or years of this host's clock, few enough to be read. */
import { formatLocalTime } from "./units.ts";

export interface Tick {
  /** Milliseconds since the epoch. */
  readonly ms: number;
  readonly text: string;
}

type Unit = "minute" | "hour" | "day" | "month" | "year";

/** From fine to coarse; the approximate length only says which one to take. */
const STEPS: ReadonlyArray<{ readonly unit: Unit; readonly count: number; readonly aboutMs: number }> = [
  ...[1, 5, 15, 30].map((count) => ({ unit: "minute" as const, count, aboutMs: count * 60_000 })),
  ...[1, 3, 6, 12].map((count) => ({ unit: "hour" as const, count, aboutMs: count * 3_600_000 })),
  ...[1, 2, 7, 14].map((count) => ({ unit: "day" as const, count, aboutMs: count * 86_400_000 })),
  ...[1, 2, 3, 6].map((count) => ({ unit: "month" as const, count, aboutMs: count * 30 * 86_400_000 })),
  ...[1, 2, 5, 10, 100].map((count) => ({ unit: "year" as const, count, aboutMs: count * 365 * 86_400_000 })),
];

/** Ticks between two moments, both included. @param most of them */
export function timeTicks(fromMs: number, toMs: number, most: number): Tick[] {
  const step = STEPS.find(({ aboutMs }) => (toMs - fromMs) / aboutMs <= most) ?? STEPS.at(-1)!;
  const ticks: Tick[] = [];
  for (let date = floor(new Date(fromMs), step.unit, step.count); date.getTime() <= toMs;) {
    if (date.getTime() >= fromMs) ticks.push({ ms: date.getTime(), text: textOf(date.getTime(), step.unit) });
    date = next(date, step.unit, step.count);
  }
  return ticks;
}

/** The last full unit at or before a moment. Weeks begin on Monday. */
function floor(date: Date, unit: Unit, count: number): Date {
  const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
  const down = (value: number) => value - (value % count);
  switch (unit) {
    case "minute":
      return new Date(year, month, day, date.getHours(), down(date.getMinutes()));
    case "hour":
      return new Date(year, month, day, down(date.getHours()));
    case "day":
      return new Date(year, month, count < 7 ? day : day - ((date.getDay() + 6) % 7));
    case "month":
      return new Date(year, down(month), 1);
    case "year":
      return new Date(down(year), 0, 1);
  }
}

function next(date: Date, unit: Unit, count: number): Date {
  // Minutes and hours are counted on: where the clock is put back an hour would never pass.
  if (unit === "minute") return new Date(date.getTime() + count * 60_000);
  if (unit === "hour") return new Date(date.getTime() + count * 3_600_000);
  const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
  if (unit === "day") return new Date(year, month, day + count);
  return unit === "month" ? new Date(year, month + count, 1) : new Date(year + count, 0, 1);
}

function textOf(ms: number, unit: Unit): string {
  const text = formatLocalTime(ms);
  if (unit === "year") return text.slice(0, 4);
  if (unit === "month") return text.slice(0, 7);
  return unit === "day" ? text.slice(0, 10) : text.slice(5, 16);
}
