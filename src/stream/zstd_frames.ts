/**
 * The structure of a zstd stream, followed beside the runtime's decoder: headers and block sizes only, nothing is decoded. It is needed for
 * two reasons. The decoder ends silently when its input ends early. And when one write makes it decode several blocks, an error in a later
 * one is thrown where nobody can catch it, so a write may hold the end of one block at most. Source of the format: RFC 8878, section 3.1.
 */
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";

const FRAME_MAGIC = 0xfd2fb528;
/** Skippable frames have one of sixteen magics from this one on. */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Bytes of the content size field by its code in the frame header descriptor; code 0 depends on the single segment flag. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];

/** What the next bytes are. */
type Step = "magic" | "skippable size" | "descriptor" | "block header" | "checksum";

/**
 * Passes a zstd stream on in pieces that hold the end of one block at most, and fails at its end when it does not end with a whole frame.
 * @throws WalferryError `Format`
 */
export async function* wholeZstdFrames(source: ByteStream): AsyncGenerator<Uint8Array> {
  const walk = new FrameWalk();
  for await (const chunk of source) {
    let from = 0;
    while (from < chunk.length) {
      const to = walk.followBlock(chunk, from);
      yield chunk.subarray(from, to);
      from = to;
    }
  }
  if (!walk.isWhole) throw new WalferryError("Format", "unexpected eof in compressed data");
}

/** The same for a stream that is at hand. @throws WalferryError `Format` */
export function assertWholeZstdFrames(bytes: Uint8Array): void {
  const walk = new FrameWalk();
  for (let at = 0; at < bytes.length;) at = walk.followBlock(bytes, at);
  if (!walk.isWhole) throw new WalferryError("Format", "unexpected eof in compressed data");
}

class FrameWalk {
  #step: Step = "magic";
  /** Bytes of content or header rest that are passed over before the next step. */
  #skipBytes = 0;
  readonly #field = new Uint8Array(4);
  #fieldBytes = 0;
  #checksum = false;
  #frames = 0;

  /** At least one frame has ended, and nothing has begun behind it. */
  get isWhole(): boolean {
    return this.#frames > 0 && this.#step === "magic" && this.#fieldBytes === 0 && this.#skipBytes === 0;
  }

  /** Goes on from a position to behind the end of the block (or of what is in front of one); gives the new position. */
  followBlock(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.#skipBytes > 0) {
        const passed = Math.min(this.#skipBytes, chunk.length - at);
        this.#skipBytes -= passed;
        at += passed;
        if (this.#skipBytes === 0) return at;
        continue;
      }
      this.#field[this.#fieldBytes++] = chunk[at++]!;
      if (this.#fieldBytes === this.#fieldSize()) this.#take();
    }
    return at;
  }

  #fieldSize(): number {
    return this.#step === "descriptor" ? 1 : this.#step === "block header" ? 3 : 4;
  }

  #take(): void {
    const [a, b, c, d] = this.#field as unknown as [number, number, number, number];
    this.#fieldBytes = 0;
    switch (this.#step) {
      case "magic":
        return this.#begin((a | (b << 8) | (c << 16) | (d << 24)) >>> 0);
      case "skippable size":
        this.#skipBytes = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
        this.#step = "magic";
        this.#frames += 1;
        return;
      case "descriptor": {
        const singleSegment = (a & 0x20) !== 0;
        const contentSize = a >> 6 === 0 ? (singleSegment ? 1 : 0) : CONTENT_SIZE_BYTES[a >> 6]!;
        this.#checksum = (a & 0x04) !== 0;
        this.#skipBytes = (singleSegment ? 0 : 1) + DICTIONARY_BYTES[a & 3]! + contentSize;
        this.#step = "block header";
        return;
      }
      case "checksum":
        this.#step = "magic";
        this.#frames += 1;
        return;
      case "block header":
        return this.#block(a | (b << 8) | (c << 16));
    }
  }

  #begin(magic: number): void {
    if (magic === FRAME_MAGIC) this.#step = "descriptor";
    else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) this.#step = "skippable size";
    else throw new WalferryError("Format", "compressed data is damaged: no zstd frame");
  }

  #block(header: number): void {
    const type = (header >> 1) & 3;
    if (type === 3) throw new WalferryError("Format", "compressed data is damaged: bad zstd block");
    // A block of one repeated byte stores that byte only.
    this.#skipBytes = type === 1 ? 1 : header >> 3;
    if ((header & 1) === 0) return;
    this.#step = this.#checksum ? "checksum" : "magic";
    if (!this.#checksum) this.#frames += 1;
  }
}
