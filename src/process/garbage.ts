/**
 * Collecting garbage when the program knows better than the engine that there is some. Without the engine's option for it
 * (build/runtime_flags.ts) nothing happens.
 */

type Collector = (options?: { readonly type: "minor" | "major" }) => void;

const collector = (globalThis as { readonly gc?: Collector }).gc;

/** So much is let go of before it is collected: some milliseconds of work, where little is alive. Bytes. */
const GARBAGE_BYTES = 32 * 1024 * 1024;

/** What lies about of buffers that were used once is swept up each time that so much content has passed. Bytes. */
const SWEEP_BYTES = 8 * 1024 * 1024;

let garbageBytes = 0;
let passedBytes = 0;

/**
 * Says that so much content passed in buffers that are used once; now and then these are freed. The engine sees only the small objects in front
 * of them, and would let 64 MB of them gather in each thread before it looks. A fraction of a millisecond.
 */
export function contentPassed(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < SWEEP_BYTES) return;
  passedBytes = 0;
  collector?.({ type: "minor" });
}

/**
 * Says that so much has become garbage; now and then that is collected. Where very many things of one kind are gone through, the engine would
 * let the heap grow to four times what it found alive when it last looked, and keep for itself what it then frees.
 */
export function letGo(bytes: number): void {
  garbageBytes += bytes;
  if (garbageBytes < GARBAGE_BYTES) return;
  garbageBytes = 0;
  collector?.({ type: "major" });
}
