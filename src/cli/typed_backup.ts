/** Options of the commands that make, restore, prove and remove backups, as typed values. */
import type { BackupOptions, BackupType } from "../backup/options.ts";
import type { DrillOptions, DrillType } from "../drill/options.ts";
import { WalferryError } from "../errors.ts";
import type { BackupStandby } from "../postgres/cluster_group.ts";
import type { StartStopOptions } from "../process/options.ts";
import type { RepositoryConfig } from "../repository/config.ts";
import type { CheckOptions, ExpireOptions, StanzaDeleteOptions, StanzaOptions } from "../repository/options.ts";
import type { RestoreOptions, RestoreType } from "../restore/options.ts";
import type { Configuration } from "./configuration.ts";
import {
  annotations,
  cluster,
  clusters,
  compressSetting,
  noRepositoryFor,
  repositories,
  repositoriesFor,
  stanzaOf,
} from "./typed_repositories.ts";

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
    host: Deno.hostname(),
    // Without --repo a backup goes to the first repository, as with pgBackRest.
    repositories: config.isSet("repo") ? chosen : chosen.slice(0, 1),
    walSources: chosen.some(({ role }) => role === "backup") ? repositoriesFor(config, ["all", "wal"]) : [],
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
    walSummary: config.boolean("wal-summary"),
    resume: config.boolean("resume"),
    manifestSaveBytes: config.number("manifest-save-threshold"),
    // One without a text removes a note, and here there is none yet.
    annotations: new Map([...annotations(config)].filter(([, text]) => text !== "")),
    processMax: config.number("process-max"),
    bufferBytes: config.number("buffer-size"),
    dbTimeoutMs: config.number("db-timeout"),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
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
    timeZone: config.environment("TZ"),
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
  return [...backupOptions(config).repositories, ...repositoriesFor(config, ["wal"])];
}

/** Options of expire. Also used behind a backup, with the options of the backup's own sections. */
export function expireOptions(config: Configuration): ExpireOptions {
  const chosen = expiring(config);
  return {
    stanza: stanzaOf(config),
    repositories: chosen,
    backupSources: chosen.some(({ role }) => role === "wal") ? repositoriesFor(config, ["all", "backup"]) : [],
    set: config.command === "expire" ? config.optionalString("set") : undefined,
    oldest: config.boolean("oldest"),
    archiveExpireBefore: config.optionalString("archive-expire-before"),
    plan: config.command === "expire" && config.boolean("plan"),
    dryRun: config.boolean("dry-run") || (config.command === "expire" && config.boolean("plan")),
    archiveKeys: repositoriesFor(config, ["all", "wal"]).map(({ key }) => key),
    lockPath: config.string("lock-path"),
    spoolPath: config.string("spool-path"),
  };
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

/** Options of check. */
export function checkOptions(config: Configuration): CheckOptions {
  return {
    stanza: stanzaOf(config),
    clusters: clusters(config),
    backupStandby: config.string("backup-standby") as BackupStandby,
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

/** Options of stanza-delete. */
export function stanzaDeleteOptions(config: Configuration): StanzaDeleteOptions {
  const keys = config.indexes("repo");
  if (!config.isSet("repo") && keys.some((key, _at, all) => all.length > 1 || key !== 1)) {
    throw new WalferryError("OptionRequired", "stanza-delete command requires option: repo", {
      hint: "several repositories are configured: name the one whose stanza is to be deleted.",
    });
  }
  const options = stanzaOptions(config);
  const isChosen = (key: number) => options.repositories.some((chosen) => chosen.key === key);
  return {
    ...options,
    others: repositoriesFor(config, ["all", "backup", "wal"]).filter(({ key }) => !isChosen(key)),
    spoolPath: config.string("spool-path"),
  };
}

/** Options of stanza-create and stanza-upgrade. */
export function stanzaOptions(config: Configuration): StanzaOptions {
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

/** Options of start and stop. */
export function startStopOptions(config: Configuration): StartStopOptions {
  return { stanza: config.stanza, force: config.boolean("force"), lockPath: config.string("lock-path") };
}
