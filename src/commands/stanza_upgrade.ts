/** `stanza-upgrade` */
import type { CommandContext } from "../process/command_context.ts";
import { acquireAllLocks } from "../process/lock_wish.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import type { StanzaOptions } from "../repository/options.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { upgradeStanza } from "../repository/stanza.ts";
import { clusterIdentity } from "./cluster_identity.ts";

/** Makes the cluster of today the current one of the stanza, in every repository. */
export async function stanzaUpgrade(options: StanzaOptions, context: CommandContext): Promise<number> {
  assertNotStopped(options.lockPath, options.stanza);
  using _lock = await acquireAllLocks(
    options.lockPath,
    options.stanza,
    options.repositories.map(({ key }) => key),
    context,
  );
  const cluster = await clusterIdentity(options, context, "stanza-upgrade");
  await using set = await RepositorySet.open(options.repositories);
  for (const repository of set.repositories) {
    context.log.info(`stanza-upgrade for stanza '${options.stanza}' on ${repository.name}`);
    if (await upgradeStanza(repository, options.stanza, cluster) === "valid") {
      context.log.info(`stanza '${options.stanza}' on ${repository.name} is already up to date`);
    }
  }
  return 0;
}
