/**
 * The one shape in which bytes travel through walferry, and the plumbing that knows nothing of their meaning.
 *
 * Ownership: a chunk that was handed over is never touched again by the one who made it, unless its reader asked for chunks that pass:
 * then it is the reader's until he asks for the next. Filters are done with a chunk before they ask for the next, so that they keep that
 * promise whoever made it. Back-pressure is the iteration itself: nobody produces a chunk before the consumer asks for it.
 */

/** A sequence of owned chunks, read once, from the front. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** One step of a pipeline: takes a stream, gives a stream (compress, encrypt, hash, limit a rate ...). */
export type Filter = (source: ByteStream) => ByteStream;

/** Size of the chunks that sources make, in bytes: 256 KiB to 1 MiB measured best for zstd with AES behind it. */
export const CHUNK_BYTES = 512 * 1024;

/** Leads a stream through filters, first to last. */
export function pipeline(source: ByteStream, ...filters: Filter[]): ByteStream {
  return filters.reduce((stream, filter) => filter(stream), source);
}
