/**
 * Encryption of the repository format (repository-format §8.2): aes-256-cbc as `openssl enc -md sha1` writes it. There is no
 * authentication in it; whoever reads verifies a SHA-1 behind it.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { decryptFinal, decryptPieces, encryptFinal, encryptPieces, importCbcKey } from "./cbc.ts";
import { WalferryError } from "../errors.ts";
import type { ByteStream, Filter } from "./byte_stream.ts";
import { concatenate } from "./sources.ts";

/** `normal` has the magic `Salted__` in front of the salt; `raw` (inside bundles of newer sets) has the salt only. */
export type Framing = "normal" | "raw";

const MAGIC = new TextEncoder().encode("Salted__");
const SALT_BYTES = 8;
const KEY_BYTES = 32;
const IV_BYTES = 16;
/** Up to this size the steps around Web Crypto's calls cost more than they save. Bytes. */
const SMALL_BYTES = 16 * 1024;

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
    yield headerOf(salt, framing);
    const { key, iv } = deriveKey(passphrase, salt);
    yield* encryptPieces(await importCbcKey(key), iv, source);
  };
}

/** Encrypts bytes at hand with a fresh salt. */
export async function encryptBytes(
  passphrase: string,
  bytes: Uint8Array,
  framing: Framing = "normal",
): Promise<Uint8Array> {
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const { key, iv } = deriveKey(passphrase, salt);
  const pieces = [headerOf(salt, framing)];
  if (bytes.length <= SMALL_BYTES) {
    const cipher = createCipheriv("aes-256-cbc", key, iv);
    pieces.push(cipher.update(bytes), cipher.final());
  } else pieces.push(await encryptFinal(await importCbcKey(key), iv, bytes));
  return concatenate(pieces, pieces.reduce((total, { length }) => total + length, 0));
}

/**
 * Decrypts a stream.
 * @throws WalferryError `Crypto` for a missing or foreign header and for a wrong passphrase (where the padding shows it).
 */
export function decryptFilter(passphrase: string, framing: Framing = "normal"): Filter {
  return async function* (source: ByteStream) {
    const headerBytes = framing === "raw" ? SALT_BYTES : MAGIC.length + SALT_BYTES;
    const rest = source[Symbol.asyncIterator]();
    try {
      let header: Uint8Array = new Uint8Array(0);
      while (header.length < headerBytes) {
        const next = await rest.next();
        if (next.done) throw headerMissing();
        header = Uint8Array.from(concatenate([header, next.value], header.length + next.value.length));
      }
      const { key, iv } = openHeader(passphrase, header.subarray(0, headerBytes), framing);
      const body = withFirst(header.subarray(headerBytes), rest);
      yield* decryptPieces(await importCbcKey(key), iv, body, flushFailed);
    } finally {
      await rest.return?.();
    }
  };
}

async function* withFirst(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/** Decrypts bytes at hand. @throws as {@link decryptFilter} */
export async function decryptBytes(
  passphrase: string,
  bytes: Uint8Array,
  framing: Framing = "normal",
): Promise<Uint8Array> {
  const headerBytes = framing === "raw" ? SALT_BYTES : MAGIC.length + SALT_BYTES;
  if (bytes.length < headerBytes) throw headerMissing();
  const { key, iv } = openHeader(passphrase, bytes.subarray(0, headerBytes), framing);
  const body = bytes.subarray(headerBytes);
  // The runtime's cipher would take nothing at all for whole.
  if (body.length === 0) throw flushFailed(undefined);
  if (body.length > SMALL_BYTES) return await decryptFinal(await importCbcKey(key), iv, body, flushFailed);
  const decipher = createDecipheriv("aes-256-cbc", key, iv);
  const head = decipher.update(body);
  try {
    const last = decipher.final();
    return concatenate([head, last], head.length + last.length);
  } catch (error) {
    throw flushFailed(error);
  }
}

function headerOf(salt: Uint8Array, framing: Framing): Uint8Array {
  return framing === "raw" ? salt : concatenate([MAGIC, salt], MAGIC.length + SALT_BYTES);
}

function headerMissing(): WalferryError {
  return new WalferryError("Crypto", "cipher header missing", { hint: "is the file empty or truncated?" });
}

function flushFailed(cause: unknown): WalferryError {
  return new WalferryError("Crypto", "unable to flush", {
    hint: "is repoN-cipher-pass the passphrase of this repository, and is the file complete?",
    cause,
  });
}

function openHeader(passphrase: string, header: Uint8Array, framing: Framing): { key: Uint8Array; iv: Uint8Array } {
  if (framing === "normal" && !MAGIC.every((byte, index) => header[index] === byte)) {
    throw new WalferryError("Crypto", "cipher header invalid", { hint: "is or was the repo encrypted?" });
  }
  return deriveKey(passphrase, header.subarray(header.length - SALT_BYTES));
}
