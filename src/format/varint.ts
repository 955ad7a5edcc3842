/** Unsigned numbers of seven bits a byte, least significant first (repository-format §7.2), as far as a number here holds them. */
import { WalferryError } from "../errors.ts";

/** A number with its sign in the lowest bit: 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
export function toZigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** The inverse of {@link toZigzag}. */
export function fromZigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** A cursor over bytes. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes behind the cursor. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws WalferryError `Format` at the end, and for numbers that no file size reaches */
  number(): number {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WalferryError("Format", "unexpected end of a number");
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new WalferryError("Format", "number is too large");
      if (byte < 0x80) return value;
      // A number that goes on with nothing but zeros would never become too large.
      if (scale > Number.MAX_SAFE_INTEGER) throw new WalferryError("Format", "number is too long");
    }
  }

  /** The next bytes as a view. @throws WalferryError `Format` when there are fewer */
  bytes(count: number): Uint8Array {
    if (count > this.left) throw new WalferryError("Format", "unexpected end of a list of bytes");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

/** Gathers numbers and bytes. */
export class VarintWriter {
  #bytes = new Uint8Array(256);
  #size = 0;

  number(value: number): void {
    this.#grow(10);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#size++] = (rest % 128) | 0x80;
    this.#bytes[this.#size++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  #grow(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  /** What was gathered. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }
}
