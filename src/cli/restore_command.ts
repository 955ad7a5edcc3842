/** The `restore_command` that a restore writes (behaviour spec §5.7). */
import { selfCommand } from "../process/self.ts";
import type { Configuration } from "./configuration.ts";
import { OPTIONS, takes } from "./option_table.ts";
import { showOptionValue } from "./option_value.ts";
import { quoted } from "./shell_words.ts";

/** Options of the restore that mean nothing to archive-get although it takes them. */
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
  const forwarded = config.all()
    .filter(({ option, source }) => source.kind === "command line" && takes("archive-get", OPTIONS.get(option.name)!))
    .filter(({ option }) => !option.secure && !DROPPED.has(option.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ option, name, value }) => {
      if (value === true) return `--${name}`;
      if (value === false) return `--no-${name}`;
      // PostgreSQL runs the command in the data directory, where a relative path leads somewhere else.
      const text = name === "config" ? absolute(String(value)) : showOptionValue(option, value);
      return quoted(`--${name}=${text}`);
    });
  return [program, ...forwarded, quoted(`--stanza=${config.stanza}`), "archive-get", "%f", '"%p"'].join(" ");
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
