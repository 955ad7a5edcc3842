/**
 * Manifests that refer to files of another backup say where and how these are stored. When a repair stored them anew, they are made to say
 * what the manifest of the backup that holds them says; the content is the same one, by its hash.
 */
import { toWalferryError } from "../errors.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import type { RepairPlace } from "./repair_place.ts";
import { isSame } from "./stored_set.ts";

/** Backups that need something of this one, by label. */
export function dependantsOf({ backups }: BackupInfo, label: string): string[] {
  return backups.filter(({ references }) => references?.includes(label)).map((entry) => entry.label).sort();
}

/**
 * Makes one manifest agree with those of the backups that it refers to.
 * @returns whether it does now
 * @throws WalferryError of the store
 */
export async function realign(place: RepairPlace, label: string): Promise<boolean> {
  const { repository, stanza, context } = place;
  const { cipherPass } = await repository.loadBackupInfo(stanza);
  const manifest = await repository.loadManifest(stanza, label, cipherPass);
  const held = new Map<string, Map<string, ManifestFile>>();
  for (const { name, reference } of manifest.files) {
    if (reference === undefined) continue;
    const names = held.get(reference);
    if (names === undefined) held.set(reference, new Map([[name, undefined!]]));
    else names.set(name, undefined!);
  }
  for (const [holder, files] of held) {
    const { files: theirs, cipherPass: pass } = await repository.loadManifest(stanza, holder, cipherPass);
    // One passphrase opens all files of a manifest.
    if (pass !== manifest.cipherPass) return false;
    for (const file of theirs) if (file.reference === undefined && files.has(file.name)) files.set(file.name, file);
  }
  let changed = 0;
  const files = FileTable.from(manifest.files);
  manifest.files = files;
  for (const [at, file] of files.values().map((one, index) => [index, one] as const)) {
    if (file.reference === undefined) continue;
    const there = held.get(file.reference)!.get(file.name);
    if (there === undefined || there.checksum !== file.checksum || there.sizeBytes !== file.sizeBytes) return false;
    if (isSame(file, there)) continue;
    if (file.blockMapBytes !== undefined || there.blockMapBytes !== undefined) return false;
    const { repoSizeBytes, repoChecksum, bundleId, bundleOffset } = there;
    files.set(at, { ...file, repoSizeBytes, repoChecksum, bundleId, bundleOffset });
    changed += 1;
  }
  if (changed === 0) return true;
  await saveManifest(place, manifest, cipherPass);
  context.log.info(`${repository.name}: the manifest of ${label} says where ${changed} file(s) are stored now`);
  return true;
}

/** Makes the manifests of all that needs something of a backup agree with it. @returns labels of those that can be read and not made to agree */
export async function realignDependants(place: RepairPlace, label: string): Promise<string[]> {
  const { repository, stanza, context } = place;
  const disagreeing: string[] = [];
  for (const dependant of dependantsOf(await repository.loadBackupInfo(stanza), label)) {
    try {
      if (await realign(place, dependant)) continue;
      disagreeing.push(dependant);
    } catch (thrown) {
      context.signal.throwIfAborted();
      // Its own manifest may be what is lost: that has a finding of its own.
      const error = toWalferryError(thrown);
      context.log.warn(
        `${repository.name}: backup ${dependant} cannot be made to agree with ${label}: ${error.message}`,
      );
    }
  }
  return disagreeing;
}

/** Puts a manifest in the place of the one before it, which is kept. @throws WalferryError of the store */
export async function saveManifest(
  place: RepairPlace,
  manifest: Manifest,
  passphrase: string | undefined,
): Promise<void> {
  const { repository, stanza } = place;
  await place.keepAside(repository.backupPath(stanza, manifest.label, "backup.manifest"));
  await repository.completeManifest(stanza, manifest, passphrase);
}
