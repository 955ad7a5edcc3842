/**
 * What an interrupted backup left in a repository: its copy of the manifest says which files were stored whole. They are used again when the
 * new backup is of the same kind; everything else there is removed (commands-and-behaviour §4.7).
 */
import { toWalferryError } from "../errors.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import type { CommandContext } from "../process/command_context.ts";
import { type BackupDirectory, listBackupDirectories } from "../repository/backup_catalog.ts";
import type { Repository } from "../repository/repository.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { BACKREST_VERSION } from "../version.ts";
import type { BackupFacts } from "./assemble.ts";
import type { Lineage } from "./lineage.ts";
import type { Participant, Participants } from "./participants.ts";
import type { CopyDecision } from "./planner.ts";

/** An interrupted backup that the new one goes on with. */
export interface Resumable {
  readonly manifest: Manifest;
  /** Entries of files that were stored whole and are still there, by name. */
  readonly files: ReadonlyMap<string, ManifestFile>;
}

/** What is asked of an interrupted backup. */
export interface ResumeRequest {
  readonly participants: Participants;
  readonly lineages: ReadonlyMap<number, Lineage>;
  readonly stanza: string;
  /** `resume`: without it everything begins anew. */
  readonly resume: boolean;
  readonly context: CommandContext;
}

/** Names in a backup directory that are not files of the cluster. */
const MANIFEST_COPY = "backup.manifest.copy";

/**
 * Looks for an interrupted backup in each repository that still takes part, and removes those that are of no use.
 *
 * @returns those that are, by key of the repository
 */
export async function findResumables(request: ResumeRequest): Promise<Map<number, Resumable>> {
  const { participants, lineages, stanza, resume, context } = request;
  const leftovers = new Map<number, BackupDirectory>();
  const complete = new Set<string>();
  await participants.each(async ({ repository, info }) => {
    const directories = await listBackupDirectories(repository, stanza);
    for (const directory of directories) if (directory.complete) complete.add(directory.label);
    const leftover = leftoverOf(directories, info);
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
      resumables.set(repository.key, await resumableOf(repository, stanza, manifest!));
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
 * manifest: restore uses the copy.
 */
function leftoverOf(directories: readonly BackupDirectory[], info: BackupInfo): BackupDirectory | undefined {
  const newest = directories.at(-1);
  if (newest === undefined || newest.complete || info.backups.some(({ label }) => label === newest.label)) {
    return undefined;
  }
  return newest;
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
  if (manifest.backrestVersion !== BACKREST_VERSION) {
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
  const current = info.history.find(({ id }) => id === info.currentId);
  if (manifest.historyId !== info.currentId || manifest.systemId !== current?.systemId) {
    return "it is of another cluster";
  }
  // Files of one backup have one passphrase; in a set it is that of the full backup.
  const isOtherKey = lineage.prior === undefined
    ? (manifest.cipherPass === undefined) !== (lineage.cipherPass === undefined)
    : manifest.cipherPass !== lineage.cipherPass;
  return isOtherKey ? "its encryption is another one" : undefined;
}

async function resumableOf(repository: Repository, stanza: string, manifest: Manifest): Promise<Resumable> {
  const stored = new Set<string>();
  for await (const entry of repository.storage.list(repository.backupPath(stanza, manifest.label), { recurse: true })) {
    if (entry.type === "file") stored.add(entry.name);
  }
  const extension = compressExtension(manifest.options.compressType);
  const files = manifest.files.values().filter((file) =>
    file.checksum !== undefined && file.reference === undefined && file.bundleId === undefined &&
    file.blockMapBytes === undefined && stored.has(`${file.name}${extension}`)
  );
  return { manifest, files: new Map(files.map((file) => [file.name, file])) };
}

/** Removes an unfinished backup that is of no use. */
async function removeLeftover(
  repository: Repository,
  stanza: string,
  label: string,
  context: CommandContext,
): Promise<void> {
  const directory = repository.backupPath(stanza, label);
  // The copy of the manifest goes last: a crash in between leaves a directory that still tells what it is, and the next run goes on.
  for await (const { name } of repository.storage.list(directory)) {
    if (name !== MANIFEST_COPY) await repository.storage.removeTree(`${directory}/${name}`, context.signal);
  }
  await repository.storage.removeTree(directory, context.signal);
}

/**
 * Removes from the directory of a resumed backup what the new one does not use: the rest of files that have changed since, bundles, links,
 * and what a write left when it was cut short.
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
  const extension = compressExtension(lineage.compress.type);
  const kept = new Set([MANIFEST_COPY]);
  for (const { file, targets } of copies) {
    if (targets.get(key)?.resumed !== undefined) kept.add(`${file.name}${extension}`);
  }
  const paths = new Set(scan.paths.map(({ name }) => name));
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
