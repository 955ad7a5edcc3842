/** `check`: that a segment of the running cluster reaches every repository. */
import { isWalferryError, WalferryError } from "../errors.ts";
import { currentHistoryEntry } from "../format/archive_info.ts";
import { checkClusterConfig, createRestorePoint, switchWal } from "../postgres/backup_functions.ts";
import { findClusters, type FoundCluster } from "../postgres/cluster_group.ts";
import type { CommandContext } from "../process/command_context.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import { describeArchiveState, readArchiveState, readKnownLosses } from "../repository/archive_state.ts";
import type { CheckOptions } from "../repository/options.ts";
import { gapLines } from "../repository/outlook_text.ts";
import { describeFailure, type Outcome, RepositorySet } from "../repository/repository_set.ts";
import { probeRepository } from "../repository/probe.ts";
import { assertIsCluster, loadMatchingInfos, type StanzaInfos } from "../repository/stanza.ts";
import { archiveIdOf, waitForSegment } from "../repository/wal_archive.ts";
import { missingForBackups } from "../repository/wal_sight.ts";

/**
 * Checks one stanza.
 * @throws WalferryError `Config` (no primary), `DbConnect`, `DbMismatch`, `ArchiveDisabled`, `ArchiveCommandInvalid`, `FileInvalid`, `FileMissing`,
 * `ArchiveTimeout`; `Command` when several repositories have different problems
 */
export async function check(options: CheckOptions, context: CommandContext): Promise<number> {
  await using group = await findClusters(options.clusters, {
    standby: true,
    dbTimeoutMs: options.dbTimeoutMs,
    applicationName: "pgBackRest [check]",
    signal: context.signal,
    log: context.log,
    pgVersionForce: options.pgVersionForce,
  });
  const { primary, standby } = group;
  if (standby === undefined && options.backupStandby !== "n" && primary !== undefined) {
    context.log.warn("option 'backup-standby' is enabled but standby is not properly configured");
  }
  if (primary === undefined && standby !== undefined && options.backupStandby === "only") {
    return await checkAlone(standby, options, context);
  }
  if (primary === undefined) {
    throw new WalferryError("Config", standby === undefined ? "no database found" : "primary database not found", {
      hint: "check indexed pg-path/pg-host configurations",
      cause: group.refused,
    });
  }
  await using set = await RepositorySet.open(options.repositories);
  if (standby !== undefined) await checkStandby(standby, set, options, context);
  checkClusterConfig(primary.connection, {
    control: primary.control,
    archiveCheck: options.archiveCheck,
    archiveModeCheck: options.archiveModeCheck,
    pgVersionForce: options.pgVersionForce,
  });
  const archiveIds = new Map<number, string>();
  const fullStarts: (string | undefined)[] = [];
  const infos = new Map<number, StanzaInfos>();
  for (const repository of set.repositories) {
    context.log.info(`check ${repository.name} configuration (primary)`);
    const { archiveInfo, backupInfo } = await loadMatchingInfos(repository, options.stanza);
    infos.set(repository.key, { archiveInfo, backupInfo });
    if (repository.config.role !== "wal") {
      fullStarts.push(backupInfo.backups.filter(({ type }) => type === "full").at(-1)?.archiveStart);
    }
    assertIsCluster(repository, archiveInfo, primary.control);
    archiveIds.set(repository.key, archiveIdOf(currentHistoryEntry(archiveInfo)));
  }
  await tellState(options, fullStarts, primary.control.systemId, context);
  await tellLostWal(set, options, infos, context);
  if (options.archiveAsync && primary.connection.settings.archiveCommand?.includes(".ok") === false) {
    context.log.info(
      "archive_command starts a program for each WAL segment\n" +
        `HINT: 'walferry --stanza=${options.stanza} --apply archive-command' sets one that starts none where the answer is there already.`,
    );
  }
  await probeAll(set, options.stanza, context);
  if (!options.archiveCheck) return 0;
  tellStop(options, context);

  // Without something in it a segment is not switched, and nothing would be archived.
  await createRestorePoint(primary.connection, "pgBackRest Archive Check");
  const segment = await switchWal(primary.connection);
  const archives = set.repositories.filter(({ config }) => config.role !== "backup");
  for (const repository of archives) context.log.info(`check ${repository.name} archive for WAL (primary)`);
  const outcomes = await set.ask(
    (repository) =>
      waitForSegment(
        repository,
        options.stanza,
        archiveIds.get(repository.key)!,
        segment,
        options.archiveTimeoutMs,
        context.clock,
        context.signal,
      ),
    archives,
  );
  for (const outcome of outcomes) {
    if (!outcome.ok) continue;
    const place = outcome.repository.display(outcome.value.path);
    context.log.info(`WAL segment ${segment} successfully archived to '${place}' on ${outcome.repository.name}`);
  }
  throwFailures(outcomes);
  return 0;
}

