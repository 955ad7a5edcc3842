/** Repositories and clusters of the effective configuration as typed values, and what several commands share. */
import type { BackupType } from "../backup/options.ts";
import { isWalferryError, WalferryError } from "../errors.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import type { CipherConfig, RepositoryConfig, RepositoryRole } from "../repository/config.ts";
import type { CompressSetting, CompressType } from "../stream/compress_type.ts";
import { blockConfig } from "./block_options.ts";
import type { Configuration } from "./configuration.ts";
import { passphraseOf, previousPassphraseOf } from "./passphrases.ts";
import { placeName, storageConfig } from "./store_config.ts";

/** Lowest and highest level of each compression type (behaviour spec §1.8.2). */
const LEVELS: Readonly<Record<CompressType, readonly [min: number, max: number]>> = {
  none: [0, 0],
  bz2: [1, 9],
  gz: [-1, 9],
  lz4: [-5, 12],
  zst: [-7, 22],
};

/** Repositories in key order, only those that `--repo` names. */
export function repositories(config: Configuration, listAllowed = false): RepositoryConfig[] {
  const keys = config.indexes("repo");
  if (config.isSet("repo-target-time")) {
    throw unsupported("repo-target-time", "this version has no store that keeps older versions of a file");
  }
  const chosen = chosenKeys(config, keys, listAllowed);
  assertPlacesDiffer(config, keys);
  return keys.filter((key) => chosen.includes(key)).map((key) => repository(config, key));
}

/** Repositories of some roles in key order, whatever `--repo` names. Of the others nothing is looked at. */
export function repositoriesFor(config: Configuration, roles: readonly RepositoryRole[]): RepositoryConfig[] {
  return config.indexes("repo").filter((key) => roles.includes(roleOf(config, key))).map((key) =>
    repository(config, key)
  );
}

function roleOf(config: Configuration, key: number): RepositoryRole {
  return (config.optionalString("repo-role", key) ?? "all") as RepositoryRole;
}

/** Two repositories in one place would remove each other's files. Those that `--repo` leaves out count too. */
function assertPlacesDiffer(config: Configuration, keys: readonly number[]): void {
  const seen = new Map<string, number>();
  for (const key of keys) {
    // Of one that this run does not use, something may be missing: it is told when it is used.
    const type = config.string("repo-type", key);
    if (config.isSet("repo-host", key)) continue;
    const local = type === "posix" || type === "cifs";
    const place = local ? config.string("repo-path", key) : comparablePlace(config, key);
    if (place === undefined) continue;
    const before = seen.get(place);
    if (before !== undefined) {
      throw new WalferryError(
        "OptionInvalidValue",
        local
          ? `local repo${before} and repo${key} paths are both '${place}' but must be different`
          : `repo${before} and repo${key} are both '${place}' but must be different`,
      );
    }
    seen.set(place, key);
  }
}

function comparablePlace(config: Configuration, key: number): string | undefined {
  try {
    return placeName(storageConfig(config, key));
  } catch (error) {
    if (!isWalferryError(error)) throw error;
    return undefined;
  }
}

