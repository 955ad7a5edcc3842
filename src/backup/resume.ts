/**
 * What an interrupted backup left in a repository: its copy of the manifest says which files were stored whole, and the journal on this host
 * what came behind it. They are used again when the new backup is of the same kind; everything else there is removed
 * (commands-and-behaviour §4.7).
 */
import { toWalferryError } from "../errors.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import type { Manifest, ManifestFile, ManifestFiles } from "../format/manifest.ts";
import type { CommandContext } from "../process/command_context.ts";
import { type BackupDirectory, listBackupDirectories } from "../repository/backup_catalog.ts";
import { blockFilePath } from "../repository/block_files.ts";
import type { Repository } from "../repository/repository.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { BACKREST_VERSION } from "../version.ts";
import { type BackupFacts, unfinishedVersion } from "./assemble.ts";
import { CopiedJournals } from "./copied_journal.ts";
import type { Lineage } from "./lineage.ts";
import type { Participant, Participants } from "./participants.ts";
import { type CopyDecision, isFromStandby } from "./planner.ts";
import { runOf } from "./run_journals.ts";
import { assertUnfinished, settleTakeOver } from "./take_over.ts";

/** An interrupted backup that the new one goes on with. */
export interface Resumable {
  readonly manifest: Manifest;
  /**
   * Entries of files that were stored whole and are still there, by name; and (with a reference) of those that were read and found as an earlier
   * backup has them.
   */
  readonly files: ReadonlyMap<string, ManifestFile>;
}

/** What is asked of an interrupted backup. */
export interface ResumeRequest {
  readonly participants: Participants;
  readonly lineages: ReadonlyMap<number, Lineage>;
  readonly stanza: string;
  /** `resume`: without it everything begins anew. */
  readonly resume: boolean;
  /** Where the journals of this host are. */
  readonly spoolPath: string;
  /** Files of the cluster as they are now. */
  readonly clusterFiles: ManifestFiles;
  readonly context: CommandContext;
}

/**
 * A bundle stays when the members that are used again make so much of it: the others are dead weight for as long as the backup is kept.
 * Share of its bytes.
 */
const BUNDLE_USE_MIN = 1 / 2;

/** Names in a backup directory that are not files of the cluster. */
const MANIFEST_COPY = "backup.manifest.copy";

/**
 * Looks for an interrupted backup in each repository that still takes part, and removes those that are of no use.
 *
 * @returns those that are, by key of the repository
 */
export async function findResumables(request: ResumeRequest): Promise<Map<number, Resumable>> {
  const { participants, lineages, stanza, resume, context } = request;
  const journals = new CopiedJournals(request.spoolPath, stanza);
  const leftovers = new Map<number, BackupDirectory>();
  const complete = new Set<string>();
  await participants.each(async ({ repository, info, lost }) => {
    const directories = await listBackupDirectories(repository, stanza);
    for (const directory of directories) if (directory.complete) complete.add(directory.label);
    const leftover = leftoverOf(directories, info, lost);
    if (leftover !== undefined) leftovers.set(repository.key, leftover);
  });
  const resumables = new Map<number, Resumable>();
  await participants.each(async (participant) => {
    const { repository, info } = participant;
    const leftover = leftovers.get(repository.key);
    if (leftover === undefined) return;
    const { label } = leftover;
    const tell = participants.tell(participant);
    const manifest = resume && leftover.hasCopy ? await readCopy(repository, stanza, label, info, context) : undefined;
    const reason = !leftover.hasCopy
      ? "partially deleted by prior resume or invalid"
      : !resume
      ? "resume is disabled"
      : manifest === undefined
      ? `unable to read ${repository.display(repository.backupPath(stanza, label, MANIFEST_COPY))}`
      : complete.has(label)
      ? "another repository holds a complete backup of this name"
      : obstacle(manifest, lineages.get(repository.key)!, info);
    if (reason === undefined) {
      tell.warn(
        `resumable backup ${label} of same type exists -- invalid files will be removed then the backup will resume`,
      );
      const lineage = lineages.get(repository.key)!;
      const noted = notedIn(journals, repository, manifest!, context);
      const files = await storedFiles(repository, stanza, manifest!, noted, lineage);
      resumables.set(repository.key, { manifest: manifest!, files: withoutSparseBundles(files, request.clusterFiles) });
      return;
    }
    const message = `backup '${label}' cannot be resumed: ${reason}`;
    if (resume) tell.warn(message);
    else tell.info(message);
    await removeLeftover(repository, stanza, label, context);
  });
  return resumables;
}

/**
 * The newest directory, when its backup never became complete. One that is listed in `backup.info` was complete and has only lost its
 * manifest: restore uses the copy, or verify may mend it.
 */
