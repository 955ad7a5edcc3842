/**
 * Every option, declared once: parsing, validation, help, completion, man page and docs/options.md all come from this table. What an
 * option is for, in words, is in `option_help.ts`, which only help and documentation load. Source of names, types, defaults and ranges:
 * behaviour spec §1.8.
 */
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
  readonly values: readonly string[];
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
  readonly required?: readonly CommandName[];
  readonly allowed?: readonly string[];
  /** Range of integers, sizes (bytes) and times (milliseconds). */
  readonly min?: number;
  readonly max?: number;
  readonly depends?: OptionDependency;
  /** Never on a command line, never printed. */
  readonly secure?: boolean;
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

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const PIB = GIB * MIB;
/** Milliseconds. */
const DAY = 24 * 3600 * 1000;

const STANZA_COMMANDS: readonly CommandName[] = ["stanza-create", "stanza-delete", "stanza-upgrade"];
const REPO: readonly CommandName[] = [
  "archive-get",
  "archive-push",
  "backup",
  "check",
  "config-check",
  "expire",
  "info",
  "restore",
  ...STANZA_COMMANDS,
];
const PG: readonly CommandName[] = [
  "archive-get",
  "archive-push",
  "backup",
  "check",
  "config-check",
  "restore",
  ...STANZA_COMMANDS,
];
const PGDB: readonly CommandName[] = ["backup", "check", "config-check", ...STANZA_COMMANDS];
const SERVICE: readonly CommandName[] = [...REPO, "start", "stop"];
const BACKUP: readonly CommandName[] = ["backup", "config-check"];
const RESTORE: readonly CommandName[] = ["restore", "config-check"];
const RETENTION: readonly CommandName[] = ["backup", "expire", "config-check"];
const TARGETED: OptionDependency = { option: "type", values: ["lsn", "name", "time", "xid"] };

