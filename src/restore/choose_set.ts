/** Which backup of which repository is restored (behaviour spec §5.2). */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import { isBackupLabel } from "../format/label.ts";
import { parseLsn } from "../format/wal_name.ts";
import type { Log } from "../report/log.ts";
import { formatLocalTime } from "../report/units.ts";
import type { Repository } from "../repository/repository.ts";
import { describeFailure } from "../repository/repository_set.ts";
import type { RestoreOptions } from "./options.ts";
import { assertTarget } from "./target_check.ts";
import { parseTargetTime } from "./target_time.ts";

/** The backup that was chosen. */
export interface ChosenSet {
  readonly repository: Repository;
  readonly info: BackupInfo;
  readonly entry: BackupInfoEntry;
}

/**
 * The backup to restore. A repository that cannot be read is a warning while another one can be.
 * @throws WalferryError `BackupSetInvalid`, `Format`, `OptionInvalidValue` for a target that cannot be one; the repository's own error when none can be read
 */
export async function chooseSet(
  repositories: readonly Repository[],
  options: RestoreOptions,
  log: Log,
): Promise<ChosenSet> {
  assertTarget(options);
  if (options.set !== "latest" && !isBackupLabel(options.set)) {
    throw new WalferryError("BackupSetInvalid", `backup set ${options.set} is not valid`, {
      hint: "walferry info lists the backup sets.",
    });
  }
  const fits = targetFilter(options);
  const failures: WalferryError[] = [];
  const silent: string[] = [];
  let readable = 0;
  let oldest: BackupInfoEntry | undefined;
  for (const repository of repositories) {
    let info: BackupInfo;
    try {
      info = await repository.loadBackupInfo(options.stanza);
    } catch (error) {
      const failure = { key: repository.key, error: toWalferryError(error) };
      log.warn(describeFailure(failure));
      failures.push(failure.error);
      silent.push(repository.name);
      continue;
    }
    readable += 1;
    const [first] = info.backups;
    if (first !== undefined && (oldest === undefined || first.timestampStop < oldest.timestampStop)) oldest = first;
    const entry = options.set === "latest"
      ? latestOf(info, fits, repository, options, log)
      : info.backups.find(({ label }) => label === options.set);
    if (entry === undefined) continue;
    if (silent.length > 0 && options.type !== "none") tellSilent(silent, repository, log);
    return { repository, info, entry };
  }
  if (readable === 0) {
    throw failures.length === 1
      ? failures[0]!
      : noSet(options, undefined, failures.map(({ message }) => message).join("\n"));
  }
  throw noSet(options, oldest);
}

/** The restore goes well without them, and the recovery behind it stops: better said before than found in the server's log. */
function tellSilent(silent: readonly string[], from: Repository, log: Log): void {
  const names = silent.join(" and ");
  log.warn(
    `${names} cannot be asked: where the others have no more WAL recovery stops, because ${names} may have some ` +
      "(with archive-get-exit=compat it ends there)\n" +
      `HINT: what is lost for good must be left out: --repo=${from.key} restores and recovers from ${from.name} alone.`,
  );
}

function noSet(options: RestoreOptions, oldest: BackupInfoEntry | undefined, detail?: string): WalferryError {
  if (options.set !== "latest") {
    return new WalferryError("BackupSetInvalid", `backup set ${options.set} is not valid`, {
      hint: "walferry info lists the backup sets.",
    });
  }
  const what = options.type === "time"
    ? `unable to find backup set with stop time less than '${options.target}'`
    : options.type === "lsn"
    ? `unable to find backup set with lsn less than or equal to '${options.target}'`
    : "no backup set found to restore";
  const isEarly = oldest !== undefined && (options.type === "time" || options.type === "lsn");
  return new WalferryError("BackupSetInvalid", detail === undefined ? what : `${what}\n${detail}`, {
    hint: isEarly
      ? `the oldest backup, ${oldest.label}, ends at ${formatLocalTime(oldest.timestampStop * 1000)}` +
        `${oldest.lsnStop === undefined ? "" : `, lsn ${oldest.lsnStop}`}: nothing before it can be restored.`
      : undefined,
  });
}

/** Which backups can reach the target; all of them for targets that say nothing about time. */
function targetFilter(options: RestoreOptions): (entry: BackupInfoEntry) => boolean {
  if (options.type === "time" && options.set === "latest") {
    const seconds = parseTargetTime(options.target!, options.timeZone);
    return ({ timestampStop }) => timestampStop < seconds;
  }
  if (options.type === "lsn") {
    const lsn = parseLsn(options.target!);
    return ({ lsnStop }) => lsnStop !== undefined && parseLsn(lsnStop) <= lsn;
  }
  return () => true;
}

function latestOf(
  info: BackupInfo,
  fits: (entry: BackupInfoEntry) => boolean,
  repository: Repository,
  { type }: RestoreOptions,
  log: Log,
): BackupInfoEntry | undefined {
  // One that is for WAL alone has none, and nobody need be told.
  if (info.backups.length === 0 && repository.config.role !== "wal") {
    log.warn(`${repository.name}: [BackupSetInvalidError] no backup sets to restore`);
  }
  const entry = info.backups.filter(fits).at(-1);
  // A moment or a position says itself which cluster is meant.
  const isNamed = type === "time" || type === "lsn";
  if (entry !== undefined && entry.historyId !== info.currentId && !isNamed) {
    throw new WalferryError(
      "BackupSetInvalid",
      `the latest backup set found '${entry.label}' is from a prior version of PostgreSQL`,
      {
        hint: "was a backup created after the stanza-upgrade?\nspecify --set to restore from a prior version.",
      },
    );
  }
  return entry;
}
