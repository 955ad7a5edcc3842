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
  const answer = untilRefused(context.output);
  await expireRepositories(options, { ...context, output: answer.output });
  answer.throwRefusal();
  return 0;
}

/** Whoever reads the plan may leave: that is the end of the answer, and no failure of the repository that is at it. */
function untilRefused(output: CommandContext["output"]) {
  let refusal: { readonly error: unknown } | undefined;
  return {
    output: (content: string | Uint8Array): void => {
      if (refusal !== undefined) return;
      try {
        output(content);
      } catch (error) {
        refusal = { error };
      }
    },
    throwRefusal(): void {
      if (refusal !== undefined) throw refusal.error;
    },
  };
}
