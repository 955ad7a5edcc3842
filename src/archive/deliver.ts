/** Bringing one stored WAL file to where PostgreSQL wants it: verified before it is visible under any name that somebody looks for. */
import { isWalferryError, WalferryError } from "../errors.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decompressFilter } from "../stream/compress.ts";
import { Sha1Meter } from "../stream/hash.ts";
import type { Candidate } from "./get_candidates.ts";

/** Whether an error says that the stored bytes are not what they should be. */
export function isDamage(error: WalferryError): boolean {
  return error.kind === "Checksum" || error.kind === "Format" || error.kind === "Crypto";
}

/**
 * Writes the verified content under a temporary name. It is not synced: PostgreSQL asks again after a crash.
 * @throws WalferryError one for which {@link isDamage} holds, `FileWrite` for trouble on this side, those of the store; nothing is left then
 */
export async function fetchVerified(candidate: Candidate, temporary: string, signal: AbortSignal): Promise<void> {
  const { repository, path, passphrase, segment } = candidate;
  const stored = await repository.readWith(path, passphrase, signal);
  if (stored === undefined) {
    throw new WalferryError("FileMissing", `unable to open missing file '${repository.display(path)}' for read`);
  }
  const meter = new Sha1Meter();
  try {
    const content = pipeline(stored, decompressFilter(segment?.compressType ?? "none"), meter.through);
    await writeLocal(temporary, content, signal);
    if (segment !== undefined && meter.digestHex() !== segment.checksum) {
      throw new WalferryError(
        "Checksum",
        `content of '${
          repository.display(path)
        }' is damaged: actual checksum '${meter.digestHex()}' does not match expected checksum '${segment.checksum}'`,
      );
    }
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

/** Gives the fetched file its name. @throws WalferryError `FileMove` */
export function giveName(temporary: string, destination: string): void {
  try {
    Deno.renameSync(temporary, destination);
  } catch (error) {
    removeIfThere(temporary);
    throw new WalferryError(
      "FileMove",
      `unable to move '${temporary}' to '${destination}': ${(error as Error).message}`,
      { cause: error },
    );
  }
}

async function writeLocal(path: string, content: ByteStream, signal: AbortSignal): Promise<void> {
  const fail = (error: unknown): never => {
    throw new WalferryError("FileWrite", `unable to write '${path}': ${(error as Error).message}`, { cause: error });
  };
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  } catch (error) {
    return fail(error);
  }
  try {
    for await (const chunk of content) {
      signal.throwIfAborted();
      try {
        for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
      } catch (error) {
        fail(error);
      }
    }
  } finally {
    file.close();
  }
}

/** Removes a file of this side. Absent is no error. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Trouble on this side: another repository would not help. */
export function isLocal(error: WalferryError): boolean {
  return isWalferryError(error, "FileWrite") || isWalferryError(error, "Term");
}
