/**
 * A backup whose manifest and its copy are both lost, perhaps with everything else of it, given back by a repository that has the same
 * backup. States: what is left is kept aside, or stays where backups that refer to it need it; files are copied, verified and encrypted for
 * this repository; the manifest makes it complete; backups that refer to it are made to agree; the judge that found the damage looks at it.
 * Until the manifest is there the backup is as lost as before, and those that refer to it are as whole as before.
 */
import { isWalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { inLanes } from "../process/lanes.ts";
import type { Repository } from "../repository/repository.ts";
import { type Remains, syncBackup } from "../repository/sync_backup.ts";
import { drain } from "../stream/sources.ts";
import { BackupFiles } from "./backup_files.ts";
import { DamagedObjects } from "./damaged_objects.ts";
import { judgeObject } from "./object_job.ts";
import { dependantsOf, realignDependants } from "./realign.ts";
import type { RepairPlace } from "./repair_place.ts";
import { differencesOf } from "./same_backup.ts";
import { type HeldFiles, isSame, partOf, StoredSet } from "./stored_set.ts";
import { verifyRepository } from "./verify.ts";

const MANIFESTS = ["backup.manifest", "backup.manifest.copy"];

/** A backup that is back. */
export interface GivenBackup {
  /** The repository that gave it. */
  readonly from: string;
  /** Backups that refer to it and cannot be made to agree with it. */
  readonly disagreeing: readonly string[];
}

/** @returns `undefined` when no repository has it, or what it gave does not fit. @throws WalferryError of the store */
export async function repairBackup(place: RepairPlace, label: string): Promise<GivenBackup | undefined> {
  const { repository, stanza } = place;
  const info = await repository.loadBackupInfo(stanza);
  // It may be there by now, or the store may have said something else before.
  if (await tryManifest(place, info, label) !== undefined) return undefined;
  const entry = info.backups.find((one) => one.label === label);
  if (entry === undefined) return undefined;
  const relatives = await survivingDependants(place, info, label);
  return await place.askOthers(`backup ${label}`, async (other) => {
    if (other.config.role === "wal") return undefined;
    if (!await giveFrom(place, other, entry, info, relatives)) return undefined;
    const disagreeing = await realignDependants(place, label);
    return await isSound(place, label) ? { from: other.name, disagreeing } : undefined;
  });
}

/**
 * @returns `undefined` when neither the manifest nor its copy is there and whole
 * @throws WalferryError of the store, also when one of them is there and not given: what it says is not known then
 */
async function tryManifest(
  { repository, stanza }: RepairPlace,
  info: BackupInfo,
  label: string,
): Promise<Manifest | undefined> {
  try {
    return await repository.loadManifest(stanza, label, info.cipherPass);
  } catch (error) {
    if (!isWalferryError(error, "FileMissing", "FileOpen", "Format", "JsonFormat", "Checksum", "Crypto")) throw error;
    for (const name of MANIFESTS) {
      const stream = await repository.storage.read(repository.backupPath(stanza, label, name));
      if (stream !== undefined) await drain(stream);
    }
    return undefined;
  }
}

/** Manifests of backups here that need it and are still there. */
async function survivingDependants(place: RepairPlace, info: BackupInfo, label: string): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const dependant of dependantsOf(info, label)) {
    const manifest = await tryManifest(place, info, dependant);
    if (manifest !== undefined) found.push(manifest);
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
  const remains = relatives.length === 0 ? undefined : await remainsOf(place, source, relatives);
  if (remains === undefined) await keepAllAside(place, label);
  else for (const name of MANIFESTS) await place.keepAside(repository.backupPath(stanza, label, name));
  await syncBackup({
    from: other,
    to: repository,
    stanza,
    label,
    fromInfo,
    toInfo: info,
    historyId: entry.historyId,
    remains,
    atOnce,
    signal: context.signal,
  });
  return true;
}

