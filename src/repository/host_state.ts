/** What this host knows of a stanza beside the repositories, and when it is forgotten: with the stanza itself. */
import { WalferryError } from "../errors.ts";
import type { Repository } from "./repository.ts";
import { stateRoot } from "./spool_files.ts";

/** What is kept for each repository, below the root of the stanza. */
const BY_REPOSITORY = ["debt", "health/push", "health/get", "resume"];

/** Forgets what is known of one repository: what it is owed, that it was away, and what an interrupted backup stored there. @throws WalferryError `PathRemove` */
export function forgetRepository(spoolPath: string, stanza: string, key: number): void {
  for (const name of BY_REPOSITORY) remove(`${stateRoot(spoolPath, stanza)}/${name}/repo${key}`);
}

/** Forgets everything, dropped WAL and drills included. @throws WalferryError `PathRemove` */
export function forgetStanza(spoolPath: string, stanza: string): void {
  remove(stateRoot(spoolPath, stanza));
}

/** Whether a repository holds anything of what makes a stanza one. @throws WalferryError those of the store */
export async function hasStanza(repository: Repository, stanza: string, signal: AbortSignal): Promise<boolean> {
  const names = [
    repository.archivePath(stanza, "archive.info"),
    repository.archivePath(stanza, "archive.info.copy"),
    repository.backupPath(stanza, "backup.info"),
    repository.backupPath(stanza, "backup.info.copy"),
  ];
  for (const name of names) if (await repository.storage.info(name, signal) !== undefined) return true;
  return false;
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new WalferryError("PathRemove", `unable to remove path '${path}': ${(error as Error).message}`, {
      cause: error,
      hint: "what is left there speaks of a stanza that is gone: run stanza-delete again as the account that archives.",
    });
  }
}
