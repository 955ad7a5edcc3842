/** `config-check`: each effective option of a command and where it came from, secrets redacted. */
import { WalferryError } from "../errors.ts";
import { renderJson } from "../format/json.ts";
import type { CommandContext } from "../process/command_context.ts";
import { commandNamed } from "./commands.ts";
import { type Configuration, describeSource } from "./configuration.ts";
import { showOptionValue } from "./option_value.ts";
import { type Invocation, loadConfiguration } from "./load_configuration.ts";
import { parseCommandLine } from "./command_line.ts";
import { repositories } from "./typed_options.ts";

/**
 * Prints the configuration as the command named would see it (all of them without a name). Warnings about the files were logged before.
 * @throws WalferryError for anything that would stop that command
 */
export async function configCheck(
  config: Configuration,
  commandWord: string | undefined,
  invocation: Invocation,
  context: CommandContext,
): Promise<number> {
  const command = commandWord === undefined ? undefined : commandNamed(commandWord);
  if (commandWord !== undefined && command === undefined) {
    throw new WalferryError("CommandInvalid", `invalid command '${commandWord}'`);
  }
  const shown = command === undefined
    ? config
    : loadConfiguration("config-check", parseCommandLine(invocation.args), invocation, command);
  const rows = shown.all().filter(({ option }) => !option.compatibilityOnly || shown.isSet(option.name)).map((
    { option, name, value, source },
  ) => ({
    name,
    value: showOptionValue(option, value),
    source: describeSource(source),
  }));
  if (config.string("output") === "json") {
    context.output(`${renderJson(rows.map((row) => ({ ...row })))}\n`);
  } else {
    const width = (of: "name" | "value") => Math.min(48, Math.max(...rows.map((row) => row[of].length)));
    const [nameWidth, valueWidth] = [width("name"), width("value")];
    context.output(
      rows.map(({ name, value, source }) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`).join(
        "",
      ),
    );
  }
  // What the commands would refuse is refused here too, behind the list that explains it.
  repositories(shown);
  return await Promise.resolve(0);
}
