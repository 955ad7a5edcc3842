/**
 * A new passphrase for a repository. Only the info files are encrypted with the user's passphrase: everything else has passphrases of its own,
 * which they hold. So nothing but they is written again, and a run that is cut off leaves each of them readable with one of the two.
 */
import { WalferryError } from "../errors.ts";
import type { Repository } from "./repository.ts";

/** Stanzas that a repository holds, in order. */
export async function stanzasOf(repository: Repository): Promise<string[]> {
  const names = new Set<string>();
  for (const top of ["archive", "backup"]) {
    for await (const { name, type } of repository.storage.list(top)) if (type === "path") names.add(name);
  }
  return [...names].sort();
}

/** Writes the info files of a stanza with the new passphrase and proves that it opens them alone. @throws WalferryError */
export async function rekeyStanza(repository: Repository, stanza: string): Promise<void> {
  const hasArchive = await isThere(repository, repository.archivePath(stanza, "archive.info"));
  const hasBackup = await isThere(repository, repository.backupPath(stanza, "backup.info"));
  if (hasArchive) await repository.rekeyArchiveInfo(stanza, await repository.loadArchiveInfo(stanza));
  if (hasBackup) await repository.rekeyBackupInfo(stanza, await repository.loadBackupInfo(stanza));
  await assertOnlyNew(repository, stanza);
}

/** Whether the new passphrase opens every info file of a stanza, without the one before. @throws WalferryError `Crypto` when not */
export async function assertOnlyNew(repository: Repository, stanza: string): Promise<void> {
  for (const path of [repository.archivePath(stanza, "archive.info"), repository.backupPath(stanza, "backup.info")]) {
    for (const name of [path, `${path}.copy`]) {
      if (!await isThere(repository, name) || await repository.opensWithCurrent(name)) continue;
      throw new WalferryError(
        "Crypto",
        `the new passphrase of ${repository.name} does not open '${repository.display(name)}'`,
      );
    }
  }
}

async function isThere(repository: Repository, path: string): Promise<boolean> {
  return await repository.storage.info(path) !== undefined ||
    await repository.storage.info(`${path}.copy`) !== undefined;
}
