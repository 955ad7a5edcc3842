/**
 * The cluster's part of a backup: finding the primary, beginning the backup on it and ending it; for an offline backup, making sure that
 * nothing runs. What is asked of the server is in src/postgres/backup_functions.ts.
 */
import { WalferryError } from "../errors.ts";
import { isInfoKey } from "../format/info_file.ts";
import type { ManifestDatabase } from "../format/manifest.ts";
import { formatLsn, parseLsn, segmentOfLsn, timelineOf } from "../format/wal_name.ts";
import {
  type BackupStart,
  type BackupStop,
  checkClusterConfig,
  checkpointReached,
  createRestorePoint,
  currentWalSegment,
  listDatabases,
  listTablespaces,
  serverTimeMs,
  startBackup,
  startStandbyBackup,
  stopBackup,
  stopStandbyBackup,
  switchWal,
} from "../postgres/backup_functions.ts";
import { findClusters, type FoundCluster } from "../postgres/cluster_group.ts";
import type { ClusterConnection } from "../postgres/connection.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { BackupOptions } from "./options.ts";
import { isFromStandby } from "./planner.ts";
import { assertStillStandby, catchUp, checkStandby } from "./standby.ts";

/** Monitoring looks for this name in `pg_stat_activity`. */
const APPLICATION_NAME = "pgBackRest [backup]";
const RESTORE_POINT = "pgBackRest Archive Check";
const NO_ARCHIVE_CHECK = { archiveCheck: false, archiveModeCheck: false } as const;
/** So often the server's clock is asked to reach the next second. */
const SECOND_ATTEMPTS = 3;

/** Where an online backup began. */
export interface OnlineStart {
  readonly lsn: string;
  readonly walSegment: string;
  /** Segment that was current before the start: it must reach the archive soon, or archiving does not work. Absent without archive-check. */
  readonly priorSegment: string | undefined;
  readonly databases: readonly ManifestDatabase[];
  /** Names by oid. */
  readonly tablespaces: ReadonlyMap<string, string>;
}

/** The cluster that is backed up. Closing it ends the sessions, and with them a backup that was not stopped. */
export class SourceCluster implements AsyncDisposable {
  /** @internal Use {@link openCluster}. */
  constructor(
    readonly config: ClusterConfig,
    readonly control: ControlData,
    /** Where the backup is begun and ended; absent for an offline backup. */
    readonly server: ClusterConnection | undefined,
    /** Where most files are read, beside a primary; absent = all are read from the server. */
    readonly standby: FoundCluster | undefined,
    /** The server is a standby itself: nothing is asked of the primary. */
    readonly onStandby: boolean,
    readonly context: CommandContext,
  ) {}

  /** Absolute path at which a file of the manifest is read: tablespaces are reached through their links in the data directory. */
  pathOf(name: string): string {
    const { path } = this.standby !== undefined && isFromStandby(name) ? this.standby.connection.config : this.config;
    return name.startsWith("pg_tblspc/") ? `${path}/${name}` : `${path}${name.slice("pg_data".length)}`;
  }

  /** The server's clock, or this machine's for an offline backup; milliseconds since the epoch. */
  async nowMs(): Promise<number> {
    return this.server === undefined ? this.context.clock.nowMs() : await serverTimeMs(this.server);
  }

  /**
   * Waits until the clock shows another second and gives it. A file that changes after the list was made then has a later time than the
   * list, so that times can be compared in whole seconds.
   *
   * @throws WalferryError `Kernel` when the clock does not move
   */
  async nextSecond(): Promise<number> {
    const before = await this.nowMs();
    for (let attempt = 0; attempt < SECOND_ATTEMPTS; attempt++) {
      await this.context.clock.sleep(1000 - (before % 1000), this.context.signal);
      const now = Math.floor(await this.nowMs() / 1000);
      if (now > Math.floor(before / 1000)) return now;
    }
    throw new WalferryError("Kernel", "invalid sleep for online backup time with wait remainder");
  }

  /** Some files are read from a standby. */
  get readsStandby(): boolean {
    return this.onStandby || this.standby !== undefined;
  }

