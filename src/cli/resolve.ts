/** From what the sources say to the value of each option of a command: dependencies, defaults, which numbers count (behaviour spec §1.6, §1.7). */
import { WalferryError } from "../errors.ts";
import type { GivenOption } from "./command_line.ts";
import type { CommandName } from "./commands.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { indexedName, OPTIONS, takes } from "./option_table.ts";
import { type OptionValue, parseOptionValue } from "./option_value.ts";

/** Where a value came from. */
export type OptionSource =
  | { readonly kind: "command line" }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "file"; readonly file: string; readonly section: string; readonly line: number }
  | { readonly kind: "default" };

export interface EffectiveOption {
  readonly option: OptionDeclaration;
  readonly index: number | undefined;
  /** Name with its index. */
  readonly name: string;
  readonly value: OptionValue;
  readonly source: OptionSource;
}

/** An option as one source has it. */
export interface Raw {
  readonly given: GivenOption;
  readonly source: OptionSource;
}

/** In a message behind a value: where it stands. */
export function describeSource(source: OptionSource): string {
  switch (source.kind) {
    case "command line":
      return "command line";
    case "environment":
      return `environment variable ${source.variable}`;
    case "file":
      return `${source.file}:${source.line} [${source.section}]`;
    case "default":
      return "default";
  }
}

/**
 * Effective options by name with index.
 * @throws WalferryError `OptionInvalid`, `OptionInvalidValue`
 */
export function resolve(
  raw: ReadonlyMap<string, Raw>,
  command: CommandName,
  warnings: string[],
): Map<string, EffectiveOption> {
  const effective = new Map<string, EffectiveOption>();
  const byGroup = { repo: indexesIn(raw, "repo"), pg: indexesIn(raw, "pg") };
  for (const option of OPTIONS.values()) {
    if (!takes(command, option)) continue;
    for (const index of option.group === undefined ? [undefined] : byGroup[option.group]) {
      const found = resolveOne(option, index, raw, effective, command);
      if (found === undefined) continue;
      effective.set(found.name, found);
      if (found.value instanceof Map && found.value.size < (raw.get(found.name)?.given.texts.length ?? 0)) {
        warnings.push(`option '${found.name}' has the same key more than once: the last value is used`);
      }
    }
  }
  dropIdle(effective);
  const switched = effective.get("compress");
  if (switched !== undefined && effective.get("compress-type")?.source.kind !== "default") {
    warnings.push(
      "'compress' and 'compress-type' options should not both be set\nHINT: 'compress-type' is preferred and 'compress' is deprecated.",
    );
  }
  return effective;
}

/** Numbers of repositories or clusters that some source names, and the first. */
function indexesIn(raw: ReadonlyMap<string, Raw>, group: "repo" | "pg"): number[] {
  const found = new Set([1]);
  for (const { given: { named } } of raw.values()) if (named.option.group === group) found.add(named.index!);
  return [...found].sort((a, b) => a - b);
}

/**
 * A number of which nothing is written, or only options that mean nothing (those of a store that the repository is not in), is none: its
 * defaults would make a repository of it, in the default directory. There is always one repository, and always a first cluster.
 */
function dropIdle(effective: Map<string, EffectiveOption>): void {
  for (const group of ["repo", "pg"] as const) {
    const all = [...effective.values()].filter(({ option }) => option.group === group);
    const used = new Set(all.filter(({ source }) => source.kind !== "default").map(({ index }) => index));
    if (used.size === 0 || group === "pg") used.add(1);
    for (const { index, name } of all) if (!used.has(index)) effective.delete(name);
  }
}

function resolveOne(
  option: OptionDeclaration,
  index: number | undefined,
  raw: ReadonlyMap<string, Raw>,
  effective: ReadonlyMap<string, EffectiveOption>,
  command: CommandName,
): EffectiveOption | undefined {
  const name = indexedName(option, index);
  const written = raw.get(name);
  if (!dependencyMet(option, index, raw, effective, command)) {
    if (written?.source.kind === "command line" && !written.given.reset) {
      const { option: needed, values } = option.depends!;
      throw new WalferryError(
        "OptionInvalid",
        `option '${name}' not valid without option '${neededName(needed, index)}'${
          values === undefined ? "" : ` in (${values.join(", ")})`
        }`,
      );
    }
    return undefined;
  }
  const given = written !== undefined && !written.given.reset ? written : undefined;
  if (given !== undefined) {
    if (given.given.negated) {
      return { option, index, name, value: option.type === "bool-like" ? "n" : false, source: given.source };
    }
    const where = given.source.kind === "command line" ? "" : ` (${describeSource(given.source)})`;
    return {
      option,
      index,
      name,
      value: parseOptionValue(allowedFor(option, command), name, given.given.texts, where),
      source: given.source,
    };
  }
  const fallback = option.defaults?.[command] ?? option.default;
  if (fallback === undefined) return undefined;
  return { option, index, name, value: parseOptionValue(option, name, [fallback], ""), source: { kind: "default" } };
}

function neededName(needed: string, index: number | undefined): string {
  const option = OPTIONS.get(needed)!;
  return indexedName(option, option.group === undefined ? undefined : index);
}

/** The option it depends on is resolved earlier in the table, or read from what was written. */
function dependencyMet(
  option: OptionDeclaration,
  index: number | undefined,
  raw: ReadonlyMap<string, Raw>,
  effective: ReadonlyMap<string, EffectiveOption>,
  command: CommandName,
): boolean {
  if (option.depends === undefined) return true;
  const needed = OPTIONS.get(option.depends.option);
  if (needed === undefined) {
    throw new WalferryError("Assert", `option '${option.name}' depends on an option that does not exist`);
  }
  // A command that does not take the other option cannot say anything about it.
  if (!takes(command, needed)) return true;
  // What hangs on an option that means nothing itself means nothing either.
  if (!dependencyMet(needed, index, raw, effective, command)) return false;
  const name = indexedName(needed, needed.group === undefined ? undefined : index);
  const value = effective.get(name)?.value ?? raw.get(name)?.given.texts[0] ?? needed.defaults?.[command] ??
    needed.default;
  const { values } = option.depends;
  if (values === undefined || value === undefined) return value !== undefined;
  return values.includes(typeof value === "boolean" ? (value ? "y" : "n") : String(value));
}

function allowedFor(option: OptionDeclaration, command: CommandName): OptionDeclaration {
  const allowed = option.allowedFor?.[command];
  return allowed === undefined ? option : { ...option, allowed };
}
