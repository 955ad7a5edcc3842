/** `metrics` and `report` without a stanza tell of every stanza section of the files, each with its own effective options. */
import type { CommandContext } from "../process/command_context.ts";
import type { MetricsOptions, MetricsScope, ReportOptions } from "../repository/options.ts";
import { parseCommandLine } from "./command_line.ts";
import type { Configuration } from "./configuration.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { listenAddress, metricsScope } from "./typed_options.ts";

/** Options of metrics. */
export async function metricsOptions(
  config: Configuration,
  invocation: Invocation,
  context: CommandContext,
): Promise<MetricsOptions> {
  const listen = config.optionalString("listen");
  return {
    scopes: await scopesOf(config, invocation, context),
    listen: listen === undefined ? undefined : listenAddress(listen),
    maxAgeMs: config.number("metrics-max-age"),
  };
}

/** Options of report. */
export async function reportOptions(
  config: Configuration,
  invocation: Invocation,
  context: CommandContext,
): Promise<ReportOptions> {
  return { scopes: await scopesOf(config, invocation, context), htmlPath: config.string("html") };
}

/** Without any stanza section: all stanzas that the repositories have. */
async function scopesOf(
  config: Configuration,
  invocation: Invocation,
  { log }: CommandContext,
): Promise<MetricsScope[]> {
  if (config.stanza !== undefined || config.stanzaSections.length === 0) return [metricsScope(config)];
  const scopes: MetricsScope[] = [];
  for (const stanza of config.stanzaSections) {
    const commandLine = parseCommandLine([...invocation.args, `--stanza=${stanza}`]);
    const own = await loadConfiguration(config.command, commandLine, invocation);
    for (const warning of own.warnings) if (!config.warnings.includes(warning)) log.warn(warning);
    scopes.push(metricsScope(own));
  }
  return scopes;
}
