/**
 * The effective options of one run: command line over environment over files over defaults (behaviour spec §1.3, §1.5, §1.6). Everything
 * above reads typed values from here; nothing else looks at the sources.
 */
import { WalferryError } from "../errors.ts";
import type { CommandLine } from "./command_line.ts";
import type { CommandName } from "./commands.ts";
import type { ConfigLine } from "./config_file.ts";
import { nearestOption, optionNamed } from "./option_name.ts";
import { indexedName, OPTIONS, takes } from "./option_table.ts";
import { type EffectiveOption, type Raw, resolve } from "./resolve.ts";

/** What a configuration is made from. */
export interface ConfigurationSources {
  readonly command: CommandName;
  readonly commandLine: CommandLine;
  readonly environment: Readonly<Record<string, string>>;
  readonly lines: readonly ConfigLine[];
}

/** Beginnings of variables that are options, best first. */
export const ENVIRONMENT_PREFIXES: readonly string[] = ["WALFERRY_", "PGBACKREST_"];

export class Configuration {
  readonly command: CommandName;
  readonly stanza: string | undefined;
  /** Problems that are no errors: unknown options in a file and the like. */
  readonly warnings: readonly string[];
  /** Stanzas that have a section in a file. */
  readonly stanzaSections: readonly string[];
  /** What the files said. */
  readonly lines: readonly ConfigLine[];
  /** What the commands that print passphrases answered, by key of the repository: see `passphrases.ts`. */
  readonly passphrases = new Map<number, string | WalferryError>();
  readonly #effective: ReadonlyMap<string, EffectiveOption>;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(
    { command, environment, lines }: ConfigurationSources,
    stanza: string | undefined,
    effective: ReadonlyMap<string, EffectiveOption>,
    warnings: readonly string[],
    stanzaSections: readonly string[],
  ) {
    this.command = command;
    this.#environment = environment;
    this.lines = lines;
    this.stanza = stanza;
    this.#effective = effective;
    this.warnings = warnings;
    this.stanzaSections = stanzaSections;
  }

  /** @throws WalferryError `OptionInvalid`, `OptionInvalidValue`, `OptionRequired` */
  static make(sources: ConfigurationSources): Configuration {
    const warnings: string[] = [];
    const raw = new Map<string, Raw>();
    for (const [name, given] of sources.commandLine.options) raw.set(name, { given, source: { kind: "command line" } });
    addEnvironment(raw, sources, warnings);
    const stanza = raw.get("stanza")?.given.texts[0];
    if (stanza !== undefined) assertStanzaName(stanza);
    addFiles(raw, sources, stanza, warnings);
    const effective = resolve(raw, sources.command, warnings);
    const stanzaSections = [...new Set(sources.lines.map(({ section }) => section.split(":")[0]!))].filter((name) =>
      name !== "global"
    );
    return new Configuration(sources, stanza, effective, warnings, stanzaSections);
  }

  /** A variable that is no option: what providers and ssh put into the environment. Empty counts as not set. */
  environment(name: string): string | undefined {
    return this.#environment[name] || undefined;
  }

  /** Every option that has a value, in the order of the table. */
  all(): EffectiveOption[] {
    return [...this.#effective.values()];
  }

  /** Numbers of the configured repositories or clusters, ascending. */
  indexes(group: "repo" | "pg"): number[] {
    const found = new Set<number>();
    for (const { option, index, source } of this.#effective.values()) {
      if (option.group === group && index !== undefined && source.kind !== "default") found.add(index);
    }
    if (found.size === 0) found.add(1);
    // The first cluster is always there, so that pg1-path is asked for even if only pg2 is written.
    if (group === "pg") found.add(1);
    return [...found].sort((a, b) => a - b);
  }

  option(name: string, index?: number): EffectiveOption | undefined {
    const declaration = OPTIONS.get(name);
    if (declaration === undefined) throw new WalferryError("Assert", `there is no option '${name}'`);
    return this.#effective.get(indexedName(declaration, index));
  }

  /** True when a source other than the default gave it. */
  isSet(name: string, index?: number): boolean {
    const found = this.option(name, index);
    return found !== undefined && found.source.kind !== "default";
  }

  boolean(name: string, index?: number): boolean {
    return this.optionalBoolean(name, index) ?? false;
  }
  optionalBoolean(name: string, index?: number): boolean | undefined {
    return this.option(name, index)?.value as boolean | undefined;
  }
  optionalNumber(name: string, index?: number): number | undefined {
    return this.option(name, index)?.value as number | undefined;
  }
  number(name: string, index?: number): number {
    return this.optionalNumber(name, index) ?? this.missing(name, index);
  }
  optionalString(name: string, index?: number): string | undefined {
    return this.option(name, index)?.value as string | undefined;
  }
  string(name: string, index?: number): string {
    return this.optionalString(name, index) ?? this.missing(name, index);
  }
  list(name: string): readonly string[] {
    return (this.option(name)?.value as readonly string[] | undefined) ?? [];
  }
  hash(name: string, index?: number): ReadonlyMap<string, string> {
    return (this.option(name, index)?.value as ReadonlyMap<string, string> | undefined) ?? new Map();
  }

  /** @throws WalferryError `OptionRequired`, always */
  missing(name: string, index?: number): never {
    const declaration = OPTIONS.get(name)!;
    const shown = indexedName(declaration, declaration.group === undefined ? undefined : index ?? 1);
    const stanza = this.stanza ?? "<stanza>";
    const section = declaration.home === "stanza" ? stanza : "global";
    // A wrong stanza name shows as a missing option of its section.
    const unknown = declaration.home === "stanza" && this.stanza !== undefined && !this.stanzaSections.includes(stanza)
      ? `\ndoes this stanza exist? No configuration file has a section [${stanza}].`
      : "";
    throw new WalferryError("OptionRequired", `${this.command} command requires option: ${shown}`, {
      hint: declaration.home === "command line"
        ? `add --${shown}=<value> to the command line.`
        : `set ${shown} in section [${section}] of the configuration file.${unknown}`,
    });
  }
}

