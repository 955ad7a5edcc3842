/** Stores a file of a backup that does not come from the cluster: what the server gives at the stop, and WAL. */
import type { ManifestFile } from "../format/manifest.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { encryptFilter } from "../stream/cipher.ts";
import { compressFilter } from "../stream/compress.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import type { BackupFacts } from "./assemble.ts";
import type { Participant } from "./participants.ts";

/**
 * Writes a file with the backup's compression and passphrase.
 *
 * @param name manifest name
 * @param timestamp seconds since the epoch
 * @returns its entry for the manifest, with the owner and mode that most files have
 */
export async function storeFile(
  participant: Participant,
  facts: BackupFacts,
  name: string,
  content: ByteStream,
  timestamp: number,
): Promise<ManifestFile> {
  const { repository } = participant;
  const { stanza } = facts.options;
  const { compress, cipherPass } = facts.lineage;
  const plain = new Sha1Meter();
  const stored = new Sha1Meter();
  const encrypt = cipherPass === undefined ? [] : [encryptFilter(cipherPass)];
  const path = repository.backupPath(stanza, facts.label, `${name}${compressExtension(compress.type)}`);
  const bytes = pipeline(content, plain.through, compressFilter(compress), ...encrypt, stored.through);
  await repository.storage.write(path, bytes, { syncDirectory: false });
  const transformed = compress.type !== "none" || cipherPass !== undefined;
  return {
    name,
    sizeBytes: plain.sizeBytes,
    repoSizeBytes: stored.sizeBytes,
    checksum: plain.digestHex(),
    repoChecksum: transformed ? stored.digestHex() : undefined,
    timestamp,
    ...facts.scan.defaults.file,
  };
}
