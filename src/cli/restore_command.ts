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
  "result",
  "stanza",
  "cmd",
]);

/**
 * Options that were given on the command line go along; those of files and environment are read again, and secrets never travel.
 */
export function restoreCommandText(config: Configuration): string {
  const { path, args } = selfCommand();
  const program = config.optionalString("cmd") ?? [path, ...args].map(quoted).join(" ");
  return [program, ...forwardedWords(config, "archive-get"), quoted(`--stanza=${config.stanza}`), ...GET].join(" ");
}

/** Values of a drill's own that none of the configuration may replace. */
const DRILL_OWN = new Set([...DROPPED, "pg-path", "spool-path"]);

/**
 * The `restore_command` of a drill: this program, with the restored cluster in place of the one that is configured, and with a spool of its
 * own, so that nothing that belongs to the real cluster is touched.
 */
export function drillRestoreCommandText(config: Configuration, dataPath: string, spoolPath: string): string {
  const { path, args } = selfCommand();
  const file = config.option("config");
  const own = [
    // The server has the variable too, and reads it in another directory.
    ...(file?.source.kind === "environment" ? [`--config=${absolute(String(file.value))}`] : []),
    `--pg1-path=${dataPath}`,
    `--spool-path=${spoolPath}`,
    "--no-archive-async",
    // Only "proved absent" may end the recovery: an archive that is out of reach must not look like one that ends.
    "--archive-get-exit=strict",
    `--stanza=${config.stanza}`,
  ];
  return [
    ...[path, ...args].map(quoted),
    ...forwardedWords(config, "archive-get", DRILL_OWN),
    ...own.map(quoted),
    ...GET,
  ].join(" ");
}

/** PostgreSQL's marks: name of the file, and where it is to go. */
const GET = ["archive-get", "%f", '"%p"'];

/** Words for the options of the command line that another command takes as well. */
export function forwardedWords(
  config: Configuration,
  command: CommandName,
  dropped: ReadonlySet<string> = DROPPED,
): string[] {
  return config.all()
    .filter(({ option, source }) => source.kind === "command line" && takes(command, OPTIONS.get(option.name)!))
    .filter(({ option }) => !option.secure && !dropped.has(option.name))
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
