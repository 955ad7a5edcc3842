/** Options of the commands on repositories as stores of files, and on single backups in them, as typed values. */
import { WalferryError } from "../errors.ts";
import type { RepositoryConfig } from "../repository/config.ts";
import type {
  AnnotateOptions,
  ManifestOptions,
  PinOptions,
  RekeyOptions,
  RepoGcOptions,
  RepoGetOptions,
  RepoLsOptions,
  RepoPutOptions,
  RepoRmOptions,
  RepoSyncOptions,
} from "../repository/options.ts";
import type { Configuration } from "./configuration.ts";
import { annotations, repositories, stanzaOf } from "./typed_repositories.ts";

/** Options of repo-gc. */
export function repoGcOptions(config: Configuration): RepoGcOptions {
  return {
    repositories: repositories(config),
    olderThanMs: config.number("older-than"),
    dryRun: config.boolean("dry-run"),
  };
}

/** Options of rekey. */
export function rekeyOptions(config: Configuration): RekeyOptions {
  const configured = repositories(config);
  const encrypted = configured.filter(({ cipher }) => cipher.type !== "none");
  // Which repository gets another passphrase is said, or there is but one that has any.
  const chosen = encrypted.length === 1 && config.optionalString("repo") === undefined ? encrypted : configured;
  if (chosen.length > 1) {
    throw new WalferryError("OptionRequired", "rekey command requires option: repo", {
      hint: `several repositories are configured (${chosen.map(({ key }) => key).join(", ")}): name one.`,
    });
  }
  return {
    stanza: config.stanza,
    repositories: chosen,
    confirm: config.boolean("confirm"),
    lockPath: config.string("lock-path"),
  };
}

/** Options of repo-sync. */
export function repoSyncOptions(config: Configuration): RepoSyncOptions {
  const all = repositories(config);
  const of = (option: "from" | "to") => {
    const text = config.string(option);
    const found = all.find(({ key }) => text === String(key));
    if (found !== undefined) return found;
    throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for '${option}' option`, {
      hint: `configured repositories are ${all.map(({ key }) => key).join(", ")}.`,
    });
  };
  const [from, to] = [of("from"), of("to")];
  if (from.key === to.key) {
    throw new WalferryError("OptionInvalidValue", `'from' and 'to' are both repo${from.key} but must be different`);
  }
  return {
    stanza: stanzaOf(config),
    from,
    to,
    set: config.optionalString("set"),
    dryRun: config.boolean("dry-run"),
    processMax: config.number("process-max"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
  };
}

/** The repository of a command that works on one: `--repo`, else the first. */
export function oneRepository(config: Configuration): RepositoryConfig {
  return repositories(config)[0]!;
}

/** `--filter`. @throws WalferryError `Format` */
function filterOf(config: Configuration): RegExp | undefined {
  const text = config.optionalString("filter");
  if (text === undefined) return undefined;
  try {
    return new RegExp(text, "u");
  } catch (error) {
    throw new WalferryError("Format", `invalid regular expression '${text}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

const outputOf = (config: Configuration) => (config.string("output") === "json" ? "json" : "text");

/** Options of repo-ls. */
export function repoLsOptions(config: Configuration, path = ""): RepoLsOptions {
  return {
    repository: oneRepository(config),
    path,
    filter: filterOf(config),
    recurse: config.boolean("recurse"),
    sort: config.string("sort") as RepoLsOptions["sort"],
    output: outputOf(config),
  };
}

/** Options of repo-get. */
export function repoGetOptions(config: Configuration, path: string): RepoGetOptions {
  return { ...repoPutOptions(config, path), ignoreMissing: config.boolean("ignore-missing") };
}

/** Options of repo-put. */
export function repoPutOptions(config: Configuration, path: string): RepoPutOptions {
  return {
    repository: oneRepository(config),
    path,
    stanza: config.stanza,
    raw: config.boolean("raw"),
    cipherPass: config.optionalString("cipher-pass"),
  };
}

/** Options of repo-rm. */
export function repoRmOptions(config: Configuration, path = ""): RepoRmOptions {
  return { repository: oneRepository(config), path, recurse: config.boolean("recurse") };
}

/** Options of annotate. */
export function annotateOptions(config: Configuration): AnnotateOptions {
  return {
    stanza: stanzaOf(config),
    repositories: repositories(config),
    set: config.string("set"),
    annotations: config.option("annotation") === undefined ? config.missing("annotation") : annotations(config),
    lockPath: config.string("lock-path"),
  };
}

/** Options of pin and unpin. */
export function pinOptions(config: Configuration): PinOptions {
  return {
    stanza: stanzaOf(config),
    repositories: repositories(config),
    set: config.string("set"),
    reason: config.command === "unpin" ? undefined : config.optionalString("reason") ?? "pinned",
    lockPath: config.string("lock-path"),
  };
}

/** Options of manifest. */
export function manifestOptions(config: Configuration): ManifestOptions {
  return {
    stanza: stanzaOf(config),
    repositories: repositories(config),
    set: config.string("set"),
    reference: config.optionalString("reference"),
    filter: filterOf(config),
    output: outputOf(config),
  };
}
