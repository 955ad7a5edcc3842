/**
 * What the codecs and the cipher by libraries of the host have in common (docs/decisions/0021). A context of such a library belongs to one thread and to one
 * stream at a time, and every call is over before the next line runs: nothing of ours is moved or freed while a library works on it.
 */
import type { ByteStream } from "./byte_stream.ts";
import { endsEarly, tooLong } from "./codec.ts";

/** A context of a library. */
export type Context = Deno.PointerObject;

/** What a decoder writes at once, and what an encoder gathers before it is passed on. Bytes. */
export const OUTPUT_BYTES = 256 * 1024;

/** Opens a library of the host by its file name; gives undefined where there is none, or one without these functions. */
export function openSystemLibrary<const S extends Deno.ForeignLibraryInterface>(
  fileName: string,
  functions: S,
): Deno.DynamicLibrary<S>["symbols"] | undefined {
  try {
    return Deno.dlopen(fileName, functions).symbols;
  } catch {
    // Not there, or too old: the built-in codec does the same work.
    return undefined;
  }
}

/** A text of a library. */
export function textAt(address: Deno.PointerValue): string {
  return address === null ? "" : Deno.UnsafePointerView.getCString(address);
}

/** Where the first of the bytes is. */
export function addressOf(bytes: Uint8Array): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>)));
}

/** Outputs that no stream uses now: a bundle has thousands of small members, and each is a stream. */
const free: Uint8Array<ArrayBuffer>[] = [];
/** More streams than that are rarely under way at once. */
const FREE_MAX = 4;

/** Memory of {@link OUTPUT_BYTES} for the output of one stream, with whatever was in it before. */
export function takeOutput(): Uint8Array<ArrayBuffer> {
  return free.pop() ?? new Uint8Array(OUTPUT_BYTES);
}

/** The stream is over, and its reader is done with what it was given. */
export function giveBackOutput(output: Uint8Array<ArrayBuffer>): void {
  if (free.length < FREE_MAX) free.push(output);
}

/** How far one call of a decoder came. */
export interface Progress {
  /** Bytes of the input that are done with. */
  readonly taken: number;
  /** Bytes that were written. */
  readonly written: number;
  /** A frame has ended and all of it was written. */
  readonly frameEnded: boolean;
}

/** One call of a decoder. @throws WalferryError `Format` when the input is damaged */
export type DecodeStep = (input: Uint8Array, output: Uint8Array) => Progress;

/**
 * A stream behind a decoder.
 * @param chunksPass every chunk is in the same memory
 * @throws WalferryError `Format` when it is damaged, empty or ends within a frame
 */
export async function* decodeStream(
  source: ByteStream,
  step: DecodeStep,
  chunksPass: boolean,
): AsyncGenerator<Uint8Array> {
  const output = takeOutput();
  let isWhole = false;
  try {
    for await (const chunk of source) {
      let mayHoldMore = false;
      for (let at = 0; at < chunk.length || mayHoldMore;) {
        const { taken, written, frameEnded } = step(chunk.subarray(at), output);
        at += taken;
        isWhole = frameEnded;
        // A full output hides whether there is more.
        mayHoldMore = written === output.length && !frameEnded;
        if (written > 0) yield chunksPass ? output.subarray(0, written) : output.slice(0, written);
      }
    }
  } finally {
    giveBackOutput(output);
  }
  if (!isWhole) throw endsEarly();
}

/**
 * Bytes at hand behind a decoder.
 * @param maxBytes of the content
 * @throws WalferryError `Format` when they are damaged, empty, end within a frame, or give more than is allowed
 */
export function decodeBytes(bytes: Uint8Array, maxBytes: number, step: DecodeStep): Uint8Array {
  // The one byte more shows what is too long.
  const output = new Uint8Array(maxBytes + 1);
  let size = 0;
  let isWhole = false;
  for (let at = 0; at < bytes.length;) {
    const { taken, written, frameEnded } = step(bytes.subarray(at), output.subarray(size));
    at += taken;
    size += written;
    isWhole = frameEnded;
    if (size > maxBytes) throw tooLong(maxBytes);
  }
  if (!isWhole) throw endsEarly();
  // Mostly it is as long as it should be; what is shorter should not hold the memory of what might have been.
  return size === maxBytes ? output.subarray(0, size) : output.slice(0, size);
}
