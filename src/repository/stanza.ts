/** Making, renewing and removing a stanza in a repository (behaviour spec §7.1-7.3). */
import type { Storage } from "../../backends/contract.ts";
import { WalferryError } from "../errors.ts";
import { type ArchiveInfo, currentHistoryEntry } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { generateCipherPass } from "../stream/cipher.ts";
import { BACKREST_VERSION } from "../version.ts";
import type { Repository } from "./repository.ts";
import { resultsPath } from "./verification_results.ts";
import { recordPath } from "./verified_record.ts";

/** Who a cluster is. */
export interface ClusterIdentity {
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly catalogVersion: number;
  readonly controlVersion: number;
}

/** Which of the four info files exist. */
interface InfoFilesPresent {
  readonly archive: boolean;
  readonly archiveCopy: boolean;
  readonly backup: boolean;
  readonly backupCopy: boolean;
}

async function infoFilesPresent(repository: Repository, stanza: string): Promise<InfoFilesPresent> {
  const has = async (path: string) => (await repository.storage.info(path)) !== undefined;
  const [archive, archiveCopy, backup, backupCopy] = await Promise.all([
    has(repository.archivePath(stanza, "archive.info")),
    has(repository.archivePath(stanza, "archive.info.copy")),
    has(repository.backupPath(stanza, "backup.info")),
    has(repository.backupPath(stanza, "backup.info.copy")),
  ]);
  return { archive, archiveCopy, backup, backupCopy };
}

/**
 * Makes the stanza, or checks the one that is there.
 * @returns `created`, or `valid` when it was there and fits the cluster
 * @throws WalferryError `PathNotEmpty`, `FileMissing`, `FileInvalid`
 */
export async function createStanza(
  repository: Repository,
  stanza: string,
  cluster: ClusterIdentity,
): Promise<"created" | "valid"> {
  const present = await infoFilesPresent(repository, stanza);
  const archive = present.archive || present.archiveCopy;
  const backup = present.backup || present.backupCopy;
  if (!archive && !backup) {
    await assertEmpty(repository, repository.archivePath(stanza), "archive");
    await assertEmpty(repository, repository.backupPath(stanza), "backup");
    const pass = () => (repository.infoPassphrase === undefined ? undefined : generateCipherPass());
    const entry = { id: 1, ...cluster };
    // A crash between the two leaves one kind of file only, which the next run reports instead of guessing.
    await repository.saveArchiveInfo(stanza, {
      backrestVersion: BACKREST_VERSION,
      currentId: 1,
      history: [entry],
      cipherPass: pass(),
    });
    await repository.saveBackupInfo(stanza, {
      backrestVersion: BACKREST_VERSION,
      currentId: 1,
      history: [entry],
      backups: [],
      cipherPass: pass(),
    });
    return "created";
  }
  if (!archive || !backup) {
    const [there, gone] = archive ? ["archive.info", "backup.info"] : ["backup.info", "archive.info"];
    throw new WalferryError("FileMissing", `${there} exists but ${gone} is missing on ${repository.name}`, {
      hint: "this may be a symptom of repository corruption!",
    });
  }
  const infos = await loadMatchingInfos(repository, stanza);
  assertIsCluster(repository, infos.archiveInfo, cluster);
  // A copy that is missing is made again from its sibling.
  if (!present.archive || !present.archiveCopy) await repository.saveArchiveInfo(stanza, infos.archiveInfo);
  if (!present.backup || !present.backupCopy) await repository.saveBackupInfo(stanza, infos.backupInfo);
  return "valid";
}

async function assertEmpty(repository: Repository, path: string, what: string): Promise<void> {
  for await (const _entry of repository.storage.list(path)) {
    throw new WalferryError("PathNotEmpty", `${what} directory not empty: '${repository.display(path)}'`, {
      hint:
        "the info files of this stanza are gone but its files are there: restore the info files, or remove the directory.",
    });
  }
}

/** The two files that describe a stanza in one repository. */
export interface StanzaInfos {
  readonly archiveInfo: ArchiveInfo;
  readonly backupInfo: BackupInfo;
}

/** Both info files, which must agree about the clusters. @throws WalferryError `FileInvalid` and those of loading */
export async function loadMatchingInfos(repository: Repository, stanza: string): Promise<StanzaInfos> {
  const archiveInfo = await repository.loadArchiveInfo(stanza);
  const backupInfo = await repository.loadBackupInfo(stanza);
  const histories = [archiveInfo, backupInfo].map(({ history }) =>
    history.map((entry) => `${entry.id} ${entry.pgVersion} ${entry.systemId}`).join("\n")
  );
  if (archiveInfo.currentId !== backupInfo.currentId || histories[0] !== histories[1]) {
    const show = (info: ArchiveInfo | BackupInfo) => {
      const entry = currentHistoryEntry<ArchiveInfo["history"][number]>(info);
      return `id = ${entry.id}, version = ${entry.pgVersion}, system-id = ${entry.systemId}`;
    };
    throw new WalferryError(
      "FileInvalid",
      `backup info file and archive info file do not match on ${repository.name}\narchive: ${
        show(archiveInfo)
      }\nbackup : ${show(backupInfo)}`,
      { hint: "this may be a symptom of repository corruption!" },
    );
  }
  return { archiveInfo, backupInfo };
}

