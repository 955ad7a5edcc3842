/** From what the program was called with to its effective options. */
import type { CommandLine } from "./command_line.ts";
import type { CommandName } from "./commands.ts";
import { defaultPlaces, readConfigFiles } from "./config_file.ts";
import { Configuration } from "./configuration.ts";

/** What a run needs of the outside world. */
export interface Invocation {
  readonly args: readonly string[];
  /** Name the program was called by, `walferry` or `pgbackrest`. */
  readonly invokedName: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Everything that options come from, put together. */
export function loadConfiguration(
  command: CommandName,
  commandLine: CommandLine,
  invocation: Invocation,
  sectionCommand?: CommandName,
): Configuration {
  const written = (name: string) => commandLine.options.get(name);
  const lines = readConfigFiles({
    config: written("config")?.negated ? false : written("config")?.texts[0],
    configPath: written("config-path")?.texts[0],
    configIncludePath: written("config-include-path")?.texts[0],
  }, defaultPlaces(invocation.invokedName));
  return Configuration.make({ command, commandLine, environment: invocation.environment, lines, sectionCommand });
}