/** Options that have no index. */
const PLAIN: readonly OptionDeclaration[] = [
  // Command line only
  { name: "config", type: "string", home: "command line", commands: SERVICE, negatable: true },
  { name: "config-include-path", type: "path", home: "command line", commands: SERVICE },
  { name: "config-path", type: "path", home: "command line", commands: SERVICE },
  { name: "stanza", type: "string", home: "command line", commands: SERVICE },
  { name: "help", type: "boolean", home: "command line", commands: ["help"], default: "n" },
  { name: "version", type: "boolean", home: "command line", commands: ["help"], default: "n" },
  { name: "archive-expire-before", type: "string", home: "command line", commands: ["expire"] },
  {
    name: "detail-level",
    type: "string-id",
    home: "command line",
    commands: ["info"],
    default: "full",
    allowed: ["full", "progress"],
  },
  { name: "dry-run", type: "boolean", home: "command line", commands: ["expire"], default: "n" },
  {
    name: "force",
    type: "boolean",
    home: "command line",
    commands: ["backup", "restore", "stanza-create", "stanza-delete", "stop"],
    default: "n",
  },
  { name: "oldest", type: "boolean", home: "command line", commands: ["expire"], default: "n" },
  {
    name: "online",
    type: "boolean",
    home: "command line",
    commands: ["backup", "stanza-create", "stanza-upgrade"],
    default: "y",
    negatable: true,
  },
  {
    name: "output",
    type: "string-id",
    home: "command line",
    commands: ["info", "version", "config-check"],
    default: "text",
    allowed: ["text", "json", "num"],
  },
  {
    name: "set",
    type: "string",
    home: "command line",
    commands: ["expire", "info", "restore"],
    defaults: { restore: "latest" },
  },
  { name: "target", type: "string", home: "command line", commands: ["restore"], depends: TARGETED },
  {
    name: "target-action",
    type: "string-id",
    home: "command line",
    commands: ["restore"],
    default: "pause",
    allowed: ["pause", "promote", "shutdown"],
    depends: { option: "type", values: ["immediate", ...TARGETED.values] },
  },
  {
    name: "target-exclusive",
    type: "boolean",
    home: "command line",
    commands: ["restore"],
    default: "n",
    depends: { option: "type", values: ["lsn", "time", "xid"] },
  },
  {
    name: "target-timeline",
    type: "string",
    home: "command line",
    commands: ["restore"],
    depends: { option: "type", values: ["default", "standby", ...TARGETED.values] },
  },
  {
    name: "type",
    type: "string-id",
    home: "command line",
    commands: ["backup", "info", "restore"],
    defaults: { backup: "incr", restore: "default" },
    allowed: [
      "full",
      "diff",
      "incr",
      "default",
      "preserve",
      "immediate",
      "standby",
      "none",
      "name",
      "time",
      "lsn",
      "xid",
    ],
  },
  { name: "repo", type: "string", home: "command line", commands: REPO },
  { name: "keep", type: "boolean", home: "command line", commands: ["demo"], default: "n", own: true },
  { name: "pg-bin", type: "path", home: "command line", commands: ["demo"], own: true },
  // General
  { name: "allow-root", type: "boolean", home: "global", commands: SERVICE, default: "n", defaults: { restore: "y" } },
  {
    name: "archive-timeout",
    type: "time",
    home: "global",
    commands: ["archive-get", "archive-push", "backup", "check", "config-check"],
    default: "1m",
    min: 100,
    max: DAY,
  },
  {
    name: "archive-get-exit",
    type: "string-id",
    home: "global",
    commands: ["archive-get", "config-check"],
    default: "strict",
    allowed: ["strict", "compat"],
    own: true,
  },
  { name: "buffer-size", type: "size", home: "global", commands: REPO, default: "1MiB", min: 16 * KIB, max: 16 * MIB },
  {
    name: "cmd",
    type: "string",
    home: "global",
    commands: ["archive-get", "archive-push", "backup", "restore", "config-check"],
  },
  {
    name: "compress",
    type: "boolean",
    home: "global",
    commands: ["archive-push", "backup", "config-check"],
    internal: true,
  },
  {
    name: "compress-level",
    type: "integer",
    home: "global",
    commands: ["archive-push", "backup", "config-check"],
    min: -7,
    max: 22,
  },
  {
    name: "compress-type",
    type: "string-id",
    home: "global",
    commands: ["archive-push", "backup", "config-check"],
    default: "gz",
    allowed: ["none", "bz2", "gz", "lz4", "zst"],
  },
  { name: "delta", type: "boolean", home: "global", commands: ["backup", "restore", "config-check"], default: "n" },
  { name: "lock-path", type: "path", home: "global", commands: SERVICE, default: "/tmp/pgbackrest" },
  { name: "neutral-umask", type: "boolean", home: "global", commands: SERVICE, default: "y" },
  {
    name: "process-max",
    type: "integer",
    home: "global",
    commands: ["archive-get", "archive-push", "backup", "restore", "config-check"],
    default: "1",
    min: 1,
    max: 999,
  },
  {
    name: "spool-path",
    type: "path",
    home: "global",
    commands: ["archive-get", "archive-push", "restore", "config-check"],
    default: "/var/spool/pgbackrest",
  },
  { name: "db-timeout", type: "time", home: "global", commands: PGDB, default: "30m", min: 100, max: 7 * DAY },
  { name: "pg-version-force", type: "string", home: "global", commands: PG },
  // Logging
  ...(["log-level-console", "log-level-file", "log-level-stderr"] as const).map((name): OptionDeclaration => ({
    name,
    type: "string-id",
    home: "global",
    commands: SERVICE,
    default: name === "log-level-console" ? "warn" : name === "log-level-file" ? "info" : "off",
    allowed: ["off", "error", "warn", "info", "detail", "debug", "trace"],
  })),
  {
    name: "log-format",
    type: "string-id",
    home: "global",
    commands: SERVICE,
    default: "text",
    allowed: ["text", "json"],
    own: true,
  },
  { name: "log-path", type: "path", home: "global", commands: SERVICE, default: "/var/log/pgbackrest" },
  { name: "log-timestamp", type: "boolean", home: "global", commands: SERVICE, default: "y" },
  // Archive
  {
    name: "archive-async",
    type: "boolean",
    home: "global",
    commands: ["archive-get", "archive-push", "config-check"],
    default: "n",
  },
  {
    name: "archive-header-check",
    type: "boolean",
    home: "global",
    commands: ["archive-push", "config-check"],
    default: "y",
  },
  {
    name: "archive-push-queue-max",
    type: "size",
    home: "global",
    commands: ["archive-push", "config-check"],
    min: 0,
    max: 4 * PIB,
    oldNames: ["archive-queue-max"],
  },
  // Backup
  { name: "annotation", type: "hash", home: "command line", commands: ["backup"] },
  {
    name: "archive-check",
    type: "boolean",
    home: "global",
    commands: ["archive-push", "backup", "check", "config-check"],
    default: "y",
  },
  { name: "archive-copy", type: "boolean", home: "global", commands: BACKUP, default: "n" },
  {
    name: "archive-mode-check",
    type: "boolean",
    home: "global",
    commands: ["archive-push", "backup", "check", "config-check"],
    default: "y",
  },
  {
    name: "backup-standby",
    type: "bool-like",
    home: "global",
    commands: ["backup", "check", "config-check"],
    default: "n",
    allowed: ["n", "prefer", "y"],
  },
  { name: "checksum-page", type: "boolean", home: "global", commands: BACKUP },
  { name: "exclude", type: "list", home: "global", commands: BACKUP },
  { name: "expire-auto", type: "boolean", home: "global", commands: BACKUP, default: "y" },
  { name: "page-header-check", type: "boolean", home: "global", commands: BACKUP, default: "y" },
  { name: "start-fast", type: "boolean", home: "global", commands: BACKUP, default: "n" },
  // Restore
  {
    name: "archive-mode",
    type: "string-id",
    home: "global",
    commands: RESTORE,
    default: "preserve",
    allowed: ["preserve", "off"],
  },
  { name: "db-exclude", type: "list", home: "global", commands: RESTORE },
  { name: "db-include", type: "list", home: "global", commands: RESTORE },
  { name: "link-all", type: "boolean", home: "global", commands: RESTORE, default: "n" },
  { name: "link-map", type: "hash", home: "global", commands: RESTORE },
  { name: "recovery-option", type: "hash", home: "global", commands: RESTORE },
  { name: "tablespace-map", type: "hash", home: "global", commands: RESTORE },
  { name: "tablespace-map-all", type: "string", home: "global", commands: RESTORE },
  // Known to pgBackRest; the value is checked and changes nothing here
  ...compatible(["archive-get", "archive-push", "backup", "restore"], [
    ["job-retry", "integer"],
    ["job-retry-interval", "time"],
  ]),
  ...compatible(REPO, [
    ["beta", "boolean"],
    ["cmd-ssh", "string"],
    ["compress-level-network", "integer"],
    ["io-timeout", "time"],
    ["log-subprocess", "boolean"],
    ["priority", "integer"],
    ["protocol-timeout", "time"],
    ["sck-block", "boolean"],
    ["sck-keep-alive", "boolean"],
    ["tcp-keep-alive-count", "integer"],
    ["tcp-keep-alive-idle", "integer"],
    ["tcp-keep-alive-interval", "integer"],
    ["tls-cipher-12", "string"],
    ["tls-cipher-13", "string"],
  ]),
  ...compatible(["archive-get", "archive-push"], [
    ["archive-get-queue-max", "size"],
    ["archive-missing-retry", "boolean"],
    ["archive-push-batch-size", "size"],
  ]),
  ...compatible(["backup"], [
    ["manifest-save-threshold", "size"],
    ["resume", "boolean"],
    ["stop-auto", "boolean"],
  ]),
  ...compatible([], [
    ["tls-server-address", "string"],
    ["tls-server-auth", "hash"],
    ["tls-server-ca-file", "string"],
    ["tls-server-cert-file", "string"],
    ["tls-server-key-file", "string"],
    ["tls-server-port", "integer"],
  ]),
];

