/**
 * Pushing one WAL file (behaviour spec §2.2-2.4). States: the repositories are checked, the file is read and hashed, what is stored already
 * is looked up, the rest is written in parallel. PostgreSQL hears "archived" only when as many repositories as the quorum asks for hold the
 * file durably, and it is noted durably what the others are owed.
 */
import { WalferryError } from "../errors.ts";
import type { Clock } from "../process/clock.ts";
import type { CommandContext } from "../process/command_context.ts";
import { readLockState } from "../process/locks.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import type { Repository } from "../repository/repository.ts";
import {
  describeFailure,
  noValidRepository,
  type RepositoryFailure,
  RepositorySet,
} from "../repository/repository_set.ts";
import type { ArchivePushOptions } from "./options.ts";
import { type CheckedRepositories, checkRepositories } from "./push_targets.ts";
import { droppedBecauseOfQueue, undropWal } from "./queue_limit.ts";
import { impatient, Quorum } from "./quorum.ts";
import { storeWal } from "./store_wal.ts";
import { askForStored, type FindStored, type StoredSegments } from "./stored_segments.ts";
import { readWalFile, type SegmentMemory } from "./wal_file.ts";
import { resolveWalPath } from "./wal_path.ts";

/** The file is archived. */
export interface PushedWal {
  readonly state: "pushed";
  /** `pg_wal` directory for a process that gives repositories what they are owed, when there is something that can be given now. */
  readonly payIn: string | undefined;
}

/** What came of it. */
export type PushResult = PushedWal | {
  readonly state: "dropped";
  readonly warning: string;
};

/**
 * Pushes one file.
 * @throws WalferryError `RepoInvalid` when no repository can be used, `ArchiveDuplicate`, `ArchiveMismatch`, `FileInvalid`, and `Command`
 * when fewer repositories than the quorum hold the file (some may hold it then)
 */
export async function pushWal(options: ArchivePushOptions, context: CommandContext): Promise<PushResult> {
  const path = resolveWalPath(options.walPath, options.cluster?.path, "archive-push");
  const control = options.cluster === undefined
    ? undefined
    : readControlFile(options.cluster.path, options.pgVersionForce);
  const dropped = await droppedBecauseOfQueue(options, path, control);
  if (dropped !== undefined) return { state: "dropped", warning: dropped };

  await using set = await RepositorySet.open(impatient(options));
  const quorum = new Quorum(options, context.clock);
  const pushing = {
    signal: context.signal,
    clock: context.clock,
    warn: (message: string) => context.log.warn(message),
    find: askForStored(options.stanza),
  };
  const keys = quorum.chosen(true);
  const chosen = set.repositories.filter(({ key }) => keys.includes(key));
  const checked = await checkChosen(chosen, options, control, quorum, pushing);
  for (const news of await pushFile(path, checked, options, quorum, pushing)) context.log.warn(news);
  return {
    state: "pushed",
    payIn: await canPay(options, quorum, pushing.warn) ? path.slice(0, path.lastIndexOf("/")) : undefined,
  };
}

/** The file is archived: what keeps from looking whether anything is owed does not change that. */
async function canPay(options: ArchivePushOptions, quorum: Quorum, warn: PushContext["warn"]): Promise<boolean> {
  try {
    return options.cluster !== undefined && await quorum.isPayable() && !isSomebodyPaying(options);
  } catch (error) {
    if (!(error instanceof WalferryError)) throw error;
    // An account that may not look there (archiving synchronously it needs no spool) has noted nothing there.
    if (!(error.cause instanceof Deno.errors.PermissionDenied)) warn(`what is owed cannot be paid now: ${error.text}`);
    return false;
  }
}

/** Whoever holds the lock pays, or will have to end first. */
function isSomebodyPaying({ lockPath, stanza, repositories }: ArchivePushOptions): boolean {
  return readLockState(lockPath, stanza, "archive", repositories.map(({ key }) => key)).held;
}

/** What pushing a file needs of the outside world. */
export interface PushContext {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly find: FindStored;
  readonly memory?: StoredSegments;
  /** Memory for the segment, where many are pushed one after the other. */
  readonly segmentMemory?: SegmentMemory;
}

/** Checks the repositories that a file is to be sent to; not longer than it takes the quorum and a grace. */
export async function checkChosen(
  chosen: readonly Repository[],
  options: ArchivePushOptions,
  control: ControlData | undefined,
  quorum: Quorum,
  { signal, clock }: PushContext,
): Promise<CheckedRepositories> {
  return await checkRepositories(chosen, options.stanza, control, { needed: quorum.needed, signal, clock });
}

/**
 * Pushes one file to repositories that were checked.
 * @returns what is to be told of repositories that went away or came back
 * @throws WalferryError as {@link pushWal}
 */
export async function pushFile(
  path: string,
  checked: CheckedRepositories,
  options: ArchivePushOptions,
  quorum: Quorum,
  context: PushContext,
): Promise<string[]> {
  if (checked.targets.length === 0) throw noValidRepository(checked.failures);
  const file = await readWalFile(path, options, checked.cluster, context.segmentMemory);
  const stored = await storeWal(file, checked.targets, options, { ...context, needed: quorum.needed });
  // With a failure some request may have been given up half-way.
  if (stored.failures.length === 0) context.segmentMemory?.giveBack(file.bytes);
  const failures = [...checked.failures, ...stored.failures].sort((a, b) => a.key - b.key);
  // Told to end: that is the reason, not the repositories.
  if (failures.length > 0) context.signal.throwIfAborted();
  if (stored.holders.length < quorum.needed) throw tooFew(failures, quorum, stored.holders.length);
  const news = quorum.settle(file, checked.cluster?.systemId, stored.holders, failures);
  return [...news, ...undropWal(file.name, options)];
}

function tooFew(failures: readonly RepositoryFailure[], { isAll, needed }: Quorum, holders: number): WalferryError {
  const missed = isAll
    ? ""
    : `\nonly ${holders} of the ${needed} repositories that archive-push-quorum asks for hold the file`;
  return new WalferryError(
    "Command",
    `archive-push command encountered error(s):\n${failures.map(describeFailure).join("\n")}${missed}`,
  );
}
