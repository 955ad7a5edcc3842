/**
 * `repo-hardlink`: a differential or incremental backup whose directory holds every file, those of earlier backups as second names. The
 * manifest refers to them all the same, so that nobody depends on the links (repository-format §10).
 */
import type { Manifest } from "../format/manifest.ts";
import type { CommandContext } from "../process/command_context.ts";
import { compressExtension } from "../stream/compress_type.ts";
import type { BackupFacts } from "./assemble.ts";
import type { Participant } from "./participants.ts";

/** Names looked after between two looks at the signal. */
const LINKS_PER_TURN = 1000;

/** Gives each file that the manifest refers to a name in the directory of this backup; what lies in a bundle has none to give. */
export async function linkReferences(
  { repository }: Participant,
  { options: { stanza } }: BackupFacts,
  manifest: Manifest,
  context: CommandContext,
): Promise<void> {
  let links = 0;
  for (const { name, reference, bundleId, blockMapBytes, sizeBytes } of manifest.files) {
    if (reference === undefined || bundleId !== undefined) continue;
    const stored = `${name}${blockMapBytes === undefined ? compressExtension(manifest.options.compressType) : ".pgbi"}`;
    const existing = repository.backupPath(stanza, reference, stored);
    // pgBackRest refers to empty files of a backup with bundles, which stores none.
    if (sizeBytes === 0 && await repository.storage.info(existing) === undefined) continue;
    await repository.storage.hardlink(existing, repository.backupPath(stanza, manifest.label, stored));
    context.log.detail(`hardlink ${name} to ${reference}`);
    if (++links % LINKS_PER_TURN === 0) context.signal.throwIfAborted();
  }
}
