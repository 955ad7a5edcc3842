/** Which repositories can take WAL of the cluster, and where in them (behaviour spec §2.2). */
import { WalferryError } from "../errors.ts";
import { currentHistoryEntry } from "../format/archive_info.ts";
import type { ControlData } from "../postgres/control_file.ts";
import { type AskEnough, askEnough } from "../repository/ask_enough.ts";
import type { Repository } from "../repository/repository.ts";
import type { RepositoryFailure } from "../repository/repository_set.ts";
import { archiveIdOf } from "../repository/wal_archive.ts";

/** A repository that can take the file, and where in it. */
export interface PushTarget {
  readonly repository: Repository;
  readonly archiveId: string;
  readonly passphrase: string | undefined;
}

/** Repositories that can take WAL of the cluster, and what is wrong with the others. */
export interface CheckedRepositories {
  /** Whose WAL it must be: the cluster's own word, or (without `pg1-path`) that of the first good repository; absent when neither says. */
  readonly cluster: WalCluster | undefined;
  readonly targets: readonly PushTarget[];
  readonly failures: readonly RepositoryFailure[];
}

/** Which cluster's WAL is meant. */
export interface WalCluster {
  readonly pgVersion: string;
  readonly systemId: bigint;
  /** A repository does not tell it. */
  readonly walSegmentBytes?: number;
}

/** Loads `archive.info` of every repository and compares it with the cluster. */
export async function checkRepositories(
  repositories: readonly Repository[],
  stanza: string,
  control: ControlData | undefined,
  enough: AskEnough,
): Promise<CheckedRepositories> {
  const targets: PushTarget[] = [];
  const failures: RepositoryFailure[] = [];
  // Without pg1-path the first good repository says which cluster it is.
  let cluster: WalCluster | undefined = control;
  const load = (repository: Repository, signal: AbortSignal) => repository.loadArchiveInfo(stanza, signal);
  for (const outcome of await askEnough(repositories, load, enough)) {
    if (!outcome.ok) {
      failures.push(outcome.failure);
      continue;
    }
    const entry = currentHistoryEntry(outcome.value);
    cluster ??= entry;
    if (entry.pgVersion !== cluster.pgVersion || entry.systemId !== cluster.systemId) {
      const error = new WalferryError(
        "ArchiveMismatch",
        `PostgreSQL version ${cluster.pgVersion}, system-id ${cluster.systemId} do not match ${outcome.repository.name} stanza ` +
          `version ${entry.pgVersion}, system-id ${entry.systemId}`,
        { hint: "are you archiving to the correct stanza?" },
      );
      failures.push({ key: outcome.repository.key, error });
      continue;
    }
    targets.push({
      repository: outcome.repository,
      archiveId: archiveIdOf(entry),
      passphrase: outcome.value.cipherPass,
    });
  }
  return { cluster, targets, failures };
}
