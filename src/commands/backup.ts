/** `backup`: locks and stop file, the backup itself, then what the retention no longer keeps. */
import { runBackup } from "../backup/backup.ts";
import type { BackupOptions } from "../backup/options.ts";
import { WalferryError } from "../errors.ts";
import type { ExpireOptions } from "../repository/options.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import { expireRepositories } from "../repository/expire.ts";
import { describeFailure, RepositorySet } from "../repository/repository_set.ts";

/** The lock file tells others how far the backup is each time it has grown by so much. */
const LOCK_UPDATE_PERCENT = 10;

/**
 * Makes a backup.
 *
 * @param expire options of the expire that follows when `expireAuto`
 * @returns 0
 * @throws WalferryError as the backup; `Command` when some repository was left out while another has the backup
 */
export async function backup(options: BackupOptions, expire: ExpireOptions, context: CommandContext): Promise<number> {
  const keys = options.repositories.map(({ key }) => key);
  using lock = acquireLocks(options.lockPath, options.stanza, "backup", keys, context.execId);
  assertNotStopped(options.lockPath, options.stanza);
  if (!options.repositoryChosen && options.configuredRepositories > 1) {
    context.log.info(`repo option not specified, defaulting to repo${keys[0]}`);
  }
  await using repositories = await RepositorySet.open(options.repositories);
  const needsSources = options.repositories.some(({ role }) => role === "backup");
  await using walSources = await RepositorySet.open(needsSources ? options.walSources : []);
  let shownPercent = 0;
  const report = await runBackup({
    options,
    repositories,
    walSources,
    context,
    onProgress: (doneBytes, totalBytes) => {
      const percent = totalBytes === 0 ? 100 : (doneBytes * 100) / totalBytes;
      if (percent - shownPercent < LOCK_UPDATE_PERCENT) return;
      shownPercent = percent;
      lock.update({ sizeBytes: totalBytes, doneBytes });
    },
  });
  if (options.expireAuto) {
    // Only where the new backup is: a repository that did not get it keeps what it has. The locks are still held.
    const failed = new Set(report.failures.map(({ key }) => key));
    await expireRepositories(
      {
        ...expire,
        repositories: expire.repositories.filter(({ key }) =>
          keys.includes(key) ? !failed.has(key) : failed.size === 0
        ),
      },
      context,
    );
  }
  if (report.failures.length > 0) {
    throw new WalferryError(
      "Command",
      `backup ${report.label} is complete, but not in every repository:\n${
        report.failures.map(describeFailure).join("\n")
      }`,
    );
  }
  return 0;
}
