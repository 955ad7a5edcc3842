/** Who the cluster of a stanza is, asked of the running server or read from its control file. Shared by the stanza commands. */
import { checkClusterConfig } from "../postgres/backup_functions.ts";
import { findClusters } from "../postgres/cluster_group.ts";
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
  await using group = await findClusters(options.clusters, {
    standby: false,
    dbTimeoutMs: options.dbTimeoutMs,
    applicationName: `pgBackRest [${command}]`,
    signal: context.signal,
    log: context.log,
    pgVersionForce: options.pgVersionForce,
  });
  const { connection, control } = group.requirePrimary();
  checkClusterConfig(connection, {
    control,
    archiveCheck: false,
    archiveModeCheck: false,
    pgVersionForce: options.pgVersionForce,
  });
  return control;
}
