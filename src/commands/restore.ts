/** `restore` */
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import type { RestoreOptions } from "../restore/options.ts";
import { runRestore } from "../restore/restore.ts";

/** Restores a cluster. @throws WalferryError as `runRestore`, and `LockAcquire` */
export async function restore(options: RestoreOptions, context: CommandContext): Promise<number> {
  using _lock = acquireLocks(
    options.lockPath,
    options.stanza,
    "restore",
    options.repositories.map(({ key }) => key),
    context.execId,
  );
  await using set = await RepositorySet.open(options.repositories);
  await runRestore(options, set, context);
  return 0;
}
