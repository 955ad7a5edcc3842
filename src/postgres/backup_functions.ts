/** What is asked of a server around a backup: start, stop, WAL positions, lists; and whether its settings fit. */
import { WalferryError } from "../errors.ts";
import { parseLsn } from "../format/wal_name.ts";
import { type ClusterConnection, required, type Row } from "./connection.ts";
import type { ControlData } from "./control_file.ts";

/** Where a backup begins. */
export interface BackupStart {
  readonly lsn: string;
  /** Segment that holds the LSN: the first one that the backup needs. */
  readonly walSegment: string;
}

/** Where a backup on a standby begins: servers in recovery name no segments. */
export type StandbyBackupStart = Pick<BackupStart, "lsn">;

/** Where a backup ends, and the files that the server wants to be put into it. */
export interface BackupStop {
  readonly lsn: string;
  /** The last segment that the backup needs. */
  readonly walSegment: string;
  readonly backupLabel: string;
  /** Absent when the cluster has no tablespaces. */
  readonly tablespaceMap: string | undefined;
}

/** Where a backup on a standby ends. */
export interface StandbyBackupStop extends Omit<BackupStop, "walSegment"> {
  /** On which it ends. */
  readonly timeline: number;
}

export interface Database {
  readonly name: string;
  readonly oid: number;
  /** Oid of `template0`: what the manifest's obsolete `db-last-system-id` is filled with. */
  readonly lastSystemOid: number;
}

export interface Tablespace {
  readonly oid: string;
  readonly name: string;
}

/**
 * Begins a backup; the server makes a checkpoint first. The backup lives as long as the session.
 *
 * @param fast checkpoint at once instead of at the next regular one
 * @throws WalferryError `DbQuery`
 */
export async function startBackup(connection: ClusterConnection, label: string, fast: boolean): Promise<BackupStart> {
  const row = await connection.queryRow(
    "select lsn::text as lsn, pg_catalog.pg_walfile_name(lsn)::text as segment " +
      `from pg_catalog.${startCall(connection, label, fast)} as lsn`,
  );
  return { lsn: required(row, "lsn"), walSegment: required(row, "segment") };
}

/**
 * The same on a standby: the backup begins at its newest restart point, which is made anew where the primary has made a checkpoint since.
 *
 * @throws WalferryError `DbQuery`, among others when `full_page_writes` was off on the primary
 */
export async function startStandbyBackup(
  connection: ClusterConnection,
  label: string,
  fast: boolean,
): Promise<StandbyBackupStart> {
  const row = await connection.queryRow(
    `select lsn::text as lsn from pg_catalog.${startCall(connection, label, fast)} as lsn`,
  );
  return { lsn: required(row, "lsn") };
}

function startCall(connection: ClusterConnection, label: string, fast: boolean): string {
  const text = connection.literal(label);
  return hasRenamedFunctions(connection)
    ? `pg_backup_start(${text}, ${fast})`
    : `pg_start_backup(${text}, ${fast}, false)`;
}

/** Ends the backup of this session without waiting for WAL to be archived. @throws WalferryError `DbQuery` */
export async function stopBackup(connection: ClusterConnection): Promise<BackupStop> {
  const row = await connection.queryRow(
    `select ${STOPPED}, pg_catalog.pg_walfile_name(lsn)::text as segment from pg_catalog.${stopCall(connection)}`,
  );
  return { ...stoppedOf(row), walSegment: required(row, "segment") };
}

/** Ends the backup of this session on a standby. @throws WalferryError `DbQuery`, among others when it was promoted meanwhile */
export async function stopStandbyBackup(connection: ClusterConnection): Promise<StandbyBackupStop> {
  const row = await connection.queryRow(
    `select ${STOPPED}, (select min_recovery_end_timeline from pg_catalog.pg_control_recovery())::text as timeline ` +
      `from pg_catalog.${stopCall(connection)}`,
  );
  return { ...stoppedOf(row), timeline: Number(required(row, "timeline")) };
}

const STOPPED = "lsn::text as lsn, labelfile::text as label, spcmapfile::text as map";

function stopCall(connection: ClusterConnection): string {
  return hasRenamedFunctions(connection) ? "pg_backup_stop(false)" : "pg_stop_backup(false, false)";
}

function stoppedOf(row: Row): Omit<BackupStop, "walSegment"> {
  const { map } = row;
  return {
    lsn: required(row, "lsn"),
    backupLabel: required(row, "label"),
    tablespaceMap: map === null || map === undefined || map.trim() === "" ? undefined : map,
  };
}

/** The exclusive backup went away with release 15, and the functions got new names. */
function hasRenamedFunctions(connection: ClusterConnection): boolean {
  return Number(connection.settings.pgVersion) >= 15;
}

/** Segment that the server writes to now. @throws WalferryError `DbQuery` */
export async function currentWalSegment(connection: ClusterConnection): Promise<string> {
  const row = await connection.queryRow(
    "select pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn())::text as segment",
  );
  return required(row, "segment");
}

