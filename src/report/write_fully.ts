/** Writing to a terminal, a pipe or a file until everything is written. */

/** Wait for a reader that is slower than we are, in milliseconds. */
const READER_WAIT = 2;

/**
 * Writes all bytes. Standard output and error are shared with other programs, one of which may have made them non-blocking: "try again"
 * then means that the reader is slow, not that something is wrong.
 * @throws what the runtime throws when the reader is gone or the disk is full
 */
export function writeFully(output: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += output.writeSync(bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, READER_WAIT);
    }
  }
}
