/**
 * The background process of asynchronous archiving (behaviour spec §2.5). It does not end with its batch: it stays, sees each file that
 * PostgreSQL makes ready, and pushes it before the archiver asks. One directory scan per wake-up, oldest first, a bounded number at once.
 * Beside it repositories are given what they are owed.
 */
import { isWalferryError, toWalferryError, WalferryError } from "../errors.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { isLockWished } from "../process/lock_wish.ts";
import { acquireLocks, type StanzaLock } from "../process/locks.ts";
import { assertNotStopped, isStopped } from "../process/stop_file.ts";
import { WorkerPool } from "../process/worker_pool.ts";
import { readReady } from "./archive_status.ts";
import { GetQueue } from "./get_queue.ts";
import { Healer } from "./healer.ts";
import type { PushServiceOptions } from "./options.ts";
import { isOlder } from "./push_async.ts";
import type { PushedFile, PushRequest } from "./push_job.ts";
import { dropWal } from "./queue_limit.ts";
import { Quorum } from "./quorum.ts";
import { GLOBAL, PushSpool } from "./spool.ts";
import { isThere, modifiedIfThere } from "../process/local_file.ts";

/** Besides being woken it looks by itself after so many milliseconds; where nothing can wake it, more often. */
const LOOK_EVERY = 5000;
const LOOK_EVERY_UNWATCHED = 500;
/** Pauses after a failed round in milliseconds: first and longest. */
const RETRY_FIRST = 1000;
const RETRY_MAX = 15_000;
/** Between files it is looked so often (milliseconds) whether too much waits by now. */
const LIMIT_EVERY = 1000;

/** Runs until there is nothing to do for a while, or it is told to end. */
export async function servePushes(options: PushServiceOptions, context: CommandContext): Promise<void> {
  assertNotStopped(options.lockPath, options.stanza);
  if (isLockWished(options.lockPath, options.stanza)) return context.log.info("end: another command needs the lock");
  using lock = acquireLocks(
    options.lockPath,
    options.stanza,
    "archive",
    options.repositories.map(({ key }) => key),
    context.execId,
  );
  const spool = new PushSpool(options.spoolPath, options.stanza);
  if (!options.pushes) return await payAll(options, lock, context);
  try {
    const control = readControlFile(options.cluster.path, options.pgVersionForce);
    await spool.claim(control.systemId);
    await new PushService(options, control, spool, lock, context).run();
  } catch (error) {
    const failure = toWalferryError(error);
    if (failure.kind !== "Term") spool.writeError(GLOBAL, failure);
    throw failure;
  }
}

/** Without `archive-async`: pays what can be paid now. Whoever pushes the next file starts it again when there is more. */
async function payAll(options: PushServiceOptions, lock: StanzaLock, context: CommandContext): Promise<void> {
  const spool = new PushSpool(options.spoolPath, options.stanza);
  const goesOn = async () => await reasonToEnd(options, lock) === undefined && !spool.isWanted;
  spool.forgetWanted();
  await using healer = new Healer(options, new Quorum(options, context.clock), context, goesOn);
  await healer.payAll();
}

/** Why a process must not go on, whatever waits: the next command of PostgreSQL starts another where that is right. */
async function reasonToEnd(
  { lockPath, stanza, isOutdated }: PushServiceOptions,
  lock: StanzaLock,
): Promise<string | undefined> {
  if (isStopped(lockPath, stanza) || isStopped(lockPath, undefined)) return "the stanza is stopped";
  if (isLockWished(lockPath, stanza)) return "another command needs the lock";
  if (!lock.isInPlace) return "its lock file was removed";
  return await isOutdated?.() ? "the program or its configuration was changed" : undefined;
}

class PushService {
  readonly #options: PushServiceOptions;
  readonly #control: ControlData;
  readonly #spool: PushSpool;
  readonly #lock: StanzaLock;
  readonly #context: CommandContext;
  readonly #quorum: Quorum;

  constructor(
    options: PushServiceOptions,
    control: ControlData,
    spool: PushSpool,
    lock: StanzaLock,
    context: CommandContext,
  ) {
    this.#options = options;
    this.#control = control;
    this.#spool = spool;
    this.#lock = lock;
    this.#context = context;
    this.#quorum = new Quorum(options, context.clock);
  }

