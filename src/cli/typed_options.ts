/** From the effective configuration to the typed options that commands take. The only place that knows which option feeds which field. */
import type {
  ArchiveGetAsyncOptions,
  ArchiveGetOptions,
  ArchivePushAsyncOptions,
  ArchivePushOptions,
  PushServiceOptions,
} from "../archive/options.ts";
import type { BackupOptions, BackupStandby, BackupType } from "../backup/options.ts";
import type { DrillOptions, DrillType } from "../drill/options.ts";
import { isWalferryError, WalferryError } from "../errors.ts";
import type { ClusterConfig } from "../postgres/config.ts";
import type { StartStopOptions } from "../process/options.ts";
import type { CipherConfig, RepositoryConfig, RepositoryRole } from "../repository/config.ts";
import type {
  AnnotateOptions,
  CheckOptions,
  ExpireOptions,
  InfoOptions,
  ListenAddress,
  ManifestOptions,
  MetricsScope,
  PinOptions,
  RekeyOptions,
  RepoGcOptions,
  RepoGetOptions,
  RepoLsOptions,
  RepoPutOptions,
  RepoRmOptions,
  RepoSyncOptions,
  StanzaOptions,
} from "../repository/options.ts";
import type { RestoreOptions, RestoreType } from "../restore/options.ts";
import type { CompressSetting, CompressType } from "../stream/compress_type.ts";
import type { VerifyMode, VerifyOptions } from "../verify/options.ts";
import { blockConfig } from "./block_options.ts";
import type { Configuration } from "./configuration.ts";
import { passphraseOf, previousPassphraseOf } from "./passphrases.ts";
import { placeName, storageConfig } from "./store_config.ts";
import { terminalOfOutput } from "./terminal.ts";

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