function leftoverOf(
  directories: readonly BackupDirectory[],
  info: BackupInfo,
  lost: ReadonlySet<string>,
): BackupDirectory | undefined {
  const newest = directories.at(-1);
  if (newest === undefined || newest.complete) return undefined;
  const isListed = lost.has(newest.label) || info.backups.some(({ label }) => label === newest.label);
  return isListed ? undefined : newest;
}

/** `undefined` when it cannot be read, for whatever reason: then nothing can be resumed. */
async function readCopy(
  repository: Repository,
  stanza: string,
  label: string,
  info: BackupInfo,
  context: CommandContext,
): Promise<Manifest | undefined> {
  try {
    return await repository.loadManifest(stanza, label, info.cipherPass);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.detail(`${repository.name}: ${toWalferryError(error).message}`);
    return undefined;
  }
}

/** Why an interrupted backup is of no use to the new one, in the words of the original; `undefined` when nothing is in the way. */
export function obstacle(manifest: Manifest, lineage: Lineage, info: BackupInfo): string | undefined {
  if (manifest.backrestVersion !== unfinishedVersion(manifest)) {
    return `new pgBackRest version '${BACKREST_VERSION}' does not match resumable pgBackRest version '${manifest.backrestVersion}'`;
  }
  if (manifest.type !== lineage.type) {
    return `new backup type '${lineage.type}' does not match resumable backup type '${manifest.type}'`;
  }
  if (manifest.prior !== lineage.prior?.label) {
    return `new prior backup label '${
      lineage.prior?.label ?? "<undef>"
    }' does not match resumable prior backup label ` +
      `'${manifest.prior ?? "<undef>"}'`;
  }
  if (manifest.options.compressType !== lineage.compress.type) {
    return `new compression '${lineage.compress.type}' does not match resumable compression '${manifest.options.compressType}'`;
  }
  if (isAnonymous(manifest)) {
    if (info.history.length > 1) return "it does not say of which cluster it is";
  } else {
    const current = info.history.find(({ id }) => id === info.currentId);
    if (manifest.historyId !== info.currentId || manifest.systemId !== current?.systemId) {
      return "it is of another cluster";
    }
  }
  // Files of one backup have one passphrase; in a set it is that of the full backup.
  const isOtherKey = lineage.prior === undefined
    ? (manifest.cipherPass === undefined) !== (lineage.cipherPass === undefined)
    : manifest.cipherPass !== lineage.cipherPass;
  return isOtherKey ? "its encryption is another one" : undefined;
}

/** The original names the cluster only at the end of a backup: in a stanza that has had one cluster only it is that. */
function isAnonymous({ historyId, systemId }: Manifest): boolean {
  return historyId === 0 && systemId === 0n;
}

/** Whether files were read from a standby, or may have been: the original tells that too only at the end. */
function mayBeFromStandby(manifest: Manifest): boolean {
  return manifest.options.backupStandby ?? isAnonymous(manifest);
}

/**
 * Of which stored files an interrupted backup may be wrong about the time: of what it read from a standby, and of everything that the original
 * stored, whose list says of files that are compared (`--delta`) that they are stored as they are now before they were. `undefined` = of none.
 */
export function doubtsOf(manifest: Manifest): ((name: string) => boolean) | undefined {
  if (isAnonymous(manifest)) return () => true;
  return manifest.options.backupStandby ? isFromStandby : undefined;
}

/** What the interrupted run noted behind the copy of its manifest, as far as that can be read. */
function* notedIn(
  journals: CopiedJournals,
  repository: Repository,
  manifest: Manifest,
  context: CommandContext,
): Generator<ManifestFile> {
  try {
    yield* journals.read(repository.key, runOf(repository, manifest), manifest.defaults.file);
  } catch (error) {
    context.log.info(
      `${repository.name}: the journal of the interrupted backup cannot be read: ${(error as Error).message}`,
    );
  }
}

