/** Bringing one stored WAL file to where PostgreSQL wants it: verified before it is visible under any name that somebody looks for. */
import { isWalferryError, WalferryError } from "../errors.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { decompressFilter } from "../stream/compress.ts";
import { Sha1Meter } from "../stream/hash.ts";
import type { Candidate } from "./get_candidates.ts";
import { failedWrite, TemporaryFile } from "./temporary_file.ts";

/** Whether an error says that the stored bytes are not what they should be. */
export function isDamage(error: WalferryError): boolean {
  return error.kind === "Checksum" || error.kind === "Format" || error.kind === "Crypto";
}

/**
 * Writes the verified content under a temporary name. It is not synced: PostgreSQL asks again after a crash.
 * @throws WalferryError one for which {@link isDamage} holds, `FileWrite` for trouble on this side, those of the store; nothing is left then
 */
export async function fetchVerified(candidate: Candidate, path: string, signal: AbortSignal): Promise<TemporaryFile> {
  const { temporary, file } = TemporaryFile.make(path);
  try {
    using _open = file;
    await writeVerified(candidate, file, path, signal);
    return temporary;
  } catch (error) {
    temporary.remove();
    throw error;
  }
}

async function writeVerified(
  { repository, path, passphrase, segment }: Candidate,
  file: Deno.FsFile,
  temporary: string,
  signal: AbortSignal,
): Promise<void> {
  const stored = await repository.readWith(path, passphrase, { signal });
  if (stored === undefined) {
    throw new WalferryError("FileMissing", `unable to open missing file '${repository.display(path)}' for read`);
  }
  const meter = new Sha1Meter();
  for await (const chunk of pipeline(stored, decompressFilter(segment?.compressType ?? "none"), meter.through)) {
    signal.throwIfAborted();
    try {
      for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
    } catch (error) {
      failedWrite(temporary, error);
    }
  }
  if (segment === undefined || meter.digestHex() === segment.checksum) return;
  throw new WalferryError(
    "Checksum",
    `content of '${
      repository.display(path)
    }' is damaged: actual checksum '${meter.digestHex()}' does not match expected checksum '${segment.checksum}'`,
  );
}

/** Trouble on this side: another repository would not help. */
export function isLocal(error: WalferryError): boolean {
  return isWalferryError(error, "FileWrite") || isWalferryError(error, "Term");
}
