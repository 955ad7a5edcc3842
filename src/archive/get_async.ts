/**
 * Asynchronous archive-get: PostgreSQL's command takes the segment out of the queue, and a background process fills the queue with those
 * that follow (get_filler.ts). What is not in the queue is fetched at once, by the same strict rules as without a queue: only that search
 * says "absent".
 */
import { isWalferryError, toWalferryError } from "../errors.ts";
import { isWalSegmentName, nextSegmentName } from "../format/wal_name.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertStartable, type GetResult, getWal } from "./get.ts";
import { GetQueue, wantedSegments } from "./get_queue.ts";
import type { ArchiveGetAsyncOptions } from "./options.ts";
import { resolveWalPath } from "./wal_path.ts";

/** Pause between looks at a segment that is on its way, in milliseconds. */
const LOOK_EVERY = 5;
/** So many looks later it is seen whether anybody fetches at all: a process that was just started has its lock by then. */
const DEAD_EVERY = 100;
/** So long a segment that is not begun yet is waited for; then it is fetched at once, past everything that is fetched ahead. */
const ANNOUNCED_MAX = 2000;

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
  const { walName } = options;
  await awaitFetch(queue, options, context);
  const result = queue.take(walName, destination, control)
    ? { state: "found in queue" as const }
    : await getWal(options, context);
  // A standby that has all there is asks for the next one again and again: behind an absent one there is nothing to fetch.
  if (result.state === "absent") return result;
  try {
    fetchAhead(queue, result, control, options, start, context);
  } catch (error) {
    // The segment is delivered: what cannot be fetched ahead is fetched when it is asked for.
    context.log.warn(`unable to fetch WAL ahead: ${toWalferryError(error).text}`);
  }
  return result;
}

/** Has the segments that follow fetched by the background process. */
function fetchAhead(
  queue: GetQueue,
  result: AsyncGetResult,
  control: ControlData,
  options: ArchiveGetAsyncOptions,
  start: (firstSegment: string) => void,
  context: CommandContext,
): void {
  const next = nextSegmentName(options.walName, control.walSegmentBytes);
  const wanted = wantedSegments(next, options.queueMaxBytes, control.walSegmentBytes);
  const there = queue.segments().filter((name) => wanted.includes(name)).length;
  if (there > wanted.length / 2) return;
  queue.make();
  if (!isBusy(options, context)) {
    queue.announce({ first: next, end: nextSegmentName(wanted.at(-1)!, control.walSegmentBytes) });
    start(next);
  } else if (result.state === "found") queue.want(next);
}

/** Waits for a segment that the background process is fetching or about to fetch. Whether it came is seen afterwards. */
async function awaitFetch(queue: GetQueue, options: ArchiveGetAsyncOptions, context: CommandContext): Promise<void> {
  const { walName, timeoutMs } = options;
  const { clock, signal } = context;
  const startMs = clock.monotonicMs();
  for (let round = 0; !queue.has(walName); round++) {
    const isFetching = queue.isFetching(walName);
    if (!isFetching && !queue.isAnnounced(walName)) return;
    if (clock.monotonicMs() - startMs > (isFetching ? timeoutMs : Math.min(timeoutMs, ANNOUNCED_MAX))) return;
    // It may have died, or have been killed before it began.
    if (round % DEAD_EVERY === DEAD_EVERY - 1 && !isBusy(options, context)) return queue.announce(undefined);
    await clock.sleep(LOOK_EVERY, signal);
  }
}

/** Whether a background process holds the lock. */
function isBusy(options: ArchiveGetAsyncOptions, context: CommandContext): boolean {
  try {
    const keys = options.repositories.map(({ key }) => key);
    acquireLocks(options.lockPath, options.stanza, "archive", keys, context.execId)[Symbol.dispose]();
    return false;
  } catch (error) {
    if (isWalferryError(error, "LockAcquire")) return true;
    throw error;
  }
}
