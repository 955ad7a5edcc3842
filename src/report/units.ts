/** Sizes, rates and times as people read them; the forms of sizes are pgBackRest's, which scripts parse. */

/** It ends with GB: readers of pgBackRest's output know no larger unit. */
const SIZE_UNITS = ["B", "KB", "MB", "GB"] as const;

/**
 * `8KB`, `22.1MB`, `664.6KB`: 1024 based, one decimal, which is dropped when it is zero (behaviour spec §8.3). As pgBackRest 2.59: 8252 bytes
 * are `8.1KB`, 2007 are `2KB`; 2.45 looked at the tenths before it rounded.
 */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Math.round(value * 10) / 10}${SIZE_UNITS[unit]}`;
}

/** `120MB/s` */
export function formatRate(bytes: number, ms: number): string {
  return ms <= 0 ? "-" : `${formatSize(Math.round(bytes / (ms / 1000)))}/s`;
}

/** `340 ms`, `4.2 s`, `3 min 12 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long ago, as much of it as matters: `40 s`, `5 min`, `7 h 5 min`, `3 d 4 h`, `412 d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (days < 2) return `${hours} h ${minutes % 60} min`;
  return days < 14 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** `42.10%`; 100 % of nothing. */
export function formatPercent(part: number, whole: number): string {
  return `${(whole === 0 ? 100 : (part * 100) / whole).toFixed(2)}%`;
}

/** `2026-01-31`, by the clock of this host. */
export function formatDate(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `2026-11-20 22:56:36.123` in local time, milliseconds on request. */
export function formatLocalTime(ms: number, withMilliseconds = false): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const text = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMilliseconds ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

/** Offset of local time at a moment: `+00`, `-05`, `+05:30`. */
export function formatUtcOffset(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  const hours = String(Math.floor(Math.abs(minutes) / 60)).padStart(2, "0");
  const rest = Math.abs(minutes) % 60;
  return rest === 0 ? `${sign}${hours}` : `${sign}${hours}:${String(rest).padStart(2, "0")}`;
}
