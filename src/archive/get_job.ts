/** The worker's side of asynchronous archive-get: the repositories are opened once for many segments. */
import { RepositorySet } from "../repository/repository_set.ts";
import { getWalFrom } from "./get.ts";
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
  const set = await RepositorySet.open(options.repositories);
  const { signal } = new AbortController();
  return async (request) => {
    const warnings: string[] = [];
    const result = await getWalFrom(set, { ...options, ...request }, {
      signal,
      warn: (message) => warnings.push(message),
    });
    return { found: result.state === "found", warnings };
  };
}