/** Writes a named restore point, so that the current segment holds something and a switch takes place. @throws WalferryError `DbQuery` */
export async function createRestorePoint(connection: ClusterConnection, name: string): Promise<void> {
  await connection.query(`select pg_catalog.pg_create_restore_point(${connection.literal(name)})::text as lsn`);
}

/** Switches to a new segment; gives the name of the one that was completed. @throws WalferryError `DbQuery` */
export async function switchWal(connection: ClusterConnection): Promise<string> {
  const row = await connection.queryRow(
    "select pg_catalog.pg_walfile_name(pg_catalog.pg_switch_wal())::text as segment",
  );
  return required(row, "segment");
}

/** The server's clock, milliseconds since the epoch. @throws WalferryError `DbQuery` */
export async function serverTimeMs(connection: ClusterConnection): Promise<number> {
  const row = await connection.queryRow(
    "select pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint::text as ms",
  );
  return Number(required(row, "ms"));
}

/** All databases, in order of their names. @throws WalferryError `DbQuery` */
export async function listDatabases(connection: ClusterConnection): Promise<Database[]> {
  const rows = await connection.query(
    "select oid::text as oid, datname::text as name, " +
      "(select oid from pg_catalog.pg_database where datname = 'template0')::text as last from pg_catalog.pg_database " +
      'order by datname collate "C"',
  );
  return rows.map((row) => ({
    name: required(row, "name"),
    oid: Number(required(row, "oid")),
    lastSystemOid: Number(row.last ?? "0"),
  }));
}

/** All tablespaces, the two built-in ones included. @throws WalferryError `DbQuery` */
export async function listTablespaces(connection: ClusterConnection): Promise<Tablespace[]> {
  const rows = await connection.query(
    "select oid::text as oid, spcname::text as name from pg_catalog.pg_tablespace order by oid",
  );
  return rows.map((row) => ({ oid: required(row, "oid"), name: required(row, "name") }));
}

/** What the configuration of a cluster is held against. */
export interface ClusterCheck {
  readonly control: ControlData;
  /** WAL is going to be looked for in the archive. */
  readonly archiveCheck: boolean;
  /** `archive-mode-check`: refuse `archive_mode=always`. */
  readonly archiveModeCheck: boolean;
  /** `pg-version-force`: taken as the server's version, whatever it says itself. */
  readonly pgVersionForce?: string;
}

/**
 * Refuses a cluster whose settings do not fit: another data directory or version than the control file that was read, or WAL that does not
 * reach the archive.
 *
 * @throws WalferryError `DbMismatch`, `ArchiveDisabled`, `FeatureNotSupported`, `ArchiveCommandInvalid`
 */
export function checkClusterConfig(connection: ClusterConnection, check: ClusterCheck): void {
  const { settings, config } = connection;
  const pgVersion = check.pgVersionForce ?? settings.pgVersion;
  if (pgVersion !== check.control.pgVersion || !isSameDirectory(settings.dataDirectory, config.path)) {
    throw new WalferryError(
      "DbMismatch",
      `version '${pgVersion}' and path '${settings.dataDirectory}' queried from cluster do not match version ` +
        `'${check.control.pgVersion}' and '${config.path}' read from '${config.path}/global/pg_control'`,
      { hint: `the ${connection.name}-path and ${connection.name}-port settings likely reference different clusters.` },
    );
  }
  if (!check.archiveCheck) return;
  if (settings.archiveMode === "off") throw new WalferryError("ArchiveDisabled", "archive_mode must be enabled");
  if (settings.archiveMode === "always" && check.archiveModeCheck) {
    throw new WalferryError("FeatureNotSupported", "archive_mode=always not supported", {
      hint: "set option archive-mode-check=n to disable this check.",
    });
  }
  const command = settings.archiveCommand;
  if (command === undefined || !archivesWithUs(command)) {
    throw new WalferryError(
      "ArchiveCommandInvalid",
      `archive_command '${command ?? "[null]"}' must contain walferry or pgbackrest`,
    );
  }
}

/**
 * Whether an `archive_command` leads to this program: it names it, or pgBackRest, anywhere. That covers wrappers, absolute paths and the
 * form that tests an acknowledgement in the shell before it calls the program.
 */
export function archivesWithUs(archiveCommand: string): boolean {
  return /walferry|pgbackrest/i.test(archiveCommand);
}

/** By text first, so that a path that cannot be resolved from here still compares; then by what links lead to. */
function isSameDirectory(a: string, b: string): boolean {
  if (a === b) return true;
  try {
    return Deno.realPathSync(a) === Deno.realPathSync(b);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

/** True when the checkpoint in the control file is at or behind this LSN: the control file belongs to the server that answered. */
export function checkpointReached(control: ControlData, lsn: string): boolean {
  return control.checkpointLsn >= parseLsn(lsn);
}
