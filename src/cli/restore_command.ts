/** The `restore_command` that a restore writes (behaviour spec §5.7). */
import { selfCommand } from "../process/self.ts";
import type { CommandName } from "./commands.ts";
import type { Configuration } from "./configuration.ts";
import { OPTIONS, takes } from "./option_table.ts";
import { showOptionValue } from "./option_value.ts";
import { quoted } from "./shell_words.ts";

/** Options that mean nothing to the commands of PostgreSQL although they take them. */
const DROPPED = new Set([
  "process-max",
  "log-level-console",
  "log-level-file",
  "log-level-stderr",
  "job-retry",
  "stanza",
  "cmd",
]);

/**
 * Options that were given on the command line go along; those of files and environment are read again, and secrets never travel.
 */
export function restoreCommandText(config: Configuration): string {
  const { path, args } = selfCommand();
  const program = config.optionalString("cmd") ?? [path, ...args].map(quoted).join(" ");
  const forwarded = forwardedWords(config, "archive-get");
  return [program, ...forwarded, quoted(`--stanza=${config.stanza}`), "archive-get", "%f", '"%p"'].join(" ");
}

/** Words for the options of the command line that another command takes as well. */
export function forwardedWords(config: Configuration, command: CommandName): string[] {
  return config.all()
    .filter(({ option, source }) => source.kind === "command line" && takes(command, OPTIONS.get(option.name)!))
    .filter(({ option }) => !option.secure && !DROPPED.has(option.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ option, name, value }) => {
      if (value === true) return `--${name}`;
      if (value === false) return `--no-${name}`;
      // PostgreSQL runs the command in the data directory, where a relative path leads somewhere else.
      const text = name === "config" ? absolute(String(value)) : showOptionValue(option, value);
      return quoted(`--${name}=${text}`);
    });
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
