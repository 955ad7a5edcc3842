/**
 * A backup from start to end as a row of states, each made from the one before:
 *
 *   opened (cluster and repositories fit) -> started (server is in backup mode) -> listed (what is to be stored, label chosen)
 *   -> copied -> stopped (server has ended backup mode) -> archived (the WAL it needs is in the archive) -> complete
 *
 * Nothing counts before the last step: until then the directory is an unfinished backup that the next run removes, and the server leaves
 * backup mode when the session closes.
 */
import { WalferryError } from "../errors.ts";
import type { ManifestFile } from "../format/manifest.ts";
import type { BackupStop } from "../postgres/backup_functions.ts";
import { tablespaceDirectory } from "../postgres/version.ts";
import type { CommandContext } from "../process/command_context.ts";
import { formatSize } from "../report/units.ts";
import type { RepositoryFailure, RepositorySet } from "../repository/repository_set.ts";
import { type BackupFacts, completeManifest } from "./assemble.ts";
import { copySegments, waitForRange, waitInArchive } from "./archive_range.ts";
import { type ClusterScan, scanCluster } from "./cluster_scan.ts";
import { type CopiedFile, copyFiles } from "./copier.ts";
import { beginDirectory, completeBackup, removeLeftover, storeServerFiles } from "./finish.ts";
import { chooseLabel, knownLabels } from "./label.ts";
import type { BackupOptions, BackupType } from "./options.ts";
import { gatherParticipants, type Participants } from "./participants.ts";
import { type CopyDecision, orderCopies, planBackup } from "./planner.ts";
import { type OnlineStart, openCluster, type SourceCluster, startOnline, stopOnline } from "./start_stop.ts";

/** The session with the server is used at least this often, so that neither end takes the other for dead. */
const PING_EVERY_MS = 30_000;

/** What came of a backup. */
export interface BackupReport {
  readonly label: string;
  readonly type: BackupType;
  /** Bytes of all files as they are in the cluster. */
  readonly sizeBytes: number;
  readonly files: number;
  /** Repositories that do not have this backup, with the reason. */
  readonly failures: readonly RepositoryFailure[];
}