  /** Pushes and heals until it is told to end or there is nothing more to do. */
  async run(): Promise<void> {
    if (this.#quorum.isAll && await this.#owesNothing()) return await this.#push(undefined);
    const goesOn = async () => await reasonToEnd(this.#options, this.#lock) === undefined;
    await using healer = new Healer(this.#options, this.#quorum, this.#context, goesOn);
    if (this.#options.lingerMs === 0) {
      await this.#push(undefined);
      return await healer.payAll();
    }
    const ended = new AbortController();
    const end = () => ended.abort(this.#context.signal.reason);
    this.#context.signal.addEventListener("abort", end, { once: true });
    const healing = healer.run(ended.signal);
    try {
      await this.#push(healer);
    } finally {
      ended.abort(new WalferryError("Term", "the process ends"));
      await healing;
    }
  }

  /** Where it cannot be read what is owed, pushing goes on all the same: whoever pays tells why. */
  async #owesNothing(): Promise<boolean> {
    try {
      return (await this.#quorum.ledger.keys()).length === 0;
    } catch (error) {
      if (isWalferryError(error, "PathOpen")) return false;
      throw error;
    }
  }

  async #push(healer: Healer | undefined): Promise<void> {
    const { clock, signal, log } = this.#context;
    const setup: PushServiceOptions = { ...this.#options, isOutdated: undefined };
    await using pool = new WorkerPool<PushRequest, PushedFile>("wal-push", setup, this.#options.processMax);
    const stop = () => pool.close(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    using watcher = new ReadyWatcher(`${this.#options.walPath}/archive_status`, (message) => log.warn(message));
    // What an earlier process was asked says nothing to this one.
    this.#givesWay();
    // Leftovers of an earlier process say nothing of this one.
    for (const name of await this.#spool.names()) if (!name.endsWith(".ok")) this.#spool.remove(name);
    let lastWorkMs = clock.monotonicMs();
    let retryMs = RETRY_FIRST;
    for (;;) {
      signal.throwIfAborted();
      const seen = watcher.seen;
      const told = await this.#reasonToEnd();
      if (told !== undefined) return log.info(`end: ${told}`);
      this.#spool.forgetWanted();
      const work = await this.#scan();
      // What waits is pushed also for a cluster that is stopped, when somebody asks for it; but nobody waits there for better times.
      const isAlone = !isThere(`${this.#options.cluster.path}/postmaster.pid`);
      if (work.length > 0) {
        const failed = await this.#pushAll(pool, work);
        lastWorkMs = clock.monotonicMs();
        if (this.#options.lingerMs === 0) return;
        if (failed && isAlone) return log.info("end: the cluster is stopped");
        if (this.#givesWay()) return log.info("end: the recovery fetches WAL");
        if (!failed) {
          retryMs = RETRY_FIRST;
          continue;
        }
        await this.#pause(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MAX);
      } else {
        if (isAlone) return log.info("end: the cluster is stopped");
        if (this.#givesWay()) return log.info("end: the recovery fetches WAL");
        if (await healer?.hasWork()) lastWorkMs = clock.monotonicMs();
        const leftMs = this.#options.lingerMs - (clock.monotonicMs() - lastWorkMs);
        if (leftMs <= 0) return log.info("end: nothing to do");
        await watcher.next(seen, Math.min(leftMs, watcher.lookEveryMs), signal);
      }
    }
  }

  /** Waits before the next try, or until there is a reason to end. */
  async #pause(milliseconds: number): Promise<void> {
    const { clock, signal } = this.#context;
    const end = clock.monotonicMs() + milliseconds;
    while (clock.monotonicMs() < end && await reasonToEnd(this.#options, this.#lock) === undefined) {
      await clock.sleep(Math.min(RETRY_FIRST, end - clock.monotonicMs()), signal);
    }
  }

  async #reasonToEnd(): Promise<string | undefined> {
    const reason = await reasonToEnd(this.#options, this.#lock);
    if (reason !== undefined) return reason;
    const { cluster, pgVersionForce } = this.#options;
    // Upgraded or put in its place: the answers in the spool are said to be of the old one.
    if (readControlFile(cluster.path, pgVersionForce).systemId !== this.#control.systemId) {
      return "another cluster is in its place";
    }
    return undefined;
  }

  /** A cluster that recovers and archives needs the lock for both; whoever fills the queue of archive-get gives way when WAL waits. */
  #givesWay(): boolean {
    const { spoolPath, stanza } = this.#options;
    return new GetQueue(spoolPath, stanza).takeWanted() !== undefined;
  }

  /** Files to push, oldest first. Answers that PostgreSQL has taken, those of other files of the same name, and what is none are removed. */
  async #scan(): Promise<string[]> {
    const ready = new Set(await readReady(this.#options.walPath));
    const done = new Set<string>();
    for (const file of await this.#spool.names()) {
      if (!file.endsWith(".ok")) continue;
      const name = file.slice(0, -3);
      const status = this.#spool.status(name);
      const counts = status?.kind === "ok" && ready.has(name) &&
        !isOlder(status.modifiedMs, `${this.#options.walPath}/${name}`);
      if (counts) done.add(name);
      else this.#spool.remove(file);
    }
    const waiting = inArchiverOrder([...ready].filter((name) => !done.has(name)));
    if (!this.#isTooMuch(ready.size)) return waiting;
    for (const name of waiting) {
      const writtenMs = this.#writtenMs(name);
      const warning = dropWal(name, this.#control.systemId, this.#options);
      this.#context.log.warn(warning.split("\n", 1)[0]!);
      this.#spool.writeOk(name, writtenMs, warning);
    }
    return [];
  }

  /** Whether so many files are above `archive-push-queue-max`. */
  #isTooMuch(count: number): boolean {
    const { queueMaxBytes } = this.#options;
    return queueMaxBytes !== undefined && count * this.#control.walSegmentBytes > queueMaxBytes;
  }

  #writtenMs(name: string): number {
    return modifiedIfThere(`${this.#options.walPath}/${name}`) ?? 0;
  }

  /**
   * Pushes files; after the first failure, when it must not go on, or when too much waits meanwhile (a list of files may take hours in a slow
   * repository), no further one is begun. @returns whether one failed
   */
  async #pushAll(pool: WorkerPool<PushRequest, PushedFile>, work: readonly string[]): Promise<boolean> {
    const { clock, log, signal } = this.#context;
    log.info(`push ${work.length} WAL file(s) to archive: ${work[0]}${work.length > 1 ? `...${work.at(-1)}` : ""}`);
    const queue = work.values();
    let failed = false;
    let lookedMs = clock.monotonicMs();
    let isTooMuch = false;
    const lookAtLimit = async () => {
      if (this.#options.queueMaxBytes === undefined || clock.monotonicMs() - lookedMs < LIMIT_EVERY) return;
      lookedMs = clock.monotonicMs();
      isTooMuch ||= this.#isTooMuch((await readReady(this.#options.walPath)).length);
    };
    const lane = async () => {
      for (const name of queue) {
        await lookAtLimit();
        if (failed || isTooMuch || await reasonToEnd(this.#options, this.#lock) !== undefined) return;
        try {
          // Before it is read: when it is written to meanwhile, the answer is older than the file.
          const writtenMs = this.#writtenMs(name);
          const request = { path: `${this.#options.walPath}/${name}`, chosen: this.#quorum.chosen(false) };
          const { result, worker } = await pool.run(request);
          log.detail(`pushed WAL file '${name}' to the archive`, worker);
          for (const message of [...result.news, ...result.warnings]) log.warn(message);
          this.#spool.writeOk(name, writtenMs, result.warnings.length === 0 ? undefined : result.warnings.join("\n"));
        } catch (error) {
          signal.throwIfAborted();
          failed = true;
          this.#tellFailure(name, toWalferryError(error));
        }
      }
    };
    await Promise.all(Array.from({ length: this.#options.processMax }, lane));
    return failed;
  }

  #tellFailure(name: string, error: WalferryError): void {
    this.#context.log.warn(
      `could not push WAL file '${name}' to the archive (will be retried): [${error.code}] ${error.text}`,
    );
    this.#spool.writeError(name, error);
  }
}

/** Hears of files that PostgreSQL makes ready. */
class ReadyWatcher implements Disposable {
  readonly #watcher: Deno.FsWatcher | undefined;
  lookEveryMs: number;
  /** Counts what was heard. */
  seen = 0;
  #wake: PromiseWithResolvers<void> | undefined;

  /** @param warn hears why nothing can be heard; then it is looked more often instead */
  constructor(path: string, warn: (message: string) => void) {
    this.lookEveryMs = LOOK_EVERY_UNWATCHED;
    // The kernel's watches can be used up by others.
    const isDeaf = (error: unknown) => {
      this.lookEveryMs = LOOK_EVERY_UNWATCHED;
      warn(
        `unable to watch path '${path}': ${(error as Error).message}: looking there every ${LOOK_EVERY_UNWATCHED} ms`,
      );
    };
    try {
      this.#watcher = Deno.watchFs(path, { recursive: false });
      this.lookEveryMs = LOOK_EVERY;
      this.#listen(this.#watcher).catch(isDeaf);
    } catch (error) {
      isDeaf(error);
    }
  }

  async #listen(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { paths } of watcher) {
      if (!paths.some((path) => path.endsWith(".ready"))) continue;
      this.seen++;
      this.#wake?.resolve();
    }
  }

  /** Waits until something was heard since `seen`, or for so long. */
  async next(seen: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.seen !== seen) return;
    const wake = this.#wake = Promise.withResolvers<void>();
    const timer = setTimeout(wake.resolve, timeoutMs);
    const onAbort = () => wake.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    await wake.promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}

/** The archiver asks for history files first, so that no segment that cannot be archived keeps a new timeline from being known. */
function inArchiverOrder(names: readonly string[]): string[] {
  const isHistory = (name: string) => name.endsWith(".history");
  return [...names.filter(isHistory).sort(), ...names.filter((name) => !isHistory(name)).sort()];
}