/** @throws WalferryError `FileInvalid` when the stanza belongs to another cluster */
export function assertIsCluster(repository: Repository, info: ArchiveInfo, cluster: ClusterIdentity): void {
  const entry = currentHistoryEntry(info);
  if (entry.pgVersion === cluster.pgVersion && entry.systemId === cluster.systemId) return;
  throw new WalferryError(
    "FileInvalid",
    `backup and archive info files exist but do not match the database on ${repository.name}: the database has version ` +
      `${cluster.pgVersion}, system-id ${cluster.systemId}, the stanza version ${entry.pgVersion}, system-id ${entry.systemId}`,
    {
      hint: "is this the correct stanza?\ndid an error occur during stanza-upgrade?\n" +
        "after pg_upgrade, or for a cluster that was made anew: run stanza-upgrade.",
    },
  );
}

/**
 * Adds the cluster as the new current entry when it is another one (after pg_upgrade).
 * @throws WalferryError `FileInvalid` and those of loading
 */
export async function upgradeStanza(
  repository: Repository,
  stanza: string,
  cluster: ClusterIdentity,
): Promise<"upgraded" | "valid"> {
  const archiveInfo = await repository.loadArchiveInfo(stanza);
  const backupInfo = await repository.loadBackupInfo(stanza);
  // Both get the same id, also when a crash upgraded only one of them before.
  const archiveFits = fits(currentHistoryEntry(archiveInfo), cluster);
  const backupFits = fits(currentHistoryEntry(backupInfo), cluster);
  const nextId = 1 + Math.max(
    ...archiveInfo.history.map(({ id }) => id).filter((id) => !archiveFits || id !== archiveInfo.currentId),
    ...backupInfo.history.map(({ id }) => id).filter((id) => !backupFits || id !== backupInfo.currentId),
    0,
  );
  if (!archiveFits) {
    archiveInfo.history.push({ id: nextId, ...cluster });
    archiveInfo.currentId = nextId;
    archiveInfo.backrestVersion = BACKREST_VERSION;
    await repository.saveArchiveInfo(stanza, archiveInfo);
  }
  if (!backupFits) {
    backupInfo.history.push({ id: nextId, ...cluster });
    backupInfo.currentId = nextId;
    backupInfo.backrestVersion = BACKREST_VERSION;
    await repository.saveBackupInfo(stanza, backupInfo);
  }
  await loadMatchingInfos(repository, stanza);
  return archiveFits && backupFits ? "valid" : "upgraded";
}

function fits(entry: { readonly pgVersion: string; readonly systemId: bigint }, cluster: ClusterIdentity): boolean {
  return entry.pgVersion === cluster.pgVersion && entry.systemId === cluster.systemId;
}

/**
 * Removes everything of a stanza: first what makes it one, so that a crash leaves no half stanza that looks usable. Where its directory
 * is a link to another disk, what is behind the link goes, and then the link.
 * @throws WalferryError of the store
 */
export async function deleteStanza(repository: Repository, stanza: string): Promise<void> {
  await repository.storage.removeMany([
    repository.archivePath(stanza, "archive.info"),
    repository.archivePath(stanza, "archive.info.copy"),
    repository.backupPath(stanza, "backup.info"),
    repository.backupPath(stanza, "backup.info.copy"),
  ]);
  await removeDirectory(repository.storage, repository.archivePath(stanza));
  await removeDirectory(repository.storage, repository.backupPath(stanza));
  // What was known of it. What a repair kept aside stays: somebody may want to look at it.
  await repository.storage.remove(recordPath(stanza));
  await repository.storage.removeTree(resultsPath(stanza));
}

/** Links inside are removed, not followed: they lead to what is in the repository anyway (`latest`). */
async function removeDirectory(storage: Storage, path: string): Promise<void> {
  if ((await storage.info(path))?.type !== "link") return await storage.removeTree(path);
  for await (const { name, type } of storage.list(path, { unfinished: true })) {
    if (type === "path") await storage.removeTree(`${path}/${name}`);
    else await storage.remove(`${path}/${name}`);
  }
  await storage.remove(path);
}
