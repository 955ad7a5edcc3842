/** Waiting that ends when a signal aborts, also while the other side says nothing. */

/** So long what was aborted may take to clean up behind itself before nobody waits for it any more, in milliseconds. */
export const CLEANUP_MS = 1000;

/**
 * Waits for what is running until the signal aborts, and then for a grace time more: on a connection that works the cleaning up is
 * done within it, on one that is stalled nobody should wait for the silence to be noticed. What is running goes on unheard.
 * @throws the signal's reason, or what was thrown first
 */
export async function untilAborted<T>(
  signal: AbortSignal | undefined,
  running: Promise<T>,
  graceMs = 0,
): Promise<T> {
  if (signal === undefined) return await running;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const abort = () => {
    if (graceMs === 0) reject(signal.reason);
    else timer = setTimeout(() => reject(signal.reason), graceMs);
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([running, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    clearTimeout(timer);
  }
}
