/** The words behind the program's name: command, parameters and options as written (behaviour spec §1.4). */
import { WalferryError } from "../errors.ts";
import { COMMAND_NAMES, type CommandName, commandNamed, COMMANDS } from "./commands.ts";
import { editDistance, type NamedOption, nearestOption, optionByPrefix } from "./option_name.ts";
import { takes } from "./option_table.ts";

/** What one source says about one option. */
export interface GivenOption {
  readonly named: NamedOption;
  /** Texts as written; several for lists and hashes. Empty when negated or reset. */
  readonly texts: string[];
  readonly negated: boolean;
  readonly reset: boolean;
}

export interface CommandLine {
  /** `undefined` when nothing at all was written. */
  readonly command: CommandName | undefined;
  readonly parameters: readonly string[];
  /** A part of a command that the program starts by itself: `archive-push:async`, `archive-get:async`. */
  readonly role?: "async";
  /** By name with index. */
  readonly options: ReadonlyMap<string, GivenOption>;
}

/** Longest option name; a longer one is a mistake, not a name. */
const NAME_MAX = 64;
/** Options that end the parsing: they are answered whatever else is written. */
const HELP_WORDS = new Set(["--help", "--version"]);

/** @throws WalferryError `OptionInvalid`, `OptionInvalidValue`, `CommandInvalid`, `CommandRequired` */
export function parseCommandLine(args: readonly string[]): CommandLine {
  let command: CommandName | undefined;
  let role: "async" | undefined;
  const parameters: string[] = [];
  const options = new Map<string, GivenOption>();
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (HELP_WORDS.has(word)) {
      const about = command ?? args.slice(at + 1).map(commandNamed).find((name) => name !== undefined);
      return word === "--version"
        ? { command: "version", parameters: [], options: new Map() }
        : { command: "help", parameters: about === undefined ? [] : [about], options: new Map() };
    }
    if (!word.startsWith("-") || word === "-") {
      if (command !== undefined) parameters.push(word);
      else {
        const [name, suffix] = word.split(":");
        if (suffix === "async" && (name === "archive-push" || name === "archive-get")) role = "async";
        command = commandNamed(role === undefined ? word : name!) ?? unknownCommand(word);
      }
      continue;
    }
    at += takeOption(word, args[at + 1], options);
  }
  if (command === undefined && args.length > 0) {
    throw new WalferryError("CommandRequired", "no command found", { hint: "walferry help lists the commands." });
  }
  if (command !== undefined) assertTaken(command, options);
  return { command, role, parameters, options };
}

/** Reads one option; gives the number of following words it used. */
function takeOption(word: string, next: string | undefined, options: Map<string, GivenOption>): number {
  if (!word.startsWith("--") || word === "--") {
    throw new WalferryError("OptionInvalid", `invalid option '${word}'`, {
      hint: "options begin with two dashes and a name, such as --stanza=main.",
    });
  }
  const equals = word.indexOf("=");
  const written = equals === -1 ? word.slice(2) : word.slice(2, equals);
  const value = equals === -1 ? undefined : word.slice(equals + 1);
  if (written.length > NAME_MAX) {
    throw new WalferryError(
      "OptionInvalid",
      `option '${written.slice(0, NAME_MAX)}...' is longer than ${NAME_MAX} characters`,
    );
  }
  const plain = optionByPrefix(written);
  if (plain !== undefined) return takeValue(plain, value, next, options);
  for (const form of ["no", "reset"] as const) {
    if (!written.startsWith(`${form}-`)) continue;
    const named = optionByPrefix(written.slice(form.length + 1));
    if (named === undefined) continue;
    if (value !== undefined) throw new WalferryError("OptionInvalid", `option '--${written}' takes no value`);
    assertMayBe(form, named);
    put(options, { named, texts: [], negated: form === "no", reset: form === "reset" });
    return 0;
  }
  const near = nearestOption(written);
  throw new WalferryError("OptionInvalid", `invalid option '--${written}'`, {
    hint: near === undefined ? "walferry help <command> lists the options." : `did you mean --${near}?`,
  });
}

function takeValue(
  named: NamedOption,
  value: string | undefined,
  next: string | undefined,
  options: Map<string, GivenOption>,
): number {
  const { option } = named;
  if (option.secure && !option.onCommandLine) {
    throw new WalferryError("OptionInvalid", `option '${named.name}' is not allowed on the command-line`, {
      hint:
        "this option could expose secrets in the process list.\nspecify the option in a configuration file or an environment variable instead.",
    });
  }
  const switchLike = option.type === "boolean" || option.type === "bool-like";
  if (value === undefined && switchLike) {
    put(options, { named, texts: ["y"], negated: false, reset: false });
    return 0;
  }
  const text = value ?? next;
  if (text === undefined) throw new WalferryError("OptionInvalid", `option '--${named.name}' requires a value`);
  put(options, { named, texts: [text], negated: false, reset: false });
  return value === undefined ? 1 : 0;
}

function assertMayBe(form: "no" | "reset", { option, name }: NamedOption): void {
  const inFile = option.home !== "command line";
  if (form === "reset") {
    if (inFile) return;
    throw new WalferryError("OptionInvalid", `option '${name}' cannot be reset`);
  }
  if (option.negatable || (inFile && (option.type === "boolean" || option.type === "bool-like"))) return;
  throw new WalferryError("OptionInvalid", `option '${name}' cannot be negated`);
}

function put(options: Map<string, GivenOption>, given: GivenOption): void {
  const { named } = given;
  const before = options.get(named.name);
  if (before === undefined) {
    options.set(named.name, given);
    return;
  }
  const fail = (what: string): never => {
    throw new WalferryError("OptionInvalid", `option '${named.name}' cannot be ${what}`);
  };
  if (before.negated || given.negated) {
    fail(before.negated && given.negated ? "negated multiple times" : "set and negated");
  }
  if (before.reset || given.reset) fail(before.reset && given.reset ? "reset multiple times" : "set and reset");
  if (named.option.type !== "list" && named.option.type !== "hash") fail("set multiple times");
  before.texts.push(...given.texts);
}

/** An option that the command does not know is an error on the command line (in a file it is another command's business). */
function assertTaken(command: CommandName, options: ReadonlyMap<string, GivenOption>): void {
  // A shell alias that carries --config and --stanza must be able to show help and version.
  if (command === "help" || command === "version") return;
  for (const { named } of options.values()) {
    if (!takes(command, named.option)) {
      throw new WalferryError("OptionInvalid", `option '${named.name}' not valid for command '${command}'`, {
        hint: `walferry help ${command} lists its options.`,
      });
    }
  }
}

function unknownCommand(word: string): never {
  const near = word === ""
    ? undefined
    : COMMAND_NAMES.find((name) =>
      !COMMANDS[name].hidden && (name.startsWith(word) || word.startsWith(name) || editDistance(word, name, 2) <= 2)
    );
  throw new WalferryError("CommandInvalid", `invalid command '${word}'`, {
    hint: near === undefined ? "walferry help lists the commands." : `did you mean ${near}?`,
  });
}
