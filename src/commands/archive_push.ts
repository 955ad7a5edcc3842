/** `archive-push`: what `archive_command` calls. */
import { pushWal } from "../archive/push.ts";
import type { ArchivePushOptions } from "../archive/options.ts";
import type { CommandContext } from "../process/command_context.ts";
import { assertNotStopped } from "../process/stop_file.ts";

/** Exit code 0 = PostgreSQL may recycle the file. @throws WalferryError as `pushWal`, and `Stop` */
export async function archivePush(options: ArchivePushOptions, context: CommandContext): Promise<number> {
  assertNotStopped(options.lockPath, options.stanza);
  const result = await pushWal(options, context);
  const name = options.walPath.slice(options.walPath.lastIndexOf("/") + 1);
  if (result.state === "dropped") context.log.warn(result.warning);
  else context.log.info(`pushed WAL file '${name}' to the archive`);
  return 0;
}