  /** @throws WalferryError `DbMismatch` when the primary became a standby, or the standby a primary; `DbQuery` when a session is gone */
  async assertSameRoles(): Promise<void> {
    const { server, standby, onStandby } = this;
    if (onStandby) return await assertStillStandby(server!);
    if (server !== undefined && await server.inRecovery()) {
      throw new WalferryError("DbMismatch", `${server.name} is no longer the primary`, {
        hint: "was the primary demoted during the backup?",
      });
    }
    if (standby !== undefined) await assertStillStandby(standby.connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
    await this.standby?.connection[Symbol.asyncDispose]();
  }
}

/**
 * Opens the cluster to back up: the primary among the configured ones, with a standby where `backup-standby` wants one, or a standby alone; for
 * an offline backup the first.
 *
 * @throws WalferryError `DbConnect`, `DbQuery`, `DbMismatch`, `ArchiveDisabled`, `ArchiveCommandInvalid`, `FeatureNotSupported`; offline
 * `PgRunning`; both what `readControlFile` throws
 */
export async function openCluster(options: BackupOptions, context: CommandContext): Promise<SourceCluster> {
  if (!options.online) return openOffline(options, context);
  const group = await findClusters(options.clusters, {
    standby: options.backupStandby !== "n",
    dbTimeoutMs: options.dbTimeoutMs,
    applicationName: APPLICATION_NAME,
    signal: context.signal,
    log: context.log,
    pgVersionForce: options.pgVersionForce,
  });
  try {
    if (options.backupStandby === "only") {
      const { connection, control } = group.requireStandby();
      // It archives nothing, and its primary is another host's matter.
      checkClusterConfig(connection, { ...NO_ARCHIVE_CHECK, control, pgVersionForce: options.pgVersionForce });
      await group.primary?.connection[Symbol.asyncDispose]();
      return new SourceCluster(connection.config, control, connection, undefined, true, context);
    }
    const { connection, control } = group.requirePrimary();
    const standby = options.backupStandby === "y" ? group.requireStandby() : group.standby;
    if (standby === undefined && options.backupStandby === "prefer") {
      context.log.warn("unable to find a standby to perform the backup, using primary instead");
    }
    checkClusterConfig(connection, {
      control,
      archiveCheck: options.archiveCheck,
      archiveModeCheck: options.archiveModeCheck,
      pgVersionForce: options.pgVersionForce,
    });
    if (standby !== undefined) checkStandby(standby, control, options);
    return new SourceCluster(connection.config, control, connection, standby, false, context);
  } catch (error) {
    await group[Symbol.asyncDispose]();
    throw error;
  }
}

function openOffline(options: BackupOptions, context: CommandContext): SourceCluster {
  const config = options.clusters[0];
  if (config === undefined) throw new WalferryError("OptionRequired", "backup command requires option: pg1-path");
  const control = readControlFile(config.path, options.pgVersionForce);
  if (options.backupStandby !== "n") {
    context.log.warn(
      "option backup-standby is enabled but backup is offline - backups will be performed from the primary",
    );
  }
  if (isRunning(config.path)) {
    if (!options.force) {
      throw new WalferryError(
        "PgRunning",
        `--no-online passed but postmaster.pid exists - looks like pg${config.key} is running. Shut down pg${config.key} and try again, or use --force.`,
      );
    }
    context.log.warn(
      `--no-online passed and postmaster.pid exists but --force was passed so backup will continue though it looks like pg${config.key} is ` +
        "running and the backup will probably not be consistent",
    );
  }
  return new SourceCluster(config, control, undefined, undefined, false, context);
}

function isRunning(pgPath: string): boolean {
  try {
    Deno.lstatSync(`${pgPath}/postmaster.pid`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new WalferryError(
      "FileInfo",
      `unable to get info for path/file '${pgPath}/postmaster.pid': ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Begins an online backup, and waits for the standby that is to be read.
 *
 * @throws WalferryError `DbQuery`; `DbMismatch` when the control file is not that of the server that answered; `DbInvalid` for a database that
 * no manifest can name; what `catchUp` throws
 */
export async function startOnline(
  cluster: SourceCluster,
  server: ClusterConnection,
  options: BackupOptions,
  startMs: number,
): Promise<OnlineStart> {
  const { log } = cluster.context;
  const checkpointMs = server.settings.checkpointTimeoutMs;
  if (!options.startFast && options.dbTimeoutMs <= checkpointMs) {
    log.warn(
      `start-fast is disabled and db-timeout (${
        options.dbTimeoutMs / 1000
      }s) is smaller than the PostgreSQL checkpoint_timeout ` +
        `(${checkpointMs / 1000}s) - timeout may occur before the backup starts`,
    );
  }
  const label = `pgBackRest backup started at ${new Date(startMs).toISOString().slice(0, 19).replace("T", " ")}`;
  const when = options.startFast ? "requested immediate checkpoint" : "next regular checkpoint";
  const { started, control, priorSegment } = cluster.onStandby
    ? await startOnStandby(cluster, server, options, label)
    : await startOnPrimary(cluster, server, options, label, when);
  if (!checkpointReached(control, started.lsn)) {
    throw new WalferryError(
      "DbMismatch",
      `current checkpoint '${formatLsn(control.checkpointLsn)}' is less than backup start '${started.lsn}'`,
      {
        hint: `is '${cluster.config.path}' the data directory of the server that was asked?`,
      },
    );
  }
  if (timelineOf(started.walSegment) !== control.timeline) {
    throw new WalferryError(
      "DbMismatch",
      `WAL timeline of '${started.walSegment}' does not match pg_control timeline ${control.timeline}`,
    );
  }
  log.info(`backup start archive = ${started.walSegment}, lsn = ${started.lsn}`);
  if (priorSegment === started.walSegment) {
    // Nothing was completed by the start, so nothing would be archived that could be waited for.
    await createRestorePoint(server, RESTORE_POINT);
    await switchWal(server);
  }
  const databases = await listDatabases(server);
  assertStorable(databases);
  const tablespaces = await listTablespaces(server);
  if (cluster.standby !== undefined) {
    await catchUp(cluster.standby, started.lsn, control.timeline, options, cluster.context);
  }
  return { ...started, priorSegment, databases, tablespaces: new Map(tablespaces.map(({ oid, name }) => [oid, name])) };
}

/** A manifest that nobody can read is found out before hours of copying. @throws WalferryError `DbInvalid` */
function assertStorable(databases: readonly ManifestDatabase[]): void {
  const odd = databases.find(({ name }) => !isInfoKey(name));
  if (odd === undefined) return;
  throw new WalferryError(
    "DbInvalid",
    `the name of database ${
      JSON.stringify(odd.name)
    } (oid ${odd.oid}) holds a line feed and cannot be stored in a manifest`,
    { hint: "ALTER DATABASE ... RENAME TO gives it another one; nothing was copied." },
  );
}

/** How a server has begun a backup. */
interface ServerStart {
  readonly started: BackupStart;
  /** Its control file since. */
  readonly control: ControlData;
  readonly priorSegment: string | undefined;
}

async function startOnPrimary(
  { config, context }: SourceCluster,
  server: ClusterConnection,
  options: BackupOptions,
  label: string,
  when: string,
): Promise<ServerStart> {
  const priorSegment = options.archiveCheck ? await currentWalSegment(server) : undefined;
  context.log.info(`execute backup start: backup begins after the ${when} completes`);
  const started = await startBackup(server, label, options.startFast);
  return { started, control: readControlFile(config.path, options.pgVersionForce), priorSegment };
}

/** No segment can be ended from here, so that none is waited for before the files are copied. */
async function startOnStandby(
  { config, context }: SourceCluster,
  server: ClusterConnection,
  options: BackupOptions,
  label: string,
): Promise<ServerStart> {
  context.log.info("execute backup start on the standby: backup begins at its newest restart point");
  const { lsn } = await startStandbyBackup(server, label, options.startFast);
  const control = readControlFile(config.path, options.pgVersionForce);
  const walSegment = segmentOfLsn(control.timeline, lsn, control.walSegmentBytes);
  return { started: { lsn, walSegment }, control, priorSegment: undefined };
}

/** Ends an online backup. @throws WalferryError `DbQuery`; on a standby `DbMismatch` when it went over to another timeline meanwhile */
export async function stopOnline(
  cluster: SourceCluster,
  server: ClusterConnection,
  start: OnlineStart,
): Promise<BackupStop> {
  const { log } = cluster.context;
  log.info("execute backup stop and wait for all WAL segments to archive");
  const stopped = cluster.onStandby ? await stopOnStandby(cluster, server, start) : await stopBackup(server);
  log.info(`backup stop archive = ${stopped.walSegment}, lsn = ${stopped.lsn}`);
  return stopped;
}

async function stopOnStandby(
  { control, context }: SourceCluster,
  server: ClusterConnection,
  start: OnlineStart,
): Promise<BackupStop> {
  const stopped = await stopStandbyBackup(server);
  const timeline = timelineOf(start.walSegment);
  // The label is what PostgreSQL will believe.
  const isSame = stopped.timeline === timeline && stopped.backupLabel.includes(`(file ${start.walSegment})`);
  if (!isSame) {
    throw new WalferryError(
      "DbMismatch",
      `the standby went from timeline ${timeline} to ${stopped.timeline} during the backup`,
      { hint: "was another standby promoted? Run the backup again." },
    );
  }
  context.log.info("the last segment is archived when the primary goes on to the next one (archive_timeout)");
  // The end lies behind the last byte that is needed, which may be the last one of its segment.
  const lastByte = formatLsn(parseLsn(stopped.lsn) - 1n);
  return { ...stopped, walSegment: segmentOfLsn(timeline, lastByte, control.walSegmentBytes) };
}
