/**
 * Which passphrase of a repository opens a stored info file: the configured one or, as long as `rekey` has not written the file again, the one
 * before.
 */
import { isWalferryError } from "../errors.ts";
import { decryptFilter } from "../stream/cipher.ts";
import { collect, streamOf } from "../stream/sources.ts";
import type { CipherConfig } from "./config.ts";
import { decodeText } from "./info_bytes.ts";

/** Whether a passphrase opens it. A wrong one shows in the padding or, now and then, only in the text. */
export async function opensInfo(stored: Uint8Array, passphrase: string): Promise<boolean> {
  try {
    const plain = await collect(decryptFilter(passphrase)(streamOf(stored)), stored.length);
    return decodeText(plain).startsWith("[");
  } catch (error) {
    if (isWalferryError(error, "Crypto", "Format")) return false;
    throw error;
  }
}

/** The one of the two that opens it; `undefined` when neither does. */
export async function openingPassphrase(
  stored: Uint8Array,
  { passphrase, previous }: Exclude<CipherConfig, { readonly type: "none" }>,
): Promise<string | undefined> {
  if (await opensInfo(stored, passphrase)) return passphrase;
  return previous !== undefined && await opensInfo(stored, previous) ? previous : undefined;
}
