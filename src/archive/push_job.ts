/** The worker's side of asynchronous archiving: the repositories are opened once, and asked again who they are now and then. */
import { isBucket } from "../../backends/config.ts";
import { isWalferryError } from "../errors.ts";
import { readControlFile } from "../postgres/control_file.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import type { ArchivePushOptions } from "./options.ts";
import { type CheckedRepositories, checkRepositories, pushFile } from "./push.ts";

/**
 * How long what `archive.info` of a bucket says is believed, in milliseconds; after a failure it is read again at once. Of a directory it is
 * read for every file: when its file system is no longer mounted, WAL would go to the disk below and be acknowledged.
 */
const CHECK_BUCKETS_EVERY = 60_000;

export interface PushRequest {
  /** Absolute path of the file in `pg_wal`. */
  readonly path: string;
}

export interface PushedFile {
  readonly warnings: readonly string[];
}

/** Starts a worker of the job `wal-push`. */
export async function start(options: ArchivePushOptions): Promise<(request: PushRequest) => Promise<PushedFile>> {
  const set = await RepositorySet.open(options.repositories);
  const never = new AbortController().signal;
  const checkEvery = options.repositories.every(({ storage }) => isBucket(storage)) ? CHECK_BUCKETS_EVERY : 0;
  let checked: CheckedRepositories | undefined;
  let checkedMs = 0;
  return async ({ path }) => {
    const warnings: string[] = [];
    try {
      if (checked === undefined || checked.failures.length > 0 || performance.now() - checkedMs >= checkEvery) {
        const control = options.cluster === undefined
          ? undefined
          : readControlFile(options.cluster.path, options.pgVersionForce);
        checked = await checkRepositories(set, options, control);
        checkedMs = performance.now();
      }
      await pushFile(path, checked, options, { signal: never, warn: (message) => warnings.push(message) });
      return { warnings };
    } catch (error) {
      // What was believed may be the reason.
      if (isWalferryError(error)) checked = undefined;
      throw error;
    }
  };
}
