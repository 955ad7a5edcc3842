/** `stop` */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { directoryNames, listFailure } from "../process/directory_names.ts";
import { isLockName, type LockState, makeLockPath, readLockFile } from "../process/locks.ts";
import type { StartStopOptions } from "../process/options.ts";
import { isStopped, makeStopFile } from "../process/stop_file.ts";

/** Lets no command of a stanza (or of any) begin; `--force` also ends those that run. */
export async function stop(options: StartStopOptions, context: CommandContext): Promise<number> {
  makeLockPath(options.lockPath);
  if (isStopped(options.lockPath, options.stanza)) {
    context.log.warn(
      `stop file already exists for ${options.stanza === undefined ? "all stanzas" : `stanza ${options.stanza}`}`,
    );
  } else {
    makeStopFile(options.lockPath, options.stanza);
  }
  if (options.force) await endHolders(options, context);
  return 0;
}

/** Only processes that really hold a lock are signalled: a file left over may name a pid that is somebody else's now. */
async function endHolders(options: StartStopOptions, { log }: CommandContext): Promise<void> {
  const ended = new Set<number>();
  for (const name of await lockNames(options.lockPath)) {
    if (!isLockName(name, options.stanza)) continue;
    let state: LockState;
    try {
      state = readLockFile(`${options.lockPath}/${name}`);
    } catch (error) {
      // One that belongs to another account: the others are still to be ended.
      if (!(error instanceof WalferryError)) throw error;
      log.warn(error.text);
      continue;
    }
    const { held, pid } = state;
    if (!held) continue;
    if (pid === undefined) log.warn(`unable to read lock file ${options.lockPath}/${name}: it names no process`);
    else if (!ended.has(pid)) {
      ended.add(pid);
      try {
        Deno.kill(pid, "SIGTERM");
        log.info(`sent term signal to process ${pid}`);
      } catch (error) {
        log.warn(`unable to send term signal to process ${pid}: ${(error as Error).message}`);
      }
    }
  }
}

/** One that is not seen would go on in a stanza that is said to be stopped. @throws WalferryError `PathOpen` */
async function lockNames(path: string): Promise<string[]> {
  try {
    return await directoryNames(path);
  } catch (error) {
    throw listFailure(path, error);
  }
}
