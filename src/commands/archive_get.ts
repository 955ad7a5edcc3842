/** `archive-get`: what `restore_command` calls. */
import type { ArchiveGetAsyncOptions, ArchiveGetOptions } from "../archive/options.ts";
import type { CommandContext } from "../process/command_context.ts";

/** Exit code 0 = delivered and verified, 1 = proved absent. @throws WalferryError as `getWal` */
export async function archiveGet(options: ArchiveGetOptions, context: CommandContext): Promise<number> {
  const { getWal } = await import("../archive/get.ts");
  const result = await getWal(options, context);
  if (result.state === "absent") {
    context.log.info(`unable to find ${options.walName} in the archive`);
    return 1;
  }
  context.log.info(`found ${options.walName} in the ${result.repository}: ${result.archiveId} archive`);
  return 0;
}

/**
 * With `archive-async=y`: out of the queue where it is there.
 * @param start starts the process that fills the queue, from a segment on
 */
export async function archiveGetAsync(
  options: ArchiveGetAsyncOptions,
  start: (firstSegment: string) => void,
  context: CommandContext,
): Promise<number> {
  const { getWalAsync } = await import("../archive/get_async.ts");
  const result = await getWalAsync(options, start, context);
  switch (result.state) {
    case "absent":
      context.log.info(`unable to find ${options.walName} in the archive`);
      return 1;
    case "found in queue":
      context.log.info(`found ${options.walName} in the archive asynchronously`);
      return 0;
    case "found":
      context.log.info(`found ${options.walName} in the ${result.repository}: ${result.archiveId} archive`);
      return 0;
  }
}

/** The process that fills the queue. */
export async function archiveGetFill(options: ArchiveGetAsyncOptions, context: CommandContext): Promise<number> {
  const { fillQueue } = await import("../archive/get_filler.ts");
  await fillQueue(options, context);
  return 0;
}
