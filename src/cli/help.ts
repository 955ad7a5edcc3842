/** `help`: commands, the options of a command, one option. Everything comes from the tables. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { WALFERRY_VERSION } from "../version.ts";
import { COMMAND_ALIASES, COMMAND_NAMES, type CommandName, commandNamed, COMMANDS } from "./commands.ts";
import { COMMAND_HELP, optionHelp } from "./option_help.ts";
import { optionNamed } from "./option_name.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { OPTIONS, takes } from "./option_table.ts";
import { showOptionValue } from "./option_value.ts";

/** Widest line of help text. */
const WIDTH = 100;

/** Prints help. @throws WalferryError `CommandInvalid`, `OptionInvalid` for what there is no help on */
export async function help(
  parameters: readonly string[],
  invokedName: string,
  context: CommandContext,
): Promise<number> {
  const [word, optionWord] = parameters;
  if (word === undefined) context.output(overview(invokedName));
  else {
    const command = commandNamed(word);
    if (command === undefined) {
      throw new WalferryError("CommandInvalid", `invalid command for help '${word}'`, {
        hint: "walferry help lists the commands.",
      });
    }
    context.output(optionWord === undefined ? commandPage(command, invokedName) : optionPage(command, optionWord));
  }
  return await Promise.resolve(0);
}

function overview(invokedName: string): string {
  const visible = COMMAND_NAMES.filter((name) => !COMMANDS[name].hidden);
  const aliases = (name: CommandName) =>
    Object.keys(COMMAND_ALIASES).filter((alias) => COMMAND_ALIASES[alias] === name);
  const rows = visible.map((name) => {
    const short = aliases(name);
    return [name, `${COMMAND_HELP[name]}${short.length === 0 ? "" : ` (short: ${short.join(", ")})`}`] as const;
  });
  return `walferry ${WALFERRY_VERSION} - PostgreSQL backup and WAL archiving\n\nUsage:\n    ${invokedName} [options] [command]\n\nCommands:\n${
    columns(rows)
  }\n` +
    `Use '${invokedName} help [command]' for more information.\n`;
}

/** Call of a command: its name and parameters. */
export function usageOf(command: CommandName): string {
  const { parameters, optionalParameters = 0 } = COMMANDS[command];
  const words = parameters.map((
    name,
    at,
  ) => (at >= parameters.length - optionalParameters ? `[${name}]` : `<${name}>`));
  return [command, ...words].join(" ");
}

/** Options of a command that users see, by group. */
export function optionsOf(
  command: CommandName,
): Array<readonly [group: string, options: readonly OptionDeclaration[]]> {
  const own = [...OPTIONS.values()].filter((option) =>
    takes(command, option) && !option.internal && !option.compatibilityOnly
  );
  const groups: Array<readonly [string, (option: OptionDeclaration) => boolean]> = [
    ["Command options", ({ home, group }) => home === "command line" && group === undefined],
    [
      "General options",
      ({ home, group, name }) => home === "global" && group === undefined && !name.startsWith("log-"),
    ],
    ["Log options", ({ home, group, name }) => home === "global" && group === undefined && name.startsWith("log-")],
    ["Repository options", ({ group }) => group === "repo"],
    ["Cluster options", ({ group }) => group === "pg"],
  ];
  return groups.map(([name, belongs]) => [name, own.filter(belongs)] as const).filter(([, options]) =>
    options.length > 0
  );
}

/** Name as it is typed, index and all. */
export function shownName(option: OptionDeclaration): string {
  return option.group === undefined ? option.name : option.name.replace(`${option.group}-`, `${option.group}N-`);
}

function commandPage(command: CommandName, invokedName: string): string {
  const sections = optionsOf(command).map(([name, options]) =>
    `${name}:\n${
      columns(options.map((option) =>
        [`--${shownName(option)}`, `${optionHelp(option.name)}${defaultText(option, command)}`] as const
      ))
    }`
  );
  return `${invokedName} ${usageOf(command)}\n    ${COMMAND_HELP[command]}\n\n${sections.join("\n")}`;
}

/** What an option may be set to by name, for one command or for any; `undefined` when it is no choice. */
export function allowedValues(option: OptionDeclaration, command?: CommandName): readonly string[] | undefined {
  return (command === undefined ? undefined : option.allowedFor?.[command]) ?? option.allowed;
}

/** `text, json`, `1 to 999`, or nothing. */
export function valuesText(option: OptionDeclaration, command?: CommandName): string {
  const allowed = allowedValues(option, command);
  if (allowed !== undefined) return allowed.join(", ");
  const { min, max } = option;
  return min === undefined || max === undefined
    ? ""
    : `${showOptionValue(option, min)} to ${showOptionValue(option, max)}`;
}

/** ` [default: 1m]`, or nothing. */
export function defaultText(option: OptionDeclaration, command: CommandName): string {
  const value = option.defaults?.[command] ?? option.default;
  return value === undefined ? "" : ` [default: ${value}]`;
}

function optionPage(command: CommandName, word: string): string {
  const option = OPTIONS.get(word) ?? optionNamed(word)?.option;
  if (option === undefined || !takes(command, option)) {
    throw new WalferryError("OptionInvalid", `option '${word}' is not an option of command '${command}'`, {
      hint: `walferry help ${command} lists its options.`,
    });
  }
  const facts = [
    `type: ${option.type}`,
    ...(valuesText(option, command) === "" ? [] : [`allowed: ${valuesText(option, command)}`]),
    ...(defaultText(option, command) === "" ? [] : [defaultText(option, command).trim().slice(1, -1)]),
    ...(option.secure ? ["secret: only in a configuration file or the environment"] : []),
    ...(option.compatibilityOnly ? ["accepted so that a pgBackRest configuration works; changes nothing here"] : []),
    ...(option.oldNames === undefined || option.oldNames.length === 0
      ? []
      : [`older names: ${option.oldNames.join(", ")}`]),
  ];
  return `--${shownName(option)}\n    ${wrap(optionHelp(option.name), 4)}\n\n${
    facts.map((fact) => `    ${fact}\n`).join("")
  }`;
}

function columns(rows: ReadonlyArray<readonly [left: string, right: string]>): string {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => {
    const head = left.length > width ? `    ${left}\n    ${" ".repeat(width)}` : `    ${left.padEnd(width)}`;
    return `${head}  ${wrap(right, width + 6)}\n`;
  }).join("");
}

/** Breaks text at spaces; lines behind the first are indented. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > WIDTH - indent) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
