/**
 * A backup from start to end as a row of states, each made from the one before:
 *
 *   opened (cluster and repositories fit) -> started (server is in backup mode) -> listed (what is to be stored, label chosen)
 *   -> copied -> stopped (server has ended backup mode) -> archived (the WAL it needs is in the archive) -> complete
 *
 * Nothing counts before the last step: until then the directory is an unfinished backup that the next run resumes or removes, and the server
 * leaves backup mode when the session closes.
 */
import type { ManifestFile } from "../format/manifest.ts";
import type { CommandContext } from "../process/command_context.ts";
import { formatSize } from "../report/units.ts";
import { entryOfManifest } from "../repository/backup_catalog.ts";
import type { RepositoryFailure } from "../repository/repository_set.ts";
import { completeManifest, copiesArchive, priorReferences } from "./assemble.ts";
import { copySegments, waitForRange, waitInArchive } from "./archive_range.ts";
import { copyFiles } from "./copier.ts";
import { orderJobs } from "./copy_jobs.ts";
import { completeBackup, storeServerFiles } from "./finish.ts";
import { chooseLineage, type Lineage } from "./lineage.ts";
import { list } from "./listed.ts";
import { ManifestSaver } from "./manifest_saver.ts";
import type { BackupOptions, BackupType } from "./options.ts";
import { gatherParticipants } from "./participants.ts";
import { CONTROL_NAME, isFromStandby } from "./planner.ts";
import { RunJournals } from "./run_journals.ts";
import {
  type Archived,
  type BackupRun,
  factsOf,
  type Listed,
  type Opened,
  type Started,
  type Stopped,
  storedIn,
} from "./stages.ts";
import { openCluster, type SourceCluster, startOnline, stopOnline } from "./start_stop.ts";

/** The session with the server is used at least this often, so that neither end takes the other for dead. */
const PING_EVERY_MS = 30_000;

/** While files are copied it is looked so often whether the directories still belong to this backup. */
const LOOK_EVERY_MS = 1_000;

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
  const saver = new ManifestSaver(opened.participants, listed, options.manifestSaveBytes, context);
  using journals = await RunJournals.begin(opened.participants, listed, options, context);
  try {
    await copy(run, opened, listed, saver, journals);
    const stopped = await stop(opened, started, listed);
    const archived = await archive(run, opened, started, listed, stopped);
    saver.close();
    return await complete(run, opened, listed, stopped, archived, journals);
  } catch (error) {
    // What was done so far need not be done again.
    await journals.flush();
    if (options.resume) await saver.save();
    throw error;
  }
}

async function open(
  { options, repositories, walSources, context }: BackupRun,
  cluster: SourceCluster,
): Promise<Opened> {
  const participants = await gatherParticipants(
    repositories.repositories,
    walSources.repositories,
    options.stanza,
    cluster.control,
    context,
  );
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

async function start({ options, context }: BackupRun, { cluster, participants }: Opened): Promise<Started> {
  const startMs = await cluster.nowMs();
  const timestampStart = Math.floor(startMs / 1000);
  if (cluster.server === undefined) return { timestampStart, online: undefined };
  const online = await startOnline(cluster, cluster.server, options, startMs);
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

/** Every file is stored, and durable but for its name. */
async function copy(
  { options, context, onProgress }: BackupRun,
  opened: Opened,
  listed: Listed,
  saver: ManifestSaver,
  journals: RunJournals,
): Promise<void> {
  const { cluster, participants } = opened;
  let lastPingMs = context.clock.monotonicMs();
  let lastLookMs = lastPingMs;
  // A job fills a bundle in every repository that has some: the smallest size asked for says when it is full.
  const bundleBytes = Math.min(
    ...[...listed.facts.values()].map(({ lineage }) => lineage.bundle?.sizeBytes ?? Infinity),
  );
  const fromStandby = cluster.standby === undefined ? undefined : isFromStandby;
  // A recovery from a backup on a standby is consistent where the control file says, which must be behind every page that was copied.
  const last = cluster.onStandby ? CONTROL_NAME : undefined;
  await copyFiles(orderJobs(listed.copies, bundleBytes, { fromStandby, last }), {
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
          bundleFraming: lineage.bundleRaw ? "raw" : "normal",
          reference: priorReferences(lineage).length,
        };
      }),
      pgPath: cluster.config.path,
      pgVersionForce: options.pgVersionForce,
      pageBytes: cluster.control.pageBytes,
      pageHeaderCheck: options.pageHeaderCheck,
      bufferBytes: options.bufferBytes,
    },
    processMax: options.processMax,
    pathOf: (name) => cluster.pathOf(name),
    onCopied: (copied) => {
      for (const [key, entry] of copied.entries) listed.stored.get(key)!.store(copied.decision.index, entry);
      saver.add(copied);
      journals.add(copied);
    },
    onGone: ({ index, targets }) => {
      for (const key of targets.keys()) listed.stored.get(key)!.drop(index);
    },
    stillValid: async () => {
      await journals.flush();
      if (options.resume) await saver.saveWhenDue();
      const nowMs = context.clock.monotonicMs();
      if (nowMs - lastPingMs >= PING_EVERY_MS) {
        lastPingMs = nowMs;
        await cluster.assertSameRoles();
      }
      if (nowMs - lastLookMs < LOOK_EVERY_MS) return [];
      lastLookMs = nowMs;
      return await listed.held.lost(participants.live, (participant) => factsOf(listed, participant));
    },
    onProgress,
    onFailure: (failure) => participants.drop([failure]),
  }, context);
  await cluster.assertSameRoles();
}

async function stop({ cluster, participants }: Opened, started: Started, listed: Listed): Promise<Stopped> {
  const online = cluster.server === undefined || started.online === undefined
    ? undefined
    : await stopOnline(cluster, cluster.server, started.online);
  const timestampStop = Math.floor(await cluster.nowMs() / 1000);
  const extra = new Map<number, ManifestFile[]>();
  if (online !== undefined) {
    await participants.each(async (participant) => {
      const facts = factsOf(listed, participant);
      await listed.held.assertHeld(participant, facts);
      extra.set(participant.repository.key, await storeServerFiles(participant, facts, online, timestampStop));
    });
  }
  return { timestampStop, online, extra };
}

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
    if (!copiesArchive(options, participant)) return;
    copied.set(participant.repository.key, await copySegments(participant, facts, segments, stopped.timestampStop));
  });
  return copied;
}

/** The backup exists. */
async function complete(
  { context }: BackupRun,
  { participants, lineages }: Opened,
  listed: Listed,
  stopped: Stopped,
  archived: Archived,
  journals: RunJournals,
): Promise<BackupReport> {
  const reports = new Map<number, Omit<BackupReport, "failures">>();
  await participants.each(async (participant) => {
    const { key } = participant.repository;
    const facts = factsOf(listed, participant);
    const extra = [...(stopped.extra.get(key) ?? []), ...(archived.get(key) ?? [])];
    const files = storedIn(listed, participant).complete(extra, participant.repository);
    const manifest = completeManifest(facts, participant, files, stopped.timestampStop, stopped.online);
    context.signal.throwIfAborted();
    await listed.held.assertHeld(participant, facts);
    await completeBackup(participant, facts, manifest, listed.held, context);
    await journals.forget(key);
    const { sizeBytes } = entryOfManifest(manifest);
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
