/**
 * A backup whose manifest and its copy are both lost, perhaps with everything else of it, given back by a repository that has the same
 * backup. States: what is left is kept aside; files are copied, verified and encrypted for this repository; the manifest makes it complete;
 * backups that refer to it are made to agree; the judge that found the damage looks at it. Until the manifest is there the backup is as lost
 * as before.
 */
import { isWalferryError, toWalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Repository } from "../repository/repository.ts";
import { syncBackup } from "../repository/sync_backup.ts";
import { dependantsOf, realignDependants } from "./realign.ts";
import type { RepairPlace } from "./repair_place.ts";
import { differencesOf } from "./same_backup.ts";
import { isSame } from "./stored_set.ts";
import { verifyRepository } from "./verify.ts";

/** @returns the repository that gave it; `undefined` when none has it, or what it gave does not fit. @throws WalferryError of the store */
export async function repairBackup(place: RepairPlace, label: string): Promise<string | undefined> {
  const { repository, others, stanza, context } = place;
  const info = await repository.loadBackupInfo(stanza);
  const entry = info.backups.find((one) => one.label === label);
  if (entry === undefined) return undefined;
  const relatives = await survivingDependants(place, info, label);
  for (const other of others) {
    context.signal.throwIfAborted();
    try {
      if (!await giveFrom(place, other, entry, info, relatives)) continue;
      await realignDependants(place, label);
      if (await isSound(place, label)) return other.name;
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = toWalferryError(thrown);
      context.log.warn(`${repository.name}: backup ${label} cannot be taken from ${other.name}: ${error.message}`);
    }
  }
  return undefined;
}

/** Manifests of backups here that need it and are still there. */
async function survivingDependants(place: RepairPlace, info: BackupInfo, label: string): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const dependant of dependantsOf(info, label)) {
    try {
      found.push(await place.repository.loadManifest(place.stanza, dependant, info.cipherPass));
    } catch (error) {
      if (!isWalferryError(error, "FileMissing", "FileOpen", "Format", "JsonFormat", "Checksum", "Crypto")) throw error;
    }
  }
  return found;
}

async function giveFrom(
  place: RepairPlace,
  other: Repository,
  entry: BackupInfoEntry,
  info: BackupInfo,
  relatives: readonly Manifest[],
): Promise<boolean> {
  const { repository, stanza, context, atOnce } = place;
  const { label } = entry;
  const fromInfo = await other.loadBackupInfo(stanza);
  if (!fromInfo.backups.some((one) => one.label === label)) return false;
  const source = await other.loadManifest(stanza, label, fromInfo.cipherPass);
  const cluster = info.history.find(({ id }) => id === entry.historyId);
  const isOfCluster = cluster?.systemId === source.systemId && cluster.pgVersion === source.pgVersion;
  if (!isOfCluster || differencesOf(entry, source).length > 0) {
    context.log.warn(`${other.name} has another backup under the label ${label}`);
    return false;
  }
  const misfit = misfitOf(source, relatives);
  if (misfit !== undefined) {
    context.log.warn(`${repository.name}: backup ${label} of ${other.name} does not fit here: ${misfit}`);
    return false;
  }
  const directory = repository.backupPath(stanza, label);
  for await (const { name, type } of repository.storage.list(directory, { recurse: true, signal: context.signal })) {
    if (type === "file") await place.keepAside(`${directory}/${name}`);
  }
  await syncBackup({
    from: other,
    to: repository,
    stanza,
    label,
    fromInfo,
    toInfo: info,
    historyId: entry.historyId,
    filePassphrase: relatives[0]?.cipherPass,
    atOnce,
    signal: context.signal,
  });
  return true;
}

/** Why backups that are here could not go on with it; `undefined` when they can. */
function misfitOf(source: Manifest, relatives: readonly Manifest[]): string | undefined {
  for (const relative of relatives) {
    if (relative.options.compressType !== source.options.compressType) {
      return `backup ${relative.label} builds on it with another compress-type`;
    }
    if (relative.bundle && source.bundle && relative.bundleRaw !== source.bundleRaw) {
      return `backup ${relative.label} builds on it with bundles of another kind`;
    }
    if (!relative.blockIncremental) continue;
    // Maps of blocks name bytes of its files: these must be the very same ones.
    const stored = new Map([...source.files].map((file) => [file.name, file]));
    const isOther = relative.cipherPass !== source.cipherPass || [...relative.files].some((file) => {
      const there = file.reference === source.label ? stored.get(file.name) : undefined;
      return file.reference === source.label && (there === undefined || !isSame(file, there));
    });
    if (isOther) return `backup ${relative.label} takes blocks from it, which are stored otherwise there`;
  }
  return undefined;
}

/** Every file of it is read back. */
async function isSound({ repository, stanza, context, atOnce }: RepairPlace, label: string): Promise<boolean> {
  const { findings } = await verifyRepository(
    repository,
    {
      stanza,
      repository: repository.config,
      set: label,
      mode: { kind: "full" },
      depth: "stored",
      output: "none",
      verbose: false,
      exit: "strict",
      processMax: atOnce,
    },
    context,
  );
  return !findings.kept.some((found) =>
    found.severity === "damage" && found.label === label && found.archiveId === undefined
  );
}
