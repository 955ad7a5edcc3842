/** What the runtime in the executable is told of its engine, whichever way it was made. */

/**
 * New objects live in a young generation that V8 lets grow to 2 x 16 MB and more, in the main thread and in every worker alike, before it
 * looks what is garbage: for a program that streams, this is most of its memory and saves no time. Megabytes of each half.
 */
const SEMI_SPACE_MB = 2;

/** As the option `--v8-flags` takes them. Workers ask for a collection when they have let go of enough memory outside of the heap (worker.ts). */
export const V8_FLAGS = `--max-semi-space-size=${SEMI_SPACE_MB},--no-parallel-scavenge,--expose-gc`;
