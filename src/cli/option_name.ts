/** From a written option name to its declaration and index: current names, older names, prefixes, and what was probably meant. */
import { WalferryError } from "../errors.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { INDEX_MAX, indexedName, OPTIONS } from "./option_table.ts";

/** An option as it was meant by a name. */
export interface NamedOption {
  readonly option: OptionDeclaration;
  /** Only for options of repositories and clusters. */
  readonly index?: number;
  /** Current name with its index. */
  readonly name: string;
}

/** Name with `?` for the index and the index, for names such as `repo12-path`. */
function splitIndex(name: string): { pattern: string; index: number } | undefined {
  const match = /^(repo|pg|db)(\d{1,9})-(.+)$/.exec(name);
  return match === null ? undefined : { pattern: `${match[1]}?-${match[3]}`, index: Number(match[2]) };
}

const BY_NAME = new Map<string, { readonly option: OptionDeclaration; readonly fixedIndex?: number }>();
for (const option of OPTIONS.values()) {
  BY_NAME.set(option.group === undefined ? option.name : option.name.replace(`${option.group}-`, `${option.group}?-`), {
    option,
  });
  // An old name without index means the first repository or cluster.
  for (const old of option.oldNames ?? []) BY_NAME.set(old, old.includes("?") ? { option } : { option, fixedIndex: 1 });
}

/**
 * The option of exactly this name, or `undefined`.
 * @param where file and line, or the like, for messages
 * @throws WalferryError `OptionInvalid` for an index outside of 1 to 256, or for one that is missing
 */
export function optionNamed(name: string, where = ""): NamedOption | undefined {
  const plain = BY_NAME.get(name);
  if (plain !== undefined && !name.includes("?")) {
    const index = plain.option.group === undefined ? undefined : plain.fixedIndex;
    return { option: plain.option, index, name: indexedName(plain.option, index) };
  }
  const group = OPTIONS.get(name)?.group;
  if (group !== undefined) {
    throw new WalferryError("OptionInvalid", `option '${name}' requires an index${where}`, {
      hint: `add the required index, e.g. ${name.replace(group, `${group}1`)}.`,
    });
  }
  const split = splitIndex(name);
  const indexed = split === undefined ? undefined : BY_NAME.get(split.pattern);
  if (split === undefined || indexed === undefined) return undefined;
  if (split.index < 1 || split.index > INDEX_MAX) {
    throw new WalferryError("OptionInvalid", `option '${name}' index must be between 1 and ${INDEX_MAX}${where}`);
  }
  return { option: indexed.option, index: split.index, name: indexedName(indexed.option, split.index) };
}

/**
 * As {@link optionNamed}, and an unambiguous beginning of a name will do (command line only).
 * @throws WalferryError `OptionInvalid` for an ambiguous one
 */
export function optionByPrefix(name: string): NamedOption | undefined {
  const exact = optionNamed(name);
  if (exact !== undefined || name === "") return exact;
  const split = splitIndex(name);
  const begin = split?.pattern ?? name;
  const matches = new Map<string, { readonly option: OptionDeclaration; readonly fixedIndex?: number }>();
  for (const [known, entry] of BY_NAME) {
    if (known.startsWith(begin) && known.includes("?") === (split !== undefined)) matches.set(entry.option.name, entry);
  }
  if (matches.size > 1) {
    throw new WalferryError(
      "OptionInvalid",
      `option '${name}' is ambiguous: it may be ${[...matches.keys()].sort().slice(0, 8).join(", ")}`,
    );
  }
  const only = [...matches.values()][0];
  if (only === undefined) return undefined;
  if (split !== undefined && (split.index < 1 || split.index > INDEX_MAX)) {
    throw new WalferryError("OptionInvalid", `option '${name}' index must be between 1 and ${INDEX_MAX}`);
  }
  const index = only.option.group === undefined ? undefined : split?.index ?? only.fixedIndex;
  return { option: only.option, index, name: indexedName(only.option, index) };
}

/** The known name nearest to an unknown one, for "did you mean"; `undefined` when nothing is near. */
export function nearestOption(name: string): string | undefined {
  const split = splitIndex(name);
  const wanted = split?.pattern ?? name;
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const [known, { option }] of BY_NAME) {
    if (option.internal) continue;
    const distance = editDistance(wanted, known, 3);
    if (distance <= 3 && distance < wanted.length / 2 && (best === undefined || distance < best.distance)) {
      best = { name: known, distance };
    }
  }
  return best?.name.replace("?", String(split?.index ?? 1));
}

/** Insertions, deletions, replacements and swaps of neighbours between two texts; anything above the limit is limit + 1. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return Math.min(above[b.length]!, limit + 1);
}
