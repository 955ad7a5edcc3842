/**
 * What a backup takes over from the one that it builds on, in one repository (commands-and-behaviour §4.1, step 7). Repositories that take
 * part in one backup have pasts of their own: one may hold yesterday's full backup, another nothing yet.
 */
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Log } from "../report/log.ts";
import type { BlockConfig, BundleConfig } from "../repository/config.ts";
import { earlyBlocks } from "../repository/early_blocks.ts";
import type { Repository } from "../repository/repository.ts";
import { generateCipherPass } from "../stream/cipher.ts";
import type { CompressSetting } from "../stream/compress_type.ts";
import type { BackupOptions, BackupType } from "./options.ts";

/** Where a new backup stands in its repository. */
export interface Lineage {
  /** Full where there is nothing to build on, whatever was asked for. */
  readonly type: BackupType;
  /** Manifest of the backup that this one builds on. */
  readonly prior: Manifest | undefined;
  /** The type is the same in a whole set: the name of a referenced file is made with the type of the manifest that refers to it. */
  readonly compress: CompressSetting;
  /** Page checksums are checked: in a whole set or not at all, since only files that changed are looked at. */
  readonly checksumPage: boolean;
  /** Files of earlier backups get a second name in this one. May differ within a set: nobody depends on the links. */
  readonly hardlink: boolean;
  /** Small files are stored together in this backup; absent = each alone. May differ within a set: each entry says where its bytes are. */
  readonly bundle: BundleConfig | undefined;
  /** Of files that change in parts the changed blocks are stored; absent = whole files. May differ within a set, as bundles may. */
  readonly block: BlockConfig | undefined;
  /** Bundles are framed without what each member would repeat (repository-format §6.4): in a whole set or not at all. */
  readonly bundleRaw: boolean;
  /** Passphrase for the files, the same in a whole set; absent in a repository without encryption. */
  readonly cipherPass: string | undefined;
}

/** What the choice is made from. */
export interface LineageRequest {
  readonly repository: Repository;
  readonly info: BackupInfo;
  readonly options: BackupOptions;
  /** Page checksums are checked as far as the options and the cluster say. */
  readonly checksumPage: boolean;
  /** The cluster has page checksums. */
  readonly clusterHasChecksums: boolean;
  readonly tell: Pick<Log, "info" | "warn">;
}

/**
 * Chooses what the new backup builds on and reads its manifest.
 *
 * @throws WalferryError when the manifest cannot be read
 */
export async function chooseLineage(request: LineageRequest): Promise<Lineage> {
  const { options, repository, info, tell, checksumPage } = request;
  const entry = priorOf(info, options.type);
  const { bundle, block } = repository.config;
  const { hardlinks } = repository.storage.features;
  const hardlink = bundle === undefined && repository.config.hardlink && hardlinks;
  if (repository.config.hardlink && !hardlinks) {
    tell.warn(
      `repo${repository.key}-hardlink=y has no effect: a ${repository.storage.type} repository has no hard links`,
    );
  }
  if (entry === undefined) {
    if (options.type !== "full") {
      tell.warn(`no prior backup exists, ${options.type} backup has been changed to full`);
    }
    return {
      type: "full",
      prior: undefined,
      compress: options.compress,
      checksumPage,
      hardlink,
      bundle,
      block,
      bundleRaw: block !== undefined,
      cipherPass: repository.config.cipher.type === "none" ? undefined : generateCipherPass(),
    };
  }
  const prior = await repository.loadManifest(options.stanza, entry.label, info.cipherPass);
  tell.info(`last backup label = ${prior.label}, version = ${prior.backrestVersion}`);
  const early = earlyBlocks(prior, info);
  if (early !== undefined) {
    tell.warn(
      `backup ${early.label} holds block incremental files of version ${early.backrestVersion}: this backup will refer to them, and only pgbackrest can restore it\n` +
        "HINT: use --type=full for a backup that walferry can restore.",
    );
  }
  return {
    type: options.type,
    prior,
    compress: compressOf(prior, request),
    checksumPage: checksumPageOf(prior, request),
    hardlink,
    bundle,
    block,
    bundleRaw: prior.bundleRaw,
    cipherPass: prior.cipherPass,
  };
}

/** The newest full backup for a differential one, the newest of all for an incremental one; of this cluster only. */
export function priorOf(info: BackupInfo, type: BackupType): BackupInfoEntry | undefined {
  if (type === "full") return undefined;
  return info.backups.findLast((entry) =>
    entry.historyId === info.currentId && (type === "incr" || entry.type === "full")
  );
}

function compressOf(prior: Manifest, { options, tell }: LineageRequest): CompressSetting {
  const { compressType, compressLevel } = prior.options;
  if (compressType === options.compress.type) return options.compress;
  tell.warn(
    `${options.type} backup cannot alter compress-type option to '${options.compress.type}', reset to value in ${prior.label}`,
  );
  return { type: compressType, level: compressLevel };
}

function checksumPageOf(
  prior: Manifest,
  { options, checksumPage, clusterHasChecksums, tell }: LineageRequest,
): boolean {
  // A backup of a release that did not know page checksums: they begin with the next full backup.
  if (prior.options.checksumPage === undefined) return false;
  if (prior.options.checksumPage === checksumPage) return checksumPage;
  // Checksums were switched off since: there is nothing to check, whatever the prior backup did.
  if (!clusterHasChecksums) return false;
  tell.warn(
    `${options.type} backup cannot alter 'checksum-page' option to '${checksumPage}', reset to ` +
      `'${prior.options.checksumPage}' from ${prior.label}`,
  );
  return prior.options.checksumPage;
}
