/**
 * A new passphrase for a repository. Only the info files are encrypted with the user's passphrase: everything else has passphrases of its own,
 * which they hold. So nothing but they is written again, and a run that is cut off leaves each of them readable with one of the two.
 */
import { mayHoldFiles } from "../../backends/contract.ts";
import { WalferryError } from "../errors.ts";
import type { Repository } from "./repository.ts";

/** Stanzas of which a repository holds an info file, in order. @throws WalferryError those of the store */
export async function stanzasOf(repository: Repository): Promise<string[]> {
  const names = new Set<string>();
  for (const top of ["archive", "backup"]) {
    for await (const entry of repository.storage.list(top)) if (mayHoldFiles(entry)) names.add(entry.name);
  }
  const found: string[] = [];
  for (const name of [...names].sort()) if ((await infoFilesOf(repository, name)).length > 0) found.push(name);
  return found;
}

/**
 * Writes the info files of a stanza with the new passphrase and proves that it opens them alone.
 * @throws WalferryError `FileMissing` when there are none; as {@link Repository.loadArchiveInfo}, and nothing is written then
 */
export async function rekeyStanza(repository: Repository, stanza: string): Promise<void> {
  const files = await infoFilesOf(repository, stanza);
  assertAny(repository, stanza, files);
  const hasArchive = files.some((path) => path.startsWith("archive/"));
  const hasBackup = files.some((path) => path.startsWith("backup/"));
  // Neither is written before both could be opened: a stanza with another passphrase stays as it is.
  if (hasArchive) await repository.loadArchiveInfo(stanza);
  if (hasBackup) await repository.loadBackupInfo(stanza);
  // Loaded once more right before it is written: the lock is this host's, and another one may have changed it.
  if (hasArchive) await repository.rekeyArchiveInfo(stanza, await repository.loadArchiveInfo(stanza));
  if (hasBackup) await repository.rekeyBackupInfo(stanza, await repository.loadBackupInfo(stanza));
  await assertOnlyNew(repository, stanza);
}

/**
 * Whether the new passphrase opens every info file of a stanza, without the one before.
 * @throws WalferryError `Crypto` when not, `FileMissing` when there are none
 */
export async function assertOnlyNew(repository: Repository, stanza: string): Promise<void> {
  const files = await infoFilesOf(repository, stanza);
  assertAny(repository, stanza, files);
  for (const path of files) {
    if (await repository.opensWithCurrent(path)) continue;
    throw new WalferryError(
      "Crypto",
      `the new passphrase of ${repository.name} does not open '${repository.display(path)}'`,
    );
  }
}

/** Paths of those that are there: two and a copy of each. */
async function infoFilesOf(repository: Repository, stanza: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of [repository.archivePath(stanza, "archive.info"), repository.backupPath(stanza, "backup.info")]) {
    for (const name of [path, `${path}.copy`]) {
      if (await repository.storage.info(name) !== undefined) found.push(name);
    }
  }
  return found;
}

function assertAny(repository: Repository, stanza: string, files: readonly string[]): void {
  if (files.length > 0) return;
  throw new WalferryError("FileMissing", `${repository.name} holds no info file of stanza '${stanza}'`, {
    hint: "is this the correct stanza?",
  });
}
