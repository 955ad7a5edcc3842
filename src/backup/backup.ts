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
import { compareBytes } from "../format/json.ts";
import { parseLabel } from "../format/label.ts";
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
import { clusterName, futureFile, reasonForDelta } from "./delta.ts";
import { chooseLabels, knownLabels } from "./label.ts";
import { chooseLineage, type Lineage } from "./lineage.ts";
import type { BackupOptions, BackupType } from "./options.ts";
import { gatherParticipants, type Participant, type Participants } from "./participants.ts";
import { type BackupPlan, orderCopies, planBackup } from "./planner.ts";
import { type OnlineStart, openCluster, type SourceCluster, startOnline, stopOnline } from "./start_stop.ts";

/** The session with the server is used at least this often, so that neither end takes the other for dead. */
const PING_EVERY_MS = 30_000;

/** What came of a backup. */
export interface BackupReport {
  /** Label and type in the first repository that holds it; others, with a past of their own, may call it differently. */
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
  const archived = await archive(run, opened, started, listed, stopped);
  return await complete(run, opened, listed, copied, stopped, archived);
}

/** Cluster and repositories belong together. */
interface Opened {
  readonly cluster: SourceCluster;
  readonly participants: Participants;
  /** By key of the repository. */
  readonly lineages: ReadonlyMap<number, Lineage>;
}

async function open({ options, repositories, context }: BackupRun, cluster: SourceCluster): Promise<Opened> {
  const participants = await gatherParticipants(repositories.repositories, options.stanza, cluster.control, context);
  const checksumPage = chooseChecksumPage(options, cluster, context);
  const lineages = new Map<number, Lineage>();
  await participants.each(async (participant) => {
    const { repository, info } = participant;
    const tell = participants.tell(participant);
    const clusterHasChecksums = cluster.control.pageChecksums;
    lineages.set(
      repository.key,
      await chooseLineage({ repository, info, options, checksumPage, clusterHasChecksums, tell }),
    );
  });
  return { cluster, participants, lineages };
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
  /** By key of the repository. */
  readonly facts: ReadonlyMap<number, BackupFacts>;
  readonly plan: BackupPlan;
}

async function list(run: BackupRun, opened: Opened, started: Started): Promise<Listed> {
  const { options, context } = run;
  const { cluster, participants, lineages } = opened;
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
  const labels = await chooseLabels(
    { startSeconds: started.timestampStart, backups: setsOf(opened), known },
    context.clock,
    context.signal,
  );
  const deltas = chooseDelta(run, opened, started, scan, timestampCopyStart);
  const facts = new Map(participants.live.map(({ repository: { key } }): [number, BackupFacts] => [key, {
    label: labels.get(key)!,
    lineage: lineages.get(key)!,
    delta: deltas.get(key)!,
    options,
    control,
    scan,
    timestampStart: started.timestampStart,
    timestampCopyStart,
    started: started.online,
  }]));
  const settings = new Map([...facts].map(([key, { lineage, delta }]) => [key, { ...lineage, delta }]));
  const listed: Listed = { facts, plan: planBackup(scan.files, settings) };
  await participants.each((participant) =>
    beginDirectory(participant, factsOf(listed, participant), filesToCome(listed, participant))
  );
  return listed;
}

/** What the backup is in each repository that still takes part. */
function setsOf({ participants, lineages }: Opened): Map<number, { type: BackupType; full?: string }> {
  return new Map(participants.live.map(({ repository: { key } }) => {
    const { type, prior } = lineages.get(key)!;
    return [key, { type, full: prior === undefined ? undefined : parseLabel(prior.label)!.full }];
  }));
}

/** Whether contents are compared with the prior backup, by key of the repository. */
function chooseDelta(
  { options, context }: BackupRun,
  { participants, lineages }: Opened,
  started: Started,
  scan: ClusterScan,
  timestampCopyStart: number,
): Map<number, boolean> {
  // An online copy begins at the first second behind the list, so that a file of that second is of the future already.
  const latestSeconds = options.online ? timestampCopyStart - 1 : timestampCopyStart;
  const future = options.delta ? undefined : futureFile(scan.files, latestSeconds);
  if (future !== undefined) {
    context.log.warn(
      `file '${
        clusterName(future)
      }' has timestamp (${future.timestamp}) in the future (relative to copy start ${latestSeconds}), ` +
        "enabling delta checksum",
    );
  }
  const walSegment = started.online?.walSegment;
  return new Map(participants.live.map((participant) => {
    const { key } = participant.repository;
    const { prior } = lineages.get(key)!;
    if (options.delta || future !== undefined || prior === undefined) {
      return [key, options.delta || future !== undefined];
    }
    const reason = reasonForDelta(scan.files, prior, { online: options.online, walSegment });
    if (reason !== undefined) participants.tell(participant).warn(reason);
    return [key, reason !== undefined];
  }));
}

