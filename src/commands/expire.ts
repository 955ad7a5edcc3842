/** `expire` */
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import { expireRepositories } from "../repository/expire.ts";
import type { ExpireOptions } from "../repository/options.ts";

/** Removes what the retention no longer keeps, under the same lock as a backup. */
export async function expire(options: ExpireOptions, context: CommandContext): Promise<number> {
  assertNotStopped(options.lockPath, options.stanza);
  using _lock = acquireLocks(
    options.lockPath,
    options.stanza,
    "backup",
    options.repositories.map(({ key }) => key),
    context.execId,
  );
  await expireRepositories(options, context);
  return 0;
}
