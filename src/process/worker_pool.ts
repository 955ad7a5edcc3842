/**
 * Worker threads for work that computes: each takes one job at a time and does all of it, input and output included
 * (docs/decisions/0001); of light jobs, which mostly wait for a distant store, it takes several. Messages carry small plain values, never
 * file contents.
 */
import { deserializeError, type SerializedError, WalferryError } from "../errors.ts";
import { workerUrl } from "./self.ts";

/** What a job module exports as `start`: prepares once per worker, then runs requests; light ones overlap. */
export type JobStart<Setup, Request, Result> = (
  setup: Setup,
) => Promise<(request: Request, advance: Advance) => Promise<Result>>;

/** Reports so many more bytes done. */
export type Advance = (bytes: number) => void;

/** Messages to a worker. */
export type ToWorker = { readonly kind: "start"; readonly job: string; readonly setup: unknown } | {
  readonly kind: "run";
  readonly id: number;
  readonly request: unknown;
};

/** Messages from a worker: each says how many more bytes are done, so that a small file does not cost two. */
export type FromWorker =
  & { readonly bytes: number }
  & (
    | { readonly kind: "done"; readonly id: number; readonly result: unknown }
    | { readonly kind: "failed"; readonly id: number; readonly error: SerializedError }
    | { readonly kind: "advance" }
  );

/** Light jobs that one worker runs at once. */
export const LIGHT_AT_ONCE = 8;

/** Starting a worker takes as long as this many bytes, or this many files, take another one that runs already. */
const BYTES_PER_WORKER = 16 * 1024 * 1024;
const FILES_PER_WORKER = 500;

/**
 * Workers that are worth starting for files on this host: at least one.
 * @param max as many as are allowed
 */
export function workersWorth(max: number, sizeBytes: number, files: number): number {
  return Math.min(max, Math.max(1, Math.ceil(sizeBytes / BYTES_PER_WORKER), Math.ceil(files / FILES_PER_WORKER)));
}

interface QueuedJob<Request, Result> {
  readonly id: number;
  readonly light: boolean;
  readonly request: Request;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface PoolWorker<Request, Result> {
  readonly number: number;
  readonly worker: Worker;
  /** Jobs that it runs, by id: one, or some light ones. */
  readonly running: Map<number, QueuedJob<Request, Result>>;
}

/** What came of a job, and which worker did it (1 for the first). */
export interface JobResult<Result> {
  readonly result: Result;
  readonly worker: number;
}

export class WorkerPool<Request, Result> implements AsyncDisposable {
  readonly #job: string;
  readonly #setup: unknown;
  readonly #size: number;
  readonly #onAdvance: Advance;
  readonly #workers: PoolWorker<Request, JobResult<Result>>[] = [];
  readonly #queue: QueuedJob<Request, JobResult<Result>>[] = [];
  #closed: unknown;
  #lastId = 0;

  /**
   * @param job name in the job table of `src/worker.ts`
   * @param setup value for the job module's `start`; must survive structured cloning
   * @param size workers at most; one is started only when a job waits and none is free
   * @param onAdvance hears of progress inside jobs
   */
  constructor(job: string, setup: unknown, size: number, onAdvance: Advance = () => {}) {
    this.#job = job;
    this.#setup = setup;
    this.#size = Math.max(1, size);
    this.#onAdvance = onAdvance;
  }

  /**
   * Runs a request on the next free worker. Rejects with the worker's error; a worker that dies rejects its jobs.
   * @param light mostly waits and needs little memory: it may run beside others of its kind in one worker
   */
  run(request: Request, light = false): Promise<JobResult<Result>> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#queue.push({ id: ++this.#lastId, light, request, resolve, reject });
      this.#dispatch();
    });
  }

  /**
   * Runs a request for every item, no more in flight than there are workers, so that neither queue nor results pile up. The first error
   * stops the rest; jobs that are running are waited for.
   */
  async runAll(
    items: Iterable<Request>,
    take: (request: Request, result: JobResult<Result>) => Promise<void> | void,
  ): Promise<void> {
    const iterator = items[Symbol.iterator]();
    let failed: { readonly error: unknown } | undefined;
    const lane = async () => {
      for (let item = iterator.next(); !item.done && failed === undefined; item = iterator.next()) {
        try {
          await take(item.value, await this.run(item.value));
        } catch (error) {
          failed ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: this.#size }, lane));
    if (failed !== undefined) throw failed.error;
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const job = this.#queue[0]!;
      // Idle workers first, then new ones, then those that have room beside other light jobs.
      const free = this.#workers.find(({ running }) => running.size === 0) ?? this.#grow() ??
        (job.light ? this.#workers.find(hasRoom) : undefined);
      if (free === undefined) return;
      this.#queue.shift();
      free.running.set(job.id, job);
      free.worker.postMessage({ kind: "run", id: job.id, request: job.request } satisfies ToWorker);
    }
  }

  #grow(): PoolWorker<Request, JobResult<Result>> | undefined {
    if (this.#workers.length >= this.#size) return undefined;
    const worker = new Worker(workerUrl(), { type: "module" });
    const entry: PoolWorker<Request, JobResult<Result>> = {
      number: this.#workers.length + 1,
      worker,
      running: new Map(),
    };
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(entry, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(
        entry,
        new WalferryError("Unhandled", `a worker of job '${this.#job}' ended unexpectedly: ${event.message}`),
      );
    };
    worker.onmessageerror = () =>
      this.#lose(entry, new WalferryError("Assert", `a message of job '${this.#job}' cannot be read`));
    worker.postMessage({ kind: "start", job: this.#job, setup: this.#setup } satisfies ToWorker);
    this.#workers.push(entry);
    return entry;
  }

  #receive(entry: PoolWorker<Request, JobResult<Result>>, message: FromWorker): void {
    if (message.bytes > 0) this.#onAdvance(message.bytes);
    if (message.kind === "advance") return;
    const job = entry.running.get(message.id);
    entry.running.delete(message.id);
    if (message.kind === "done") job?.resolve({ result: message.result as Result, worker: entry.number });
    else job?.reject(deserializeError(message.error));
    this.#dispatch();
  }

  /** A worker that died is not replaced in its place: its jobs fail, and the next job may start a new one. */
  #lose(entry: PoolWorker<Request, JobResult<Result>>, error: WalferryError): void {
    entry.worker.terminate();
    const at = this.#workers.indexOf(entry);
    // A dying worker may be heard more than once.
    if (at === -1) return;
    this.#workers.splice(at, 1);
    for (const job of entry.running.values()) job.reject(error);
    entry.running.clear();
    this.#dispatch();
  }

  /** Ends every worker; jobs that wait or run are rejected with this reason. */
  close(reason: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    for (const entry of this.#workers.splice(0)) {
      entry.worker.terminate();
      for (const job of entry.running.values()) job.reject(reason);
    }
    for (const job of this.#queue.splice(0)) job.reject(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve(this.close(new WalferryError("Term", "the worker pool was closed")));
  }
}

function hasRoom<Request, Result>({ running }: PoolWorker<Request, Result>): boolean {
  return running.size < LIGHT_AT_ONCE && [...running.values()].every(({ light }) => light);
}
