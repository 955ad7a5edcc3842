/** Whether the language's engine takes the same time for local time as the host's C library does, and how it is told to. */

/** A name and a whole number of hours, such as `EST5` or `UTC-3`: the engine asks the C library for the offset. */
const FIXED_OFFSET = /^[A-Za-z]{3,}[+-]?\d{1,2}$/;

/** An abbreviation in brackets, whatever its characters, and a whole number of hours: `<+03>-3`. */
const BRACKETED_OFFSET = /^<[A-Za-z0-9+-]+>([+-]?\d{1,2})$/;

/** Where the C library finds the zone of the host, and all others. */
const HOST_ZONE = "/etc/localtime";
const ZONES = "/usr/share/zoneinfo/";

/**
 * The value of `TZ` that means the same to the engine as this one to the C library: of the path of a file it would leave summer time out,
 * and an offset in brackets it would take for UTC. What has no such value is given back as it is.
 *
 * @param timeZone a value of `TZ` @returns `""` for the zone of the host
 */
export function engineTimeZone(timeZone: string): string {
  const name = timeZone.replace(/^:/, "");
  if (name === HOST_ZONE) return "";
  if (name.startsWith(ZONES)) return name.slice(ZONES.length);
  return name.replace(BRACKETED_OFFSET, "UTC$1");
}

/**
 * Whether local time of this process is that of the variable `TZ`. For one that the engine does not understand, such as
 * `CET-1CEST,M3.5.0,M10.5.0/3`, it takes the zone of the host (ICU, `uprv_tzname`) or, for the path of a file, leaves summer time out, and
 * says nothing of it.
 *
 * @param timeZone value of `TZ` that the process was started with
 */
export function isLocalTimeKnown(timeZone: string | undefined): boolean {
  const name = timeZone?.replace(/^:/, "").replace(/^posix\//, "") ?? "";
  if (name === "" || FIXED_OFFSET.test(name)) return true;
  // Anything but a name, such as `+03:00`, means something else to `Intl`.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    const meant = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
    // The engine has several words for UTC.
    return meant === "UTC" || meant === new Intl.DateTimeFormat("en").resolvedOptions().timeZone;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
