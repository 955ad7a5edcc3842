/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4; PostgreSQL: `src/port/pg_crc32c_sb8.c`): the checksum of `pg_control`, and the one that GCS
 * keeps of every object. The runtime has only the other CRC-32.
 */

/** Tables for eight bytes at a step. */
const TABLES: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    // The polynomial 0x1EDC6F41, bits reversed.
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    tables[0]![byte] = value >>> 0;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let step = 1; step < 8; step++) {
      const before = tables[step - 1]![byte]!;
      tables[step]![byte] = ((before >>> 8) ^ tables[0]![before & 0xff]!) >>> 0;
    }
  }
  return tables;
}

/** Checksum of content that comes in pieces. */
export class Crc32c {
  #state = 0xffffffff;

  update(bytes: Uint8Array): this {
    const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as unknown as [
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
    ];
    let state = this.#state;
    let at = 0;
    const eights = bytes.length - (bytes.length % 8);
    while (at < eights) {
      state ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      state = t7[state & 0xff]! ^ t6[(state >>> 8) & 0xff]! ^ t5[(state >>> 16) & 0xff]! ^ t4[state >>> 24]! ^
        t3[bytes[at + 4]!]! ^ t2[bytes[at + 5]!]! ^ t1[bytes[at + 6]!]! ^ t0[bytes[at + 7]!]!;
      at += 8;
    }
    while (at < bytes.length) state = (state >>> 8) ^ t0[(state ^ bytes[at++]!) & 0xff]!;
    this.#state = state;
    return this;
  }

  /** As an unsigned 32-bit number. */
  value(): number {
    return (this.#state ^ 0xffffffff) >>> 0;
  }

  /** Base64 of the big-endian number, as GCS writes it. */
  base64(): string {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, this.value());
    return bytes.toBase64();
  }
}

/** CRC-32C of some bytes as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  return new Crc32c().update(bytes).value();
}
