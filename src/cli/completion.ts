/** `completion`: scripts for shells, made from the tables. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { COMMAND_ALIASES, COMMAND_NAMES, type CommandName, COMMANDS } from "./commands.ts";
import { allowedValues, optionsOf } from "./help.ts";
import { COMMAND_HELP, optionHelp } from "./option_help.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { indexedName } from "./option_table.ts";

/** An option as it is typed for a command. */
interface Typed {
  /** Without dashes: `repo1-path`, `no-archive-check`. */
  readonly name: string;
  readonly takesValue: boolean;
  readonly values: readonly string[];
  /** First sentence of its help. */
  readonly help: string;
}

const visible = (): CommandName[] => COMMAND_NAMES.filter((name) => !COMMANDS[name].hidden);
const aliasesOf = (command: CommandName): string[] =>
  Object.keys(COMMAND_ALIASES).filter((alias) => COMMAND_ALIASES[alias] === command);

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
      return zshScript();
    case "fish":
      return fishScript();
    default:
      throw new WalferryError("ParamInvalid", `completion for shell '${shell}' does not exist`, {
        hint: "allowed are bash, zsh, fish",
      });
  }
}

/** Options of a command; indexed ones for the first two; those that are on with their negation. Secrets are no words to type. */
function typedOptions(command: CommandName): Typed[] {
  return optionsOf(command).flatMap(([, options]) => options).filter(({ secure }) => !secure).flatMap((option) => {
    const takesValue = option.type !== "boolean";
    const values = takesValue ? allowedValues(option, command) ?? [] : [];
    const help = optionHelp(option.name).split(". ")[0]!.replace(/\.$/, "");
    const names = option.group === undefined ? [option.name] : [1, 2].map((index) => indexedName(option, index));
    const forms = isOn(option, command) ? names.flatMap((name) => [name, `no-${name}`]) : names;
    return forms.map((name) => ({ name, takesValue, values, help }));
  });
}

/** What the parameters of a command may be, where that is a choice. */
function parameterWords(command: CommandName): readonly string[] {
  if (command === "completion") return ["bash", "zsh", "fish"];
  return command === "help" || command === "config-check" ? visible() : [];
}

function isOn(option: OptionDeclaration, command: CommandName): boolean {
  return option.type === "boolean" && (option.defaults?.[command] ?? option.default) === "y";
}

function bashScript(): string {
  const cases = visible().map((command) => {
    const options = typedOptions(command);
    const words = [
      ...parameterWords(command),
      ...options.map(({ name, takesValue }) => `--${name}${takesValue ? "=" : ""}`),
    ].join(" ");
    const values = options.filter(({ values }) => values.length > 0)
      .map(({ name, values }) => `        --${name}) values="${values.join(" ")}" ;;`);
    const known = values.length === 0 ? "" : `\n      case "$option" in\n${values.join("\n")}\n      esac`;
    return `    ${[command, ...aliasesOf(command)].join("|")})\n      words="${words}"${known}\n      ;;`;
  });
  return `# walferry completion for bash; source this file, or put it into the completion directory
_walferry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" option="" command="" word at
  # For bash the = of an option is a word of its own.
  if [[ $current == "=" ]]; then option="$before" current=""
  elif [[ $before == "=" ]]; then option="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    [[ \${COMP_WORDS[at - 1]} == "=" ]] && continue
    case "\${COMP_WORDS[at]}" in
      ${[...visible(), ...Object.keys(COMMAND_ALIASES)].join("|")}) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  local words="" values=""
  case "$command" in
    "") words="${[...visible(), ...Object.keys(COMMAND_ALIASES)].join(" ")} --stanza= --config=" ;;
${cases.join("\n")}
  esac
  if [[ -n $option ]]; then
    if [[ -n $values ]]; then mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    else mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames
    fi
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ \${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames
  fi
  if [[ \${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
}
complete -F _walferry walferry
`;
}

function zshScript(): string {
  const text = (words: string) => words.replace(/[\[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");
  const commands = visible().flatMap((command) =>
    [command, ...aliasesOf(command)].map((name) => [name, command] as const)
  );
  const cases = visible().map((command) => {
    const options = typedOptions(command).map(({ name, takesValue, values, help }) => {
      const value = !takesValue ? "" : `:value:${values.length === 0 ? "_files" : `(${values.join(" ")})`}`;
      return `        '*--${name}${takesValue ? "=" : ""}[${text(help)}]${value}'`;
    });
    const choice = parameterWords(command);
    const files = choice.length === 0 ? "" : `\n      parameter='*:parameter:(${choice.join(" ")})'`;
    const names = [command, ...aliasesOf(command)].join("|");
    return `    (${names})\n      options=(\n${options.join("\n")}\n      )${files}\n      ;;`;
  });
  return `#compdef walferry
# walferry completion for zsh; put it into a directory of $fpath
_walferry() {
  local -a commands options
  local command word parameter='*:file:_files'
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in
      (${commands.map(([name]) => name).join("|")}) command="$word"; break ;;
    esac
  done
  commands=(
${commands.map(([name, command]) => `    '${name}:${text(COMMAND_HELP[command])}'`).join("\n")}
  )
  options=('--stanza=[name of the stanza]:stanza:' '--config=[configuration file]:file:_files')
  case "$command" in
${cases.join("\n")}
  esac
  _arguments "$options[@]" '1:command:{_describe command commands}' "$parameter"
}
_walferry "$@"
`;
}

function fishScript(): string {
  const lines = ["# walferry completion for fish"];
  const all = visible().flatMap((command) => [command, ...aliasesOf(command)]);
  const none = `not __fish_seen_subcommand_from ${all.join(" ")}`;
  lines.push(`complete -c walferry -n '${none}' -f`);
  for (const command of visible()) {
    for (const name of [command, ...aliasesOf(command)]) {
      lines.push(`complete -c walferry -n '${none}' -a ${name} -d '${quoted(COMMAND_HELP[command])}'`);
    }
  }
  for (const name of ["stanza", "config"]) {
    lines.push(`complete -c walferry -n '${none}' -l ${name} -r -d '${quoted(optionHelp(name))}'`);
  }
  for (const command of visible()) {
    const seen = `__fish_seen_subcommand_from ${[command, ...aliasesOf(command)].join(" ")}`;
    const choice = parameterWords(command);
    if (choice.length > 0) lines.push(`complete -c walferry -n '${seen}' -f -a '${choice.join(" ")}'`);
    for (const { name, takesValue, values, help } of typedOptions(command)) {
      const value = !takesValue ? "" : values.length === 0 ? " -r" : ` -x -a '${values.join(" ")}'`;
      lines.push(`complete -c walferry -n '${seen}' -l ${name}${value} -d '${quoted(help)}'`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function quoted(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
}
