/** Bytes of info files and manifests as text: whole for the short ones, in pieces for a manifest of a million files. */
import { WalferryError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import { ManifestReader } from "../format/manifest_codec.ts";
import { letGo } from "../process/garbage.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { concatenate } from "../stream/sources.ts";

/** Largest manifest that is read, in bytes: some eight million files. */
export const MANIFEST_BYTES_MAX = 2 * 1024 * 1024 * 1024;
/** A line is looked at as so many times its length. */
const GARBAGE_FACTOR = 8;
/** What an encrypted file begins with. */
const SALTED = "Salted__";

/**
 * Reads a manifest without ever holding its text.
 * @param content whose chunks may all be in the same memory
 * @throws WalferryError `Format`, `JsonFormat`, `Checksum`; `FileRead` for one that is too large; those of the stream
 */
export async function readManifest(content: ByteStream): Promise<Manifest> {
  const reader = new ManifestReader();
  for await (const piece of textPieces(content, MANIFEST_BYTES_MAX)) {
    reader.push(piece);
    letGo(piece.length * GARBAGE_FACTOR);
  }
  return reader.end();
}

/**
 * Bytes of an info file as text, in pieces that may end anywhere.
 * @throws WalferryError `FileRead` for more than so many bytes; otherwise as {@link decodeText}
 */
export async function* textPieces(content: ByteStream, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let held: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of content) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) {
      throw new WalferryError("FileRead", `content is larger than the ${maxBytes} bytes that are allowed here`);
    }
    // The first bytes are looked at together; the next chunk may come in the same memory.
    held.push(sizeBytes < SALTED.length ? chunk.slice() : chunk);
    if (sizeBytes < SALTED.length) continue;
    const bytes = concatenate(held, held.reduce((sum, { length }) => sum + length, 0));
    if (sizeBytes === bytes.length) assertPlain(bytes);
    held = [];
    yield decoded(() => decoder.decode(bytes, { stream: true }));
  }
  yield decoded(() => decoder.decode(concatenate(held, held.reduce((sum, { length }) => sum + length, 0))));
}

/**
 * Bytes of a whole info file as text.
 * @throws WalferryError `Format` for bytes that are not UTF-8, such as encrypted content read without a passphrase
 */
export function decodeText(bytes: Uint8Array): string {
  assertPlain(bytes);
  return decoded(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
}

function assertPlain(bytes: Uint8Array): void {
  if (new TextDecoder("latin1").decode(bytes.subarray(0, SALTED.length)) !== SALTED) return;
  throw new WalferryError("Format", `key/value found outside of section at line 1: ${SALTED}`, {
    hint: "the file is encrypted: is repoN-cipher-type configured for this repository?",
  });
}

function decoded(decode: () => string): string {
  try {
    return decode();
  } catch (error) {
    throw new WalferryError("Format", "content is not UTF-8 text", { cause: error });
  }
}
