/**
 * What can be said of a recovery target before anything is restored. PostgreSQL looks at it when it starts, or when all WAL is replayed: hours
 * too late for somebody who waits for the database.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import { parseLsn } from "../format/wal_name.ts";
import type { Log } from "../report/log.ts";
import { formatLocalTime } from "../report/units.ts";
import type { RestoreOptions } from "./options.ts";
import { parseTargetTime } from "./target_time.ts";

/** Bytes of the longest name of a restore point. PostgreSQL source: `MAXFNAMELEN` in `src/include/access/xlog_internal.h`, less the end. */
const NAME_BYTES_MAX = 63;

/** Moments that PostgreSQL understands elsewhere and refuses here. PostgreSQL source: `check_recovery_target_time`. */
const MOVING_TIMES = new Set(["now", "today", "tomorrow", "yesterday"]);

/**
 * Refuses a target that PostgreSQL would refuse, or never come to: it reads an xid that is no number as 0, and replays everything.
 * @throws WalferryError `OptionInvalidValue`, `Format`
 */
export function assertTarget({ type, target }: RestoreOptions): void {
  if (target === undefined) return;
  const refuse = (hint: string) => {
    throw new WalferryError("OptionInvalidValue", `'${target}' is not valid for 'target' option with type=${type}`, {
      hint,
    });
  };
  if (type === "xid" && !/^\s*(0x[0-9a-f]+|\d+)\s*$/i.test(target)) refuse("a transaction id is a number.");
  if (type === "name" && new TextEncoder().encode(target).length > NAME_BYTES_MAX) {
    refuse(`the name of a restore point has ${NAME_BYTES_MAX} bytes at most.`);
  }
  if (type === "time" && MOVING_TIMES.has(target)) parseTargetTime(target, undefined);
}

/**
 * Warns of a target that the chosen backup may not reach: a recovery cannot stop before the end of its backup.
 * @param hasOlder there are older backups that it could have been
 */
export function warnOfTarget(
  manifest: Pick<Manifest, "label" | "lsnStop" | "timestampStop" | "options">,
  { type, target, set, timeZone }: RestoreOptions,
  hasOlder: boolean,
  log: Pick<Log, "warn">,
): void {
  if (target === undefined || !manifest.options.online) return;
  const end = formatLocalTime(manifest.timestampStop * 1000);
  if (type === "lsn") {
    if (manifest.lsnStop === undefined || parseLsn(target) >= parseLsn(manifest.lsnStop)) return;
    log.warn(
      `target '${target}' is before the end of backup set ${manifest.label} (${manifest.lsnStop}): PostgreSQL will refuse it\n` +
        "HINT: choose an earlier backup set, or none: the right one is found.",
    );
  } else if (type === "time") {
    const seconds = secondsOf(target, timeZone);
    if (seconds === undefined) {
      log.warn(`time '${target}' is not understood here: PostgreSQL decides about it when it is started`);
    } else if (seconds < manifest.timestampStop) {
      log.warn(
        `target '${target}' is before the end of backup set ${manifest.label} (${end}): ` +
          "PostgreSQL recovers at least to there, or refuses it\n" +
          "HINT: choose an earlier backup set, or none: the right one is found.",
      );
    }
  } else if (set === "latest" && hasOlder) {
    log.warn(
      `backup set ${manifest.label} is taken because it is the newest: ${type} '${target}' must come after its end (${end}), ` +
        "else PostgreSQL replays all WAL and ends without having met it\n" +
        "HINT: use --set to restore an earlier backup.",
    );
  }
}

/** @returns undefined for a time that only PostgreSQL may understand */
function secondsOf(target: string, timeZone: string | undefined): number | undefined {
  try {
    return parseTargetTime(target, timeZone);
  } catch (error) {
    if (isWalferryError(error, "Format")) return undefined;
    throw error;
  }
}