/** Entries that can be used again, by name: the journal's word is later than the manifest's. */
async function storedFiles(
  repository: Repository,
  stanza: string,
  manifest: Manifest,
  noted: Iterable<ManifestFile>,
  lineage: Lineage,
): Promise<Map<string, ManifestFile>> {
  const storedBytes = new Map<string, number>();
  for await (const entry of repository.storage.list(repository.backupPath(stanza, manifest.label), { recurse: true })) {
    if (entry.type === "file") storedBytes.set(entry.name, entry.sizeBytes);
  }
  const isUsable = (file: ManifestFile): boolean => {
    if (file.checksum === undefined) return false;
    // The original writes what may be the same into its list before it has looked; and what a standby had says little of the primary.
    if (file.reference !== undefined) return !mayBeFromStandby(manifest);
    const isMember = file.bundleId !== undefined;
    const isInBlocks = file.blockMapBytes !== undefined;
    // The manifest says for all entries at once whether there are any of this kind, and how they are framed.
    if (isMember && lineage.bundle === undefined || isInBlocks && lineage.block === undefined) return false;
    if ((isMember || isInBlocks) && lineage.bundleRaw !== manifest.bundleRaw) return false;
    const bytes = storedBytes.get(storedName(file, lineage));
    return bytes !== undefined && (!isMember || (file.bundleOffset ?? 0) + file.repoSizeBytes <= bytes);
  };
  const files = new Map<string, ManifestFile>();
  for (const list of [manifest.files, noted]) {
    for (const file of list) {
      if (isUsable(file)) files.set(file.name, file);
      else if (list === noted) files.delete(file.name);
    }
  }
  return files;
}

/** Name below the backup's directory of what holds the bytes of a file. */
function storedName({ name, bundleId, blockMapBytes }: ManifestFile, { compress }: Lineage): string {
  if (bundleId !== undefined) return `bundle/${bundleId}`;
  return blockMapBytes === undefined
    ? `${name}${compressExtension(compress.type)}`
    : blockFilePath(".", name, 0).slice(2);
}

/** Without the members of bundles most of which has changed or gone since. */
function withoutSparseBundles(
  files: ReadonlyMap<string, ManifestFile>,
  clusterFiles: ManifestFiles,
): ReadonlyMap<string, ManifestFile> {
  const wholeBytes = new Map<number, number>();
  for (const { bundleId, bundleOffset = 0, repoSizeBytes } of files.values()) {
    if (bundleId === undefined) continue;
    wholeBytes.set(bundleId, Math.max(wholeBytes.get(bundleId) ?? 0, bundleOffset + repoSizeBytes));
  }
  const usedBytes = new Map<number, number>();
  for (const { name, sizeBytes, timestamp } of clusterFiles) {
    const file = files.get(name);
    if (file?.bundleId === undefined || file.sizeBytes !== sizeBytes || file.timestamp !== timestamp) continue;
    usedBytes.set(file.bundleId, (usedBytes.get(file.bundleId) ?? 0) + file.repoSizeBytes);
  }
  const isSparse = ({ bundleId }: ManifestFile) =>
    bundleId !== undefined && (usedBytes.get(bundleId) ?? 0) < wholeBytes.get(bundleId)! * BUNDLE_USE_MIN;
  return new Map([...files].filter(([, file]) => !isSparse(file)));
}

/** Removes an unfinished backup that is of no use. */
async function removeLeftover(
  repository: Repository,
  stanza: string,
  label: string,
  context: CommandContext,
): Promise<void> {
  const directory = repository.backupPath(stanza, label);
  await assertUnfinished(repository, stanza, label);
  // Without the copy of the manifest it is nobody's: a crash behind this leaves a directory that the next run takes for one of no use.
  if (await repository.storage.info(`${directory}/${MANIFEST_COPY}`) !== undefined) {
    await repository.storage.remove(`${directory}/${MANIFEST_COPY}`);
    await settleTakeOver(repository, stanza, label, context);
  }
  await repository.storage.removeTree(directory, context.signal);
}

/**
 * Removes from the directory of a resumed backup what the new one does not use: the rest of files that have changed since, bundles without
 * members, links, and what a write left when it was cut short.
 *
 * @param copies what the new backup copies; those that use a stored file say so
 */
export async function cleanResumed(
  { repository }: Participant,
  { label, lineage, scan, options: { stanza } }: BackupFacts,
  copies: Iterable<CopyDecision>,
  context: CommandContext,
): Promise<void> {
  const { storage, key } = repository;
  const kept = new Set([MANIFEST_COPY]);
  const paths = new Set(scan.paths.map(({ name }) => name));
  for (const { targets } of copies) {
    const entry = targets.get(key)?.resumed?.entry;
    if (entry === undefined) continue;
    kept.add(storedName(entry, lineage));
    if (entry.bundleId !== undefined) paths.add("bundle");
  }
  const directory = repository.backupPath(stanza, label);
  const gone: string[] = [];
  const trees: string[] = [];
  for await (const { name, type } of storage.list(directory, { recurse: true, unfinished: true })) {
    if (type === "path" ? paths.has(name) : kept.has(name)) continue;
    context.log.detail(
      `remove ${type === "path" ? "path" : "file"} '${storage.location}/${directory}/${name}' from resumed backup`,
    );
    if (type === "path") trees.push(`${directory}/${name}`);
    else gone.push(`${directory}/${name}`);
  }
  await storage.removeMany(gone, context.signal);
  for (const path of trees) await storage.removeTree(path, context.signal);
}
