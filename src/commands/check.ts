/** `check`: that a segment of the running cluster reaches every repository. */
import { WalferryError } from "../errors.ts";
import { currentHistoryEntry } from "../format/archive_info.ts";
import { checkClusterConfig, createRestorePoint, findPrimary, switchWal } from "../postgres/backup_functions.ts";
import type { CommandContext } from "../process/command_context.ts";
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
 * @throws WalferryError `DbConnect`, `DbMismatch`, `ArchiveDisabled`, `ArchiveCommandInvalid`, `FileInvalid`, `FileMissing`,
 * `ArchiveTimeout`; `Command` when several repositories have different problems
 */
export async function check(options: CheckOptions, context: CommandContext): Promise<number> {
  await using group = await findPrimary(options.clusters, {
    dbTimeoutMs: options.dbTimeoutMs,
    applicationName: "pgBackRest [check]",
    signal: context.signal,
    log: context.log,
    pgVersionForce: options.pgVersionForce,
  });
  checkClusterConfig(group.primary, {
    control: group.control,
    archiveCheck: options.archiveCheck,
    archiveModeCheck: options.archiveModeCheck,
    pgVersionForce: options.pgVersionForce,
  });
  await using set = await RepositorySet.open(options.repositories);
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
    assertIsCluster(repository, archiveInfo, group.control);
    archiveIds.set(repository.key, archiveIdOf(currentHistoryEntry(archiveInfo)));
  }
  tellState(options, fullStarts, context);
  await tellLostWal(set, options, infos, context);
  if (options.archiveAsync && group.primary.settings.archiveCommand?.includes(".ok") === false) {
    context.log.info(
      "archive_command starts a program for each WAL segment\n" +
        "HINT: 'walferry archive-command --apply' sets one that starts none where the answer is there already.",
    );
  }
  await probeAll(set, options.stanza, context);
  if (!options.archiveCheck) return 0;

  // Without something in it a segment is not switched, and nothing would be archived.
  await createRestorePoint(group.primary, "pgBackRest Archive Check");
  const segment = await switchWal(group.primary);
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

/** What this host knows: who is behind, and what was dropped. */
function tellState(
  { spoolPath, stanza, repositories }: CheckOptions,
  fullStarts: readonly (string | undefined)[],
  { log, clock }: CommandContext,
): void {
  const state = readArchiveState(spoolPath, stanza, repositories.map(({ key }) => key), fullStarts, clock);
  for (const line of describeArchiveState(state, clock.nowMs())) log.warn(line);
}

/** Names the WAL that a backup needs and a repository lacks. It is no failure: archiving, which is what is checked, may be in order. */
async function tellLostWal(
  set: RepositorySet,
  { stanza, spoolPath }: CheckOptions,
  infos: ReadonlyMap<number, StanzaInfos>,
  { log, clock, signal }: CommandContext,
): Promise<void> {
  const outcomes = await set.ask((repository) =>
    missingForBackups({
      repository,
      stanza,
      ...infos.get(repository.key)!,
      losses: readKnownLosses(spoolPath, stanza, repository.key),
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
