/** What a worker thread does for `self-test`: hash, compress, encrypt and back, as backup and restore do. */
import { cipherOrigin, decryptBytes, encryptBytes, generateCipherPass } from "../stream/cipher.ts";
import { codecOrigin, compressBytes, decompressBytes } from "../stream/compress.ts";
import { COMPRESS_TYPES, type CompressType } from "../stream/compress_type.ts";
import { sha1 } from "../stream/sha1.ts";

export interface SelfTestRequest {
  readonly text: string;
}

export interface SelfTestResult {
  readonly hash: HashResult;
  readonly codecs: readonly CodecResult[];
  readonly cipher: CipherResult;
}

/** The hash of the text. */
export interface HashResult {
  readonly hex: string;
  /** Who computed it. */
  readonly origin: string;
}

/** What encryption made of the text. */
export interface CipherResult {
  /** The text again after it was encrypted and decrypted. */
  readonly text: string;
  /** Who did it. */
  readonly origin: string;
}

/** What one compression type made of the text. */
export interface CodecResult {
  readonly type: CompressType;
  /** The text again after it was compressed and decompressed. */
  readonly text: string;
  /** Who did it. */
  readonly origin: string;
}

/** Prepares nothing; every request is answered by itself ({@link JobStart} of the worker pool). */
export function start(): (request: SelfTestRequest) => Promise<SelfTestResult> {
  return async ({ text }) => {
    const bytes = new TextEncoder().encode(text);
    const codecs: CodecResult[] = [];
    for (const type of COMPRESS_TYPES) {
      const back = await decompressBytes(type, await compressBytes({ type }, bytes), bytes.length);
      codecs.push({ type, text: new TextDecoder().decode(back), origin: await codecOrigin(type) });
    }
    const passphrase = generateCipherPass();
    const plain = await decryptBytes(passphrase, await encryptBytes(passphrase, bytes));
    const cipher = { text: new TextDecoder().decode(plain), origin: await cipherOrigin() };
    return { hash: { hex: sha1().hexOf(bytes), origin: sha1().origin }, codecs, cipher };
  };
}
