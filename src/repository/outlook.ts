/** What a repository is good for, beyond what pgBackRest's `info` tells: moments to recover to, gaps in the WAL, the last verification. */
import { toWalferryError } from "../errors.ts";
import type { ArchiveInfo } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { readKnownLosses } from "./archive_state.ts";
import type { InfoOptions } from "./options.ts";
import type { Repository } from "./repository.ts";
import { readVerifications, type VerificationResult } from "./verification_results.ts";
import { lookAtWal, type WalCoverage } from "./wal_sight.ts";

export interface Outlook {
  /** Absent when the WAL was not looked at. */
  readonly wal?: readonly WalCoverage[];
  /** The last verification of each mode. */
  readonly verified: readonly VerificationResult[];
  /** What could not be found out, and why. The backups are there all the same. */
  readonly unknown: readonly string[];
}

/** Whether the WAL of this repository is looked at: where a request for each 256 segments costs something, only when asked for. */
function isLookedAt(repository: Repository, { sight }: InfoOptions): boolean {
  return sight === "all" || (sight === "directories" && repository.storage.type === "posix");
}

/** Finds out what there is to know; what fails is told, and fails nothing else. */
export async function outlookOf(
  repository: Repository,
  stanza: string,
  infos: { readonly archiveInfo: ArchiveInfo; readonly backupInfo: BackupInfo },
  options: InfoOptions,
  nowMs: number,
  signal?: AbortSignal,
): Promise<Outlook> {
  const unknown: string[] = [];
  const attempt = async <T>(what: string, look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (thrown) {
      signal?.throwIfAborted();
      unknown.push(`${what}: ${toWalferryError(thrown).text}`);
      return undefined;
    }
  };
  const losses = await readKnownLosses(options.spoolPath, stanza, repository.key);
  const wal = isLookedAt(repository, options)
    ? await attempt(
      "gaps in the WAL are not known",
      () => lookAtWal({ repository, stanza, ...infos, losses, nowMs, signal }),
    )
    : undefined;
  const verified = await attempt(
    "the last verification is not known",
    () =>
      readVerifications(repository, stanza, new Set(infos.archiveInfo.history.map(({ systemId }) => systemId)), signal),
  );
  return { wal, verified: verified?.results ?? [], unknown: [...unknown, ...verified?.unknown ?? []] };
}
