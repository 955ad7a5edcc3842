/**
 * Getting one WAL file from the first repository that can deliver it right (behaviour spec §3.2). "Absent" is said only when every
 * repository answered that it does not have the file; a wrong byte is never delivered, because the bytes are verified against the hash
 * in the stored name before the file gets its final name. A repository that is away or slow is not waited for where another one has it.
 */
import { WalferryError } from "../errors.ts";
import { type ControlData, INVALID_CHECKPOINT, readControlFile } from "../postgres/control_file.ts";
import type { Clock } from "../process/clock.ts";
import type { CommandContext } from "../process/command_context.ts";
import { askEnough } from "../repository/ask_enough.ts";
import { amongOthers } from "../repository/config.ts";
import { DebtLedger } from "../repository/debts.ts";
import { HealthBoard } from "../repository/health.ts";
import type { Repository } from "../repository/repository.ts";
import {
  describeFailure,
  noValidRepository,
  type Outcome,
  type RepositoryFailure,
  RepositorySet,
} from "../repository/repository_set.ts";
import { fetchVerified, isDamage, isLocal } from "./deliver.ts";
import { firstGood } from "./first_good.ts";
import { askForCandidates, type Candidate, type Locate } from "./get_candidates.ts";
import { mendCopy } from "./mend_copy.ts";
import type { ArchiveGetOptions } from "./options.ts";
import { removeIfThere } from "../process/local_file.ts";
import { resolveWalPath } from "./wal_path.ts";

/** How long one repository may take to deliver until the next one is asked as well, in milliseconds. */
const PATIENCE_MS = 400;
/** How long the others may take to say what they have when one has it. */
const GRACE = { minMs: 100, maxMs: 400 };

/** What came of it. */
export type GetResult = { readonly state: "found"; readonly repository: string; readonly archiveId: string } | {
  readonly state: "absent";
};

/**
 * Gets one file.
 * @throws WalferryError `RepoInvalid` when no repository answered, `ArchiveDuplicate`, `FileRead` when no copy could be delivered or when
 * a repository that could not be asked may hold it
 */
export async function getWal(options: ArchiveGetOptions, context: CommandContext): Promise<GetResult> {
  await using set = await RepositorySet.open(amongOthers(options.repositories));
  const control = readControlFile(options.cluster.path, options.pgVersionForce);
  return await getWalFrom(set, options, {
    signal: context.signal,
    clock: context.clock,
    warn: (message) => context.log.warn(message),
    locate: askForCandidates(options.stanza, control),
  });
}

/** What getting a file needs of the outside world. */
export interface GetContext {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly locate: Locate;
}

/** As {@link getWal}, from repositories that are open. */
export async function getWalFrom(
  set: RepositorySet,
  options: ArchiveGetOptions,
  context: GetContext,
): Promise<GetResult> {
  const destination = resolveWalPath(options.destination, options.cluster.path, "archive-get");
  const control = readControlFile(options.cluster.path, options.pgVersionForce);
  assertStartable(options.cluster.path, control);
  const health = new HealthBoard(options.spoolPath, options.stanza, context.clock, "get");
  const { candidates, failures, asked, unheard } = await search(set, options.walName, health, context);
  context.signal.throwIfAborted();
  for (const failure of failures) context.warn(describeFailure(failure));
  if (asked === 0) throw noValidRepository(failures);
  assertOneContent(options.walName, candidates);

  let { winner, damaged } = await deliver(candidates, destination, health, failures, context);
  if (winner === undefined && candidates.length > 0 && unheard.length > 0) {
    // None of those that were quick to say that they have it could deliver it: now the others are needed.
    const more = await locateIn(unheard, options.walName, unheard.length, context);
    context.signal.throwIfAborted();
    const further = candidatesIn(more);
    for (const failure of failuresIn(more)) {
      context.warn(describeFailure(failure));
      failures.push(failure);
    }
    assertOneContent(options.walName, [...candidates, ...further]);
    const second = await deliver(further, destination, health, failures, context);
    [winner, damaged] = [second.winner, [...damaged, ...second.damaged]];
  }
  if (winner !== undefined) {
    for (const candidate of damaged) await mendCopy(candidate, winner, options.stanza, context);
    return { state: "found", repository: winner.repository.name, archiveId: winner.archiveId };
  }
  if (candidates.length > 0) {
    throw new WalferryError(
      "FileRead",
      `unable to get ${options.walName}:\n${failures.map(describeFailure).join("\n")}`,
    );
  }
  // A repository that did not answer may have it: PostgreSQL must not take that for the end of the archive.
  if (failures.length > 0) {
    throw new WalferryError(
      "RepoInvalid",
      `unable to tell whether ${options.walName} is in the archive:\n${failures.map(describeFailure).join("\n")}`,
      {
        hint: "the other repositories do not have it; recovery must not end before this one has answered.\n" +
          "a repository that is lost for good must be left out: remove it from the configuration, or name another one with --repo.",
      },
    );
  }
  // Asked of some repositories only, one may be owed what another one has.
  const ledger = new DebtLedger(options.spoolPath, options.stanza);
  const owed = set.repositories.filter(({ key }) => ledger.owes(control.systemId, key, options.walName));
  if (owed.length > 0) {
    throw new WalferryError(
      "RepoInvalid",
      `${options.walName} was archived, but not to ${owed.map(({ name }) => name).join(", ")}, which is still owed it`,
      {
        hint:
          "ask the other repositories too (without --repo), or run repo-sync; recovery must not end before this segment.\n" +
          `if it is lost for good, remove '${ledger.pathOf(owed[0]!.key, options.walName)}'.`,
      },
    );
  }
  return { state: "absent" };
}

