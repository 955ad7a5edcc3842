/** Looks whether a file that an interrupted run stored is whole. */
import type { Storage } from "../../backends/contract.ts";
import { isWalferryError } from "../errors.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { decryptFilter } from "../stream/cipher.ts";
import { decompressFilter } from "../stream/compress.ts";
import type { CompressType } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { drain } from "../stream/sources.ts";

/** The stored bytes of a file that is whole. */
export interface StoredBytes {
  readonly sizeBytes: number;
  /** SHA-1 of the stored bytes. */
  readonly checksum: string;
}

/**
 * Reads a stored file to its end.
 *
 * @param checksum SHA-1 that its content must have
 * @returns `undefined` when it is not there, damaged, or something else
 */
export async function readStored(
  storage: Storage,
  path: string,
  compressType: CompressType,
  cipherPass: string | undefined,
  checksum: string,
): Promise<StoredBytes | undefined> {
  const stored = await storage.read(path);
  if (stored === undefined) return undefined;
  const outer = new Sha1Meter();
  const inner = new Sha1Meter();
  const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass)];
  try {
    await drain(pipeline(stored, outer.through, ...decrypt, decompressFilter(compressType), inner.through));
  } catch (error) {
    if (isWalferryError(error, "Crypto", "Format")) return undefined;
    throw error;
  }
  return inner.digestHex() === checksum ? { sizeBytes: outer.sizeBytes, checksum: outer.digestHex() } : undefined;
}
