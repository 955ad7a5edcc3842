/** From what the program was called with to its effective options. */
import type { CommandLine } from "./command_line.ts";
import type { CommandName } from "./commands.ts";
import { type ConfigLine, defaultPlaces, readConfigFiles } from "./config_file.ts";
import { Configuration, ENVIRONMENT_PREFIXES } from "./configuration.ts";

/** What a run needs of the outside world. */
export interface Invocation {
  readonly args: readonly string[];
  /** Name the program was called by, `walferry` or `pgbackrest`. */
  readonly invokedName: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Everything that options come from, put together; commands that print passphrases were run.
 * @throws WalferryError as `readConfigFiles` and `Configuration.make`
 */
export async function loadConfiguration(
  command: CommandName,
  commandLine: CommandLine,
  invocation: Invocation,
): Promise<Configuration> {
  const lines = await readLines(commandLine, invocation);
  const config = Configuration.make({ command, commandLine, environment: invocation.environment, lines });
  const asked = config.indexes("repo").filter((key) => config.isSet("repo-cipher-pass-command", key));
  if (asked.length > 0) await (await import("./passphrases.ts")).askPassphraseCommands(config, asked);
  return config;
}

/** The lines of the configuration files as they are now. @throws WalferryError as `readConfigFiles` */
export async function readLines(commandLine: CommandLine, invocation: Invocation): Promise<ConfigLine[]> {
  const said = (name: "config" | "config-path" | "config-include-path"): string | undefined => {
    const written = commandLine.options.get(name);
    if (written !== undefined) return written.texts[0] || undefined;
    const variable = name.toUpperCase().replaceAll("-", "_");
    // An empty text says nothing here; it is refused with the other empty values.
    return ENVIRONMENT_PREFIXES.map((prefix) => invocation.environment[prefix + variable]).find(Boolean);
  };
  return await readConfigFiles({
    config: commandLine.options.get("config")?.negated ? false : said("config"),
    configPath: said("config-path"),
    configIncludePath: said("config-include-path"),
  }, defaultPlaces(invocation.invokedName));
}
