/** The worker's side of asynchronous archive-get: the repositories are opened once for many segments, and remembered what they hold. */
import { readControlFile } from "../postgres/control_file.ts";
import { systemClock } from "../process/clock.ts";
import { amongOthers } from "../repository/config.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { getWalFrom } from "./get.ts";
import { RememberedCandidates } from "./get_candidates.ts";
import type { ArchiveGetOptions } from "./options.ts";

export interface FetchRequest {
  readonly walName: string;
  /** Absolute path. */
  readonly destination: string;
}

export interface FetchedSegment {
  /** False when every repository said that it does not have it. */
  readonly found: boolean;
  readonly warnings: readonly string[];
}

/** Starts a worker of the job `wal-get`. */
export async function start(options: ArchiveGetOptions): Promise<(request: FetchRequest) => Promise<FetchedSegment>> {
  const set = await RepositorySet.open(amongOthers(options.repositories));
  const control = () => readControlFile(options.cluster.path, options.pgVersionForce);
  let remembered = new RememberedCandidates(options.stanza, control, systemClock);
  return async (request) => {
    const warnings: string[] = [];
    // One for each: what listens to a signal that lives as long as the process is never let go.
    const { signal } = new AbortController();
    try {
      const result = await getWalFrom(set, { ...options, ...request }, {
        signal,
        clock: systemClock,
        warn: (message) => warnings.push(message),
        locate: remembered.locate,
      });
      return { found: result.state === "found", warnings };
    } catch (error) {
      // What is remembered may be the reason: the archive was expired or made anew.
      remembered = new RememberedCandidates(options.stanza, control, systemClock);
      throw error;
    }
  };
}