/** A restored cluster has an invalid checkpoint until it started from its `backup_label`; without the label it must not be fed WAL. */
export function assertStartable(pgPath: string, control: ControlData): void {
  if (control.checkpointLsn !== INVALID_CHECKPOINT) return;
  try {
    Deno.lstatSync(`${pgPath}/backup_label`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new WalferryError("Format", "pg_control from backup is not valid without backup_label", {
      hint: "was the backup_label file removed?",
      cause: error,
    });
  }
}

/**
 * Where the file is. Repositories known to be away or slow are asked only when no other one has it: before that is said, all are. Who was not
 * asked, or was late while another one had it, is `unheard`, which is no failure.
 */
async function search(
  set: RepositorySet,
  walName: string,
  health: HealthBoard,
  context: GetContext,
): Promise<{ candidates: Candidate[]; failures: RepositoryFailure[]; asked: number; unheard: Repository[] }> {
  const isAlone = set.repositories.length === 1;
  const first = set.repositories.filter(({ key }) => isAlone || health.takeTry(key));
  const outcomes = await locateIn(first, walName, 1, context);
  if (!outcomes.some((outcome) => outcome.ok && outcome.value.length > 0)) {
    const others = set.repositories.filter((repository) => !first.includes(repository));
    outcomes.push(...await locateIn(others, walName, 1, context));
  }
  if (!isAlone && !context.signal.aborted) {
    for (const outcome of outcomes) {
      if (outcome.ok) health.answered(outcome.repository.key);
      else if (outcome.isLate) health.failed(outcome.repository.key, "it was slow to say what it has");
      else health.failed(outcome.repository.key, outcome.failure.error.text);
    }
  }
  outcomes.sort((a, b) => a.repository.key - b.repository.key);
  const heard = outcomes.filter((outcome) => outcome.ok || !outcome.isLate);
  return {
    candidates: candidatesIn(heard),
    failures: failuresIn(heard),
    asked: heard.filter(({ ok }) => ok).length,
    unheard: set.repositories.filter((repository) => !heard.some((outcome) => outcome.repository === repository)),
  };
}

function candidatesIn(outcomes: readonly Outcome<Candidate[]>[]): Candidate[] {
  return outcomes.flatMap((outcome) => (outcome.ok ? outcome.value : []));
}

function failuresIn(outcomes: readonly Outcome<Candidate[]>[]): RepositoryFailure[] {
  return outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure]));
}

async function locateIn(
  repositories: readonly Repository[],
  walName: string,
  needed: number,
  { locate, clock, signal }: GetContext,
): Promise<Outcome<Candidate[]>[]> {
  return await askEnough(
    repositories,
    (repository, own) => locate(repository, walName, own),
    { needed, grace: GRACE, clock, signal },
    (found) => found.length > 0,
  );
}

/** The first whole and right copy gets the name. Failures are added to those of the search. */
async function deliver(
  candidates: readonly Candidate[],
  destination: string,
  health: HealthBoard,
  failures: RepositoryFailure[],
  { clock, signal, warn }: GetContext,
): Promise<{ winner: Candidate | undefined; damaged: Candidate[] }> {
  const temporaryOf = (candidate: Candidate) =>
    candidate === candidates[0]
      ? `${destination}.pgbackrest.tmp`
      : `${destination}.${candidates.indexOf(candidate)}.pgbackrest.tmp`;
  const result = await firstGood(
    candidates,
    (candidate, own) => fetchVerified(candidate, temporaryOf(candidate), own),
    { patienceMs: PATIENCE_MS, isFinal: isLocal, clock, signal },
  );
  for (const { source, error } of result.failures) {
    const failure = { key: source.repository.key, error };
    warn(describeFailure(failure));
    failures.push(failure);
  }
  const damaged = result.failures.filter(({ error }) => isDamage(error)).map(({ source }) => source);
  if (result.winner === undefined) return { winner: undefined, damaged };
  const { source: winner, value: temporary } = result.winner;
  temporary.giveName(destination);
  // One that hangs has not tidied up, and one that was second by a moment has nobody who wants it.
  for (const candidate of candidates) if (candidate !== winner) removeIfThere(temporaryOf(candidate));
  for (const { repository } of result.overtaken) {
    if (repository !== winner.repository) {
      health.failed(repository.key, `it was slow to deliver; ${winner.repository.name} was faster`);
    }
  }
  return { winner, damaged };
}

/** Two contents under one segment name mean that two clusters wrote to this stanza: nobody can tell which is meant. */
function assertOneContent(walName: string, candidates: readonly Candidate[]): void {
  const checksums = new Set(candidates.map(({ segment }) => segment?.checksum));
  if (checksums.size <= 1) return;
  const places = candidates.map(({ repository, path }) =>
    `${repository.name}: ${path.slice(path.lastIndexOf("/", path.lastIndexOf("/") - 1) + 1)}`
  );
  throw new WalferryError("ArchiveDuplicate", `duplicates found for WAL segment ${walName}:\n${places.join("\n")}`, {
    hint: "are multiple primaries archiving to this stanza?",
  });
}