/** What a backup works on. */
export interface BackupRun {
  readonly options: BackupOptions;
  readonly repositories: RepositorySet;
  readonly context: CommandContext;
  /** Hears how far the copy is, now and then. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Makes a backup in every repository.
 *
 * @returns the backup that at least one repository holds; the failures of the others are in it
 * @throws WalferryError with the code that the documentation gives for what went wrong; no backup exists then
 */
export async function runBackup(run: BackupRun): Promise<BackupReport> {
  const { options, context } = run;
  await using cluster = await openCluster(options, context);
  const opened = await open(run, cluster);
  const started = await start(run, opened);
  const listed = await list(run, opened, started);
  const copied = await copy(run, opened, listed);
  const stopped = await stop(opened, listed);
  const archived = await archive(run, opened, listed, stopped);
  return await complete(run, opened, listed, copied, stopped, archived);
}

/** Cluster and repositories belong together. */
interface Opened {
  readonly cluster: SourceCluster;
  readonly participants: Participants;
  readonly type: BackupType;
  readonly checksumPage: boolean;
}

async function open({ options, repositories, context }: BackupRun, cluster: SourceCluster): Promise<Opened> {
  const participants = await gatherParticipants(repositories.repositories, options.stanza, cluster.control, context);
  return {
    cluster,
    participants,
    type: chooseType(options, participants, context),
    checksumPage: chooseChecksumPage(options, cluster, context),
  };
}

function chooseType(options: BackupOptions, participants: Participants, context: CommandContext): BackupType {
  if (options.type === "full") return "full";
  const hasPrior = participants.live.some(({ info }) =>
    info.backups.some((entry) =>
      entry.historyId === info.currentId && (entry.type === "full" || options.type === "incr")
    )
  );
  if (hasPrior) {
    throw new WalferryError("FeatureNotSupported", "differential and incremental backups are not built yet", {
      hint: "use --type=full",
    });
  }
  context.log.warn(`no prior backup exists, ${options.type} backup has been changed to full`);
  return "full";
}

function chooseChecksumPage(options: BackupOptions, cluster: SourceCluster, context: CommandContext): boolean {
  const { pageChecksums } = cluster.control;
  if (options.checksumPage && !pageChecksums) {
    context.log.warn(
      "checksum-page option set to true but checksums are not enabled on the cluster, resetting to false",
    );
    return false;
  }
  // Without a running server pages may be torn for good reason, so an offline backup checks them only when told to.
  return options.checksumPage ?? (pageChecksums && options.online);
}

/** The server is in backup mode, unless nothing runs. */
interface Started {
  /** Seconds since the epoch. */
  readonly timestampStart: number;
  readonly online: OnlineStart | undefined;
}

async function start({ options, context }: BackupRun, { cluster, participants }: Opened): Promise<Started> {
  const startMs = await cluster.nowMs();
  const timestampStart = Math.floor(startMs / 1000);
  if (cluster.primary === undefined) return { timestampStart, online: undefined };
  const online = await startOnline(cluster, cluster.primary, options, startMs);
  const prior = online.priorSegment;
  if (prior !== undefined) {
    // Found out before hours of copying: a backup whose WAL does not reach the archive is worth nothing.
    context.log.info(`check archive for prior segment ${prior}`);
    await participants.each(async (participant) => {
      await waitInArchive(participant, options.stanza, prior, options.archiveTimeoutMs, context);
    });
  }
  return { timestampStart, online };
}

/** What is to be stored is known, and each repository has a directory for it. */
interface Listed {
  readonly facts: BackupFacts;
  readonly copies: readonly CopyDecision[];
}

async function list({ options, context }: BackupRun, opened: Opened, started: Started): Promise<Listed> {
  const { cluster, participants } = opened;
  const { control } = cluster;
  const scan: ClusterScan = await scanCluster(
    {
      pgPath: cluster.config.path,
      tablespaceDirectory: tablespaceDirectory(control.pgVersion, control.catalogVersion),
      online: options.online,
      exclude: options.exclude,
      tablespaces: started.online?.tablespaces,
    },
    context.log,
    context.signal,
  );
  const timestampCopyStart = cluster.primary === undefined
    ? Math.floor(await cluster.nowMs() / 1000)
    : await cluster.nextSecond();
  const known: string[] = [];
  await participants.each(async ({ repository }) => {
    await removeLeftover(repository, options.stanza, context);
    known.push(...await knownLabels(repository, options.stanza));
  });
  const label = await chooseLabel(
    { type: opened.type, startSeconds: started.timestampStart, known },
    context.clock,
    context.signal,
  );
  const facts: BackupFacts = {
    label,
    type: opened.type,
    options,
    control,
    scan,
    checksumPage: opened.checksumPage,
    timestampStart: started.timestampStart,
    timestampCopyStart,
    started: started.online,
  };
  const decisions = planBackup(scan.files, { checksumPage: opened.checksumPage, prior: undefined });
  await participants.each((participant) => beginDirectory(participant, facts));
  return { facts, copies: orderCopies(decisions.filter((decision) => decision.action === "copy")) };
}

/** Every file is stored, and durable but for its name. */
async function copy(
  { options, context, onProgress }: BackupRun,
  opened: Opened,
  listed: Listed,
): Promise<readonly CopiedFile[]> {
  const { cluster, participants } = opened;
  const { facts } = listed;
  const primaryPath = cluster.config.path;
  let lastPingMs = context.clock.monotonicMs();
  const files = await copyFiles(listed.copies, {
    setup: {
      targets: participants.live.map(({ repository, cipherPass }) => ({
        key: repository.key,
        storage: repository.config.storage,
        directory: repository.backupPath(options.stanza, facts.label),
        compress: options.compress,
        cipherPass,
      })),
      pgPath: primaryPath,
      pgVersionForce: options.pgVersionForce,
      pageBytes: facts.control.pageBytes,
      pageHeaderCheck: options.pageHeaderCheck,
      bufferBytes: options.bufferBytes,
    },
    processMax: options.processMax,
    pathOf: (name) => clusterPath(primaryPath, name),
    stillValid: async () => {
      const nowMs = context.clock.monotonicMs();
      if (nowMs - lastPingMs < PING_EVERY_MS) return;
      lastPingMs = nowMs;
      await cluster.assertStillPrimary();
    },
    onProgress,
    onFailure: (failure) => participants.drop([failure]),
  }, context);
  await cluster.assertStillPrimary();
  return files;
}

/** Absolute path of a file in the cluster: tablespaces are reached through their links in the data directory. */
function clusterPath(pgPath: string, name: string): string {
  return name.startsWith("pg_tblspc/") ? `${pgPath}/${name}` : `${pgPath}${name.slice("pg_data".length)}`;
}

/** The server has left backup mode. */
interface Stopped {
  readonly timestampStop: number;
  readonly online: BackupStop | undefined;
  /** Files that the server gave, by repository. */
  readonly extra: ReadonlyMap<number, ManifestFile[]>;
}

async function stop({ cluster, participants }: Opened, { facts }: Listed): Promise<Stopped> {
  const online = cluster.primary === undefined ? undefined : await stopOnline(cluster, cluster.primary);
  const timestampStop = Math.floor(await cluster.nowMs() / 1000);
  const extra = new Map<number, ManifestFile[]>();
  if (online !== undefined) {
    await participants.each(async (participant) => {
      extra.set(participant.repository.key, await storeServerFiles(participant, facts, online, timestampStop));
    });
  }
  return { timestampStop, online, extra };
}

/** Entries of the WAL that was copied into the backup, by repository. */
type Archived = ReadonlyMap<number, ManifestFile[]>;

async function archive(
  { options, context }: BackupRun,
  { participants }: Opened,
  { facts }: Listed,
  stopped: Stopped,
): Promise<Archived> {
  const copied = new Map<number, ManifestFile[]>();
  if (!options.archiveCheck || facts.started === undefined || stopped.online === undefined) return copied;
  const first = facts.started.walSegment;
  const last = stopped.online.walSegment;
  context.log.info(`check archive for segment(s) ${first}:${last}`);
  await participants.each(async (participant) => {
    const segments = await waitForRange(participant, facts, first, last, context);
    if (!options.archiveCopy) return;
    copied.set(participant.repository.key, await copySegments(participant, facts, segments, stopped.timestampStop));
  });
  return copied;
}

/** The backup exists. */
async function complete(
  { context }: BackupRun,
  { participants, type }: Opened,
  { facts }: Listed,
  copied: readonly CopiedFile[],
  stopped: Stopped,
  archived: Archived,
): Promise<BackupReport> {
  let sizeBytes = 0;
  let files = 0;
  await participants.each(async (participant) => {
    const { key } = participant.repository;
    const extra = [...(stopped.extra.get(key) ?? []), ...(archived.get(key) ?? [])];
    const manifest = completeManifest(facts, participant, copied, extra, stopped.timestampStop, stopped.online);
    context.signal.throwIfAborted();
    await completeBackup(participant, facts, manifest);
    sizeBytes = manifest.files.reduce((total, file) => total + file.sizeBytes, 0);
    files = manifest.files.length;
  });
  context.log.info(`new backup label = ${facts.label}`);
  context.log.info(`${type} backup size = ${formatSize(sizeBytes)}, file total = ${files}`);
  return { label: facts.label, type, sizeBytes, files, failures: participants.failures };
}
