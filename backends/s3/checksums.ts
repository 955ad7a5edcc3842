/** Checksums that S3 takes along with content. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** CRC-32 as S3 wants it: base64 of the big-endian number. */
export function crc32Base64(bytes: Uint8Array): string {
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, crc32(bytes));
  return value.toBase64();
}

/** MD5 in base64 (`Content-MD5`). */
export function md5Base64(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("base64");
}
