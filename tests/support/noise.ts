/** Content for tests of stores. */

/** Bytes that do not repeat. */
export function noise(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  // The runtime gives so much at once.
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/** The same bytes as a stream, in chunks that fit no store's parts. */
export async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 500_000) yield await Promise.resolve(bytes.subarray(at, at + 500_000));
}