async function keepAllAside(place: RepairPlace, label: string): Promise<void> {
  const { repository, stanza, context: { signal } } = place;
  const directory = repository.backupPath(stanza, label);
  for await (const { name, type } of repository.storage.list(directory, { recurse: true, signal })) {
    if (type === "file") await place.keepAside(`${directory}/${name}`);
  }
}

/** What backups that are here need of it, and have. */
async function remainsOf(place: RepairPlace, source: Manifest, relatives: readonly Manifest[]): Promise<Remains> {
  const { repository, stanza, context } = place;
  const { label } = source;
  const { cipherPass } = relatives[0]!;
  const stored = new StoredSet();
  // One passphrase opens all files of a manifest.
  for (const relative of relatives) if (relative.cipherPass === cipherPass) stored.add(relative);
  const held = stored.heldBy(label);
  const hasBlocks = source.blockIncremental || relatives.some(({ blockIncremental }) => blockIncremental);
  const prepare = async (path: string, files: readonly ManifestFile[]): Promise<boolean> => {
    if (hasBlocks) {
      const parts = files.map((file) => partOf({ file, common: source }))
        .sort((a, b) => a.offsetBytes - b.offsetBytes);
      const verdicts = await judgeObject({ path, parts }, repository.storage);
      if (verdicts.every((verdict) => verdict === undefined)) return true;
    }
    await place.keepAside(path);
    return false;
  };
  // Maps of blocks say where in which bundle a block is: its objects must be the very same ones, each as a whole.
  if (hasBlocks) return { cipherPass, files: new Map(), emptyFiles: new Set(), firstBundleId: undefined, prepare };
  const bad = await badFilesOf(place, label, held);
  const [files, emptyFiles] = [new Map<string, ManifestFile>(), new Set<string>()];
  for (const { name, sizeBytes, checksum } of source.files) {
    const index = held.indexOf(name);
    if (index === -1) continue;
    const { file } = held.at(index);
    // In a manifest without bundles nothing says how members of one are stored.
    const isFitting = source.bundle || file.bundleId === undefined;
    const isSameContent = file.sizeBytes === sizeBytes && file.checksum === checksum;
    if (!bad.has(name) && isFitting && isSameContent) files.set(name, file);
    else if (sizeBytes === 0) emptyFiles.add(name);
  }
  let firstBundleId = 1;
  const bundles = `${repository.backupPath(stanza, label)}/bundle`;
  for await (const { name } of repository.storage.list(bundles, { signal: context.signal })) {
    firstBundleId = Math.max(firstBundleId, (Number(name) || 0) + 1);
  }
  for (let index = 0; index < held.length; index++) {
    firstBundleId = Math.max(firstBundleId, (held.bundleIdAt(index) ?? 0) + 1);
  }
  return { cipherPass, files, emptyFiles, firstBundleId, prepare };
}

/** Names of files that are missing or damaged; everything is read. */
async function badFilesOf(place: RepairPlace, label: string, held: HeldFiles): Promise<ReadonlyMap<string, unknown>> {
  const { repository, stanza, context, atOnce } = place;
  const files = new BackupFiles({
    repository,
    directory: repository.backupPath(stanza, label),
    label,
    held,
    hardlinked: false,
    tellStrays: false,
    signal: context.signal,
    // What the backup lacks was told already.
    add: () => {},
    damaged: new DamagedObjects(),
  });
  await files.list();
  await inLanes(files.objects(() => true), atOnce, async ({ request, subjects }) => {
    context.signal.throwIfAborted();
    const verdicts = await judgeObject(request, repository.storage);
    for (const [at, subject] of subjects.entries()) files.take(subject, verdicts[at], request);
  });
  return files.bad;
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
    { stanza, set: label, mode: { kind: "full" }, depth: "stored", processMax: atOnce },
    context,
  );
  return !findings.kept.some((found) =>
    found.severity === "damage" && found.label === label && found.archiveId === undefined
  );
}