/** The stanza becomes part of paths. @throws WalferryError `OptionInvalidValue` */
function assertStanzaName(stanza: string): void {
  if (stanza === "" || stanza === "." || stanza === ".." || stanza.startsWith("-") || /[/\0\n\r]/.test(stanza)) {
    throw new WalferryError(
      "OptionInvalidValue",
      `'${stanza.replaceAll(/[\0\n\r]/g, "?")}' is not valid for 'stanza' option`,
      {
        hint: "a stanza is a plain name, such as main.",
      },
    );
  }
}

/** WALFERRY_X first, PGBACKREST_X where it is not set. */
function addEnvironment(
  raw: Map<string, Raw>,
  { environment, command }: ConfigurationSources,
  warnings: string[],
): void {
  for (const prefix of ENVIRONMENT_PREFIXES) {
    for (const variable of Object.keys(environment).sort()) {
      // Variables that steer the tests and the packaging of the program itself are no options.
      if (!variable.startsWith(prefix) || /^WALFERRY_(TEST|BUILD|EXECUTABLE)/.test(variable)) continue;
      const name = variable.slice(prefix.length).toLowerCase().replaceAll("_", "-");
      const where = ` (environment variable ${variable})`;
      const named = optionNamed(name, where);
      if (named === undefined) {
        warnings.push(`environment contains ${unknownOption(name, where)}`);
        continue;
      }
      if (!takes(command, named.option) || raw.has(named.name)) continue;
      const text = environment[variable]!;
      // What the runtime puts in place of bytes that are no UTF-8.
      if (text.includes("\uFFFD")) {
        throw new WalferryError("OptionInvalidValue", `value of '${named.name}' is not UTF-8 text${where}`);
      }
      const texts = named.option.type === "list" || named.option.type === "hash" ? text.split(":") : [text];
      raw.set(named.name, {
        given: { named, texts, negated: false, reset: false },
        source: { kind: "environment", variable },
      });
    }
  }
}

/** Sections from the most to the least special; the first that holds an option wins. */
function addFiles(
  raw: Map<string, Raw>,
  sources: ConfigurationSources,
  stanza: string | undefined,
  warnings: string[],
): void {
  const { lines, command } = sources;
  const sections = [
    ...(stanza === undefined ? [] : [`${stanza}:${command}`, stanza]),
    `global:${command}`,
    "global",
  ];
  for (const section of sections) {
    const inSection = new Map<string, { raw: Raw; key: string }>();
    for (const line of lines) {
      if (line.section !== section) continue;
      const checked = checkLine(line, section, command, warnings);
      if (checked === undefined) continue;
      const { named } = checked.given;
      if (!takes(command, named.option)) continue;
      const before = inSection.get(named.name);
      if (before === undefined) {
        inSection.set(named.name, { raw: checked, key: line.key });
        continue;
      }
      const where = ` at line ${line.line} of '${line.file}'`;
      if (before.key !== line.key) {
        throw new WalferryError(
          "OptionInvalid",
          `configuration file contains duplicate options ('${before.key}', '${line.key}') in section '[${section}]'${where}`,
        );
      }
      if (named.option.type !== "list" && named.option.type !== "hash") {
        throw new WalferryError("OptionInvalid", `option '${named.name}' cannot be set multiple times${where}`);
      }
      before.raw.given.texts.push(...checked.given.texts);
    }
    for (const [name, { raw: found }] of inSection) if (!raw.has(name)) raw.set(name, found);
  }
}

/** The option on a line, or `undefined` (with a warning) when the line is skipped. */
function checkLine(line: ConfigLine, section: string, command: CommandName, warnings: string[]): Raw | undefined {
  const where = `configuration file contains ('${line.file}' line ${line.line})`;
  const at = ` at line ${line.line} of '${line.file}'`;
  const named = optionNamed(line.key, at);
  if (named === undefined) {
    warnings.push(`${where} ${unknownOption(line.key, at)}`);
    return undefined;
  }
  if (named.option.home === "command line") {
    warnings.push(`${where} command-line only option '${line.key}'`);
    return undefined;
  }
  if (named.option.home === "stanza" && (section === "global" || section.startsWith("global:"))) {
    warnings.push(`${where} stanza-only option '${line.key}' in global section '${section}'`);
    return undefined;
  }
  if (section.includes(":") && !takes(command, named.option)) {
    warnings.push(`${where} option '${line.key}' invalid for section '${section}'`);
    return undefined;
  }
  return {
    given: { named, texts: [line.value], negated: false, reset: false },
    source: { kind: "file", file: line.file, section: line.section, line: line.line },
  };
}

/** What is said about a name in a file or in the environment that is no option. */
function unknownOption(name: string, where: string): string {
  const form = /^(no|reset)-(.+)$/.exec(name);
  if (form !== null && optionNamed(form[2]!, where) !== undefined) {
    return `invalid ${form[1] === "no" ? "negate" : "reset"} option '${name}'`;
  }
  const near = nearestOption(name);
  return `invalid option '${name}'${near === undefined ? "" : `: did you mean '${near}'?`}`;
}