/** A stanza that is stopped archives nothing, which the server's log says and the wait for a segment does not. */
function tellStop({ lockPath, stanza }: CheckOptions, context: CommandContext): void {
  try {
    assertNotStopped(lockPath, stanza);
  } catch (error) {
    if (!isWalferryError(error, "Stop")) throw error;
    context.log.warn(error.text);
  }
}

/** All that can be said on a host that has a standby only: whether WAL arrives is seen on the primary's. */
async function checkAlone(standby: FoundCluster, options: CheckOptions, context: CommandContext): Promise<number> {
  await using set = await RepositorySet.open(options.repositories);
  await checkStandby(standby, set, options, context);
  await probeAll(set, options.stanza, context);
  return 0;
}

/** That a standby is what its configuration says, and of this stanza. Its WAL is the primary's. */
async function checkStandby(
  { connection, control }: FoundCluster,
  set: RepositorySet,
  { stanza, pgVersionForce }: CheckOptions,
  { log }: CommandContext,
): Promise<void> {
  checkClusterConfig(connection, { control, archiveCheck: false, archiveModeCheck: false, pgVersionForce });
  for (const repository of set.repositories) {
    log.info(`check ${repository.name} (standby)`);
    const { archiveInfo } = await loadMatchingInfos(repository, stanza);
    assertIsCluster(repository, archiveInfo, control);
  }
  log.info("switch wal not performed because this is a standby");
}

/** What this host knows: who is behind, and what was dropped. */
async function tellState(
  { spoolPath, stanza, repositories }: CheckOptions,
  fullStarts: readonly (string | undefined)[],
  systemId: bigint,
  { log, clock }: CommandContext,
): Promise<void> {
  const keys = repositories.map(({ key }) => key);
  const state = await readArchiveState(spoolPath, stanza, keys, fullStarts, clock, systemId);
  for (const line of describeArchiveState(state, clock.nowMs())) log.warn(line);
}

/** Names the WAL that a backup needs and a repository lacks. It is no failure: archiving, which is what is checked, may be in order. */
async function tellLostWal(
  set: RepositorySet,
  { stanza, spoolPath }: CheckOptions,
  infos: ReadonlyMap<number, StanzaInfos>,
  { log, clock, signal }: CommandContext,
): Promise<void> {
  const outcomes = await set.ask(async (repository) =>
    await missingForBackups({
      repository,
      stanza,
      ...infos.get(repository.key)!,
      losses: await readKnownLosses(spoolPath, stanza, repository.key),
      nowMs: clock.nowMs(),
      signal,
    })
  );
  for (const outcome of outcomes) {
    if (outcome.ok) { for (const line of gapLines(outcome.value)) log.warn(`${outcome.repository.name}: ${line}`); }
    else {log.warn(
        `${outcome.repository.name}: whether backups have their WAL is not known: ${outcome.failure.error.text}`,
      );}
  }
}

/** Proves every repository end to end; one that keeps what it has is told of, for expire will need to remove. */
async function probeAll(set: RepositorySet, stanza: string, context: CommandContext): Promise<void> {
  for (const repository of set.repositories) {
    context.log.info(`check ${repository.name} by writing, reading, listing and removing a file`);
  }
  const outcomes = await set.ask((repository) => probeRepository(repository, stanza, context.signal));
  for (const outcome of outcomes) {
    if (!outcome.ok || outcome.value.removal === undefined) continue;
    context.log.warn(
      `${outcome.repository.name}: ${outcome.value.removal.text}\n` +
        "HINT: with an object lock this is as it should be. Archiving and backups work; expire cannot remove anything here.",
    );
  }
  throwFailures(outcomes);
}

/** @throws WalferryError with what is wrong with each repository, when something is */
function throwFailures(outcomes: readonly Outcome<unknown>[]): void {
  const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure]));
  if (failures.length === 0) return;
  const [first] = failures;
  const kind = failures.every(({ error }) => error.kind === first!.error.kind) ? first!.error.kind : "Command";
  throw new WalferryError(kind, failures.map(describeFailure).join("\n"));
}
