/**
 * Every option, declared once: parsing, validation, help, completion, man page and docs/options.md all come from this table. What an
 * option is for, in words, is in `option_help.ts`, which only help and documentation load.
 */
import type { CommandName } from "./commands.ts";
import {
  COMPATIBLE_CLUSTER_OPTIONS,
  COMPATIBLE_PLAIN_OPTIONS,
  COMPATIBLE_REPOSITORY_OPTIONS,
} from "./compatible_options.ts";
import { CLUSTER_OPTIONS, REPOSITORY_OPTIONS } from "./indexed_options.ts";
import type { OptionDeclaration } from "./option_declaration.ts";
import { PLAIN_OPTIONS } from "./plain_options.ts";
import { STORE_OPTIONS } from "./store_options.ts";

/** All options, by name without index. */
export const OPTIONS: ReadonlyMap<string, OptionDeclaration> = new Map(
  [
    ...PLAIN_OPTIONS,
    ...COMPATIBLE_PLAIN_OPTIONS,
    ...CLUSTER_OPTIONS,
    ...COMPATIBLE_CLUSTER_OPTIONS,
    ...REPOSITORY_OPTIONS,
    ...STORE_OPTIONS,
    ...COMPATIBLE_REPOSITORY_OPTIONS,
  ].map((option) => [option.name, option]),
);

/** Highest index of a repository or cluster. */
export const INDEX_MAX = 256;

/** Name with its index: `repo-path` and 2 give `repo2-path`. */
export function indexedName(option: OptionDeclaration, index: number | undefined): string {
  return option.group === undefined || index === undefined
    ? option.name
    : option.name.replace(option.group, `${option.group}${index}`);
}

/** True when a command takes an option. */
export function takes(command: CommandName, option: OptionDeclaration): boolean {
  return option.commands.includes(command);
}
