/** Options of verify, as typed values. */
import type { RepositoryConfig } from "../repository/config.ts";
import type { ReadDepth } from "./object_job.ts";

/** How much is read: everything, nothing but lists and info files, a random part of the files and segments, or what is new. */
export type VerifyMode =
  | { readonly kind: "full" }
  | { readonly kind: "quick" }
  | { readonly kind: "sample"; readonly percent: number }
  /** Everything that was not read by such a run before. */
  | { readonly kind: "since-last" };

/** How one repository is verified. */
export interface VerifySettings {
  readonly stanza: string;
  /** Only this backup, what it refers to, and the WAL that makes it consistent. */
  readonly set?: string;
  readonly mode: VerifyMode;
  /** How far into what is read. */
  readonly depth: ReadDepth;
  readonly processMax: number;
}

export interface VerifyOptions extends VerifySettings {
  /** What is verified, one behind the other. */
  readonly repositories: readonly RepositoryConfig[];
  /** They were named: then a backup (`set`) has to be in each. */
  readonly repositoriesChosen: boolean;
  readonly output: "none" | "text" | "json";
  readonly verbose: boolean;
  /** `compat`: exit code 0 whatever is found, as pgBackRest. */
  readonly exit: "strict" | "compat";
  /** Put right what is found; absent = change nothing. */
  readonly repair?: {
    /** Where right copies may be, in the order in which they are asked; the repository itself does not count. */
    readonly from: readonly RepositoryConfig[];
    readonly lockPath: string;
  };
}
