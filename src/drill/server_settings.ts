/**
 * Settings of the scratch cluster. The restored ones are not used: they may name the real data directory, real peers and libraries that are
 * not installed here, and a copy of a cluster must do nothing that the cluster does: archive, replicate, subscribe, run jobs.
 */
import { WalferryError } from "../errors.ts";
import { quoteSetting } from "../restore/recovery_settings.ts";
import type { Scratch } from "./scratch.ts";

/** Only part of the socket's name: nothing listens on the network. */
export const DRILL_PORT = 65432;

/** What keeps the copy apart from the real cluster, and what the drill itself stands on: not for the user to change. */
const FIXED: ReadonlyArray<readonly [name: string, value: string]> = [
  ["port", String(DRILL_PORT)],
  ["listen_addresses", ""],
  ["unix_socket_permissions", "0700"],
  ["external_pid_file", ""],
  ["archive_mode", "off"],
  ["archive_command", ""],
  ["primary_conninfo", ""],
  ["primary_slot_name", ""],
  ["recovery_end_command", ""],
  ["archive_cleanup_command", ""],
  ["synchronous_standby_names", ""],
  ["max_wal_senders", "0"],
  ["wal_level", "replica"],
  // A subscription would take changes from its publisher that the real subscriber then never gets.
  ["max_logical_replication_workers", "0"],
  // Without queries during recovery there are no conflicts with it, and limits may be lower than those of the primary.
  ["hot_standby", "off"],
  ["restart_after_crash", "off"],
  ["logging_collector", "off"],
  ["log_destination", "stderr"],
  ["lc_messages", "C"],
];

/** Likewise, of one release and later: somebody logs in to the copy, too, and what a trigger then does may reach other servers. */
const FIXED_SINCE: ReadonlyArray<readonly [release: number, name: string, value: string]> = [
  [17, "event_triggers", "off"],
];

/** Names that {@link serverSettings} or the restore fill in. */
const MADE = new Set([
  "archive_library",
  "config_file",
  "data_directory",
  "hba_file",
  "ident_file",
  "restore_command",
  "unix_socket_directories",
]);

/** Words of the configuration file that are no settings. */
const DIRECTIVES = new Set(["include", "include_dir", "include_if_exists"]);

/** What the user may change with `drill-option`. */
const DEFAULTS: ReadonlyArray<readonly [name: string, value: string]> = [
  ["cluster_name", "walferry drill"],
  ["max_connections", "20"],
  // As many as anybody has: with fewer than were prepared, recovery fails.
  ["max_prepared_transactions", "1000"],
  // A dump locks every table at once.
  ["max_locks_per_transaction", "256"],
  ["shared_preload_libraries", ""],
  ["autovacuum", "off"],
  ["huge_pages", "off"],
  ["jit", "off"],
  ["ssl", "off"],
];

/**
 * Text of the server's configuration file.
 * @throws WalferryError `OptionInvalidValue` for a setting that the drill needs for itself
 */
export function serverSettings(scratch: Scratch, given: ReadonlyMap<string, string>, pgVersion: string): string {
  const own = new Map([...DEFAULTS]);
  const fixed = [
    ...FIXED,
    ...FIXED_SINCE.filter(([release]) => Number(pgVersion) >= release).map(([, name, value]) => [name, value] as const),
  ];
  for (const [written, value] of given) {
    const name = written.toLowerCase().replaceAll("-", "_");
    if (MADE.has(name) || fixed.some(([one]) => one === name) || name.startsWith("recovery_target")) {
      throw new WalferryError("OptionInvalidValue", `'${written}' cannot be set with 'drill-option'`, {
        hint: "it keeps the restored copy apart from the real cluster.",
      });
    }
    if (!/^[a-z_][a-z0-9_.]*$/.test(name) || DIRECTIVES.has(name)) {
      throw new WalferryError("OptionInvalidValue", `'${written}' is not a name of a setting (drill-option)`);
    }
    own.set(name, value);
  }
  const settings: ReadonlyArray<readonly [string, string]> = [
    ...own,
    ...fixed,
    ["data_directory", scratch.dataPath],
    ["hba_file", `${scratch.path}/pg_hba.conf`],
    ["ident_file", `${scratch.path}/pg_ident.conf`],
    ["unix_socket_directories", scratch.socketPath],
  ];
  return settings.map(([name, value]) => `${name} = ${quoteSetting(value)}\n`).join("");
}

/** Only this account can enter the directory of the socket: whoever reaches it may be anybody in the database. */
export const HOST_BASED_AUTHENTICATION = "local all all trust\n";

/**
 * The environment of PostgreSQL's programs: the caller's, which `archive-get` may need to reach a repository, without what would send them to
 * another server.
 */
export function programEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith("PG") || name.startsWith("PGBACKREST_")),
  );
}
