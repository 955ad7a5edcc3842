/**
 * Asynchronous archive-get: PostgreSQL's command takes the segment out of the queue, and a background process fills the queue with those
 * that follow. What is not in the queue is fetched at once, by the same strict rules as without a queue: only that search says "absent".
 */
import { isWalferryError, toWalferryError } from "../errors.ts";
import { isWalSegmentName, nextSegmentName } from "../format/wal_name.ts";
import { readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import { WorkerPool } from "../process/worker_pool.ts";
import { assertStartable, type GetResult, getWal } from "./get.ts";
import type { FetchedSegment, FetchRequest } from "./get_job.ts";
import { GetQueue } from "./get_queue.ts";
import type { ArchiveGetAsyncOptions } from "./options.ts";
import { resolveWalPath } from "./wal_path.ts";

/** Pause between looks at a segment that is on its way, in milliseconds. */
const LOOK_EVERY = 20;
/** So many segments are fetched ahead at least, however small the queue is. */
const SEGMENTS_MIN = 2;

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
  const deadline = context.clock.monotonicMs() + options.timeoutMs;
  while (queue.isFetching(walName) && isBusy(options, context) && context.clock.monotonicMs() < deadline) {
    await context.clock.sleep(LOOK_EVERY, context.signal);
  }
  const result = queue.take(walName, destination, control)
    ? { state: "found in queue" as const }
    : await getWal(options, context);
  // A standby that has all there is asks for the next one again and again: behind an absent one there is nothing to fetch.
  if (result.state === "absent") return result;
  const wanted = wantedSegments(nextSegmentName(walName, control.walSegmentBytes), options, control.walSegmentBytes);
  const there = queue.segments().filter((name) => wanted.includes(name)).length;
  if (there <= wanted.length / 2 && !isBusy(options, context)) start(wanted[0]!);
  return result;
}

/** Segments that the queue shall hold, on one timeline. */
function wantedSegments(first: string, { queueMaxBytes }: ArchiveGetAsyncOptions, segmentBytes: number): string[] {
  const names = [first];
  const count = Math.max(SEGMENTS_MIN, Math.floor(queueMaxBytes / segmentBytes));
  while (names.length < count) names.push(nextSegmentName(names.at(-1)!, segmentBytes));
  return names;
}

/** Whether a background process holds the lock. */
function isBusy(options: ArchiveGetAsyncOptions, context: CommandContext): boolean {
  try {
    acquire(options, context)[Symbol.dispose]();
    return false;
  } catch (error) {
    if (isWalferryError(error, "LockAcquire")) return true;
    throw error;
  }
}

function acquire(options: ArchiveGetAsyncOptions, context: CommandContext) {
  const keys = options.repositories.map(({ key }) => key);
  return acquireLocks(options.lockPath, options.stanza, "archive", keys, context.execId);
}

/**
 * The background process: fetches the segments that follow, several at once, and ends at the first one that is not there.
 * `options.walName` is the first of them.
 */
export async function fillQueue(options: ArchiveGetAsyncOptions, context: CommandContext): Promise<void> {
  assertNotStopped(options.lockPath, options.stanza);
  using _lock = acquire(options, context);
  const { log, signal } = context;
  const { walSegmentBytes } = readControlFile(options.cluster.path, options.pgVersionForce);
  const queue = new GetQueue(options.spoolPath, options.stanza);
  queue.make();
  const wanted = wantedSegments(options.walName, options, walSegmentBytes);
  queue.keepOnly(new Set(wanted));
  const present = new Set(queue.segments());
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length === 0) return;
  log.info(`get ${missing.length} WAL file(s) from archive: ${missing[0]}...${missing.at(-1)}`);
  await using pool = new WorkerPool<FetchRequest, FetchedSegment>("wal-get", options, options.processMax);
  const stop = () => pool.close(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const work = missing.values();
  let ended = false;
  const lane = async () => {
    for (const walName of work) {
      if (ended) return;
      try {
        const { result, worker } = await pool.run({ walName, destination: queue.pathOf(walName) });
        for (const warning of result.warnings) log.warn(warning);
        if (result.found) log.detail(`found ${walName} in the archive`, worker);
        else ended = true;
      } catch (error) {
        signal.throwIfAborted();
        ended = true;
        // PostgreSQL's own command asks for it again and hears the reason.
        log.warn(`could not get ${walName}: ${toWalferryError(error).text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: options.processMax }, lane));
}