function compatible(
  commands: readonly CommandName[],
  options: ReadonlyArray<readonly [name: string, type: OptionType]>,
): OptionDeclaration[] {
  return options.map(([name, type]) => ({ name, type, home: "global", commands, compatibilityOnly: true }));
}

/** Options of clusters: `pg1-path` ... */
const CLUSTER: readonly OptionDeclaration[] = [
  {
    name: "pg-path",
    type: "path",
    group: "pg",
    home: "stanza",
    commands: PG,
    required: ["archive-get", "backup", "check", "restore", ...STANZA_COMMANDS],
    oldNames: ["db-path", "db?-path"],
  },
  { name: "pg-database", type: "string", group: "pg", home: "stanza", commands: PGDB, default: "postgres" },
  {
    name: "pg-port",
    type: "integer",
    group: "pg",
    home: "stanza",
    commands: PGDB,
    default: "5432",
    min: 0,
    max: 65535,
    oldNames: ["db-port", "db?-port"],
  },
  {
    name: "pg-socket-path",
    type: "string",
    group: "pg",
    home: "stanza",
    commands: PGDB,
    oldNames: ["db-socket-path", "db?-socket-path"],
  },
  { name: "pg-user", type: "string", group: "pg", home: "stanza", commands: PGDB },
  { name: "pg-host", type: "string", group: "pg", home: "stanza", commands: PG, oldNames: ["db-host", "db?-host"] },
  ...[
    "ca-file",
    "ca-path",
    "cert-file",
    "cmd",
    "config",
    "config-include-path",
    "config-path",
    "key-file",
    "port",
    "type",
    "user",
  ].map(
    (name): OptionDeclaration => ({
      name: `pg-host-${name}`,
      type: "string",
      group: "pg",
      home: "global",
      commands: PG,
      compatibilityOnly: true,
    }),
  ),
];

