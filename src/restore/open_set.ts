/**
 * What must be read before anything is changed: the manifest of the chosen backup and the timelines of its archive. A repository that cannot
 * deliver them gives way to another one that has the same backup; never to another backup.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Log } from "../report/log.ts";
import { refuseEarlyBlocks } from "../repository/early_blocks.ts";
import type { Repository } from "../repository/repository.ts";
import { describeFailure } from "../repository/repository_set.ts";
import type { ChosenSet } from "./choose_set.ts";
import type { RestoreOptions } from "./options.ts";
import { mayOtherCopyHelp } from "./other_copy.ts";
import { checkTimeline } from "./timeline_check.ts";

/** A backup that can be restored. */
export interface OpenedSet {
  readonly repository: Repository;
  readonly manifest: Manifest;
  /** With what follows from the manifest. */
  readonly options: RestoreOptions;
}

/**
 * Opens the chosen backup, in its repository or in one of the others.
 * @throws WalferryError the failure of its own repository when no other one helps
 */
export async function openSet(
  chosen: ChosenSet,
  repositories: readonly Repository[],
  given: RestoreOptions,
  log: Log,
): Promise<OpenedSet> {
  try {
    return await open(chosen.repository, chosen.info, chosen.entry.label, given);
  } catch (thrown) {
    const error = thrown instanceof ManifestLost ? thrown.told(chosen) : toWalferryError(thrown);
    const other = mayOtherCopyHelp(error) ? await openElsewhere(chosen, repositories, given, log) : undefined;
    if (other === undefined) throw error;
    const failure = describeFailure({ key: chosen.repository.key, error });
    log.warn(`${failure}\nbackup set ${chosen.entry.label} is restored from ${other.repository.name} instead`);
    return other;
  }
}

/** The manifest cannot be read, and with it goes this backup alone. */
class ManifestLost extends WalferryError {
  constructor(error: WalferryError) {
    super(error.kind, error.message, { hint: error.hint, cause: error });
  }

  /** With what can be done at night: the backup before this one, where there is one. */
  told({ info, entry }: ChosenSet): WalferryError {
    // Where one follows the other at once it ends in the second in which that one begins.
    const isBefore = ({ timestampStart }: BackupInfoEntry) => timestampStart < entry.timestampStart;
    const earlier = info.backups.findLast(isBefore);
    if (earlier === undefined) return this;
    const way =
      `--set=${earlier.label} restores the backup before it; recovery comes to the same end where all WAL is there.`;
    const hint = this.hint === undefined ? way : `${this.hint}\n${way}`;
    return new WalferryError(this.kind, this.message, { hint, cause: this.cause });
  }
}

async function open(
  repository: Repository,
  info: BackupInfo,
  label: string,
  given: RestoreOptions,
): Promise<OpenedSet> {
  let manifest: Manifest;
  try {
    manifest = await repository.loadManifest(given.stanza, label, info.cipherPass);
  } catch (error) {
    throw new ManifestLost(toWalferryError(error));
  }
  // An offline backup is consistent as it is.
  const options: RestoreOptions = !given.typeChosen && !manifest.options.online ? { ...given, type: "none" } : given;
  refuseEarlyBlocks(manifest, info, repository);
  await checkTimeline(repository, manifest, options);
  return { repository, manifest, options };
}

/** Gives `undefined` when no other repository has the same backup and can deliver it. */
async function openElsewhere(
  chosen: ChosenSet,
  repositories: readonly Repository[],
  given: RestoreOptions,
  log: Log,
): Promise<OpenedSet | undefined> {
  const identity = identityOf(chosen.info, chosen.entry.label);
  for (const repository of repositories) {
    if (repository === chosen.repository) continue;
    try {
      const info = await repository.loadBackupInfo(given.stanza);
      if (identityOf(info, chosen.entry.label) !== identity) continue;
      return await open(repository, info, chosen.entry.label, given);
    } catch (thrown) {
      const error = toWalferryError(thrown);
      log.warn(describeFailure({ key: repository.key, error }));
    }
  }
  return undefined;
}

/** Equal for copies of one backup only: a label is no more than the second in which some backup began. */
function identityOf({ backups, history }: BackupInfo, label: string): string | undefined {
  const entry = backups.find((one) => one.label === label);
  const systemId = history.find(({ id }) => id === entry?.historyId)?.systemId;
  if (entry === undefined || systemId === undefined) return undefined;
  const { timestampStart, timestampStop, lsnStart, lsnStop } = entry;
  return [systemId, timestampStart, timestampStop, lsnStart, lsnStop].join(" ");
}
