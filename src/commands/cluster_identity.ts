/** Who the cluster of a stanza is, asked of the running server or read from its control file. Shared by the stanza commands. */
import { checkClusterConfig, findPrimary } from "../postgres/backup_functions.ts";
import { readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { StanzaOptions } from "../repository/options.ts";
import type { ClusterIdentity } from "../repository/stanza.ts";

/** @throws WalferryError `DbConnect`, `DbMismatch` and those of reading the control file */
export async function clusterIdentity(
  options: StanzaOptions,
  context: CommandContext,
  command: string,
): Promise<ClusterIdentity> {
  if (!options.online) return readControlFile(options.clusters[0]!.path, options.pgVersionForce);
  await using group = await findPrimary(options.clusters, {
    dbTimeoutMs: options.dbTimeoutMs,
    applicationName: `pgBackRest [${command}]`,
    signal: context.signal,
    log: context.log,
    pgVersionForce: options.pgVersionForce,
  });
  checkClusterConfig(group.primary, {
    control: group.control,
    archiveCheck: false,
    archiveModeCheck: false,
    pgVersionForce: options.pgVersionForce,
  });
  return group.control;
}
