/**
 * The short end of asynchronous archiving: PostgreSQL's command looks for the answer in the spool, starts the background process when none
 * runs, and waits for the answer.
 */
import { WalferryError } from "../errors.ts";
import { readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { isLockWished } from "../process/lock_wish.ts";
import { acquireLocks, LockHeld } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import type { ArchivePushAsyncOptions } from "./options.ts";
import { GLOBAL, PushSpool, spooledError } from "./spool.ts";
import { resolveWalPath } from "./wal_path.ts";
import { modifiedIfThere } from "../process/local_file.ts";

/** Pauses between looks at the spool in milliseconds: first, growth, longest. */
const LOOK_FIRST = 5;
const LOOK_GROWTH = 1.5;
const LOOK_MAX = 200;
/** Whoever holds the lock and does not push is asked to give way after so many milliseconds, again and again. */
const ASK_EVERY = 1000;
/** After so many milliseconds without an answer a background process is started again where none runs. */
const START_AGAIN = 5000;

/**
 * Waits until the background process has pushed one file.
 * @param start starts a background process for a `pg_wal` directory
 * @returns a warning to print, when the file was given up instead
 * @throws WalferryError what the background process met, `ArchiveTimeout`
 */
export async function awaitPush(
  options: ArchivePushAsyncOptions,
  start: (pgWalPath: string) => void,
  context: CommandContext,
): Promise<string | undefined> {
  assertNotStopped(options.lockPath, options.stanza);
  const path = resolveWalPath(options.walPath, options.cluster.path, "archive-push");
  const name = path.slice(path.lastIndexOf("/") + 1);
  const { systemId } = readControlFile(options.cluster.path, options.pgVersionForce);
  const spool = new PushSpool(options.spoolPath, options.stanza);
  const deadline = context.clock.monotonicMs() + options.timeoutMs;
  let started: number | undefined;
  let askedMs = context.clock.monotonicMs();
  let pauseMs = LOOK_FIRST;
  for (let round = 1;; round++) {
    const status = spool.belongsTo(systemId) ? freshStatus(spool, name, path) : undefined;
    if (status?.kind === "ok") return status.warning;
    // In the first round what is written may be the last attempt's: the next one gets its chance.
    if (status?.kind === "error" && round > 1) throw spooledError(status);
    const nowMs = context.clock.monotonicMs();
    // One that was started and said nothing may have been killed before it could.
    if (started === undefined || nowMs - started > START_AGAIN) {
      if (await startIfNeeded(options, spool, systemId, name, path, start, context)) started = nowMs;
      else if (nowMs - askedMs > ASK_EVERY) {
        askedMs = nowMs;
        spool.want();
      }
    }
    if (nowMs > deadline) {
      throw new WalferryError(
        "ArchiveTimeout",
        `unable to push WAL file '${name}' to the archive asynchronously after ${options.timeoutMs / 1000} second(s)`,
        { hint: "check the archive-push-async.log in the log path for errors." },
      );
    }
    await context.clock.sleep(pauseMs, context.signal);
    pauseMs = Math.min(pauseMs * LOOK_GROWTH, LOOK_MAX);
  }
}

/** An answer older than the file it is about is another file's: names are used again after a restore or in another cluster. */
function freshStatus(spool: PushSpool, name: string, path: string) {
  const status = spool.status(name);
  if (status?.kind === "ok" && isOlder(status.modifiedMs, path)) return undefined;
  return status ?? spool.status(GLOBAL);
}

/** Whether an answer was given before the file got its content. */
export function isOlder(answerMs: number, path: string): boolean {
  return answerMs < (modifiedIfThere(path) ?? 0);
}

/** Whoever holds the lock is pushing. @returns whether a process was started */
async function startIfNeeded(
  options: ArchivePushAsyncOptions,
  spool: PushSpool,
  systemId: bigint,
  name: string,
  path: string,
  start: (pgWalPath: string) => void,
  context: CommandContext,
): Promise<boolean> {
  if (isLockWished(options.lockPath, options.stanza)) return false;
  try {
    using _lock = acquireLocks(
      options.lockPath,
      options.stanza,
      "archive",
      options.repositories.map(({ key }) => key),
      context.execId,
    );
    // A spool that cannot be written to is told at once: the background process would have no way to tell it.
    await spool.claim(systemId);
    for (const old of [`${name}.error`, `${GLOBAL}.error`]) spool.remove(old);
  } catch (error) {
    if (error instanceof LockHeld) return false;
    throw error;
  }
  start(path.slice(0, path.lastIndexOf("/")));
  return true;
}
