/** xxHash of 32 bits, the checksum of the LZ4 frame format. Source: the xxHash specification (XXH32). */

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;
const LANE_BYTES = 16;

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Hash of a stream of bytes with seed 0. */
export class Xxh32 {
  readonly #lanes = Int32Array.of(P1 + P2, P2, 0, -P1);
  readonly #rest = new Uint8Array(LANE_BYTES);
  #restBytes = 0;
  #totalBytes = 0;

  update(bytes: Uint8Array): void {
    this.#totalBytes += bytes.length;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(LANE_BYTES - this.#restBytes, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < LANE_BYTES) return;
      this.#mix(this.#rest, 0, LANE_BYTES);
      this.#restBytes = 0;
    }
    const end = at + Math.floor((bytes.length - at) / LANE_BYTES) * LANE_BYTES;
    this.#mix(bytes, at, end);
    this.#rest.set(bytes.subarray(end));
    this.#restBytes = bytes.length - end;
  }

  #mix(bytes: Uint8Array, from: number, end: number): void {
    let [a, b, c, d] = this.#lanes as unknown as [number, number, number, number];
    // A view reads unaligned words.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = from; at < end; at += LANE_BYTES) {
      a = Math.imul(rotate(a + Math.imul(view.getInt32(at, true), P2), 13), P1);
      b = Math.imul(rotate(b + Math.imul(view.getInt32(at + 4, true), P2), 13), P1);
      c = Math.imul(rotate(c + Math.imul(view.getInt32(at + 8, true), P2), 13), P1);
      d = Math.imul(rotate(d + Math.imul(view.getInt32(at + 12, true), P2), 13), P1);
    }
    this.#lanes.set([a, b, c, d]);
  }

  /** The hash as an unsigned number. */
  digest(): number {
    const [a, b, c, d] = this.#lanes as unknown as [number, number, number, number];
    let hash = this.#totalBytes >= LANE_BYTES ? rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18) : P5;
    hash = (hash + this.#totalBytes) | 0;
    let at = 0;
    for (; at + 4 <= this.#restBytes; at += 4) {
      hash = Math.imul(rotate(hash + Math.imul(word(this.#rest, at), P3), 17), P4);
    }
    for (; at < this.#restBytes; at++) hash = Math.imul(rotate(hash + Math.imul(this.#rest[at]!, P5), 11), P1);
    hash = Math.imul(hash ^ (hash >>> 15), P2);
    hash = Math.imul(hash ^ (hash >>> 13), P3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

/** Hash of bytes at hand. */
export function xxh32(bytes: Uint8Array): number {
  const hash = new Xxh32();
  hash.update(bytes);
  return hash.digest();
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
