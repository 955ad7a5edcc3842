/**
 * Asynchronous archive-get: PostgreSQL's command takes the segment out of the queue, and a background process fills the queue with those
 * that follow (get_filler.ts). What is not in the queue is fetched at once, by the same strict rules as without a queue: only that search
 * says "absent".
 */
import { toWalferryError } from "../errors.ts";
import { isWalSegmentName, nextSegmentName } from "../format/wal_name.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks, LockHeld } from "../process/locks.ts";
import { assertStartable, type GetResult, getWal } from "./get.ts";
import { GetQueue, wantedSegments } from "./get_queue.ts";
import type { ArchiveGetAsyncOptions } from "./options.ts";
import { resolveWalPath } from "./wal_path.ts";

/** Pause between looks at a segment that is on its way, in milliseconds. */
const LOOK_EVERY = 5;
/** So many looks later it is seen whether anybody fetches at all: a process that was just started has its lock by then. */
const DEAD_EVERY = 100;
/** One of which nothing more came for so many milliseconds is not waited for: another repository may have it. */
const STALLED_MS = 2000;

/** What came of it; `queue` = it was fetched ahead. */
export type AsyncGetResult = GetResult | { readonly state: "found in queue" };

/**
 * Gets one file.
 * @param start starts the background process with the first segment that it shall fetch
 * @throws WalferryError as `getWal`
 */
export async function getWalAsync(
  options: ArchiveGetAsyncOptions,
  start: (firstSegment: string) => void,
  context: CommandContext,
): Promise<AsyncGetResult> {
  if (!isWalSegmentName(options.walName)) return await getWal(options, context);
  const destination = resolveWalPath(options.destination, options.cluster.path, "archive-get");
  const control = readControlFile(options.cluster.path, options.pgVersionForce);
  assertStartable(options.cluster.path, control);
  const queue = new GetQueue(options.spoolPath, options.stanza);
  const begun = await beginRecovery(queue, control, options, start, context);
  const result = await takeFromQueue(queue, destination, control, options, context) ?? await getWal(options, context);
  // A standby that has all there is asks for the next one again and again: behind an absent one there is nothing to fetch.
  if (result.state === "absent" || begun) return result;
  try {
    await fetchAhead(queue, result, control, options, start, context);
  } catch (error) {
    // A full spool or lock path, no more processes: PostgreSQL has its segment, and an error now would end the recovery.
    context.log.warn(`unable to fetch ahead: ${toWalferryError(error).text}`);
  }
  return result;
}

/**
 * The first segment of a recovery: what follows it is fetched meanwhile. Only then, for the queue is the cluster's from now on: a standby that
 * has all there is would start a process with each question.
 * @returns whether it was started
 */
async function beginRecovery(
  queue: GetQueue,
  { systemId, walSegmentBytes }: ControlData,
  options: ArchiveGetAsyncOptions,
  start: (firstSegment: string) => void,
  { execId, log }: CommandContext,
): Promise<boolean> {
  try {
    if (queue.belongsTo(systemId)) return false;
    const keys = options.repositories.map(({ key }) => key);
    const next = nextSegmentName(options.walName, walSegmentBytes);
    {
      using _lock = acquireLocks(options.lockPath, options.stanza, "archive", keys, execId);
      await queue.claim(systemId);
      announce(queue, next, options, walSegmentBytes);
    }
    start(next);
    return true;
  } catch (error) {
    if (!(error instanceof LockHeld)) {
      log.warn(`unable to fetch ahead: ${toWalferryError(error).text}`);
    }
    return false;
  }
}

function announce(
  queue: GetQueue,
  first: string,
  { queueMaxBytes }: ArchiveGetAsyncOptions,
  segmentBytes: number,
): void {
  const wanted = wantedSegments(first, queueMaxBytes, segmentBytes);
  queue.announce({ first, end: nextSegmentName(wanted.at(-1)!, segmentBytes) });
}

/** @returns `undefined` when it is not there, or the queue cannot be used */
async function takeFromQueue(
  queue: GetQueue,
  destination: string,
  control: ControlData,
  options: ArchiveGetAsyncOptions,
  context: CommandContext,
): Promise<AsyncGetResult | undefined> {
  const { signal, log } = context;
  try {
    await awaitFetch(queue, options, context);
    signal.throwIfAborted();
    return queue.take(options.walName, destination, control) ? { state: "found in queue" } : undefined;
  } catch (error) {
    signal.throwIfAborted();
    log.warn(`unable to use the queue: ${toWalferryError(error).text}`);
    return undefined;
  }
}

/**
 * Waits for a segment that the background process is fetching or about to fetch, as long as more of it comes: what a killed process left does
 * not grow, and what is not begun in time is fetched past everything that is fetched ahead.
 */
async function awaitFetch(
  queue: GetQueue,
  options: ArchiveGetAsyncOptions,
  { clock, signal, execId }: CommandContext,
): Promise<void> {
  const { walName, timeoutMs } = options;
  const deadline = clock.monotonicMs() + timeoutMs;
  let before: number | undefined;
  let grownMs = clock.monotonicMs();
  for (let round = 0; !queue.has(walName); round++) {
    const bytes = queue.fetchedBytes(walName);
    if (bytes === undefined && !queue.isAnnounced(walName)) return;
    const nowMs = clock.monotonicMs();
    if (bytes !== before) grownMs = nowMs;
    if (nowMs - grownMs > STALLED_MS || nowMs > deadline) return;
    before = bytes;
    // It may have died, or have been killed before it began.
    if (round % DEAD_EVERY === DEAD_EVERY - 1 && !isBusy(options, execId)) return queue.announce(undefined);
    await clock.sleep(LOOK_EVERY, signal);
  }
}

/** Starts the process that fills the queue, or tells the one that runs where to go on, when less than half of it is there. */
async function fetchAhead(
  queue: GetQueue,
  { state }: AsyncGetResult,
  { walSegmentBytes }: ControlData,
  options: ArchiveGetAsyncOptions,
  start: (firstSegment: string) => void,
  { execId }: CommandContext,
): Promise<void> {
  const next = nextSegmentName(options.walName, walSegmentBytes);
  const wanted = wantedSegments(next, options.queueMaxBytes, walSegmentBytes);
  const there = (await queue.segments()).filter((name) => wanted.includes(name)).length;
  if (there > wanted.length / 2) return;
  queue.make();
  if (!isBusy(options, execId)) {
    announce(queue, next, options, walSegmentBytes);
    start(next);
  } else if (state === "found") queue.want(next);
}

/** Whether a background process holds the lock. */
function isBusy(options: ArchiveGetAsyncOptions, execId: string): boolean {
  try {
    const keys = options.repositories.map(({ key }) => key);
    acquireLocks(options.lockPath, options.stanza, "archive", keys, execId)[Symbol.dispose]();
    return false;
  } catch (error) {
    if (error instanceof LockHeld) return true;
    throw error;
  }
}
