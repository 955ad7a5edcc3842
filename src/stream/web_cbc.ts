/**
 * AES by the runtime, piece by piece over Web Crypto, which takes two to three times less processor time than the runtime's ciphers of
 * node:crypto but knows whole messages only. CBC makes that possible: a piece is a message of its own whose initial vector is the encrypted block
 * in front of it.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { ByteStream } from "./byte_stream.ts";
import { type Cbc, type CbcSecret, flushFailed } from "./cbc.ts";
import { BUILT_IN } from "./codec.ts";
import { concatenate } from "./sources.ts";

const BLOCK_BYTES = 16;
const NAME = "AES-CBC";
const NOTHING = new Uint8Array(0);
/** Up to this size the steps around Web Crypto's calls cost more than they save. Bytes. */
const SMALL_BYTES = 16 * 1024;

/** Every chunk is in memory of its own. */
export const webCbc: Cbc = {
  origin: BUILT_IN,
  encrypt: encryptPieces,
  decrypt: decryptPieces,
  encryptBytes: async ({ key, iv }, bytes) => {
    if (bytes.length > SMALL_BYTES) return await encryptFinal(await importKey(key), iv, bytes);
    const cipher = createCipheriv("aes-256-cbc", key, iv);
    const head = cipher.update(bytes);
    const last = cipher.final();
    return concatenate([head, last], head.length + last.length);
  },
  decryptBytes: async ({ key, iv }, bytes) => {
    // The runtime's cipher would take nothing at all for whole.
    if (bytes.length === 0) throw flushFailed();
    if (bytes.length > SMALL_BYTES) return await decryptFinal(await importKey(key), iv, bytes);
    const decipher = createDecipheriv("aes-256-cbc", key, iv);
    const head = decipher.update(bytes);
    try {
      const last = decipher.final();
      return concatenate([head, last], head.length + last.length);
    } catch (error) {
      throw flushFailed(error);
    }
  },
};

async function importKey(key: Uint8Array): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", own(key), NAME, false, ["encrypt", "decrypt"]);
}

/** The bytes, encrypted with padding behind them. */
async function encryptFinal(key: CryptoKey, iv: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.encrypt({ name: NAME, iv: own(iv) }, key, own(bytes)));
}

/** The same for a stream. */
async function* encryptPieces(secret: CbcSecret, source: ByteStream): AsyncGenerator<Uint8Array> {
  const key = await importKey(secret.key);
  let before = secret.iv;
  let held: Uint8Array = NOTHING;
  for await (const chunk of source) {
    const bytes = joined(held, chunk);
    const wholeBytes = bytes.length - bytes.length % BLOCK_BYTES;
    held = bytes.slice(wholeBytes);
    if (wholeBytes === 0) continue;
    // The padding that comes with it is left away: the message goes on.
    const piece = (await encryptFinal(key, before, bytes.subarray(0, wholeBytes))).subarray(0, wholeBytes);
    before = piece.slice(-BLOCK_BYTES);
    yield piece;
  }
  yield await encryptFinal(key, before, held);
}

/** What {@link encryptFinal} made, decrypted. */
async function decryptFinal(key: CryptoKey, iv: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: NAME, iv: own(iv) }, key, own(bytes)));
  } catch (error) {
    throw flushFailed(error);
  }
}

/** The same for a stream. */
async function* decryptPieces(secret: CbcSecret, source: ByteStream): AsyncGenerator<Uint8Array> {
  const key = await importKey(secret.key);
  let before = secret.iv;
  let held: Uint8Array = NOTHING;
  for await (const chunk of source) {
    const sizeBytes = held.length + chunk.length;
    // The last block has the padding, and any block may be the last.
    const wholeBytes = sizeBytes === 0 ? 0 : sizeBytes - 1 - (sizeBytes - 1) % BLOCK_BYTES;
    if (wholeBytes === 0) {
      held = concatenate([held, chunk], sizeBytes);
      continue;
    }
    const message = new Uint8Array(wholeBytes + BLOCK_BYTES);
    const fromChunk = wholeBytes - held.length;
    message.set(held);
    message.set(chunk.subarray(0, fromChunk), held.length);
    held = chunk.slice(fromChunk);
    const last = message.slice(wholeBytes - BLOCK_BYTES, wholeBytes);
    // A message must end with padding: a block of nothing else, encrypted so as to follow this one.
    message.set(await encryptFinal(key, last, NOTHING), wholeBytes);
    yield await decryptFinal(key, before, message);
    before = last;
  }
  const last = await decryptFinal(key, before, held);
  if (last.length > 0) yield last;
}

function joined(held: Uint8Array, chunk: Uint8Array): Uint8Array {
  return held.length === 0 ? chunk : concatenate([held, chunk], held.length + chunk.length);
}

/** Web Crypto takes no memory that threads share, and nothing here is. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
