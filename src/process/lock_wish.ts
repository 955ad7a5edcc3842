/**
 * Taking the locks of a stanza from processes that hold them for long and can give way: those behind archive-push and archive-get stay while
 * there may be more to do. The wish is a locked file beside the locks, so that it ends with whoever had it.
 */
import type { Clock } from "./clock.ts";
import {
  acquireLocks,
  holdLockFile,
  LockHeld,
  makeLockPath,
  readLockFile,
  readLockState,
  type StanzaLock,
} from "./locks.ts";

/** So long they may take to give way, in milliseconds: what is on its way is finished first. */
const PATIENCE_MS = 30_000;
/** Pause between tries, in milliseconds. */
const TRY_EVERY = 50;

/** Whether a command waits for a process that archives or fetches WAL of this stanza to give way. */
export function isLockWished(lockPath: string, stanza: string): boolean {
  return readLockFile(wishPath(lockPath, stanza)).held;
}

/**
 * Takes all locks of a stanza; background processes are asked to give way, anything else that runs is an error at once.
 * @throws WalferryError as `acquireLocks`
 */
export async function acquireAllLocks(
  lockPath: string,
  stanza: string,
  keys: readonly number[],
  { execId, clock, signal }: { readonly execId: string; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<StanzaLock> {
  makeLockPath(lockPath);
  using _wish = holdLockFile(wishPath(lockPath, stanza), execId);
  const deadline = clock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    try {
      return acquireLocks(lockPath, stanza, "all", keys, execId);
    } catch (error) {
      const isBackground = error instanceof LockHeld &&
        !readLockState(lockPath, stanza, "backup", keys).held && !readLockState(lockPath, stanza, "restore", keys).held;
      if (!isBackground || clock.monotonicMs() > deadline) throw error;
    }
    await clock.sleep(TRY_EVERY, signal);
  }
}

function wishPath(lockPath: string, stanza: string): string {
  return `${lockPath}/${stanza}-archive.wish`;
}