/** Repositories in key order, whatever `--repo` names. */
function allRepositories(config: Configuration): RepositoryConfig[] {
  return config.indexes("repo").map((key) => repository(config, key));
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

function repository(config: Configuration, key: number): RepositoryConfig {
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
    role: (config.optionalString("repo-role", key) ?? "all") as RepositoryRole,
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
function clusters(config: Configuration): ClusterConfig[] {
  return config.indexes("pg").map((key) => cluster(config, key));
}

function cluster(config: Configuration, key: number): ClusterConfig {
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
  };
}

function stanzaOf(config: Configuration): string {
  return config.stanza ?? config.missing("stanza");
}

function compressSetting(config: Configuration): CompressSetting {
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

/** Options of archive-push. */
export function archivePushOptions(config: Configuration, parameters: readonly string[]): ArchivePushOptions {
  const chosen = repositories(config).filter(({ role }) => role !== "backup");
  if (chosen.length === 0) throw noRepositoryFor("archive-push", "backup");
  return {
    stanza: stanzaOf(config),
    walPath: parameters[0]!,
    cluster: config.option("pg-path", 1) === undefined ? undefined : cluster(config, 1),
    repositories: chosen,
    quorum: quorumOf(config.string("archive-push-quorum"), chosen.length),
    spoolPath: config.string("spool-path"),
    compress: compressSetting(config),
    headerCheck: config.boolean("archive-header-check"),
    modeCheck: config.boolean("archive-check") && config.boolean("archive-mode-check"),
    queueMaxBytes: config.optionalNumber("archive-push-queue-max"),
    timeoutMs: config.number("archive-timeout"),
    lockPath: config.string("lock-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Options of archive-push with archive-async=y. */
export function archivePushAsyncOptions(
  config: Configuration,
  parameters: readonly string[],
): ArchivePushAsyncOptions {
  return {
    ...archivePushOptions(config, parameters),
    cluster: cluster(config, 1),
  };
}

/** `archive-push-quorum` as a number of repositories. */
function quorumOf(text: string, count: number): number {
  if (text === "all") return count;
  if (text === "majority") return Math.floor(count / 2) + 1;
  const number = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > count) {
    throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for 'archive-push-quorum' option`, {
      hint: `it is all, majority, or the number of repositories that must hold a WAL file: 1 to ${count}.`,
    });
  }
  return number;
}

function noRepositoryFor(command: string, role: string): WalferryError {
  return new WalferryError("OptionInvalid", `there is no repository for ${command}: each has repo-role=${role}`, {
    hint: "one repository at least needs repo-role=all (the default) for it.",
  });
}

/** Options of the background process that archive-push starts. */
export function pushServiceOptions(config: Configuration, parameters: readonly string[]): PushServiceOptions {
  return {
    ...archivePushAsyncOptions(config, parameters),
    processMax: config.number("process-max"),
    lingerMs: config.number("archive-async-linger"),
    pushes: config.boolean("archive-async"),
  };
}

/** The server to set something in. */
export function serverOptions(config: Configuration): { cluster: ClusterConfig; dbTimeoutMs: number } {
  return { cluster: cluster(config, 1), dbTimeoutMs: config.number("db-timeout") };
}

/** Options of archive-get. */
export function archiveGetOptions(config: Configuration, parameters: readonly string[]): ArchiveGetOptions {
  const chosen = repositories(config).filter(({ role }) => role !== "backup");
  if (chosen.length === 0) throw noRepositoryFor("archive-get", "backup");
  return {
    stanza: stanzaOf(config),
    walName: parameters[0]!,
    destination: parameters[1]!,
    cluster: cluster(config, 1),
    repositories: chosen,
    timeoutMs: config.number("archive-timeout"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Options of archive-get with archive-async=y, and of the background process that it starts. */
export function archiveGetAsyncOptions(config: Configuration, parameters: readonly string[]): ArchiveGetAsyncOptions {
  return {
    ...archiveGetOptions(config, parameters),
    queueMaxBytes: config.number("archive-get-queue-max"),
    lingerMs: config.number("archive-async-linger"),
    processMax: config.number("process-max"),
  };
}

/** Options of backup. */
export function backupOptions(config: Configuration): BackupOptions {
  const online = config.boolean("online");
  const chosen = repositories(config, true).filter(({ role }) => role !== "wal");
  if (chosen.length === 0) throw noRepositoryFor("backup", "wal");
  return {
    stanza: stanzaOf(config),
    type: config.string("type") as BackupType,
    clusters: clusters(config),
    backupStandby: config.string("backup-standby") as BackupStandby,
    // Without --repo a backup goes to the first repository, as with pgBackRest.
    repositories: config.isSet("repo") ? chosen : chosen.slice(0, 1),
    walSources: allRepositories(config).filter(({ role }) => role !== "backup"),
    repositoryChosen: config.isSet("repo"),
    configuredRepositories: config.indexes("repo").length,
    compress: compressSetting(config),
    online,
    force: config.boolean("force"),
    expireAuto: config.boolean("expire-auto"),
    startFast: config.boolean("start-fast"),
    archiveCheck: online && config.boolean("archive-check"),
    archiveCopy: online && config.boolean("archive-check") && config.boolean("archive-copy"),
    archiveModeCheck: online && config.boolean("archive-check") && config.boolean("archive-mode-check"),
    archiveTimeoutMs: config.number("archive-timeout"),
    checksumPage: config.optionalBoolean("checksum-page"),
    pageHeaderCheck: config.boolean("page-header-check"),
    exclude: config.list("exclude"),
    delta: config.boolean("delta"),
    resume: config.boolean("resume"),
    manifestSaveBytes: config.number("manifest-save-threshold"),
    annotations: config.hash("annotation"),
    processMax: config.number("process-max"),
    bufferBytes: config.number("buffer-size"),
    dbTimeoutMs: config.number("db-timeout"),
    lockPath: config.string("lock-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Options of restore. */
export function restoreOptions(config: Configuration, restoreCommand: string): RestoreOptions {
  const type = config.string("type") as RestoreType;
  const needsTarget = ["time", "xid", "lsn", "name"].includes(type);
  return {
    stanza: stanzaOf(config),
    cluster: cluster(config, 1),
    repositories: repositories(config),
    set: config.string("set"),
    type,
    typeChosen: config.isSet("type"),
    target: needsTarget ? config.string("target") : undefined,
    targetAction: (config.optionalString("target-action") ?? "pause") as RestoreOptions["targetAction"],
    targetExclusive: config.boolean("target-exclusive"),
    targetTimeline: config.optionalString("target-timeline"),
    archiveMode: config.string("archive-mode") as RestoreOptions["archiveMode"],
    delta: config.boolean("delta"),
    force: config.boolean("force"),
    dbInclude: config.list("db-include"),
    dbExclude: config.list("db-exclude"),
    linkAll: config.boolean("link-all"),
    linkMap: config.hash("link-map"),
    tablespaceMap: config.hash("tablespace-map"),
    tablespaceMapAll: config.optionalString("tablespace-map-all"),
    recoveryOptions: new Map(
      [...config.hash("recovery-option")].map(([name, value]) => [name.replaceAll("-", "_"), value]),
    ),
    restoreCommand,
    processMax: config.number("process-max"),
    bufferBytes: config.number("buffer-size"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Those that were named; behind a backup also those without backups, whose WAL is of use only for the backups of the others. */
function expiring(config: Configuration): RepositoryConfig[] {
  if (config.command !== "backup") return repositories(config);
  const named = backupOptions(config).repositories;
  return [...named, ...allRepositories(config).filter(({ role }) => role === "wal")];
}

/**
 * Options of drill.
 * @param restoreCommand text of `restore_command` for a data directory and a spool
 */
export function drillOptions(
  config: Configuration,
  environment: Readonly<Record<string, string>>,
  restoreCommand: DrillOptions["restoreCommand"],
): DrillOptions {
  const type = config.string("type") as DrillType;
  return {
    stanza: stanzaOf(config),
    repositories: repositories(config),
    set: config.string("set"),
    type,
    typeChosen: config.isSet("type"),
    target: ["time", "xid", "lsn", "name"].includes(type) ? config.string("target") : undefined,
    targetExclusive: config.boolean("target-exclusive"),
    targetTimeline: config.optionalString("target-timeline"),
    drillPath: config.optionalString("drill-path"),
    // A host that only verifies has no cluster.
    clusterPaths: config.indexes("pg").flatMap((key) => config.optionalString("pg-path", key) ?? []),
    repositoryPaths: config.indexes("repo").flatMap((key) =>
      ["posix", "cifs"].includes(config.string("repo-type", key)) ? [config.string("repo-path", key)] : []
    ),
    pgBin: config.optionalString("pg-bin"),
    pgUser: config.optionalString("pg-user", 1),
    settings: config.hash("drill-option"),
    checksums: config.boolean("checksums"),
    amcheck: config.boolean("amcheck"),
    dump: config.boolean("dump"),
    queries: drillQueries(config.list("query"), config.list("expect")),
    queryDatabase: config.optionalString("query-database") ?? config.optionalString("pg-database", 1) ?? "postgres",
    dbTimeoutMs: config.number("db-timeout"),
    keep: config.boolean("keep"),
    output: config.string("output") === "json" ? "json" : "text",
    environment,
    restoreCommand,
    processMax: config.number("process-max"),
    bufferBytes: config.number("buffer-size"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** An expected result that belongs to another statement than the user means would prove nothing. */
function drillQueries(queries: readonly string[], expected: readonly string[]): DrillOptions["queries"] {
  if (expected.length > 0 && expected.length !== queries.length) {
    throw new WalferryError(
      "OptionInvalid",
      `there are ${queries.length} of option 'query' but ${expected.length} of option 'expect'`,
      { hint: "each query needs an expect, in the same order; --expect='*' is for one whose result does not matter." },
    );
  }
  return queries.map((sql, at) => ({ sql, expected: expected[at] === "*" ? undefined : expected[at] }));
}

/** Options of expire. Also used behind a backup, with the options of the backup's own sections. */
export function expireOptions(config: Configuration): ExpireOptions {
  return {
    stanza: stanzaOf(config),
    repositories: expiring(config),
    backupSources: allRepositories(config).filter(({ role }) => role !== "wal"),
    set: config.command === "expire" ? config.optionalString("set") : undefined,
    oldest: config.boolean("oldest"),
    archiveExpireBefore: config.optionalString("archive-expire-before"),
    plan: config.command === "expire" && config.boolean("plan"),
    dryRun: config.boolean("dry-run") || (config.command === "expire" && config.boolean("plan")),
    lockPath: config.string("lock-path"),
  };
}

/** Options of info. */
export function infoOptions(config: Configuration): InfoOptions {
  const set = config.optionalString("set");
  if (set !== undefined && config.stanza === undefined) {
    throw new WalferryError("OptionInvalid", "option 'set' not valid without option 'stanza'");
  }
  if (config.boolean("timeline") && (config.string("output") === "json" || config.string("detail-level") !== "full")) {
    throw new WalferryError("OptionInvalid", "option 'timeline' is for text in full detail: it cannot be used here");
  }
  return {
    stanza: config.stanza,
    repositories: repositories(config),
    set,
    type: config.optionalString("type") as BackupType | undefined,
    output: config.string("output") === "json" ? "json" : "text",
    detailLevel: config.string("detail-level") as InfoOptions["detailLevel"],
    sight: sightOf(config.optionalBoolean("gaps")),
    timeline: config.boolean("timeline") ? terminalOfOutput() : undefined,
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
  };
}

/** `gaps`: without a word, only where listing is cheap. */
function sightOf(gaps: boolean | undefined): NonNullable<InfoOptions["sight"]> {
  if (gaps === undefined) return "directories";
  return gaps ? "all" : "none";
}

/** One stanza of metrics. */
export function metricsScope(config: Configuration): MetricsScope {
  return {
    info: {
      stanza: config.stanza,
      repositories: repositories(config),
      output: "text",
      detailLevel: "full",
      lockPath: config.string("lock-path"),
      spoolPath: config.string("spool-path"),
    },
    clusterPath: config.optionalString("pg-path", 1),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** `9854`, `:9854`, `127.0.0.1:9854`, `[::1]:9854`. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for 'listen' option`, {
      hint: "an address and a port are expected, such as 127.0.0.1:9854 or [::1]:9854; :9854 is every address.",
    });
  }
  return { hostname: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** Options of check. */
export function checkOptions(config: Configuration): CheckOptions {
  return {
    stanza: stanzaOf(config),
    clusters: clusters(config),
    wantsStandby: config.string("backup-standby") !== "n",
    repositories: repositories(config),
    archiveCheck: config.boolean("archive-check"),
    archiveModeCheck: config.boolean("archive-check") && config.boolean("archive-mode-check"),
    archiveTimeoutMs: config.number("archive-timeout"),
    archiveAsync: config.boolean("archive-async"),
    dbTimeoutMs: config.number("db-timeout"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

/** Options of stanza-create, stanza-upgrade and stanza-delete. */
export function stanzaOptions(config: Configuration): StanzaOptions {
  if (
    config.command === "stanza-delete" && !config.isSet("repo") &&
    config.indexes("repo").some((key, _at, all) => all.length > 1 || key !== 1)
  ) {
    throw new WalferryError("OptionRequired", "stanza-delete command requires option: repo", {
      hint: "several repositories are configured: name the one whose stanza is to be deleted.",
    });
  }
  return {
    stanza: stanzaOf(config),
    clusters: clusters(config),
    repositories: repositories(config),
    online: config.optionalBoolean("online") ?? true,
    force: config.boolean("force"),
    dbTimeoutMs: config.number("db-timeout"),
    lockPath: config.string("lock-path"),
    pgVersionForce: config.optionalString("pg-version-force"),
  };
}

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
  const chosen = repositories(config);
  // Which repository gets another passphrase is said, or there is but one.
  if (chosen.length > 1) {
    throw new WalferryError("OptionRequired", "rekey command requires option: repo", {
      hint: `several repositories are configured (${chosen.map(({ key }) => key).join(", ")}): name one.`,
    });
  }
  return { repositories: chosen, confirm: config.boolean("confirm"), lockPath: config.string("lock-path") };
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
function oneRepository(config: Configuration): RepositoryConfig {
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
    annotations: config.option("annotation") === undefined ? config.missing("annotation") : config.hash("annotation"),
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

/** Options of verify. @param invokedName under the name `pgbackrest` exit code and output are that program's */
export function verifyOptions(config: Configuration, invokedName: string): VerifyOptions {
  const chosen = oneRepository(config);
  const dropIn = invokedName === "pgbackrest";
  const others = () => config.indexes("repo").filter((key) => key !== chosen.key).map((key) => repository(config, key));
  return {
    stanza: stanzaOf(config),
    repository: chosen,
    set: config.optionalString("set"),
    mode: verifyMode(config),
    repair: config.boolean("repair") ? { from: others(), lockPath: config.string("lock-path") } : undefined,
    output: config.isSet("output") || !dropIn ? config.string("output") as VerifyOptions["output"] : "none",
    verbose: config.boolean("verbose"),
    exit: config.isSet("verify-exit") || !dropIn ? config.string("verify-exit") as VerifyOptions["exit"] : "compat",
    processMax: config.number("process-max"),
  };
}

function verifyMode(config: Configuration): VerifyMode {
  const sample = config.optionalString("sample");
  const quick = config.boolean("quick");
  const sinceLast = config.boolean("since-last");
  if (Number(sample !== undefined) + Number(quick) + Number(sinceLast) > 1) {
    throw new WalferryError("OptionInvalid", "of the options 'quick', 'sample' and 'since-last' only one can be used");
  }
  if (sinceLast && config.optionalString("set") !== undefined) {
    throw new WalferryError("OptionInvalid", "options 'set' and 'since-last' cannot be used together");
  }
  if (sample === undefined) return { kind: quick ? "quick" : sinceLast ? "since-last" : "full" };
  const percent = /^\d{1,3}(\.\d{1,3})?%?$/.test(sample) ? parseFloat(sample) : 0;
  if (percent > 0 && percent <= 100) return { kind: "sample", percent };
  throw new WalferryError("OptionInvalidValue", `'${sample}' is not valid for 'sample' option`, {
    hint: "a part in percent is expected, such as 5%.",
  });
}

/** Options of start and stop. */
export function startStopOptions(config: Configuration): StartStopOptions {
  return { stanza: config.stanza, force: config.boolean("force"), lockPath: config.string("lock-path") };
}
