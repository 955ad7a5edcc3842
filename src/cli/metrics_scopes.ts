/** `metrics` and `report` without a stanza tell of every stanza section of the files, each with its own effective options. */
import type { CommandContext } from "../process/command_context.ts";
import type { MetricsOptions, MetricsScope, ReportOptions } from "../repository/options.ts";
import { parseCommandLine } from "./command_line.ts";
import type { Configuration } from "./configuration.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { listenAddress, metricsScope } from "./typed_options.ts";

/** Options of metrics. */
export function metricsOptions(config: Configuration, invocation: Invocation, context: CommandContext): MetricsOptions {
  const listen = config.optionalString("listen");
  return {
    scopes: scopesOf(config, invocation, context),
    listen: listen === undefined ? undefined : listenAddress(listen),
    maxAgeMs: config.number("metrics-max-age"),
  };
}

/** Options of report. */
export function reportOptions(config: Configuration, invocation: Invocation, context: CommandContext): ReportOptions {
  return { scopes: scopesOf(config, invocation, context), htmlPath: config.string("html") };
}

/** Without any stanza section: all stanzas that the repositories have. */
function scopesOf(config: Configuration, invocation: Invocation, { log }: CommandContext): MetricsScope[] {
  if (config.stanza !== undefined || config.stanzaSections.length === 0) return [metricsScope(config)];
  return config.stanzaSections.map((stanza) => {
    const commandLine = parseCommandLine([...invocation.args, `--stanza=${stanza}`]);
    const own = loadConfiguration(config.command, commandLine, invocation);
    for (const warning of own.warnings) if (!config.warnings.includes(warning)) log.warn(warning);
    return metricsScope(own);
  });
}
