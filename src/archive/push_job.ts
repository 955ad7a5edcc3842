/** The worker's side of asynchronous archiving: the repositories are opened once, and asked again who they are now and then. */
import { isBucket } from "../../backends/config.ts";
import { isWalferryError } from "../errors.ts";
import { systemClock } from "../process/clock.ts";
import { readControlFile } from "../postgres/control_file.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import type { ArchivePushOptions } from "./options.ts";
import { checkChosen, pushFile } from "./push.ts";
import type { CheckedRepositories } from "./push_targets.ts";
import { impatient, Quorum } from "./quorum.ts";
import { StoredSegments } from "./stored_segments.ts";
import { SegmentMemory } from "./wal_file.ts";

/**
 * How long what `archive.info` of a bucket says is believed, in milliseconds; after a failure it is read again at once. Of a directory it is
 * read for every file: when its file system is no longer mounted, WAL would go to the disk below and be acknowledged.
 */
const CHECK_BUCKETS_EVERY = 60_000;

export interface PushRequest {
  /** Absolute path of the file in `pg_wal`. */
  readonly path: string;
  /** Keys of the repositories to send it to. */
  readonly chosen: readonly number[];
}

export interface PushedFile {
  readonly warnings: readonly string[];
  /** What is to be told of repositories that went away or came back. */
  readonly news: readonly string[];
}

/** Starts a worker of the job `wal-push`. */
export async function start(options: ArchivePushOptions): Promise<(request: PushRequest) => Promise<PushedFile>> {
  const set = await RepositorySet.open(impatient(options));
  const checkEvery = options.repositories.every(({ storage }) => isBucket(storage)) ? CHECK_BUCKETS_EVERY : 0;
  const quorum = new Quorum(options, systemClock);
  const memory = new StoredSegments(options.stanza, systemClock);
  const segmentMemory = new SegmentMemory();
  let checked: { readonly of: string; readonly atMs: number; readonly repositories: CheckedRepositories } | undefined;
  return async ({ path, chosen }) => {
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    // One for each: what listens to a signal that lives as long as the process is never let go.
    const { signal } = new AbortController();
    const pushing = { signal, clock: systemClock, warn, find: memory.find, memory, segmentMemory };
    try {
      const of = chosen.join();
      const isOld = checked === undefined || checked.of !== of || checked.repositories.failures.length > 0 ||
        performance.now() - checked.atMs >= checkEvery;
      if (isOld) {
        const control = options.cluster === undefined
          ? undefined
          : readControlFile(options.cluster.path, options.pgVersionForce);
        const atMs = performance.now();
        const asked = set.repositories.filter(({ key }) => chosen.includes(key));
        checked = { of, atMs, repositories: await checkChosen(asked, options, control, quorum, pushing) };
      }
      const news = await pushFile(path, checked!.repositories, options, quorum, pushing);
      return { warnings, news };
    } catch (error) {
      // What was believed may be the reason.
      if (isWalferryError(error)) checked = undefined;
      throw error;
    }
  };
}
