/**
 * The order in which files are copied, and which of them go together. Knows no store and reads nothing.
 */
import type { CopyDecision, CopyList } from "./planner.ts";

/** What a worker does in one go: a file, or the small files of one bundle. */
export interface CopyJob {
  readonly copies: readonly CopyDecision[];
  /** Number of the bundle, from 1; the same in every repository that bundles. */
  readonly bundleId?: number;
}

/**
 * When a job may run. `primary`: it reads the primary in a backup that otherwise reads a standby: one such job at a time, so that the primary has
 * little to do. `last`: when all others have ended.
 */
export type JobTurn = "any" | "primary" | "last";

/**
 * Files of one bundle at most, however small: a worker gets and answers them in one message. Pages of PostgreSQL's usual size fill a bundle
 * of the usual size sooner.
 */
export const BUNDLE_FILES_MAX = 4096;

/** Which files have a turn of their own. */
export interface JobTurns {
  /** Which files are read from a standby; absent = there is none beside a primary. */
  readonly fromStandby?: (name: string) => boolean;
  /** The file that is copied behind all others. */
  readonly last?: string;
}

/**
 * The copies as jobs, in the order in which they are begun: one queue for the data directory and one for each tablespace, taken from in turn,
 * so that all disks are busy. In a queue the largest file comes first, so that no long one is left for the end; behind them the bundles, of
 * files that were last changed about the same time, since they will change together again. What an interrupted backup has in its bundles makes
 * jobs of its own, each of one of these bundles in its order: it is only looked at, and goes into a new bundle where it is damaged.
 *
 * @param bundleBytes a bundle is full when its files have this size together
 */
export function orderJobs(copies: CopyList, bundleBytes: number, { fromStandby, last }: JobTurns = {}): CopyJobs {
  const queues = new Map<string, number[]>();
  for (let position = 0; position < copies.length; position++) {
    const name = copies.nameAt(position);
    const turn = name === last ? "last" : fromStandby?.(name) === false ? "primary" : "any";
    const root = turn === "any" ? rootOf(name) : turn;
    const queue = queues.get(root);
    if (queue === undefined) queues.set(root, [position]);
    else queue.push(position);
  }
  return new CopyJobs(
    copies,
    [...queues].map(([root, positions]) => queueOf(turnOf(root), positions, copies, bundleBytes)),
    lastBundleOf(copies),
  );
}

/** Jobs of one root, or of one turn. Files are positions in the list of copies. */
interface Queue {
  readonly turn: JobTurn;
  /** Each is a job. */
  readonly alone: Uint32Array;
  /** Members of bundles, one bundle behind the other. */
  readonly small: Uint32Array;
  /** Where each bundle begins among them. */
  readonly bundleStarts: readonly number[];
}

function queueOf(turn: JobTurn, positions: readonly number[], copies: CopyList, bundleBytes: number): Queue {
  const isBundled = (position: number) => copies.isBundledAt(position);
  const { someResumed } = copies;
  // No repository needs more of it than a look at what is stored.
  const isAllResumed = (position: number) =>
    someResumed && copies.resumedAt(position).every((entry) => entry !== undefined);
  // Positions are in the order of the names.
  const fresh = Uint32Array.from(positions.filter((position) => isBundled(position) && !isAllResumed(position)))
    .sort((a, b) => copies.timestampAt(a) - copies.timestampAt(b) || a - b);
  const before = bundlesOfBefore(
    someResumed ? positions.filter((position) => isBundled(position) && isAllResumed(position)) : [],
    copies,
  );
  const alone = Uint32Array.from(positions.filter((position) => !isBundled(position)))
    .sort((a, b) => copies.sizeAt(b) - copies.sizeAt(a) || a - b);
  const bundleStarts: number[] = [];
  let sizeBytes = Infinity;
  for (const [at, position] of fresh.entries()) {
    if (sizeBytes >= bundleBytes || at - bundleStarts.at(-1)! === BUNDLE_FILES_MAX) {
      bundleStarts.push(at);
      sizeBytes = 0;
    }
    sizeBytes += copies.sizeAt(position);
  }
  let end = fresh.length;
  for (const bundle of before) {
    bundleStarts.push(end);
    end += bundle.length;
  }
  return { turn, alone, small: Uint32Array.from([fresh, ...before].flatMap((part) => [...part])), bundleStarts };
}

