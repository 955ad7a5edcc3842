/** `stanza-create` */
import type { CommandContext } from "../process/command_context.ts";
import { acquireAllLocks } from "../process/lock_wish.ts";
import { assertNotStopped } from "../process/stop_file.ts";
import type { StanzaOptions } from "../repository/options.ts";
import { RepositorySet } from "../repository/repository_set.ts";
import { createStanza } from "../repository/stanza.ts";
import { clusterIdentity } from "./cluster_identity.ts";

/** Makes the stanza in every repository; one that is there and fits is fine. */
export async function stanzaCreate(options: StanzaOptions, context: CommandContext): Promise<number> {
  assertNotStopped(options.lockPath, options.stanza);
  if (options.force) context.log.warn("option --force is no longer supported");
  using _lock = await acquireAllLocks(
    options.lockPath,
    options.stanza,
    options.repositories.map(({ key }) => key),
    context,
  );
  const cluster = await clusterIdentity(options, context, "stanza-create");
  await using set = await RepositorySet.open(options.repositories);
  for (const repository of set.repositories) {
    context.log.info(`stanza-create for stanza '${options.stanza}' on ${repository.name}`);
    if (await createStanza(repository, options.stanza, cluster) === "valid") {
      context.log.info(`stanza '${options.stanza}' already exists on ${repository.name} and is valid`);
    }
  }
  return 0;
}
