/**
 * Taking the directory of an unfinished backup over, from a run that died or from one on another host that lives: locks are of a host
 * (docs/decisions/0009). Who takes over makes the copy of the manifest its own first, so that a run that lives finds out before it completes,
 * and looks whether it was completed in just that moment before anything is removed.
 */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";

/** Between the last look of a run at its copy and its manifest there is time to write two manifests; so long that is waited for. */
const GRACE_MS = 3_000;

/** @throws WalferryError `LockAcquire` when it is complete by now; what the store throws */
export async function assertUnfinished(repository: Repository, stanza: string, label: string): Promise<void> {
  if (await repository.storage.info(repository.backupPath(stanza, label, "backup.manifest")) !== undefined) {
    throw new WalferryError("LockAcquire", `backup ${label} in ${repository.name} was completed by another run`, {
      hint: "does another host back up this stanza into the same repository? Run the backup again.",
    });
  }
}

/**
 * Behind the moment in which the copy of the manifest was made one's own: sees to it that nobody completed the backup meanwhile. One that was
 * completed gets its copy back.
 *
 * @throws WalferryError as {@link assertUnfinished}; the signal's reason
 */
export async function settleTakeOver(
  repository: Repository,
  stanza: string,
  label: string,
  { clock, signal }: CommandContext,
): Promise<void> {
  await clock.sleep(GRACE_MS, signal);
  const manifest = repository.backupPath(stanza, label, "backup.manifest");
  const bytes = await repository.storage.read(manifest);
  if (bytes === undefined) return;
  await repository.storage.write(`${manifest}.copy`, bytes);
  await assertUnfinished(repository, stanza, label);
}
