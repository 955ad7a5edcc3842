/**
 * The background process of asynchronous archive-get: keeps the queue full of the segments that the recovery needs next. While the cluster
 * recovers it stays, and goes on as segments are taken; it ends with the recovery, since then somebody else needs its lock.
 */
import { isDistant } from "../../backends/config.ts";
import { toWalferryError } from "../errors.ts";
import { nextSegmentName } from "../format/wal_name.ts";
import { readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { isLockWished } from "../process/lock_wish.ts";
import { acquireLocks, type StanzaLock } from "../process/locks.ts";
import { assertNotStopped, isStopped } from "../process/stop_file.ts";
import { WorkerPool } from "../process/worker_pool.ts";
import type { FetchedSegment, FetchRequest } from "./get_job.ts";
import { GetQueue, wantedSegments } from "./get_queue.ts";
import type { ArchiveGetAsyncOptions } from "./options.ts";
import { PushSpool } from "./spool.ts";
import { isThere } from "../process/local_file.ts";

/** It looks what was taken after so many milliseconds: while there is something to do, and while there is not. */
const LOOK_EVERY_BUSY = 50;
const LOOK_EVERY_IDLE = 500;
/** Nothing to do for so many milliseconds. */
const IDLE_AFTER = 5000;

/** Small segments of a store on a network are fetched several at once by a worker: so many, while they are not longer together than this. */
const PER_WORKER_MAX = 4;
const PER_WORKER_BYTES = 32 * 1024 * 1024;

/** How many segments are fetched at once, and by how many workers. */
export interface FetchLanes {
  readonly workers: number;
  readonly atOnce: number;
}

/**
 * Fetching from a store on a network is waiting: more workers than processors only start later, and one request at a time leaves the line idle.
 * @param processors of this host
 */
export function fetchLanes(
  { processMax, repositories }: Pick<ArchiveGetAsyncOptions, "processMax" | "repositories">,
  segmentBytes: number,
  processors: number,
): FetchLanes {
  if (!repositories.some(({ storage }) => isDistant(storage))) return { workers: processMax, atOnce: processMax };
  const perWorker = Math.max(1, Math.min(PER_WORKER_MAX, Math.floor(PER_WORKER_BYTES / segmentBytes)));
  return { workers: perWorker === 1 ? processMax : Math.min(processMax, processors), atOnce: processMax * perWorker };
}

/** `options.walName` is the first segment to fetch. */
export async function fillQueue(options: ArchiveGetAsyncOptions, context: CommandContext): Promise<void> {
  assertNotStopped(options.lockPath, options.stanza);
  if (isLockWished(options.lockPath, options.stanza)) return;
  const keys = options.repositories.map(({ key }) => key);
  using lock = acquireLocks(options.lockPath, options.stanza, "archive", keys, context.execId);
  const control = readControlFile(options.cluster.path, options.pgVersionForce);
  const queue = new GetQueue(options.spoolPath, options.stanza);
  await queue.claim(control.systemId);
  await new QueueFiller(options, control.walSegmentBytes, queue, lock, context).run();
}

class QueueFiller {
  readonly #options: ArchiveGetAsyncOptions;
  readonly #segmentBytes: number;
  readonly #queue: GetQueue;
  readonly #lock: StanzaLock;
  readonly #context: CommandContext;
  readonly #pushes: PushSpool;
  readonly #lanes: FetchLanes;
  /** Segments that the queue shall hold, oldest first. */
  #window: string[];
  /** Segments that were fetched: one that is no longer there was taken. */
  readonly #fetched = new Set<string>();
  readonly #running = new Set<string>();
  /** The first segment that was not to be had; behind it nothing is tried. */
  #end: string | undefined;

  constructor(
    options: ArchiveGetAsyncOptions,
    segmentBytes: number,
    queue: GetQueue,
    lock: StanzaLock,
    context: CommandContext,
  ) {
    this.#options = options;
    this.#segmentBytes = segmentBytes;
    this.#queue = queue;
    this.#lock = lock;
    this.#context = context;
    this.#pushes = new PushSpool(options.spoolPath, options.stanza);
    this.#lanes = fetchLanes(options, segmentBytes, navigator.hardwareConcurrency);
    this.#window = this.#from(options.walName);
  }

  #from(first: string): string[] {
    return wantedSegments(first, this.#options.queueMaxBytes, this.#segmentBytes);
  }

  async run(): Promise<void> {
    const { log, signal, clock } = this.#context;
    const setup: ArchiveGetAsyncOptions = { ...this.#options, isOutdated: undefined };
    await using pool = new WorkerPool<FetchRequest, FetchedSegment>("wal-get", setup, this.#lanes.workers);
    const stop = () => pool.close(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    using _announced = { [Symbol.dispose]: () => this.#queue.announce(undefined) };
    await this.#tidy();
    this.#pushes.forgetWanted();
    const first = (await this.#missing())[0];
    if (first !== undefined) log.info(`get WAL file(s) from archive: ${first}...${this.#window.at(-1)}`);
    const stays = this.#options.lingerMs > 0 && this.#isRecovering();
    let lastWorkMs = clock.monotonicMs();
    for (;;) {
      signal.throwIfAborted();
      // Before anything is waited for: a fetch that ends meanwhile must not be missed.
      const settled = this.#settledOne();
      const begun = await this.#begin(pool);
      if (begun > 0) lastWorkMs = clock.monotonicMs();
      if (this.#running.size === 0 && !stays) return;
      // Also one that only fetches its batch: a repository that does not answer may keep it for long.
      const told = await this.#reasonToEnd() ??
        (stays ? this.#reasonToLeave(clock.monotonicMs() - lastWorkMs) : undefined);
      if (told !== undefined) return log.info(`end: ${told}`);
      const pauseMs = clock.monotonicMs() - lastWorkMs > IDLE_AFTER ? LOOK_EVERY_IDLE : LOOK_EVERY_BUSY;
      await Promise.race([settled, clock.sleep(pauseMs, signal)]);
      await this.#follow();
    }
  }

  async #reasonToEnd(): Promise<string | undefined> {
    const { lockPath, stanza, isOutdated } = this.#options;
    if (isStopped(lockPath, stanza) || isStopped(lockPath, undefined)) return "the stanza is stopped";
    if (isLockWished(lockPath, stanza)) return "another command needs the lock";
    if (!this.#lock.isInPlace) return "its lock file was removed";
    return await isOutdated?.() ? "the program or its configuration was changed" : undefined;
  }

  /** Why one that stays with the recovery ends. */
  #reasonToLeave(idleMs: number): string | undefined {
    if (!this.#isRecovering()) return "the recovery has ended";
    // A standby that archives (archive_mode=always), or another cluster of this stanza on this host.
    if (this.#pushes.isWanted) return "WAL waits to be archived";
    return this.#running.size === 0 && idleMs > this.#options.lingerMs ? "nothing to do" : undefined;
  }

  /** Whether the server runs and is told to recover. */
  #isRecovering(): boolean {
    const { path } = this.#options.cluster;
    return isThere(`${path}/postmaster.pid`) &&
      (isThere(`${path}/recovery.signal`) || isThere(`${path}/standby.signal`));
  }

  /** Removes what is not wanted. */
  async #tidy(): Promise<void> {
    const running = new Set(this.#running);
    await this.#queue.keepOnly(new Set([...this.#window, ...running]), running);
    for (const name of await this.#queue.segments()) this.#fetched.add(name);
  }

  /** Moves the window behind what was taken, or to where the recovery went instead. */
  async #follow(): Promise<void> {
    const wanted = this.#queue.takeWanted();
    if (wanted !== undefined) {
      this.#end = undefined;
      if (!this.#window.includes(wanted)) this.#fetched.clear();
      this.#window = this.#from(wanted);
      return await this.#tidy();
    }
    // One that comes while the list is made may be missing in it.
    const fetched = new Set(this.#fetched);
    const present = new Set(await this.#queue.segments());
    const taken = this.#window.findLast((name) => fetched.has(name) && !present.has(name));
    if (taken === undefined) return;
    for (const name of this.#window.slice(0, this.#window.indexOf(taken) + 1)) this.#fetched.delete(name);
    this.#window = this.#from(nextSegmentName(taken, this.#segmentBytes));
  }

  async #missing(): Promise<string[]> {
    // As above: it is on its way no longer, and not in the list yet.
    const running = new Set(this.#running);
    const present = new Set(await this.#queue.segments());
    const missing = this.#window.filter((name) => !present.has(name) && !running.has(name));
    const end = this.#end;
    return end === undefined ? missing : missing.filter((name) => name < end);
  }

  /** Lets whoever needs a segment of the window wait for it. */
  #announce(): void {
    const [first] = this.#window;
    const behind = nextSegmentName(this.#window.at(-1)!, this.#segmentBytes);
    const end = this.#end !== undefined && this.#end < behind ? this.#end : behind;
    if (this.#announced === `${first} ${end}`) return;
    this.#announced = `${first} ${end}`;
    this.#queue.announce({ first: first!, end });
  }

  #announced = "";

  /** Begins as many fetches as there is room for. @returns how many */
  async #begin(pool: WorkerPool<FetchRequest, FetchedSegment>): Promise<number> {
    this.#announce();
    const names = (await this.#missing()).slice(0, this.#lanes.atOnce - this.#running.size);
    for (const name of names) {
      this.#running.add(name);
      this.#fetch(name, pool).finally(() => {
        this.#running.delete(name);
        this.#wake?.resolve();
      });
    }
    return names.length;
  }

  async #fetch(walName: string, pool: WorkerPool<FetchRequest, FetchedSegment>): Promise<void> {
    const { log, signal } = this.#context;
    const endHere = () => {
      if (this.#end === undefined || walName < this.#end) this.#end = walName;
    };
    try {
      const { result, worker } = await pool.run(
        { walName, destination: this.#queue.pathOf(walName) },
        this.#lanes.atOnce > this.#lanes.workers,
      );
      for (const warning of result.warnings) log.warn(warning);
      if (!result.found) return endHere();
      this.#fetched.add(walName);
      log.detail(`found ${walName} in the archive`, worker);
    } catch (error) {
      if (signal.aborted) return;
      endHere();
      // PostgreSQL's own command asks for it again and hears the reason.
      log.warn(`could not get ${walName}: ${toWalferryError(error).text}`);
    }
  }

  #wake: PromiseWithResolvers<void> | undefined;

  /** Resolves when a fetch has ended. */
  async #settledOne(): Promise<void> {
    this.#wake = Promise.withResolvers();
    await this.#wake.promise;
  }
}
