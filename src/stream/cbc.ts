/** What AES-256 in CBC mode with the padding of PKCS #7 has to give; who does it is in files of their own. */
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";

/** 32 bytes and 16. */
export interface CbcSecret {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

export interface Cbc {
  /** Who does the work, in words. */
  readonly origin: string;
  /** @param chunksPass the reader is done with each chunk before it asks for the next: it may come in the same memory */
  encrypt(secret: CbcSecret, source: ByteStream, chunksPass: boolean): ByteStream;
  /** The same back. @throws WalferryError `Crypto` where the padding is wrong or the length cannot be */
  decrypt(secret: CbcSecret, source: ByteStream, chunksPass: boolean): ByteStream;
  encryptBytes(secret: CbcSecret, bytes: Uint8Array): Promise<Uint8Array> | Uint8Array;
  /** The same back. @throws as {@link decrypt} */
  decryptBytes(secret: CbcSecret, bytes: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

/** What was decrypted does not end as it must. */
export function flushFailed(cause?: unknown): WalferryError {
  return new WalferryError("Crypto", "unable to flush", {
    hint: "is repoN-cipher-pass the passphrase of this repository, and is the file complete?",
    cause,
  });
}
