/** `metrics` without a stanza tells of every stanza section of the files, each with its own effective options. */
import type { CommandContext } from "../process/command_context.ts";
import type { MetricsOptions } from "../repository/options.ts";
import { parseCommandLine } from "./command_line.ts";
import type { Configuration } from "./configuration.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { listenAddress, metricsScope } from "./typed_options.ts";

/** Options of metrics. Without any stanza section: all stanzas that the repositories have. */
export function metricsOptions(config: Configuration, invocation: Invocation, { log }: CommandContext): MetricsOptions {
  const ofSection = (stanza: string) => {
    const own = loadConfiguration("metrics", parseCommandLine([...invocation.args, `--stanza=${stanza}`]), invocation);
    for (const warning of own.warnings) if (!config.warnings.includes(warning)) log.warn(warning);
    return metricsScope(own);
  };
  const isOne = config.stanza !== undefined || config.stanzaSections.length === 0;
  const listen = config.optionalString("listen");
  return {
    scopes: isOne ? [metricsScope(config)] : config.stanzaSections.map(ofSection),
    listen: listen === undefined ? undefined : listenAddress(listen),
    maxAgeMs: config.number("metrics-max-age"),
  };
}
