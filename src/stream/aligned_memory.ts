/** Memory that begins on a page: the kernel moves it to and from a disk without a copy of its own. */

/** What such memory, offsets and lengths are multiples of. Bytes; enough for every disk with sectors of up to 4 KiB. */
export const ALIGNMENT_BYTES = 4096;

/** Size of a piece. Bytes. */
export const ALIGNED_BYTES = 1024 * 1024;

const WEBASSEMBLY_PAGE_BYTES = 64 * 1024;

/** Pieces that nobody uses now. A thread has as many as it used at once. */
const free: Uint8Array[] = [];

/** A piece of {@link ALIGNED_BYTES}, with whatever was in it before. */
export function takeAligned(): Uint8Array {
  // Ordinary arrays begin anywhere; the memory of WebAssembly is mapped by pages.
  return free.pop() ??
    new Uint8Array(new WebAssembly.Memory({ initial: ALIGNED_BYTES / WEBASSEMBLY_PAGE_BYTES }).buffer);
}

/** Gives a piece back; nobody may touch it any more. */
export function giveBackAligned(piece: Uint8Array): void {
  free.push(piece);
}
