/** What is asked of a standby: how far it has replayed, and how much of that is on its disk. */
import { WalferryError } from "../errors.ts";
import { type ClusterConnection, required } from "./connection.ts";

/** A position of a standby, held against one that is waited for. */
export interface StandbyPosition {
  readonly lsn: string;
  readonly reached: boolean;
}

const REPLAY_FUNCTION = "pg_catalog.pg_last_wal_replay_lsn()";

/** How far the standby has replayed; reached = past the target. @throws WalferryError `DbQuery`; `ArchiveTimeout` when it replays nothing */
export async function replayPosition(connection: ClusterConnection, target: string): Promise<StandbyPosition> {
  const row = await connection.queryRow(
    `select lsn::text as lsn, (lsn > ${connection.literal(target)})::text as reached from ${REPLAY_FUNCTION} as lsn`,
  );
  if (row.lsn === null || row.lsn === undefined) {
    throw new WalferryError("ArchiveTimeout", `unable to query replay lsn on the standby using '${REPLAY_FUNCTION}'`, {
      hint: "Is this a standby?",
    });
  }
  return { lsn: row.lsn, reached: required(row, "reached") === "true" };
}

/** Where the standby would begin after a crash: what lies before is in its files. Reached = at the target. @throws WalferryError `DbQuery` */
export async function checkpointPosition(connection: ClusterConnection, target: string): Promise<StandbyPosition> {
  const row = await connection.queryRow(
    `select checkpoint_lsn::text as lsn, (checkpoint_lsn >= ${connection.literal(target)})::text as reached ` +
      "from pg_catalog.pg_control_checkpoint()",
  );
  return { lsn: required(row, "lsn"), reached: required(row, "reached") === "true" };
}

/** Makes a restart point: what was replayed up to the last checkpoint of the primary is on disk then. @throws WalferryError `DbQuery` */
export async function restartPoint(connection: ClusterConnection): Promise<void> {
  await connection.query("checkpoint");
}
