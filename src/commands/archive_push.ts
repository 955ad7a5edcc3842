/** `archive-push`: what `archive_command` calls. */
import type { ArchivePushAsyncOptions, ArchivePushOptions, PushServiceOptions } from "../archive/options.ts";
import type { CommandContext } from "../process/command_context.ts";
import { assertNotStopped } from "../process/stop_file.ts";

/**
 * With `archive-async=y`: the answer of the background process, which is started when none runs.
 * @param start starts it for a `pg_wal` directory
 */
export async function archivePushAsync(
  options: ArchivePushAsyncOptions,
  start: (pgWalPath: string) => void,
  context: CommandContext,
): Promise<number> {
  const { awaitPush } = await import("../archive/push_async.ts");
  const warning = await awaitPush(options, start, context);
  const name = options.walPath.slice(options.walPath.lastIndexOf("/") + 1);
  if (warning !== undefined) context.log.warn(warning);
  else context.log.info(`pushed WAL file '${name}' to the archive asynchronously`);
  return 0;
}

/** The background process itself. */
export async function archivePushService(options: PushServiceOptions, context: CommandContext): Promise<number> {
  const { servePushes } = await import("../archive/push_service.ts");
  await servePushes(options, context);
  return 0;
}

/**
 * Exit code 0 = PostgreSQL may recycle the file.
 * @param startPaying starts a process that gives repositories what they are owed
 * @throws WalferryError as `pushWal`, and `Stop`
 */
export async function archivePush(
  options: ArchivePushOptions,
  startPaying: (pgWalPath: string) => void,
  context: CommandContext,
): Promise<number> {
  assertNotStopped(options.lockPath, options.stanza);
  const { pushWal } = await import("../archive/push.ts");
  const result = await pushWal(options, context);
  const name = options.walPath.slice(options.walPath.lastIndexOf("/") + 1);
  if (result.state === "dropped") context.log.warn(result.warning);
  else {
    context.log.info(`pushed WAL file '${name}' to the archive`);
    if (result.payIn !== undefined) startPaying(result.payIn);
  }
  return 0;
}
