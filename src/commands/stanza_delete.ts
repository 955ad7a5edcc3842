/** `stanza-delete` */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireAllLocks } from "../process/lock_wish.ts";
import { isStopped, stopFilePath } from "../process/stop_file.ts";
import { forgetRepository, forgetStanza, hasStanza } from "../repository/host_state.ts";
import type { StanzaDeleteOptions } from "../repository/options.ts";
import { describeFailure, RepositorySet } from "../repository/repository_set.ts";
import { deleteStanza } from "../repository/stanza.ts";
import { isThere } from "../process/local_file.ts";

/**
 * Removes a stanza from a repository, once its commands are stopped and its server is.
 * @throws WalferryError `FileMissing` without a stop file, `PgRunning`
 */
export async function stanzaDelete(options: StanzaDeleteOptions, context: CommandContext): Promise<number> {
  using _lock = await acquireAllLocks(
    options.lockPath,
    options.stanza,
    options.repositories.map(({ key }) => key),
    context,
  );
  if (!isStopped(options.lockPath, options.stanza)) {
    if (await isGone(options, context)) return 0;
    throw new WalferryError("FileMissing", `stop file does not exist for stanza '${options.stanza}'`, {
      hint: "has the stop command been run on this server?",
    });
  }
  const running = options.clusters.find(({ path }) => isThere(`${path}/postmaster.pid`));
  if (running !== undefined && !options.force) {
    throw new WalferryError(
      "PgRunning",
      `postmaster.pid exists - looks like PostgreSQL is running. To delete stanza '${options.stanza}', shut PostgreSQL down and try again.`,
      {
        hint: `or use --force if '${running.path}/postmaster.pid' is left over from a crash.`,
      },
    );
  }
  await using set = await RepositorySet.open(options.repositories);
  for (const repository of set.repositories) {
    await deleteStanza(repository, options.stanza);
    context.log.info(`stanza '${options.stanza}' deleted from ${repository.name}`);
  }
  // Last of all but the stop file: while a repository could not be deleted it is still owed what it is owed, and nobody pushes meanwhile.
  await forget(options, context);
  Deno.removeSync(stopFilePath(options.lockPath, options.stanza));
  return 0;
}

/** Whether no repository has the stanza: then there is nothing that a stopped archive would have to wait for. */
async function isGone(
  { stanza, repositories }: StanzaDeleteOptions,
  { log, signal }: CommandContext,
): Promise<boolean> {
  await using set = await RepositorySet.open(repositories);
  const outcomes = await set.ask((repository) => hasStanza(repository, stanza, signal));
  const gone = outcomes.every((outcome) => outcome.ok && !outcome.value);
  if (gone) log.info(`stanza '${stanza}' is in none of the repositories: nothing to delete`);
  return gone;
}

/** Forgets what this host knows of the stanza, as far as no other repository holds it still. */
async function forget(
  { stanza, spoolPath, repositories, others }: StanzaDeleteOptions,
  { log, signal }: CommandContext,
): Promise<void> {
  for (const { key } of repositories) forgetRepository(spoolPath, stanza, key);
  await using set = await RepositorySet.open(others);
  for (const outcome of await set.ask((repository) => hasStanza(repository, stanza, signal))) {
    if (outcome.ok && !outcome.value) continue;
    if (!outcome.ok) log.warn(`what is known of the stanza on this host is kept: ${describeFailure(outcome.failure)}`);
    return;
  }
  forgetStanza(spoolPath, stanza);
}
