/** `annotate` */
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { annotateBackup } from "../repository/annotate.ts";
import type { AnnotateOptions } from "../repository/options.ts";

/** Changes the notes on a backup, under the same lock as a backup. @throws WalferryError as `annotateBackup`, and `LockAcquire` */
export async function annotate(options: AnnotateOptions, context: CommandContext): Promise<number> {
  using _lock = acquireLocks(
    options.lockPath,
    options.stanza,
    "backup",
    options.repositories.map(({ key }) => key),
    context.execId,
  );
  await annotateBackup(options, context);
  return 0;
}
