/** Bits of a bzip2 stream, most significant first, and its checksum. */
import { WalferryError } from "../errors.ts";

/** CRC-32 as bzip2 computes it: polynomial 0x04c11db7, most significant bit first. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value;
});

/** Continues a checksum; start with -1, end by inverting. */
export function bz2Crc(crc: number, bytes: Uint8Array): number {
  for (const byte of bytes) crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ byte]!;
  return crc;
}

/** Bits written to a growing array. */
export class BitWriter {
  #bytes = new Uint8Array(64 * 1024);
  #size = 0;
  #pending = 0;
  #pendingBits = 0;

  /** @param count at most 24 */
  put(count: number, value: number): void {
    this.#pending = (this.#pending << count) | value;
    this.#pendingBits += count;
    while (this.#pendingBits >= 8) {
      this.#pendingBits -= 8;
      if (this.#size === this.#bytes.length) this.#grow();
      this.#bytes[this.#size++] = (this.#pending >>> this.#pendingBits) & 0xff;
    }
    this.#pending &= (1 << this.#pendingBits) - 1;
  }

  put32(value: number): void {
    this.put(16, value >>> 16);
    this.put(16, value & 0xffff);
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  /** The whole bytes so far; bits of an unfinished byte stay. */
  takeBytes(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#size);
    this.#size = 0;
    return bytes;
  }

  /** Fills the last byte with zero bits. */
  align(): void {
    if (this.#pendingBits > 0) this.put(8 - this.#pendingBits, 0);
  }
}

/** Bits read from bytes at hand. */
export class BitReader {
  #bytes: Uint8Array;
  #at = 0;
  #pending = 0;
  #pendingBits = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @param count at most 24. @throws WalferryError `Format` at the end of the bytes */
  take(count: number): number {
    while (this.#pendingBits < count) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WalferryError("Format", "unexpected eof in compressed data");
      this.#pending = ((this.#pending << 8) | byte) >>> 0;
      this.#pendingBits += 8;
    }
    this.#pendingBits -= count;
    const value = (this.#pending >>> this.#pendingBits) & ((1 << count) - 1);
    this.#pending &= (1 << this.#pendingBits) - 1;
    return value;
  }

  take32(): number {
    return ((this.take(16) << 16) | this.take(16)) >>> 0;
  }

  /** Drops the rest of a byte. */
  align(): void {
    this.#pendingBits -= this.#pendingBits % 8;
    this.#pending &= (1 << this.#pendingBits) - 1;
  }

  /** Bytes not looked at yet, whole bytes that are pending included. */
  get restBytes(): number {
    return this.#bytes.length - this.#at + (this.#pendingBits >> 3);
  }

  /** Goes on with more bytes behind the ones that are left. */
  append(more: Uint8Array): void {
    const left = this.#bytes.subarray(this.#at);
    const joined = new Uint8Array(left.length + more.length);
    joined.set(left);
    joined.set(more, left.length);
    this.#bytes = joined;
    this.#at = 0;
  }
}
