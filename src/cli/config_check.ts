/** `config-check`: each effective option of a command and where it came from, secrets redacted. */
import { WalferryError } from "../errors.ts";
import { renderAnswer } from "../format/json.ts";
import type { CommandContext } from "../process/command_context.ts";
import { parseCommandLine } from "./command_line.ts";
import { type CommandName, commandNamed, COMMANDS } from "./commands.ts";
import type { Configuration } from "./configuration.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { showOptionValue } from "./option_value.ts";
import { describeSource } from "./resolve.ts";
import * as typed from "./typed_options.ts";

/** Widest column of the text form; a longer value pushes its line. */
const COLUMN_MAX = 48;

/**
 * Prints the configuration as the command named would see it (every option of every command without a name).
 * @throws WalferryError for anything in it that would stop that command
 */
export async function configCheck(
  config: Configuration,
  commandWord: string | undefined,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const command = commandWord === undefined ? undefined : commandNamed(commandWord);
  if (commandWord !== undefined && command === undefined) {
    throw new WalferryError("CommandInvalid", `invalid command '${commandWord}'`, {
      hint: "walferry help lists the commands.",
    });
  }
  if (command !== undefined && COMMANDS[command].bare) {
    throw new WalferryError("ParamInvalid", `command '${command}' reads no configuration`);
  }
  const shown = command === undefined
    ? config
    : await loadConfiguration(command, parseCommandLine(invocation.args), invocation);
  for (const warning of shown.warnings) if (!config.warnings.includes(warning)) context.log.warn(warning);
  const rows = shown.all()
    .filter(({ option, source }) => source.kind !== "default" || !option.compatibilityOnly)
    // Words of this call, not of the configuration.
    .filter(({ option }) => option.home !== "command line" || option.name === "stanza" || option.name === "repo")
    .map(({ option, name, value, source }) => ({
      name,
      value: showOptionValue(option, value),
      source: describeSource(source),
    }));
  if (config.string("output") === "json") {
    context.output(`${renderAnswer(rows.map((row) => ({ ...row })))}\n`);
  } else {
    const width = (of: "name" | "value") => Math.min(COLUMN_MAX, Math.max(...rows.map((row) => row[of].length)));
    const [nameWidth, valueWidth] = [width("name"), width("value")];
    const lines = rows.map(({ name, value, source }) =>
      `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`
    );
    context.output(lines.join(""));
  }
  // Behind the list that explains it.
  assertUsable(shown, command);
  return 0;
}

/** What the command would refuse is refused here too. */
function assertUsable(config: Configuration, command: CommandName | undefined): void {
  if (command !== undefined && COMMANDS[command].stanza === "required" && config.stanza === undefined) {
    config.missing("stanza");
  }
  switch (command) {
    case "archive-get":
      typed.archiveGetOptions(config, ["", ""]);
      break;
    case "archive-push":
      typed.archivePushOptions(config, [""]);
      break;
    case "backup":
      typed.backupOptions(config);
      break;
    case "check":
      if (config.stanza !== undefined) typed.checkOptions(config);
      break;
    case "drill":
      typed.drillOptions(config, {}, () => "");
      break;
    case "restore":
      typed.restoreOptions(config, "");
      break;
    case "stanza-create":
    case "stanza-upgrade":
      typed.stanzaOptions(config);
      break;
    case "start":
    case "stop":
      break;
    default:
      typed.repositories(config);
  }
}
