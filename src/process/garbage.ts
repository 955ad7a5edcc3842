/**
 * Collecting garbage when the program knows better than the engine that there is some. Without the engine's option for it
 * (build/runtime_flags.ts) nothing happens.
 */

type Collector = (options?: { readonly type: "minor" | "major" }) => void;

const collector = (globalThis as { readonly gc?: Collector }).gc;

/**
 * Frees buffers that were used once. The engine sees only the small objects in front of them, and would let 64 MB of them gather in each
 * thread before it looks. A fraction of a millisecond.
 */
export function freeBuffers(): void {
  collector?.({ type: "minor" });
}

/**
 * Frees what a stage of a command leaves behind. The engine lets a heap grow to four times what it found alive when it last looked, which may
 * have been in the middle of that stage. Some milliseconds.
 */
export function endStage(): void {
  collector?.({ type: "major" });
}
