/**
 * From "the server is in backup mode" to "it is known what is to be stored": the list of the cluster's files, what each repository needs of
 * them, what an interrupted backup left there, and the labels.
 */
import { parseLabel } from "../format/label.ts";
import { tablespaceDirectory } from "../postgres/version.ts";
import type { BackupFacts } from "./assemble.ts";
import { type ClusterScan, scanCluster } from "./cluster_scan.ts";
import { clusterName, type DeltaFacts, futureFile, reasonForDelta } from "./delta.ts";
import { claimDirectory, makeDirectories } from "./finish.ts";
import { HeldCopies } from "./held_copies.ts";
import { chooseLabels, knownLabels } from "./label.ts";
import type { BackupOptions, BackupType } from "./options.ts";
import { planBackup } from "./planner.ts";
import { cleanResumed, doubtsOf, findResumables, type Resumable } from "./resume.ts";
import { type BackupRun, factsOf, type Listed, type Opened, type Started, storedIn } from "./stages.ts";
import type { SourceCluster } from "./start_stop.ts";
import { StoredFiles } from "./stored_files.ts";
import { assertUnfinished, settleTakeOver } from "./take_over.ts";
import { tellOfWal, walKnowledge } from "./wal_knowledge.ts";

/** Makes the list and the plan, and the directories of the new backup. @throws WalferryError what `scanCluster` and `chooseLabels` throw */
export async function list(run: BackupRun, opened: Opened, started: Started): Promise<Listed> {
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
      versionFileTimestamp: cluster.onStandby ? started.timestampStart : undefined,
    },
    context.log,
    context.signal,
  );
  const timestampCopyStart = cluster.server === undefined
    ? Math.floor(await cluster.nowMs() / 1000)
    : await cluster.nextSecond();
  // An online copy begins at the first second behind the list, so that a file of that second is of the future already.
  const latestSeconds = options.online ? timestampCopyStart - 1 : timestampCopyStart;
  const { stanza, resume } = options;
  const resumables = await findResumables({
    participants,
    lineages,
    stanza,
    resume,
    spoolPath: options.spoolPath,
    clusterFiles: scan.files,
    context,
  });
  const labels = await labelsOf(run, opened, started, resumables);
  const deltas = chooseDelta(run, opened, started, scan, latestSeconds, resumables);
  const inWal = await walKnowledge(run, opened, started, { files: scan.files, latestSeconds });
  const facts = new Map(participants.live.map(({ repository: { key } }): [number, BackupFacts] => [key, {
    label: labels.get(key)!,
    // The files that are there already were encrypted with the passphrase of the interrupted backup.
    lineage: { ...lineages.get(key)!, cipherPass: (resumables.get(key)?.manifest ?? lineages.get(key)!).cipherPass },
    delta: deltas.get(key)!,
    fromStandby: cluster.readsStandby,
    timesOf: timesOf(cluster, options),
    options,
    control,
    scan,
    timestampStart: started.timestampStart,
    timestampCopyStart,
    started: started.online,
  }]));
  const settings = new Map([...facts].map(([key, { lineage, delta }]) => [
    key,
    {
      ...lineage,
      blocks: lineage.block && {
        config: lineage.block,
        isFull: lineage.prior === undefined,
        timestampStart: started.timestampStart,
      },
      delta,
      inWal: inWal.get(key),
      resumed: resumables.get(key)?.files,
      resumedDoubts: resumables.has(key) ? doubtsOf(resumables.get(key)!.manifest) : undefined,
    },
  ]));
  const plan = planBackup(scan.files, settings);
  tellOfWal(opened, plan, inWal);
  const { copies, entries } = plan;
  const stored = new Map([...entries].map(([key, table]) => [key, new StoredFiles(table, copies, key)]));
  const listed: Listed = { facts, copies, stored, held: new HeldCopies() };
  await participants.each(async (participant) => {
    const own = factsOf(listed, participant);
    const { repository } = participant;
    const isResumed = resumables.has(repository.key);
    if (isResumed) await assertUnfinished(repository, stanza, own.label);
    await claimDirectory(participant, own, storedIn(listed, participant).sofar, listed.held);
    if (isResumed) {
      await settleTakeOver(repository, stanza, own.label, context);
      await cleanResumed(participant, own, listed.copies, context);
    }
    await makeDirectories(participant, own);
  });
  return listed;
}

/** Whose times the files of this backup have; absent = the primary's. */
function timesOf({ onStandby, config }: SourceCluster, { host }: BackupOptions): string | undefined {
  return onStandby ? `${host}:${config.path}` : undefined;
}

/** The labels by key of the repository: a resumed backup keeps its own. */
async function labelsOf(
  { options, context }: BackupRun,
  { participants, lineages }: Opened,
  { timestampStart }: Started,
  resumables: ReadonlyMap<number, Resumable>,
): Promise<ReadonlyMap<number, string>> {
  const known: string[] = [];
  await participants.each(async ({ repository }) => {
    known.push(...await knownLabels(repository, options.stanza));
  });
  const backups = new Map<number, { type: BackupType; full?: string }>();
  for (const { repository: { key } } of participants.live) {
    const { type, prior } = lineages.get(key)!;
    if (resumables.has(key)) continue;
    backups.set(key, { type, full: prior === undefined ? undefined : parseLabel(prior.label)!.full });
  }
  const labels = await chooseLabels({ startSeconds: timestampStart, backups, known }, context.clock, context.signal);
  return new Map([...labels, ...[...resumables].map(([key, { manifest }]): [number, string] => [key, manifest.label])]);
}

/** Whether contents are compared with what earlier backups hold, by key of the repository. */
function chooseDelta(
  { options, context }: BackupRun,
  { cluster, participants, lineages }: Opened,
  started: Started,
  scan: ClusterScan,
  latestSeconds: number,
  resumables: ReadonlyMap<number, Resumable>,
): Map<number, boolean> {
  const future = options.delta ? undefined : futureFile(scan.files, latestSeconds);
  if (future !== undefined) {
    context.log.warn(
      `file '${
        clusterName(future)
      }' has timestamp (${future.timestamp}) in the future (relative to copy start ${latestSeconds}), ` +
        "enabling delta checksum",
    );
  }
  const facts: DeltaFacts = {
    online: options.online,
    walSegment: started.online?.walSegment,
    timesOf: timesOf(cluster, options),
  };
  return new Map(participants.live.map((participant) => {
    const { key } = participant.repository;
    if (options.delta || future !== undefined) return [key, true];
    const interrupted = resumables.get(key)?.manifest;
    // An interrupted backup has no end: of its timeline only the start is known.
    const earlier = [
      lineages.get(key)!.prior,
      interrupted && { ...interrupted, archiveStop: interrupted.archiveStart },
    ];
    for (const backup of earlier) {
      const reason = backup && reasonForDelta(scan.files, backup, facts);
      if (reason === undefined) continue;
      participants.tell(participant).warn(reason);
      return [key, true];
    }
    return [key, false];
  }));
}
