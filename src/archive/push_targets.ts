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
  /** The cluster, where `pg1-path` says where it is. */
  readonly control: ControlData | undefined;
  /** System identifier of the cluster: its own word, or that of the first good repository; absent when neither says. */
  readonly systemId: bigint | undefined;
  readonly targets: readonly PushTarget[];
  readonly failures: readonly RepositoryFailure[];
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
  let identity: { readonly pgVersion: string; readonly systemId: bigint } | undefined = control;
  const load = (repository: Repository, signal: AbortSignal) => repository.loadArchiveInfo(stanza, signal);
  for (const outcome of await askEnough(repositories, load, enough)) {
    if (!outcome.ok) {
      failures.push(outcome.failure);
      continue;
    }
    const entry = currentHistoryEntry(outcome.value);
    identity ??= entry;
    if (entry.pgVersion !== identity.pgVersion || entry.systemId !== identity.systemId) {
      const error = new WalferryError(
        "ArchiveMismatch",
        `PostgreSQL version ${identity.pgVersion}, system-id ${identity.systemId} do not match ${outcome.repository.name} stanza ` +
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
  return { control, systemId: identity?.systemId, targets, failures };
}
