/**
 * Encryption of the repository format (repository-format §8.2): aes-256-cbc as `openssl enc -md sha1` writes it. There is no
 * authentication in it; whoever reads verifies a SHA-1 behind it.
 */
import { WalferryError } from "../errors.ts";
import type { ByteStream, Filter } from "./byte_stream.ts";
import type { Cbc, CbcSecret } from "./cbc.ts";
import type { Framing } from "./framing.ts";
import { sha1Hex } from "./hash.ts";
import { concatenate } from "./sources.ts";

const MAGIC = new TextEncoder().encode("Salted__");
const SALT_BYTES = 8;
const KEY_BYTES = 32;
const IV_BYTES = 16;

/** A new passphrase for a level below the user's: 48 random bytes as base64, 64 characters. */
export function generateCipherPass(): string {
  return crypto.getRandomValues(new Uint8Array(48)).toBase64();
}

/** Key and IV as OpenSSL's EVP_BytesToKey makes them with SHA-1 and one iteration. */
function deriveKey(passphrase: string, salt: Uint8Array): CbcSecret {
  const secret = new TextEncoder().encode(passphrase);
  const material: Uint8Array[] = [];
  let size = 0;
  let previous: Uint8Array = new Uint8Array(0);
  while (size < KEY_BYTES + IV_BYTES) {
    const pieces = [previous, secret, salt];
    previous = Uint8Array.fromHex(sha1Hex(concatenate(pieces, previous.length + secret.length + salt.length)));
    material.push(previous);
    size += previous.length;
  }
  const bytes = concatenate(material, size);
  return { key: bytes.subarray(0, KEY_BYTES), iv: bytes.subarray(KEY_BYTES, KEY_BYTES + IV_BYTES) };
}

/** Who encrypts and decrypts on this host, in words. */
export async function cipherOrigin(): Promise<string> {
  return (await loadCbc()).origin;
}

/** What this thread has in use: a library is opened once. */
let loaded: Promise<Cbc> | undefined;

function loadCbc(): Promise<Cbc> {
  return loaded ??= openCbc();
}

/** The host's own library where there is one, else what is built in. */
async function openCbc(): Promise<Cbc> {
  return (await import("./system_cbc.ts")).openSystemCbc() ?? (await import("./web_cbc.ts")).webCbc;
}

/**
 * Encrypts a stream with a fresh salt.
 * @param chunksPass the reader is done with each chunk before it asks for the next: it may come in the same memory
 */
export function encryptFilter(passphrase: string, framing: Framing = "normal", chunksPass = false): Filter {
  return async function* (source: ByteStream) {
    const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
    yield headerOf(salt, framing);
    yield* (await loadCbc()).encrypt(deriveKey(passphrase, salt), source, chunksPass);
  };
}

/** Encrypts bytes at hand with a fresh salt. */
export async function encryptBytes(
  passphrase: string,
  bytes: Uint8Array,
  framing: Framing = "normal",
): Promise<Uint8Array> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const header = headerOf(salt, framing);
  const stored = await (await loadCbc()).encryptBytes(deriveKey(passphrase, salt), bytes);
  return concatenate([header, stored], header.length + stored.length);
}

/**
 * Decrypts a stream.
 * @param chunksPass the reader is done with each chunk before it asks for the next: it may come in the same memory
 * @throws WalferryError `Crypto` for a missing or foreign header and for a wrong passphrase (where the padding shows it).
 */
export function decryptFilter(passphrase: string, framing: Framing = "normal", chunksPass = false): Filter {
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
      const secret = openHeader(passphrase, header.subarray(0, headerBytes), framing);
      const body = withFirst(header.subarray(headerBytes), rest);
      yield* (await loadCbc()).decrypt(secret, body, chunksPass);
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
  const secret = openHeader(passphrase, bytes.subarray(0, headerBytes), framing);
  return await (await loadCbc()).decryptBytes(secret, bytes.subarray(headerBytes));
}

function headerOf(salt: Uint8Array, framing: Framing): Uint8Array {
  return framing === "raw" ? salt : concatenate([MAGIC, salt], MAGIC.length + SALT_BYTES);
}

function headerMissing(): WalferryError {
  return new WalferryError("Crypto", "cipher header missing", { hint: "is the file empty or truncated?" });
}

function openHeader(passphrase: string, header: Uint8Array, framing: Framing): CbcSecret {
  if (framing === "normal" && !MAGIC.every((byte, index) => header[index] === byte)) {
    throw new WalferryError("Crypto", "cipher header invalid", { hint: "is or was the repo encrypted?" });
  }
  return deriveKey(passphrase, header.subarray(header.length - SALT_BYTES));
}
