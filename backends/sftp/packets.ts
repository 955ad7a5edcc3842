/** Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), the version that OpenSSH speaks. */
import { WalferryError } from "../../src/errors.ts";

export const PACKET = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  rename: 18,
  readlink: 19,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
} as const;

export const STATUS = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  noConnection: 6,
  connectionLost: 7,
  unsupported: 8,
} as const;

/** Flags of `open`. */
export const OPEN = { read: 0x01, write: 0x02, create: 0x08, truncate: 0x10, exclusive: 0x20 } as const;

const ATTR = { size: 0x01, owner: 0x02, permissions: 0x04, times: 0x08, extended: 0x8000_0000 } as const;

/** What a server says of a file. */
export interface FileAttributes {
  readonly sizeBytes: number;
  /** With the bits of the type; 0 when the server did not say. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly modifiedTime: number;
}

/** A field of a packet: a number of four or eight bytes, or a string. */
export type Field = { readonly u32: number } | { readonly u64: number } | { readonly text: string } | {
  readonly bytes: Uint8Array;
};

const encoder = new TextEncoder();

/**
 * A packet with its length in front. Content behind the fields is announced as the last string and not copied: it is sent behind.
 * @param id absent for `init`
 */
export function makePacket(
  type: number,
  id: number | undefined,
  fields: readonly Field[],
  contentBytes = 0,
): Uint8Array {
  const encoded = fields.map((field) => ("text" in field ? { bytes: encoder.encode(field.text) } : field));
  const own = encoded.reduce(
    (sum, field) => sum + ("bytes" in field ? 4 + field.bytes.length : "u64" in field ? 8 : 4),
    1 + (id === undefined ? 0 : 4),
  );
  const packet = new Uint8Array(4 + own);
  const view = new DataView(packet.buffer);
  view.setUint32(0, own + contentBytes);
  packet[4] = type;
  let at = 5;
  if (id !== undefined) {
    view.setUint32(at, id);
    at += 4;
  }
  for (const field of encoded) {
    if ("bytes" in field) {
      view.setUint32(at, field.bytes.length);
      packet.set(field.bytes, at + 4);
      at += 4 + field.bytes.length;
    } else if ("u64" in field) {
      view.setBigUint64(at, BigInt(field.u64));
      at += 8;
    } else {
      view.setUint32(at, field.u32);
      at += 4;
    }
  }
  return packet;
}

/** Fields of attributes that set a mode, and times where they are given. */
export function attributeFields(attributes: { mode?: number; modifiedTime?: number }): Field[] {
  const { mode, modifiedTime } = attributes;
  const flags = (mode === undefined ? 0 : ATTR.permissions) | (modifiedTime === undefined ? 0 : ATTR.times);
  return [
    { u32: flags },
    ...(mode === undefined ? [] : [{ u32: mode }]),
    ...(modifiedTime === undefined ? [] : [{ u32: Math.floor(modifiedTime) }, { u32: Math.floor(modifiedTime) }]),
  ];
}

/** Reads the fields of a packet's content, front to back. @throws WalferryError `Protocol` when it is too short */
export class PacketReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }
  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }
  u64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8)));
  }
  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }
  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  attributes(): FileAttributes {
    const flags = this.u32();
    const saidBytes = flags & ATTR.size ? this.u64() : undefined;
    if (flags & ATTR.owner) this.#advance(8);
    const mode = flags & ATTR.permissions ? this.u32() : 0;
    let modifiedTime = 0;
    if (flags & ATTR.times) {
      this.#advance(4);
      modifiedTime = this.u32();
    }
    if (flags & ATTR.extended) { for (let left = this.u32(); left > 0; left--) [this.bytes(), this.bytes()]; }
    const mayBeFile = mode === 0 || (mode & 0o170000) === 0o100000;
    // Taken for none, all that is in it would be missing in silence.
    if (saidBytes === undefined && mayBeFile) {
      throw new WalferryError("Protocol", "the SFTP server does not say how long a file is");
    }
    return { sizeBytes: saidBytes ?? 0, mode, modifiedTime };
  }

  #advance(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at <= this.#bytes.length) return at;
    throw new WalferryError("Protocol", "an SFTP packet is shorter than its fields");
  }
}
