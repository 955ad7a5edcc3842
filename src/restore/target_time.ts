/** The moment that `--type=time` recovers to. */
import { WalferryError } from "../errors.ts";
import { isLocalTimeKnown } from "../process/time_zone.ts";

const TARGET_TIME =
  /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:[.,]\d+)?\s*(?:(Z)|([+-])(\d{2}):?(\d{2})?)?$/;

/** Of an offset from UTC. PostgreSQL source: `MAX_TZDISP_HOUR` in `src/include/datatype/timestamp.h`. */
const OFFSET_HOURS_MAX = 15;

/**
 * A target time as seconds since the epoch; fractions are cut. Without an offset it is local time.
 *
 * @param timeZone value of `TZ` that this process was started with
 * @throws WalferryError `Format`
 */
export function parseTargetTime(text: string, timeZone: string | undefined): number {
  const match = TARGET_TIME.exec(text.trim());
  const fail = (): never => {
    throw new WalferryError(
      "Format",
      `automatic backup set selection cannot be performed with provided time '${text}'`,
      {
        hint:
          "time format must be YYYY-MM-DD HH:MM:SS with optional msec and optional timezone (+/- HH or HHMM or HH:MM) - " +
          "if timezone is omitted, local time is assumed (for UTC use +00)",
      },
    );
  };
  if (match === null) return fail();
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (
    month < 1 || month > 12 || day < 1 || day > new Date(year, month, 0).getDate() || hour > 23 || minute > 59 ||
    second > 59
  ) fail();
  if (match[7] === undefined && match[8] === undefined) {
    if (!isLocalTimeKnown(timeZone)) {
      throw new WalferryError(
        "Format",
        `time '${text}' has no offset from UTC, and the time zone TZ='${timeZone}' is not understood here`,
        { hint: `write the offset behind the time, such as '${text.trim()}+01'.` },
      );
    }
    return new Date(year, month - 1, day, hour, minute, second).getTime() / 1000;
  }
  if (Number(match[9] ?? 0) > OFFSET_HOURS_MAX || Number(match[10] ?? 0) > 59) fail();
  const offsetMinutes = match[7] !== undefined
    ? 0
    : (match[8] === "-" ? -1 : 1) * (Number(match[9]) * 60 + Number(match[10] ?? 0));
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - offsetMinutes * 60;
}
