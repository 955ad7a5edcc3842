/** What is declared of an option. The declarations are in `plain_options.ts`, `indexed_options.ts` and `compatible_options.ts`. */
import type { CommandName } from "./commands.ts";

export type OptionType =
  | "boolean"
  | "bool-like"
  | "integer"
  | "size"
  | "time"
  | "path"
  | "string"
  | "string-id"
  | "list"
  | "hash";

/** When another option makes this one mean something. */
export interface OptionDependency {
  readonly option: string;
  /** Absent = any value: it is enough that the other option is there. */
  readonly values?: readonly string[];
}

export interface OptionDeclaration {
  /** Name without an index: `repo-path` stands for `repo1-path`, `repo2-path` ... */
  readonly name: string;
  readonly type: OptionType;
  /** Options of repositories and clusters carry a number behind the first word. */
  readonly group?: "repo" | "pg";
  /** Where it may stand: only on the command line, in any section, or in a stanza's section only. */
  readonly home: "command line" | "global" | "stanza";
  readonly commands: readonly CommandName[];
  readonly default?: string;
  /** Defaults that differ by command. */
  readonly defaults?: Readonly<Partial<Record<CommandName, string>>>;
  readonly allowed?: readonly string[];
  /** Values that differ by command. */
  readonly allowedFor?: Readonly<Partial<Record<CommandName, readonly string[]>>>;
  /** Range of integers, sizes (bytes) and times (milliseconds). */
  readonly min?: number;
  readonly max?: number;
  readonly depends?: OptionDependency;
  /** Never on a command line, never printed. */
  readonly secure?: boolean;
  /** A secret that may stand on a command line all the same. */
  readonly onCommandLine?: boolean;
  /** May be negated although it may not stand in a file. */
  readonly negatable?: boolean;
  /** Older names; `?` stands for the index. */
  readonly oldNames?: readonly string[];
  /** Takes the value and checks it, changes nothing here: so that a pgBackRest configuration keeps working. */
  readonly compatibilityOnly?: boolean;
  /** Not documented for users. */
  readonly internal?: boolean;
  /** walferry's own: pgBackRest does not know it. */
  readonly own?: boolean;
}
