/**
 * From "everything is copied" to "the backup exists", in one repository. The order is what makes a crash harmless; each durable step says
 * what a crash around it leaves.
 */
import { WalferryError } from "../errors.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile, ManifestFiles } from "../format/manifest.ts";
import type { BackupStop } from "../postgres/backup_functions.ts";
import type { CommandContext } from "../process/command_context.ts";
import { entryOfManifest } from "../repository/backup_catalog.ts";
import type { Repository } from "../repository/repository.ts";
import { streamOf } from "../stream/sources.ts";
import { BACKREST_VERSION } from "../version.ts";
import type { BackupFacts } from "./assemble.ts";
import { unfinishedManifest } from "./assemble.ts";
import type { HeldCopies } from "./held_copies.ts";
import { linkReferences } from "./hardlinks.ts";
import type { Participant } from "./participants.ts";
import { storeFile } from "./stored_file.ts";

/**
 * Makes the directory of a new backup this run's own, or that of one it goes on with. The copy of the manifest comes first: a crash anywhere
 * behind it leaves a directory that every reader takes for an unfinished backup and that the next one resumes or removes.
 */
export async function claimDirectory(
  participant: Participant,
  facts: BackupFacts,
  files: ManifestFiles,
  held: HeldCopies,
): Promise<void> {
  const { repository, info } = participant;
  await held.begin(participant, facts, async () => {
    const manifest = unfinishedManifest(facts, participant, files);
    await repository.saveManifestCopy(facts.options.stanza, manifest, info.cipherPass);
  });
}

/** Makes the directories below it, where a backup has them. */
export async function makeDirectories({ repository }: Participant, facts: BackupFacts): Promise<void> {
  const { storage } = repository;
  const inBackup = (path: string) => repository.backupPath(facts.options.stanza, facts.label, path);
  if (!storage.features.directories || !isWhole(facts)) return;
  // Uncompressed and unencrypted, a backup that holds every file is a usable data directory with these, the empty ones included.
  for (const { name } of facts.scan.paths) await storage.makePath(inBackup(name));
  if (!storage.features.symlinks || !repository.config.symlink) return;
  for (const { name, tablespaceId } of facts.scan.targets) {
    if (tablespaceId !== undefined) await storage.symlink(inBackup(`pg_data/${name}`), `../../${name}`);
  }
}

/** Every file has a name in the directory of this backup. */
function isWhole({ lineage }: BackupFacts): boolean {
  return lineage.hardlink || (lineage.type === "full" && lineage.bundle === undefined);
}

/** Stores `backup_label` and `tablespace_map` as the server gave them. */
export async function storeServerFiles(
  participant: Participant,
  facts: BackupFacts,
  stopped: BackupStop,
  timestampStop: number,
): Promise<ManifestFile[]> {
  const contents: [name: string, content: string | undefined][] = [
    ["pg_data/backup_label", stopped.backupLabel],
    ["pg_data/tablespace_map", stopped.tablespaceMap],
  ];
  const entries: ManifestFile[] = [];
  for (const [name, content] of contents) {
    if (content === undefined) continue;
    const bytes = new TextEncoder().encode(content);
    entries.push(await storeFile(participant, facts, name, streamOf(bytes), timestampStop));
  }
  return entries;
}

/**
 * Completes the backup in one repository.
 *
 * @param manifest validated; every file in it is stored and its content durable
 */
