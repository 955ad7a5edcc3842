/** What `metrics` looks at, and the text that it makes of it: the same for a single answer and for a server. */
import { isWalferryError, toWalferryError } from "../errors.ts";
import { readArchiveLag } from "../postgres/archive_lag.ts";
import type { CommandContext } from "../process/command_context.ts";
import { renderOpenMetrics } from "../report/open_metrics.ts";
import { DrillRecords } from "../repository/drill_record.ts";
import { gatherInfo, type StanzaInfo } from "../repository/info_data.ts";
import { metricFamilies, type StanzaSight } from "../repository/metrics.ts";
import type { InfoOptions, MetricsScope } from "../repository/options.ts";
import { RepositorySet } from "../repository/repository_set.ts";

/** What the repositories say, and when. */
export interface Sight {
  readonly stanzas: readonly StanzaInfo[];
  readonly readMs: number;
}

/** Reads the repositories. */
export async function look(options: InfoOptions, { clock }: CommandContext): Promise<Sight> {
  const readMs = clock.nowMs();
  await using set = await RepositorySet.open(options.repositories);
  return { stanzas: await gatherInfo(set, options, clock), readMs };
}

/** The text for what was seen of each scope. What is on this host is read anew. */
export async function metricsText(
  scopes: readonly MetricsScope[],
  seen: readonly Sight[],
  context: CommandContext,
): Promise<string> {
  const sights: StanzaSight[] = [];
  for (const [at, scope] of scopes.entries()) {
    const { stanzas, readMs } = seen[at]!;
    const lag = await lagOf(scope, context);
    for (const info of stanzas) {
      sights.push({
        info,
        readMs,
        // Without a name the stanzas were found in the repositories: whose cluster this host has is not known.
        lag: scope.info.stanza === undefined ? undefined : lag,
        drills: drillsKnown(scope.info.spoolPath, info.name, context, (drills) => ({
          last: drills.last("last"),
          passed: drills.last("last-good"),
        })) ?? {},
      });
    }
  }
  return renderOpenMetrics(metricFamilies(sights, context.clock.nowMs()));
}

/** What is known of drills; `undefined` for another account than the one that drills: everything else is worth telling all the same. */
export function drillsKnown<T>(
  spoolPath: string,
  stanza: string,
  { log }: CommandContext,
  ask: (drills: DrillRecords) => T,
): T | undefined {
  try {
    return ask(new DrillRecords(spoolPath, stanza));
  } catch (error) {
    if (!isWalferryError(error, "FileOpen")) throw error;
    log.warn(`drills of stanza '${stanza}' are not known: ${error.text}`);
    return undefined;
  }
}

/** How far archiving of the stanza's cluster is, where that is on this host. */
export async function lagOf(
  { clusterPath, pgVersionForce }: MetricsScope,
  { log }: CommandContext,
): Promise<StanzaSight["lag"]> {
  if (clusterPath === undefined) return undefined;
  try {
    return await readArchiveLag(clusterPath, pgVersionForce);
  } catch (error) {
    // Everything else is worth telling all the same, and that this is missing is a metric of its own.
    log.warn(`unable to tell how far archiving of '${clusterPath}' is: ${toWalferryError(error).message}`);
    return "unreadable";
  }
}
