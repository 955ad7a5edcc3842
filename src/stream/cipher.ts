/**
 * Encryption of the repository format (repository-format §8.2): aes-256-cbc as `openssl enc -md sha1` writes it. There is no
 * authentication in it; whoever reads verifies a SHA-1 behind it.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { WalferryError } from "../errors.ts";
import type { ByteStream, Filter } from "./byte_stream.ts";
import { concatenate } from "./sources.ts";

/** `normal` has the magic `Salted__` in front of the salt; `raw` (inside bundles of newer sets) has the salt only. */
export type Framing = "normal" | "raw";

const MAGIC = new TextEncoder().encode("Salted__");
const SALT_BYTES = 8;
const KEY_BYTES = 32;
const IV_BYTES = 16;
/** One update of a megabyte runs at half the speed of updates of this size. */
const UPDATE_BYTES = 128 * 1024;

/** A new passphrase for a level below the user's: 48 random bytes as base64, 64 characters. */
export function generateCipherPass(): string {
  return randomBytes(48).toString("base64");
}

/** Key and IV as OpenSSL's EVP_BytesToKey makes them with SHA-1 and one iteration. */
function deriveKey(passphrase: string, salt: Uint8Array): { key: Uint8Array; iv: Uint8Array } {
  const material: Uint8Array[] = [];
  let size = 0;
  let previous = new Uint8Array(0);
  while (size < KEY_BYTES + IV_BYTES) {
    previous = new Uint8Array(createHash("sha1").update(previous).update(passphrase, "utf8").update(salt).digest());
    material.push(previous);
    size += previous.length;
  }
  const bytes = concatenate(material, size);
  return { key: bytes.subarray(0, KEY_BYTES), iv: bytes.subarray(KEY_BYTES, KEY_BYTES + IV_BYTES) };
}

/** Encrypts a stream with a fresh salt. */
export function encryptFilter(passphrase: string, framing: Framing = "normal"): Filter {
  return async function* (source: ByteStream) {
    const salt = new Uint8Array(randomBytes(SALT_BYTES));
    const { key, iv } = deriveKey(passphrase, salt);
    const cipher = createCipheriv("aes-256-cbc", key, iv);
    yield framing === "raw" ? salt : concatenate([MAGIC, salt], MAGIC.length + SALT_BYTES);
    for await (const chunk of source) {
      for (let from = 0; from < chunk.length; from += UPDATE_BYTES) {
        const piece = cipher.update(chunk.subarray(from, from + UPDATE_BYTES));
        if (piece.length > 0) yield piece;
      }
    }
    yield cipher.final();
  };
}

/** Encrypts bytes at hand with a fresh salt. */
export function encryptBytes(passphrase: string, bytes: Uint8Array, framing: Framing = "normal"): Uint8Array {
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const { key, iv } = deriveKey(passphrase, salt);
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const pieces: Uint8Array[] = framing === "raw" ? [salt] : [MAGIC, salt];
  for (let from = 0; from < bytes.length; from += UPDATE_BYTES) {
    pieces.push(cipher.update(bytes.subarray(from, from + UPDATE_BYTES)));
  }
  pieces.push(cipher.final());
  return concatenate(pieces, pieces.reduce((total, { length }) => total + length, 0));
}

/**
 * Decrypts a stream.
 * @throws WalferryError `Crypto` for a missing or foreign header and for a wrong passphrase (where the padding shows it).
 */
export function decryptFilter(passphrase: string, framing: Framing = "normal"): Filter {
  return async function* (source: ByteStream) {
    const headerBytes = framing === "raw" ? SALT_BYTES : MAGIC.length + SALT_BYTES;
    let header = new Uint8Array(0);
    let decipher: ReturnType<typeof createDecipheriv> | undefined;
    for await (const chunk of source) {
      let body = chunk;
      if (decipher === undefined) {
        header = new Uint8Array(concatenate([header, chunk], header.length + chunk.length));
        if (header.length < headerBytes) continue;
        body = header.subarray(headerBytes);
        decipher = openCipher(passphrase, header.subarray(0, headerBytes), framing);
      }
      for (let from = 0; from < body.length; from += UPDATE_BYTES) {
        const piece = decipher.update(body.subarray(from, from + UPDATE_BYTES));
        if (piece.length > 0) yield piece;
      }
    }
    if (decipher === undefined) throw headerMissing();
    const last = lastOf(decipher);
    if (last.length > 0) yield last;
  };
}

/** Decrypts bytes at hand. @throws as {@link decryptFilter} */
export function decryptBytes(passphrase: string, bytes: Uint8Array, framing: Framing = "normal"): Uint8Array {
  const headerBytes = framing === "raw" ? SALT_BYTES : MAGIC.length + SALT_BYTES;
  if (bytes.length < headerBytes) throw headerMissing();
  const decipher = openCipher(passphrase, bytes.subarray(0, headerBytes), framing);
  const pieces: Uint8Array[] = [];
  for (let from = headerBytes; from < bytes.length; from += UPDATE_BYTES) {
    pieces.push(decipher.update(bytes.subarray(from, from + UPDATE_BYTES)));
  }
  pieces.push(lastOf(decipher));
  return concatenate(pieces, pieces.reduce((total, { length }) => total + length, 0));
}

function headerMissing(): WalferryError {
  return new WalferryError("Crypto", "cipher header missing", { hint: "is the file empty or truncated?" });
}

function lastOf(decipher: ReturnType<typeof createDecipheriv>): Uint8Array {
  try {
    return decipher.final();
  } catch (error) {
    throw new WalferryError("Crypto", "unable to flush", {
      hint: "is repoN-cipher-pass the passphrase of this repository, and is the file complete?",
      cause: error,
    });
  }
}

function openCipher(passphrase: string, header: Uint8Array, framing: Framing): ReturnType<typeof createDecipheriv> {
  if (framing === "normal" && !MAGIC.every((byte, index) => header[index] === byte)) {
    throw new WalferryError("Crypto", "cipher header invalid", { hint: "is or was the repo encrypted?" });
  }
  const { key, iv } = deriveKey(passphrase, header.subarray(header.length - SALT_BYTES));
  return createDecipheriv("aes-256-cbc", key, iv);
}
