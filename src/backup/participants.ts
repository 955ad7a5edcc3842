/**
 * The repositories that a backup goes to. One that fails is left out with an error at the end and the others complete; only the failure of
 * the last one ends the backup.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { type ArchiveInfo, currentHistoryEntry } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import type { ControlData } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Log } from "../report/log.ts";
import { reconcileBackupInfo, withLost } from "../repository/backup_catalog.ts";
import type { Repository } from "../repository/repository.ts";
import { noValidRepository, type RepositoryFailure } from "../repository/repository_set.ts";
import { archiveIdOf } from "../repository/wal_archive.ts";

/** An archive that holds this cluster's WAL. */
export interface WalSource {
  readonly repository: Repository;
  readonly archiveId: string;
  /** `cipherPass` of its `archive.info`. */
  readonly passphrase: string | undefined;
}

/** One repository of a backup. */
export interface Participant {
  readonly repository: Repository;
  /** As it was when the backup began, without {@link lost}. */
  readonly info: BackupInfo;
  /** Labels of listed backups that cannot be used and may be mended. */
  readonly lost: ReadonlySet<string>;
  readonly archiveInfo: ArchiveInfo;
  /** Where its WAL is: the repository itself, or for one without an archive (`repo-role=backup`) another one. */
  readonly archive: WalSource;
}

/** Those that still take part. */
export class Participants {
  #live: readonly Participant[];
  readonly #failures: RepositoryFailure[] = [];
  readonly #context: CommandContext;

  constructor(live: readonly Participant[], failures: readonly RepositoryFailure[], context: CommandContext) {
    this.#live = live;
    this.#failures.push(...failures);
    this.#context = context;
  }

  get live(): readonly Participant[] {
    return this.#live;
  }

  get failures(): readonly RepositoryFailure[] {
    return this.#failures;
  }

  /** What is said of one repository; its name is in it when several take part. */
  tell({ repository }: Participant): Pick<Log, "info" | "warn"> {
    const { log } = this.#context;
    const named = (message: string) => (this.#live.length > 1 ? `${repository.name}: ${message}` : message);
    return { info: (message) => log.info(named(message)), warn: (message) => log.warn(named(message)) };
  }

  /** Does the same for every repository at once, and goes on with those for which it worked. @throws the error of the last one; the signal's reason */
  async each(action: (participant: Participant) => Promise<void>): Promise<void> {
    const failures = await Promise.all(this.#live.map(async (participant): Promise<RepositoryFailure | undefined> => {
      try {
        await action(participant);
        return undefined;
      } catch (error) {
        return { key: participant.repository.key, error: toWalferryError(error) };
      }
    }));
    this.#context.signal.throwIfAborted();
    this.drop(failures.filter((failure) => failure !== undefined));
  }

  /** Goes on without these. @throws the first failure when nobody is left */
  drop(failures: readonly RepositoryFailure[]): void {
    this.#failures.push(...failures);
    const gone = new Set(failures.map(({ key }) => key));
    this.#live = this.#live.filter(({ repository }) => !gone.has(repository.key));
    if (this.#live.length === 0 && failures[0] !== undefined) throw failures[0].error;
    for (const { key, error } of failures) {
      this.#context.log.error(`repo${key} is left out of this backup: ${error.text}`, error.code);
    }
  }
}

/**
 * Loads what each repository says of the stanza and leaves out those that cannot take this cluster's backup.
 *
 * @throws WalferryError the reason of the first repository when none is left: `FileMissing` (no stanza), `BackupMismatch`, `FileInvalid` ...
 */
export async function gatherParticipants(
  repositories: readonly Repository[],
  walSources: readonly Repository[],
  stanza: string,
  control: ControlData,
  context: CommandContext,
): Promise<Participants> {
  const ready: Participant[] = [];
  const failures: RepositoryFailure[] = [];
  for (const repository of repositories) {
    try {
      ready.push(await prepare(repository, walSources, stanza, control, context));
    } catch (error) {
      context.signal.throwIfAborted();
      failures.push({ key: repository.key, error: toWalferryError(error) });
    }
  }
  const participants = new Participants(ready, [], context);
  participants.drop(failures);
  return participants;
}

async function prepare(
  repository: Repository,
  walSources: readonly Repository[],
  stanza: string,
  control: ControlData,
  context: CommandContext,
): Promise<Participant> {
  const info = await repository.loadBackupInfo(stanza);
  const archiveInfo = await repository.loadArchiveInfo(stanza);
  assertSameHistory(info, archiveInfo);
  const current = currentHistoryEntry(info);
  if (current.pgVersion !== control.pgVersion || current.systemId !== control.systemId) {
    throw new WalferryError(
      "BackupMismatch",
      `PostgreSQL version ${control.pgVersion}, system-id ${control.systemId} do not match ${repository.name} stanza version ` +
        `${current.pgVersion}, system-id ${current.systemId}`,
      {
        hint: "is this the correct stanza?\nafter pg_upgrade, or for a cluster that was made anew: run stanza-upgrade.",
      },
    );
  }
  // A crash between the manifest and backup.info of an earlier run left a backup that only its directory knows.
  const { changed, lost } = await reconcileBackupInfo(repository, stanza, info, context.log);
  if (changed) await repository.saveBackupInfo(stanza, withLost(info, lost));
  return {
    repository,
    info,
    lost: new Set(lost.map(({ label }) => label)),
    archiveInfo,
    archive: repository.config.role === "backup"
      ? await otherArchive(walSources, stanza, control)
      : { repository, archiveId: archiveIdOf(currentHistoryEntry(archiveInfo)), passphrase: archiveInfo.cipherPass },
  };
}

/** The first archive of the cluster that answers. @throws WalferryError `RepoInvalid` */
async function otherArchive(
  walSources: readonly Repository[],
  stanza: string,
  control: ControlData,
): Promise<WalSource> {
  const failures: RepositoryFailure[] = [];
  for (const repository of walSources) {
    try {
      const info = await repository.loadArchiveInfo(stanza);
      const entry = currentHistoryEntry(info);
      if (entry.systemId === control.systemId && entry.pgVersion === control.pgVersion) {
        return { repository, archiveId: archiveIdOf(entry), passphrase: info.cipherPass };
      }
    } catch (error) {
      failures.push({ key: repository.key, error: toWalferryError(error) });
    }
  }
  throw noValidRepository(failures);
}

function assertSameHistory(backup: BackupInfo, archive: ArchiveInfo): void {
  const describe = (info: BackupInfo | ArchiveInfo) =>
    info.history.map(({ id, pgVersion, systemId }) => `${id}/${pgVersion}/${systemId}`).join(" ") +
    ` current ${info.currentId}`;
  if (describe(backup) === describe(archive)) return;
  throw new WalferryError(
    "FileInvalid",
    `backup info file and archive info file do not match\narchive: ${describe(archive)}\nbackup : ${describe(backup)}`,
    { hint: "this may be a symptom of repository corruption!" },
  );
}
