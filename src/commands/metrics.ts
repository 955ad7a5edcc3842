/** `metrics`: once to standard output, or to whoever asks over HTTP. */
import type { CommandContext } from "../process/command_context.ts";
import type { MetricsOptions } from "../repository/options.ts";
import { look, metricsText } from "./metrics_sight.ts";

/** Prints the metrics of all scopes, or serves them until the command is told to end. */
export async function metrics(options: MetricsOptions, context: CommandContext): Promise<number> {
  if (options.listen !== undefined) {
    const { serveMetrics } = await import("./metrics_server.ts");
    await serveMetrics({ ...options, listen: options.listen }, context);
    return 0;
  }
  const seen = await Promise.all(options.scopes.map((scope) => look(scope.info, context)));
  context.output(await metricsText(options.scopes, seen, context));
  return 0;
}
