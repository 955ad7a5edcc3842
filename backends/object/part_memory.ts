/**
 * Memory for the parts of uploads, used again by the next ones of its thread: what is made anew for each part costs the kernel as much as the
 * copy into it, and lies about until the engine looks.
 */

/** What a thread keeps at most. Bytes. */
const KEPT_BYTES = 24 * 1024 * 1024;

const kept: Uint8Array<ArrayBuffer>[] = [];
let keptBytes = 0;

/** Memory of this size, with whatever was in it before. */
export function takePartMemory(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const at = kept.findIndex(({ length }) => length === sizeBytes);
  if (at === -1) return new Uint8Array(sizeBytes);
  keptBytes -= sizeBytes;
  return kept.splice(at, 1)[0]!;
}

/** Gives it back: nobody may read or write it any more. */
export function giveBackPartMemory(memory: Uint8Array<ArrayBuffer>): void {
  // What is kept of other sizes makes way: uploads of one repository have parts of one size.
  while (kept.length > 0 && keptBytes + memory.length > KEPT_BYTES) keptBytes -= kept.shift()!.length;
  if (memory.length > KEPT_BYTES) return;
  kept.push(memory);
  keptBytes += memory.length;
}
