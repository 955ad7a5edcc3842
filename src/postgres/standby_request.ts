/**
 * What a failing `restore_command` does to a standby. PostgreSQL ends the server when the command's code is above 125, and takes any other one
 * for "not there", which ends a recovery. A standby does not end: it streams, waits and asks again, also while its archive is away.
 */
import { isHistoryName, isWalSegmentName, timelineOf } from "../format/wal_name.ts";
import { isThere } from "../process/local_file.ts";
import { readControlFile } from "./control_file.ts";
import { serverStatus } from "./server_status.ts";

/** What a server says when recovery has begun: connections are taken, or never will be (`hot_standby=off`). */
const BEGUN = ["ready", "standby"];

/**
 * Whether the server whose data directory this is asks again for a WAL file that it does not get, and takes no wrong turn meanwhile:
 * - a segment of the timeline that it is on; of a newer one it would take what has the same number on the older;
 * - a history file when it has chosen its timeline; while it starts it would begin on the wrong one.
 *
 * @param versionForce `pg-version-force`
 */
export function asksAgain(dataPath: string, walName: string, versionForce?: string): boolean {
  try {
    if (!isThere(`${dataPath}/standby.signal`)) return false;
    if (isWalSegmentName(walName)) return timelineOf(walName) <= readControlFile(dataPath, versionForce).timeline;
    return isHistoryName(walName) && BEGUN.includes(serverStatus(dataPath) ?? "");
  } catch (error) {
    // Of a server that cannot be looked at nothing is assumed, whatever the reason: the caller is about to tell another error.
    if (error instanceof Error) return false;
    throw error;
  }
}
