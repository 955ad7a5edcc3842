/** Pays what repositories are owed, as soon as they answer again: one file is the probe, then several at once, oldest first. */
import { isWalferryError, toWalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { WorkerPool } from "../process/worker_pool.ts";
import { SEEK_AGAIN } from "../repository/debts.ts";
import type { PushServiceOptions } from "./options.ts";
import type { PaidDebt, PayRequest } from "./pay_job.ts";
import type { Quorum } from "./quorum.ts";

/** It looks for debts that others recorded after so many milliseconds. */
const LOOK_EVERY = 1000;

export class Healer implements AsyncDisposable {
  readonly #options: PushServiceOptions;
  readonly #quorum: Quorum;
  readonly #context: CommandContext;
  readonly #pool: WorkerPool<PayRequest, PaidDebt>;
  /** Debts that nobody could pay, and when it is worth another look (monotonic milliseconds). */
  readonly #hopeless = new Map<string, number>();
  readonly #goesOn: () => Promise<boolean>;

  /** @param goesOn asked before each file */
  constructor(options: PushServiceOptions, quorum: Quorum, context: CommandContext, goesOn: () => Promise<boolean>) {
    this.#options = options;
    this.#quorum = quorum;
    this.#context = context;
    this.#goesOn = goesOn;
    const setup: PushServiceOptions = { ...options, isOutdated: undefined };
    this.#pool = new WorkerPool("wal-pay", setup, Math.max(1, Math.ceil(options.processMax / 2)));
  }

  /** Pays until the signal aborts. Never fails: what stands in the way is told, and pushing goes on. */
  async run(signal: AbortSignal): Promise<void> {
    using _stop = this.#endWith(signal);
    let lastTrouble = "";
    while (!signal.aborted) {
      let done = 0;
      try {
        done = await this.#round();
      } catch (error) {
        const { text } = toWalferryError(error);
        if (text !== lastTrouble) this.#context.log.warn(`unable to give repositories what they are owed: ${text}`);
        lastTrouble = text;
      }
      if (done === 0) await this.#context.clock.sleep(LOOK_EVERY, signal).catch(() => undefined);
    }
  }

  /** Pays what can be paid now. */
  async payAll(): Promise<void> {
    const { signal } = this.#context;
    using _stop = this.#endWith(signal);
    while (await this.#goesOn() && await this.#round() > 0) signal.throwIfAborted();
    signal.throwIfAborted();
  }

  /** What runs ends with the signal. */
  #endWith(signal: AbortSignal): Disposable {
    const stop = () => this.#pool.close(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    return { [Symbol.dispose]: () => signal.removeEventListener("abort", stop) };
  }

  /** Whether repositories are owed something that may still be paid. Why that cannot be read is told by {@link run}. */
  async hasWork(): Promise<boolean> {
    try {
      return (await this.#owed()).some(({ names }) => names.length > 0);
    } catch (error) {
      if (isWalferryError(error, "PathOpen")) return false;
      throw error;
    }
  }

  /** Tries every repository that is owed something and may be tried now. @returns how many debts were paid */
  async #round(): Promise<number> {
    const due = (await this.#owed()).filter(({ key, names }) => names.length > 0 && this.#quorum.health.takeTry(key));
    const paid = await Promise.all(due.map(({ key, names }) => this.#pay(key, names)));
    return paid.reduce((sum, count) => sum + count, 0);
  }

  async #owed(): Promise<{ readonly key: number; readonly names: readonly string[] }[]> {
    const nowMs = this.#context.clock.monotonicMs();
    const { ledger } = this.#quorum;
    return await Promise.all(this.#options.repositories.map(async ({ key }) => ({
      key,
      names: (await ledger.names(key)).filter((name) => (this.#hopeless.get(`${key} ${name}`) ?? 0) <= nowMs),
    })));
  }

  async #pay(key: number, names: readonly string[]): Promise<number> {
    const { log } = this.#context;
    const queue = this.#worthwhile(key, names);
    const probe = queue.next();
    if (probe.done) return 0;
    let paid = 0;
    if (!await this.#payOne(key, probe.value, () => paid++)) return paid;
    if (this.#quorum.health.answered(key)) log.info(`repo${key} answers again, it is owed ${names.length} WAL file(s)`);
    let failed = false;
    const lane = async () => {
      for (const name of queue) {
        if (failed || !await this.#goesOn()) return;
        failed = !await this.#payOne(key, name, () => paid++) || failed;
      }
    };
    await Promise.all(Array.from({ length: this.#options.processMax }, lane));
    if (!failed && paid > 0) log.info(`repo${key} was given ${paid} WAL file(s) that it missed`);
    return paid;
  }

  /** Without those that some process could not pay a short time ago. */
  *#worthwhile(key: number, names: readonly string[]): Generator<string> {
    for (const name of names) {
      const leftMs = this.#quorum.ledger.postponedMs(key, name, this.#context.clock.nowMs());
      if (leftMs === 0) yield name;
      else this.#leaveAlone(key, name, leftMs);
    }
  }

  #leaveAlone(key: number, walName: string, milliseconds: number): void {
    this.#hopeless.set(`${key} ${walName}`, this.#context.clock.monotonicMs() + milliseconds);
  }

  /** Nobody can pay it now: that is noted for the processes that follow, too. */
  #postpone(key: number, walName: string, reason: string): void {
    this.#leaveAlone(key, walName, SEEK_AGAIN);
    this.#context.log.warn(`repo${key} is owed WAL file '${walName}': ${reason}`);
    this.#quorum.ledger.postpone(key, walName, this.#context.clock.nowMs());
  }

  /** @returns false when the repository cannot take it */
  async #payOne(key: number, walName: string, onPaid: () => void): Promise<boolean> {
    const { log } = this.#context;
    try {
      const { result, worker } = await this.#pool.run({ key, walName, pgWalPath: this.#options.walPath });
      if (result.state === "no source") {
        this.#postpone(key, walName, result.reason);
      } else {
        if (result.state === "forgotten") {
          log.warn(`repo${key} is no longer owed WAL file '${walName}': ${result.reason}`);
        }
        if (result.state === "paid") log.detail(`gave WAL file '${walName}' from ${result.from} to repo${key}`, worker);
        onPaid();
      }
      return true;
    } catch (error) {
      const failure = toWalferryError(error);
      // Told to end: nothing was learned of the repository.
      if (failure.kind === "Term" || this.#context.signal.aborted) return false;
      if (failure.kind === "ArchiveDuplicate") {
        // The repository is well; what it holds under this name is somebody's decision.
        this.#postpone(key, walName, failure.text);
        return true;
      }
      this.#quorum.health.failed(key, failure.text);
      log.detail(`repo${key} cannot take WAL file '${walName}' yet: [${failure.code}] ${failure.text}`);
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}
