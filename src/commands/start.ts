/** `start` */
import type { CommandContext } from "../process/command_context.ts";
import type { StartStopOptions } from "../process/options.ts";
import { isStopped, removeStopFile } from "../process/stop_file.ts";

/** Lets commands of a stanza (or of all) begin again. */
export async function start(options: StartStopOptions, context: CommandContext): Promise<number> {
  if (isStopped(options.lockPath, options.stanza)) removeStopFile(options.lockPath, options.stanza);
  else {
    context.log.warn(
      `stop file does not exist${options.stanza === undefined ? "" : ` for stanza ${options.stanza}`}`,
    );
  }
  return await Promise.resolve(0);
}
