/** The manifest of one backup: with its copy, and against its line in `backup.info`. */
import type { BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import { readManifest } from "../repository/info_bytes.ts";
import type { Repository } from "../repository/repository.ts";
import { loadBoth } from "./copies.ts";
import type { Finding } from "./finding.ts";
import { differencesOf } from "./same_backup.ts";

/**
 * @param passphrase `cipherPass` of `backup.info`
 * @returns the manifest, or `undefined` when neither it nor its copy can be used
 * @throws WalferryError of the store
 */
export async function checkManifest(
  repository: Repository,
  stanza: string,
  entry: BackupInfoEntry,
  passphrase: string | undefined,
  add: (finding: Finding) => void,
): Promise<Manifest | undefined> {
  const { label } = entry;
  const path = repository.backupPath(stanza, label, "backup.manifest");
  const own = (finding: Finding) => add({ ...finding, label });
  const manifest = await loadBoth(
    {
      path,
      read: (one) => repository.readWith(one, passphrase),
      decode: readManifest,
      misplaced: (found) => (found.label === label ? undefined : `it is the manifest of backup ${found.label}`),
    },
    own,
  );
  if (manifest === undefined) return undefined;
  const differ = (message: string) =>
    own({ kind: "mismatch", severity: "damage", path, message, disagreement: "entry" });
  const facts = differencesOf(entry, manifest);
  if (manifest.historyId !== entry.historyId) {
    facts.push(`historyId is ${manifest.historyId} here and ${entry.historyId} there`);
  }
  if (facts.length > 0) differ(`it does not agree with backup.info: ${facts.join(", ")}`);
  return manifest;
}
