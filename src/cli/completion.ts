/** `completion`: scripts for shells, made from the tables. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { COMMAND_ALIASES, COMMAND_NAMES, type CommandName, COMMANDS } from "./commands.ts";
import { COMMAND_HELP, optionHelp } from "./option_help.ts";
import { optionsOf } from "./help.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { indexedName } from "./option_table.ts";

const visible = (): CommandName[] => COMMAND_NAMES.filter((name) => !COMMANDS[name].hidden);

/** Prints the script. @throws WalferryError `ParamInvalid` for a shell that is not known */
export async function completion(shell: string, context: CommandContext): Promise<number> {
  context.output(completionScript(shell));
  return await Promise.resolve(0);
}

/** The script for a shell. @throws WalferryError `ParamInvalid` */
export function completionScript(shell: string): string {
  switch (shell) {
    case "bash":
      return bashScript();
    case "zsh":
      return `#compdef walferry\nautoload -U +X bashcompinit && bashcompinit\n${bashScript()}`;
    case "fish":
      return fishScript();
    default:
      throw new WalferryError("ParamInvalid", `completion for shell '${shell}' does not exist`, {
        hint: "allowed are bash, zsh, fish",
      });
  }
}

/** Options as they are typed; indexed ones for the first two. */
function optionWords(command: CommandName): string[] {
  return optionsOf(command).flatMap(([, options]) => options).flatMap((option) => {
    if (option.secure) return [];
    const names = option.group === undefined ? [option.name] : [1, 2].map((index) => indexedName(option, index));
    return names.map((name) => `--${name}${option.type === "boolean" ? "" : "="}`);
  });
}

function bashScript(): string {
  const words = [...visible(), ...Object.keys(COMMAND_ALIASES)];
  const cases = visible().map((command) => {
    const names = [command, ...Object.keys(COMMAND_ALIASES).filter((alias) => COMMAND_ALIASES[alias] === command)].join(
      "|",
    );
    return `    ${names}) words="${optionWords(command).join(" ")}" ;;`;
  });
  return `# walferry completion for bash; source this file, or put it into the completion directory
_walferry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*|=) ;; *) command="$word"; break ;; esac
  done
  local words=""
  case "$command" in
    "") words="${words.join(" ")} --stanza= --config=" ;;
${cases.join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [[ "\${COMPREPLY[0]-}" == *= ]] && compopt -o nospace
}
complete -F _walferry walferry
`;
}

function fishScript(): string {
  const lines = ["# walferry completion for fish"];
  const none = "__fish_is_first_arg";
  for (const command of visible()) {
    lines.push(`complete -c walferry -n ${none} -f -a ${command} -d '${escape(COMMAND_HELP[command])}'`);
  }
  for (const command of visible()) {
    const options = optionsOf(command).flatMap(([, list]) => list).filter(({ secure }) => !secure);
    for (const option of options) lines.push(fishOption(command, option));
  }
  return `${lines.join("\n")}\n`;
}

function fishOption(command: CommandName, option: OptionDeclaration): string {
  const name = indexedName(option, option.group === undefined ? undefined : 1);
  const value = option.type === "boolean"
    ? ""
    : ` -r${option.allowed === undefined ? "" : ` -a '${option.allowed.join(" ")}'`}`;
  return `complete -c walferry -n '__fish_seen_subcommand_from ${command}' -l ${name}${value} -d '${
    escape(optionHelp(option.name).split(". ")[0]!)
  }'`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
}
