/** `archive-get`: what `restore_command` calls. */
import { getWal } from "../archive/get.ts";
import type { ArchiveGetOptions } from "../archive/options.ts";
import type { CommandContext } from "../process/command_context.ts";

/** Exit code 0 = delivered and verified, 1 = proved absent. @throws WalferryError as `getWal` */
export async function archiveGet(options: ArchiveGetOptions, context: CommandContext): Promise<number> {
  const result = await getWal(options, context);
  if (result.state === "absent") {
    context.log.info(`unable to find ${options.walName} in the archive`);
    return 1;
  }
  context.log.info(`found ${options.walName} in the ${result.repository}: ${result.archiveId} archive`);
  return 0;
}