/** Where a file is in the bundles of an interrupted backup, of the first repository that has it in one. */
function placeBefore(position: number, copies: CopyList): readonly [bundleId: number, offsetBytes: number] {
  const entry = copies.resumedAt(position).find((one) => one?.bundleId !== undefined);
  return [entry?.bundleId ?? 0, entry?.bundleOffset ?? 0];
}

/** Members of each bundle of an interrupted backup, in its order. */
function bundlesOfBefore(positions: readonly number[], copies: CopyList): number[][] {
  const bundles = new Map<number, [offsetBytes: number, position: number][]>();
  for (const position of positions) {
    const [bundleId, offsetBytes] = placeBefore(position, copies);
    const bundle = bundles.get(bundleId);
    if (bundle === undefined) bundles.set(bundleId, [[offsetBytes, position]]);
    else bundle.push([offsetBytes, position]);
  }
  return [...bundles.values()].map((bundle) => bundle.sort(([a], [b]) => a - b).map(([, position]) => position));
}

/** The highest number of a bundle that is in use already: new ones come behind it. */
function lastBundleOf(copies: CopyList): number {
  let last = 0;
  for (let position = 0; copies.someResumed && position < copies.length; position++) {
    for (const entry of copies.resumedAt(position)) last = Math.max(last, entry?.bundleId ?? 0);
  }
  return last;
}

/** Jobs in order. Each is made when its turn comes. */
export class CopyJobs implements Iterable<CopyJob> {
  readonly #copies: CopyList;
  readonly #queues: readonly Queue[];
  readonly #bundlesBefore: number;

  /** @param bundlesBefore new bundles have numbers behind it */
  constructor(copies: CopyList, queues: readonly Queue[], bundlesBefore: number) {
    this.#copies = copies;
    this.#queues = queues;
    this.#bundlesBefore = bundlesBefore;
  }

  get length(): number {
    return this.#queues.reduce((sum, queue) => sum + jobsIn(queue), 0);
  }

  /** Bytes of all files. */
  get totalBytes(): number {
    return this.#copies.totalBytes;
  }

  /** Number of all files. */
  get files(): number {
    return this.#copies.length;
  }

  /** Some have this turn. */
  has(turn: JobTurn): boolean {
    return this.#queues.some((queue) => queue.turn === turn);
  }

  [Symbol.iterator](): Generator<CopyJob> {
    return this.#values(() => true);
  }

  /** Those that have this turn. */
  values(turn: JobTurn): Generator<CopyJob> {
    return this.#values((queue) => queue.turn === turn);
  }

  *#values(isWanted: (queue: Queue) => boolean): Generator<CopyJob> {
    const longest = this.#queues.reduce((most, queue) => Math.max(most, jobsIn(queue)), 0);
    let bundles = this.#bundlesBefore;
    for (let turn = 0; turn < longest; turn++) {
      for (const queue of this.#queues) {
        if (turn >= jobsIn(queue)) continue;
        const bundle = turn - queue.alone.length;
        // Numbers are those of the whole order, whichever jobs are asked for.
        const bundleId = bundle < 0 ? undefined : ++bundles;
        if (!isWanted(queue)) continue;
        const positions = bundle < 0
          ? queue.alone.subarray(turn, turn + 1)
          : queue.small.subarray(queue.bundleStarts[bundle], queue.bundleStarts[bundle + 1]);
        yield {
          copies: Array.from(positions, (position) => this.#copies.at(position)!),
          bundleId,
        };
      }
    }
  }
}

function jobsIn({ alone, bundleStarts }: Queue): number {
  return alone.length + bundleStarts.length;
}

function turnOf(root: string): JobTurn {
  return root === "primary" || root === "last" ? root : "any";
}

/** `pg_data`, or `pg_tblspc/<oid>`. */
function rootOf(name: string): string {
  return name.startsWith("pg_tblspc/") ? name.split("/", 2).join("/") : "pg_data";
}
