/** The target of a drill's recovery. */
import { formatUtcOffset } from "../report/units.ts";
import { parseTargetTime } from "../restore/target_time.ts";
import type { DrillOptions } from "./options.ts";

const WITHOUT_ZONE = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?$/;

/**
 * The target as the scratch cluster must read it. A time without a zone is local time where the backup is chosen, but the scratch cluster does
 * not have the time zone of the real one: the offset is written behind it. @throws WalferryError `Format`
 */
export function targetOf(
  { type, target, environment }: Pick<DrillOptions, "type" | "target" | "environment">,
): string | undefined {
  const text = target?.trim();
  if (type !== "time" || text === undefined || !WITHOUT_ZONE.test(text)) return target;
  return `${text}${formatUtcOffset(parseTargetTime(text, environment["TZ"]) * 1000)}`;
}