export async function completeBackup(
  participant: Participant,
  facts: BackupFacts,
  manifest: Manifest,
  held: HeldCopies,
  context: CommandContext,
): Promise<void> {
  const { repository, info } = participant;
  const { stanza } = facts.options;
  // Before anything refers to them: another host may have expired what this backup builds on.
  await assertSameRepository(participant, facts);
  if (facts.lineage.hardlink) await linkReferences(participant, facts, manifest, context);
  // The names of the files become durable before any manifest lists them. A crash up to here leaves an unfinished backup.
  await syncDirectories(repository, facts, manifest);
  await held.assertHeld(participant, facts);
  // Writes the copy, the manifest and the history. A crash before the manifest leaves an unfinished backup; behind it the backup is
  // complete and the next run adds it to backup.info.
  await repository.completeManifest(stanza, manifest, info.cipherPass);
  // Nobody reads this link: a crash around it leaves it on the backup before.
  if (repository.storage.features.symlinks && repository.config.symlink) {
    await repository.storage.symlink(repository.backupPath(stanza, "latest"), manifest.label);
  }
  const fresh = await assertSameRepository(participant, facts);
  if (!fresh.backups.some(({ label }) => label === manifest.label)) {
    fresh.backups = [...fresh.backups, entryOfManifest(manifest)].sort((a, b) => (a.label < b.label ? -1 : 1));
  }
  fresh.backrestVersion = BACKREST_VERSION;
  await repository.saveBackupInfo(stanza, fresh);
  // Same content again: object stores that expire by age must not take it for forgotten.
  await repository.saveArchiveInfo(stanza, await repository.loadArchiveInfo(stanza));
}

/**
 * Loads `backup.info` again: copying took long, and another host may have changed it since.
 *
 * @throws WalferryError `BackupMismatch`, `BackupSetInvalid` when this backup does not belong there any more
 */
async function assertSameRepository({ repository, info }: Participant, facts: BackupFacts): Promise<BackupInfo> {
  const fresh = await repository.loadBackupInfo(facts.options.stanza);
  if (fresh.currentId !== info.currentId || fresh.cipherPass !== info.cipherPass) {
    throw new WalferryError("BackupMismatch", `${repository.name} was changed to another cluster during the backup`, {
      hint: "was stanza-upgrade run on another host?",
    });
  }
  const { prior } = facts.lineage;
  const isThere = prior === undefined || fresh.backups.some(({ label }) => label === prior.label) &&
      await hasManifest(repository, facts.options.stanza, prior.label);
  if (!isThere) {
    throw new WalferryError(
      "BackupSetInvalid",
      `backup ${prior.label}, which this one builds on, was removed from ${repository.name} during the backup`,
      { hint: "was expire run on another host?" },
    );
  }
  return fresh;
}

/** An expire that was not done with it yet takes its line first and its manifest then: this host may have listed it again in between. */
async function hasManifest(repository: Repository, stanza: string, label: string): Promise<boolean> {
  for (const name of ["backup.manifest", "backup.manifest.copy"]) {
    if (await repository.storage.info(repository.backupPath(stanza, label, name)) !== undefined) return true;
  }
  return false;
}

/** Each directory of the backup once, deepest first, then the one that names the backup. */
async function syncDirectories(repository: Repository, facts: BackupFacts, manifest: Manifest): Promise<void> {
  if (!repository.storage.features.directories) return;
  const directories = new Set<string>();
  const addAbove = (name: string) => {
    for (let path = name; path.includes("/");) {
      path = path.slice(0, path.lastIndexOf("/"));
      if (directories.has(path)) return;
      directories.add(path);
    }
  };
  const files = FileTable.from(manifest.files);
  for (let index = 0; index < files.length; index++) {
    if (!isWhole(facts) && files.referenceAt(index) !== undefined) continue;
    const bundleId = files.bundleIdAt(index);
    addAbove(bundleId === undefined ? files.nameAt(index) : `bundle/${bundleId}`);
  }
  for (const { name } of manifest.paths) {
    addAbove(name);
    directories.add(name);
  }
  const { stanza } = facts.options;
  for (const directory of [...directories].sort((a, b) => b.length - a.length)) {
    await repository.storage.syncPath(repository.backupPath(stanza, facts.label, directory));
  }
  await repository.storage.syncPath(repository.backupPath(stanza, facts.label));
  await repository.storage.syncPath(repository.backupPath(stanza));
}
