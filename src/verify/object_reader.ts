/** The main side of reading stored objects: batches go to the workers, a bounded number at a time; verdicts come back. */
import { isDistant } from "../../backends/config.ts";
import type { CommandContext } from "../process/command_context.ts";
import { letGo } from "../process/garbage.ts";
import { LIGHT_AT_ONCE, WorkerPool } from "../process/worker_pool.ts";
import type { RepositoryConfig } from "../repository/config.ts";
import type { BatchRequest, BatchResult, ObjectRequest, ObjectSetup, ReadDepth, Verdict } from "./object_job.ts";

/** An object to read, with what it means to the one who asks. */
export interface SubjectObject<Subject> {
  readonly request: ObjectRequest;
  /** Stored bytes, as listed. */
  readonly sizeBytes: number;
  /** What each part is. */
  readonly subjects: readonly Subject[];
}

/** Objects of one batch at most, and their bytes: a message for each of a million small files would cost more than reading them. */
const BATCH_OBJECTS = 64;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Parts of a batch from which on it is full: a bundle of tiny files has thousands, and each is some hundred bytes in a message. */
const BATCH_PARTS = 1024;
/** What the request for a part and its verdict leave behind. */
const PART_BYTES = 2000;
/** Objects up to this size are read several at once from distant stores. Bytes. */
const LIGHT_BYTES = 1024 * 1024;

/** Disposing ends the workers. */
export class ObjectReader implements AsyncDisposable {
  readonly #pool: WorkerPool<BatchRequest, BatchResult>;
  readonly #lanes: number;
  readonly #distant: boolean;
  readonly #signal: AbortSignal;
  /** What ended one reading ends those beside it. */
  #failed: { readonly error: unknown } | undefined;
  readonly #abort: () => void;

  constructor(repository: RepositoryConfig, depth: ReadDepth, processMax: number, context: CommandContext) {
    const setup: ObjectSetup = { storage: repository.storage, depth };
    this.#pool = new WorkerPool("verify-read", setup, processMax, (bytes) => context.progress.advance(bytes));
    this.#distant = isDistant(repository.storage);
    this.#lanes = processMax * (this.#distant ? LIGHT_AT_ONCE : 1);
    this.#signal = context.signal;
    this.#abort = () => this.#pool.close(this.#signal.reason);
    this.#signal.addEventListener("abort", this.#abort, { once: true });
  }

  /**
   * Reads every object; the source is asked for no more than what the workers can take.
   * @param take hears the verdict on each part
   * @throws WalferryError of the store; of the source
   */
  async readAll<Subject>(
    source: AsyncIterable<SubjectObject<Subject>> | Iterable<SubjectObject<Subject>>,
    take: (subject: Subject, verdict: Verdict, request: ObjectRequest) => void,
  ): Promise<void> {
    const { done } = await this.begin(source, take);
    await done;
  }

  /**
   * The same, but comes back when the last objects are with the workers: some of these have nothing to do then, and may be given others.
   * @returns `done` resolves when all are read, and rejects as {@link readAll} does
   */
  async begin<Subject>(
    source: AsyncIterable<SubjectObject<Subject>> | Iterable<SubjectObject<Subject>>,
    take: (subject: Subject, verdict: Verdict, request: ObjectRequest) => void,
  ): Promise<{ readonly done: Promise<void> }> {
    const handedOut = Promise.withResolvers<void>();
    const done = this.#read(source, take, handedOut.resolve);
    // Whoever began it waits for it, but perhaps not yet.
    done.catch(() => handedOut.resolve());
    await handedOut.promise;
    return { done };
  }

  async #read<Subject>(
    source: AsyncIterable<SubjectObject<Subject>> | Iterable<SubjectObject<Subject>>,
    take: (subject: Subject, verdict: Verdict, request: ObjectRequest) => void,
    onHandedOut: () => void,
  ): Promise<void> {
    const batches = batched(source, this.#distant ? 1 : BATCH_OBJECTS);
    const lane = async () => {
      while (this.#failed === undefined) {
        try {
          const next = await batches.next();
          if (next.done) return onHandedOut();
          const light = next.value.every(({ sizeBytes }) => sizeBytes <= LIGHT_BYTES) && this.#distant;
          const { result } = await this.#pool.run({ objects: next.value.map(({ request }) => request) }, light);
          for (const [at, { subjects, request }] of next.value.entries()) {
            for (const [part, subject] of subjects.entries()) take(subject, result.verdicts[at]![part], request);
            letGo(subjects.length * PART_BYTES);
          }
        } catch (error) {
          this.#failed ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: this.#lanes }, lane));
    if (this.#failed !== undefined) throw (this.#failed as { readonly error: unknown }).error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#abort);
    await this.#pool[Symbol.asyncDispose]();
  }
}

async function* batched<Subject>(
  source: AsyncIterable<SubjectObject<Subject>> | Iterable<SubjectObject<Subject>>,
  most: number,
): AsyncGenerator<Array<SubjectObject<Subject>>> {
  let batch: Array<SubjectObject<Subject>> = [];
  let sizeBytes = 0;
  let parts = 0;
  for await (const object of source) {
    batch.push(object);
    sizeBytes += object.sizeBytes;
    parts += object.subjects.length;
    if (batch.length < most && sizeBytes < BATCH_BYTES && parts < BATCH_PARTS) continue;
    yield batch;
    batch = [];
    sizeBytes = 0;
    parts = 0;
  }
  if (batch.length > 0) yield batch;
}