/** Options of repositories: `repo1-path` ... */
const REPOSITORY: readonly OptionDeclaration[] = [
  {
    name: "repo-type",
    type: "string-id",
    group: "repo",
    home: "global",
    commands: REPO,
    default: "posix",
    allowed: ["azure", "cifs", "gcs", "posix", "s3", "sftp"],
    oldNames: ["repo-type"],
  },
  {
    name: "repo-path",
    type: "path",
    group: "repo",
    home: "global",
    commands: REPO,
    default: "/var/lib/pgbackrest",
    oldNames: ["repo-path"],
  },
  {
    name: "repo-cipher-type",
    type: "string-id",
    group: "repo",
    home: "global",
    commands: REPO,
    default: "none",
    allowed: ["none", "aes-256-cbc"],
    oldNames: ["repo-cipher-type"],
  },
  {
    name: "repo-cipher-pass",
    type: "string",
    group: "repo",
    home: "global",
    commands: REPO,
    secure: true,
    required: REPO,
    depends: { option: "repo-cipher-type", values: ["aes-256-cbc"] },
    oldNames: ["repo-cipher-pass"],
  },
  { name: "repo-symlink", type: "boolean", group: "repo", home: "global", commands: RETENTION, default: "y" },
  {
    name: "repo-retention-full-type",
    type: "string-id",
    group: "repo",
    home: "global",
    commands: RETENTION,
    default: "count",
    allowed: ["count", "time"],
  },
  ...(["full", "diff", "archive"] as const).map((name): OptionDeclaration => ({
    name: `repo-retention-${name}`,
    type: "integer",
    group: "repo",
    home: "global",
    commands: RETENTION,
    min: 1,
    max: 9999999,
    oldNames: [`retention-${name}`],
  })),
  {
    name: "repo-retention-archive-type",
    type: "string-id",
    group: "repo",
    home: "global",
    commands: RETENTION,
    default: "full",
    allowed: ["full", "diff", "incr"],
    oldNames: ["retention-archive-type"],
  },
  {
    name: "repo-retention-history",
    type: "integer",
    group: "repo",
    home: "global",
    commands: RETENTION,
    min: 0,
    max: 9999999,
  },
  { name: "repo-host", type: "string", group: "repo", home: "global", commands: REPO, oldNames: ["backup-host"] },
  { name: "repo-bundle", type: "boolean", group: "repo", home: "global", commands: BACKUP, default: "n" },
  { name: "repo-block", type: "boolean", group: "repo", home: "global", commands: BACKUP, default: "n" },
  ...([
    ["repo-hardlink", ["hardlink"]],
    ["repo-bundle-limit", []],
    ["repo-bundle-size", []],
    ["repo-block-age-map", []],
    ["repo-block-checksum-size-map", []],
    ["repo-block-size-map", []],
    ["repo-block-size-super", []],
    ["repo-block-size-super-full", []],
    ["repo-host-ca-file", []],
    ["repo-host-ca-path", []],
    ["repo-host-cert-file", []],
    ["repo-host-cmd", ["backup-cmd"]],
    ["repo-host-config", ["backup-config"]],
    ["repo-host-config-include-path", []],
    ["repo-host-config-path", []],
    ["repo-host-key-file", []],
    ["repo-host-port", ["backup-ssh-port"]],
    ["repo-host-type", []],
    ["repo-host-user", ["backup-user"]],
  ] as const).map(([name, oldNames]): OptionDeclaration => ({
    name,
    type: "string",
    group: "repo",
    home: "global",
    commands: REPO,
    compatibilityOnly: true,
    oldNames,
  })),
  ...storeOptions("storage", [], [
    "verify-tls",
    "ca-file",
    "ca-path",
    "host",
    "port",
    "tag",
    "prefetch",
    "read-over",
    "upload-chunk-size",
  ]),
  ...storeOptions("s3", ["key", "key-secret", "sse-customer-key", "token"], [
    "bucket",
    "endpoint",
    "key-type",
    "kms-key-id",
    "region",
    "role",
    "process-cmd",
    "requester-pays",
    "service",
    "sts-host",
    "uri-style",
  ]),
  ...storeOptions("azure", ["account", "endpoint", "key"], ["container", "key-type", "uri-style"]),
  ...storeOptions("gcs", ["key"], ["bucket", "endpoint", "key-type", "user-project"]),
  ...storeOptions("sftp", ["private-key-passphrase"], [
    "host",
    "host-fingerprint",
    "host-key-check-type",
    "host-key-hash-type",
    "host-port",
    "host-user",
    "known-host",
    "private-key-file",
    "public-key-file",
  ]),
];

/** Options of stores that this version does not have: known, so that a file that names them is read without complaint. */
function storeOptions(store: string, secure: readonly string[], plain: readonly string[]): OptionDeclaration[] {
  return [...secure, ...plain].map((name) => ({
    name: `repo-${store}-${name}`,
    type: "list",
    group: "repo",
    home: "global",
    commands: REPO,
    compatibilityOnly: true,
    secure: secure.includes(name),
  }));
}

/** All options, by name without index. */
export const OPTIONS: ReadonlyMap<string, OptionDeclaration> = new Map(
  [...PLAIN, ...CLUSTER, ...REPOSITORY].map((option) => [option.name, option]),
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
