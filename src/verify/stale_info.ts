/**
 * Which of two info files that can both be read and differ is the one that holds. Writers write the file first and then its copy, so that the
 * file is the newer one, unless a store gave back an old version of it: then what lies in the repository tells.
 */
import type { ArchiveInfo } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { listBackupDirectories } from "../repository/backup_catalog.ts";
import type { Repository } from "../repository/repository.ts";

/** A history only grows. */
export function isOlderArchiveInfo(main: ArchiveInfo, copy: ArchiveInfo): boolean {
  return copy.history.length > main.history.length;
}

/** Whether the copy agrees better with the backups that lie there, whichever of their manifests is left. @throws WalferryError of the store */
export async function isOlderBackupInfo(
  repository: Repository,
  stanza: string,
  main: BackupInfo,
  copy: BackupInfo,
): Promise<boolean> {
  const directories = await listBackupDirectories(repository, stanza);
  const there = new Set(directories.filter((one) => one.complete || one.hasCopy).map(({ label }) => label));
  const wrong = ({ backups }: BackupInfo) => new Set(backups.map(({ label }) => label)).symmetricDifference(there).size;
  return wrong(copy) < wrong(main);
}