function chosenKeys(config: Configuration, keys: readonly number[], listAllowed: boolean): readonly number[] {
  const text = config.optionalString("repo");
  if (text === undefined || (listAllowed && text === "all")) return keys;
  const words = text.split(",");
  const chosen = words.map(Number);
  const known = words.every((word) => /^\d{1,3}$/.test(word)) && chosen.every((key) => keys.includes(key));
  if (!known || (chosen.length > 1 && !listAllowed)) {
    throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for 'repo' option`, {
      hint: `configured repositories are ${keys.join(", ")}${listAllowed ? "; several are written 1,2 or all" : ""}.`,
    });
  }
  return chosen;
}

export function repository(config: Configuration, key: number): RepositoryConfig {
  if (config.isSet("repo-host", key)) {
    throw unsupported(
      `repo${key}-host`,
      "repositories are reached directly: mount it, or run walferry on the repository host",
    );
  }
  const cipher: CipherConfig = config.string("repo-cipher-type", key) === "none"
    ? { type: "none" }
    : encrypted(config, key);
  return {
    key,
    role: roleOf(config, key),
    storage: storageConfig(config, key),
    cipher,
    symlink: config.optionalBoolean("repo-symlink", key) ?? true,
    hardlink: config.optionalBoolean("repo-hardlink", key) ?? false,
    bundle: config.optionalBoolean("repo-bundle", key)
      ? {
        sizeBytes: config.number("repo-bundle-size", key),
        limitBytes: config.number("repo-bundle-limit", key),
      }
      : undefined,
    block: blockConfig(config, key),
    retention: {
      fullType: config.optionalString("repo-retention-full-type", key) === "time" ? "time" : "count",
      full: config.optionalNumber("repo-retention-full", key),
      diff: config.optionalNumber("repo-retention-diff", key),
      archiveType: (config.optionalString("repo-retention-archive-type", key) ?? "full") as BackupType,
      archive: config.optionalNumber("repo-retention-archive", key),
      historyDays: config.optionalNumber("repo-retention-history", key),
      keep: {
        daily: config.optionalNumber("repo-retention-keep-daily", key),
        weekly: config.optionalNumber("repo-retention-keep-weekly", key),
        monthly: config.optionalNumber("repo-retention-keep-monthly", key),
        yearly: config.optionalNumber("repo-retention-keep-yearly", key),
      },
    },
  };
}

function encrypted(config: Configuration, key: number): CipherConfig {
  const previous = previousPassphraseOf(config, key);
  const cipher = { type: "aes-256-cbc", passphrase: passphraseOf(config, key) } as const;
  return previous === undefined ? cipher : { ...cipher, previous };
}

function unsupported(what: string, hint: string): WalferryError {
  return new WalferryError("OptionInvalidValue", `${what} is not supported by this version of walferry`, { hint });
}

/** Configured clusters in key order. */
export function clusters(config: Configuration): ClusterConfig[] {
  return config.indexes("pg").map((key) => cluster(config, key));
}

export function cluster(config: Configuration, key: number): ClusterConfig {
  if (config.isSet("pg-host", key)) {
    throw unsupported(`pg${key}-host`, "run walferry on the host of the cluster");
  }
  return {
    key,
    path: config.string("pg-path", key),
    port: config.optionalNumber("pg-port", key) ?? 5432,
    socketPath: config.optionalString("pg-socket-path", key),
    user: config.optionalString("pg-user", key),
    database: config.optionalString("pg-database", key) ?? "postgres",
    passwordFile: passwordFileOf(config),
  };
}

/** Where the client library of PostgreSQL looks. */
function passwordFileOf(config: Configuration): string | undefined {
  const home = config.environment("HOME");
  return config.environment("PGPASSFILE") || (home ? `${home}/.pgpass` : undefined);
}

export function stanzaOf(config: Configuration): string {
  return config.stanza ?? config.missing("stanza");
}

export function compressSetting(config: Configuration): CompressSetting {
  let type = config.string("compress-type") as CompressType;
  // The old switch: compress=n is compress-type=none.
  if (config.optionalBoolean("compress") === false && !config.isSet("compress-type")) type = "none";
  const level = config.optionalNumber("compress-level");
  if (level === undefined || type === "none") return { type };
  const [min, max] = LEVELS[type];
  if (level < min || level > max) {
    throw new WalferryError(
      "OptionInvalidValue",
      `'${level}' is out of range for 'compress-level' option when 'compress-type' option = ${type}`,
      {
        hint: `allowed is ${min} to ${max}.`,
      },
    );
  }
  return { type, level };
}

/**
 * Notes on a backup. A name that JSON escapes is none that pgBackRest can read: the whole `backup.info` would be lost to it. One that is there
 * all the same can be removed (with an empty value).
 * @throws WalferryError `OptionInvalidValue`
 */
export function annotations(config: Configuration): ReadonlyMap<string, string> {
  const notes = config.hash("annotation");
  for (const [name, text] of notes) {
    // deno-lint-ignore no-control-regex
    if (text === "" || !/["\\\x00-\x1f\x7f]/.test(name)) continue;
    throw new WalferryError(
      "OptionInvalidValue",
      `'${name}' is not valid for 'annotation' option: the name of a note`,
      {
        hint: "names of notes hold no quotation marks, backslashes and control characters; their texts may.",
      },
    );
  }
  return notes;
}

export function noRepositoryFor(command: string, role: string): WalferryError {
  return new WalferryError("OptionInvalid", `there is no repository for ${command}: each has repo-role=${role}`, {
    hint: "one repository at least needs repo-role=all (the default) for it.",
  });
}