function factsOf({ facts }: Listed, { repository }: Participant): BackupFacts {
  return facts.get(repository.key)!;
}

/** Entries of all files of the cluster before copying begins, sorted: complete for those that earlier backups hold. */
function filesToCome({ plan }: Listed, { repository: { key } }: Participant): ManifestFile[] {
  const copies = plan.copies.filter(({ targets }) => targets.has(key)).map(({ file }) => file);
  return [...plan.references.get(key) ?? [], ...copies].sort((a, b) => compareBytes(a.name, b.name));
}

/** Every file is stored, and durable but for its name. */
async function copy(
  { options, context, onProgress }: BackupRun,
  opened: Opened,
  listed: Listed,
): Promise<readonly CopiedFile[]> {
  const { cluster, participants } = opened;
  const primaryPath = cluster.config.path;
  let lastPingMs = context.clock.monotonicMs();
  const files = await copyFiles(orderCopies(listed.plan.copies), {
    setup: {
      targets: participants.live.map((participant) => {
        const { repository } = participant;
        const { label, lineage } = factsOf(listed, participant);
        return {
          key: repository.key,
          storage: repository.config.storage,
          directory: repository.backupPath(options.stanza, label),
          compress: lineage.compress,
          cipherPass: lineage.cipherPass,
        };
      }),
      pgPath: primaryPath,
      pgVersionForce: options.pgVersionForce,
      pageBytes: cluster.control.pageBytes,
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

async function stop({ cluster, participants }: Opened, listed: Listed): Promise<Stopped> {
  const online = cluster.primary === undefined ? undefined : await stopOnline(cluster, cluster.primary);
  const timestampStop = Math.floor(await cluster.nowMs() / 1000);
  const extra = new Map<number, ManifestFile[]>();
  if (online !== undefined) {
    await participants.each(async (participant) => {
      const facts = factsOf(listed, participant);
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
  started: Started,
  listed: Listed,
  stopped: Stopped,
): Promise<Archived> {
  const copied = new Map<number, ManifestFile[]>();
  if (!options.archiveCheck || started.online === undefined || stopped.online === undefined) return copied;
  const first = started.online.walSegment;
  const last = stopped.online.walSegment;
  context.log.info(`check archive for segment(s) ${first}:${last}`);
  await participants.each(async (participant) => {
    const facts = factsOf(listed, participant);
    const segments = await waitForRange(participant, facts, first, last, context);
    if (!options.archiveCopy) return;
    copied.set(participant.repository.key, await copySegments(participant, facts, segments, stopped.timestampStop));
  });
  return copied;
}

/** The backup exists. */
async function complete(
  { context }: BackupRun,
  { participants, lineages }: Opened,
  listed: Listed,
  copied: readonly CopiedFile[],
  stopped: Stopped,
  archived: Archived,
): Promise<BackupReport> {
  const reports = new Map<number, Omit<BackupReport, "failures">>();
  await participants.each(async (participant) => {
    const { key } = participant.repository;
    const facts = factsOf(listed, participant);
    const extra = [...(stopped.extra.get(key) ?? []), ...(archived.get(key) ?? [])];
    const files = [...listed.plan.references.get(key)!, ...entriesOf(copied, participant)];
    const manifest = completeManifest(facts, participant, files, extra, stopped.timestampStop, stopped.online);
    context.signal.throwIfAborted();
    await completeBackup(participant, facts, manifest, context);
    const sizeBytes = manifest.files.reduce((total, file) => total + file.sizeBytes, 0);
    const { type } = lineages.get(key)!;
    reports.set(key, { label: manifest.label, type, sizeBytes, files: manifest.files.length });
  });
  const done = participants.live.map((participant) => {
    const report = reports.get(participant.repository.key)!;
    return { report, tell: participants.tell(participant) };
  });
  // Repositories with the same past have the same to say.
  const isSame = done.every(({ report }) => report.label === done[0]!.report.label);
  for (const { report: { label, type, sizeBytes, files }, tell } of isSame ? done.slice(0, 1) : done) {
    const log = isSame ? context.log : tell;
    log.info(`new backup label = ${label}`);
    log.info(`${type} backup size = ${formatSize(sizeBytes)}, file total = ${files}`);
  }
  return { ...done[0]!.report, failures: participants.failures };
}

/** What was copied for one repository. @throws WalferryError `Assert` for a file that it needs and does not have */
function entriesOf(copied: readonly CopiedFile[], { repository }: Participant): ManifestFile[] {
  return copied.filter(({ decision }) => decision.targets.has(repository.key)).map(({ decision, entries }) => {
    const entry = entries.get(repository.key);
    if (entry === undefined) {
      throw new WalferryError("Assert", `'${decision.file.name}' was not stored in ${repository.name}`);
    }
    return entry;
  });
}
