/** Block incremental files of the time before their form was final: nothing in them tells, but the version of their writer does. */
import { WalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Repository } from "./repository.ts";

/** The first release with the final form (repository-format §7.9). */
const FIRST_FINAL = [2, 46] as const;

/** The backup of such a version in which blocks of this one may be. */
export function earlyBlocks(manifest: Manifest, info: BackupInfo): BackupInfoEntry | undefined {
  if (!hasBlocks(FileTable.from(manifest.files))) return undefined;
  const needed = new Set([...(manifest.references ?? []), manifest.label]);
  return info.backups.find(({ label, backrestVersion, repoSizeMapBytes }) =>
    needed.has(label) && repoSizeMapBytes !== undefined && isEarly(backrestVersion)
  );
}

/** Refuses to read a backup with such blocks. @throws WalferryError `FeatureNotSupported` */
export function refuseEarlyBlocks(manifest: Manifest, info: BackupInfo, repository: Repository): void {
  const early = earlyBlocks(manifest, info);
  if (early === undefined) return;
  throw new WalferryError(
    "FeatureNotSupported",
    `${repository.name}: backup ${early.label} holds block incremental files of version ${early.backrestVersion}, which were a trial`,
    { hint: "restore it with the version that made it, and take a new full backup." },
  );
}

function hasBlocks(files: FileTable): boolean {
  for (let index = 0; index < files.length; index++) if (files.hasBlocksAt(index)) return true;
  return false;
}

function isEarly(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => parseInt(part, 10));
  return major < FIRST_FINAL[0] || (major === FIRST_FINAL[0] && minor < FIRST_FINAL[1]);
}
