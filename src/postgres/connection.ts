/**
 * A session with one cluster: how to reach it, how the session is set up, and one way to run a statement. What is asked of the server
 * is in `backup_functions.ts`.
 *
 * Statements go over the simple protocol and every value comes back as text, so that no type of the driver stands between.
 */
import type { Client } from "pg";
import { type ErrorKind, isWalferryError, WalferryError } from "../errors.ts";
import { Accounts, currentUserName } from "../process/accounts.ts";
import type { ClusterConfig } from "./config.ts";
import { isThere } from "../process/local_file.ts";
import { passwordFrom } from "./password_file.ts";

/** How to open a session. */
export interface ConnectOptions {
  /** `db-timeout`: longest time for one statement and for connecting, milliseconds. */
  readonly dbTimeoutMs: number;
  /** Shown in `pg_stat_activity`; `pgBackRest [backup]` and the like, as monitoring expects it. */
  readonly applicationName: string;
  readonly signal: AbortSignal;
}

/** A row: column name to text, `null` for NULL. */
export type Row = Readonly<Record<string, string | null>>;

/** Where the server's Unix socket may be when nothing is configured: what Debian's, Red Hat's and PostgreSQL's own builds use. */
const SOCKET_DIRECTORIES = ["/var/run/postgresql", "/tmp"];

/** Where a server is reached that has no socket. */
const LOOPBACK_ADDRESSES = ["127.0.0.1", "::1"];

/** What the driver says when it has no password to give. */
const NO_PASSWORD = /client password must be a (non-empty )?string/;

/** The driver's own limit stands behind the server's, so that a dead network is noticed as well. */
const CLIENT_TIMEOUT_MARGIN_MS = 10_000;

/** What `pg_settings` says about a cluster; needed by every command that connects. */
export interface ServerSettings {
  /** Version text as in info files, from `server_version_num`. */
  readonly pgVersion: string;
  readonly dataDirectory: string;
  readonly archiveMode: string;
  /** Absent when unset or not shown. */
  readonly archiveCommand: string | undefined;
  readonly checkpointTimeoutMs: number;
}

/** Filled when the connection breaks between statements. */
interface SessionLoss {
  error?: Error;
}

/** An open session. Closing it ends a backup that was started in it. */
export class ClusterConnection implements AsyncDisposable {
  readonly #client: Client;
  readonly #options: ConnectOptions;
  readonly #abort: () => void;
  readonly #loss: SessionLoss;

  /** @internal Use {@link connectCluster}. */
  constructor(
    readonly config: ClusterConfig,
    readonly settings: ServerSettings,
    client: Client,
    options: ConnectOptions,
    loss: SessionLoss,
  ) {
    this.#client = client;
    this.#options = options;
    this.#loss = loss;
    this.#abort = () => destroySocket(client);
    options.signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** `pg1`: for messages. */
  get name(): string {
    return `pg${this.config.key}`;
  }

  /**
   * Runs one statement and gives its rows.
   *
   * @throws WalferryError `DbQuery` naming the cluster; the reason of the signal when it aborted
   */
  async query(sql: string): Promise<Row[]> {
    this.#options.signal.throwIfAborted();
    if (this.#loss.error !== undefined) throw this.#queryError(sql, this.#loss.error);
    try {
      return (await this.#client.query<Record<string, string | null>>(sql)).rows;
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw this.#queryError(sql, error);
    }
  }

  /** Runs a statement that answers with exactly one row. @throws WalferryError `DbQuery` */
  async queryRow(sql: string): Promise<Row> {
    const rows = await this.query(sql);
    if (rows.length !== 1) {
      throw new WalferryError("DbQuery", `${this.name}: expected one row but got ${rows.length} from '${sql}'`);
    }
    return rows[0]!;
  }

  /** Text as an SQL literal. */
  literal(text: string): string {
    return this.#client.escapeLiteral(text);
  }

  /** True while the server is in recovery: a standby. */
  async inRecovery(): Promise<boolean> {
    return required(await this.queryRow("select pg_catalog.pg_is_in_recovery() as value"), "value") === "t";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal.removeEventListener("abort", this.#abort);
    if (this.#options.signal.aborted || this.#loss.error !== undefined) destroySocket(this.#client);
    else await this.#client.end();
  }

  #queryError(sql: string, error: unknown): WalferryError {
    return dbError("DbQuery", `unable to execute query on ${this.name} '${sql}'`, error);
  }
}

/**
 * Opens a session with a cluster and reads its settings.
 *
 * @throws WalferryError `DbConnect` (not reachable, refused), `DbQuery` (settings hidden for want of a privilege),
 * `VersionNotSupported` never: the version is judged by whoever compares it with the control file
 */
export async function connectCluster(config: ClusterConfig, options: ConnectOptions): Promise<ClusterConnection> {
  options.signal.throwIfAborted();
  const { default: pg } = await import("pg");
  const user = config.user ?? currentUserName(new Accounts());
  if (user === undefined) {
    throw new WalferryError(
      "DbConnect",
      `unable to connect to pg${config.key}: the user id ${Deno.uid()} has no name`,
      {
        hint: `set pg${config.key}-user`,
      },
    );
  }
  const host = config.socketPath ?? findServer(config);
  const where = `pg${config.key} (dbname='${config.database}' host='${host}' port=${config.port} user='${user}')`;
  const client = new pg.Client({
    // Everything that the driver would otherwise look for in PG* variables is said here; only a password may come from outside.
    host,
    port: config.port,
    user,
    database: config.database,
    ssl: false,
    application_name: options.applicationName,
    client_encoding: "UTF8",
    options: "-c search_path=pg_catalog -c max_parallel_workers_per_gather=0",
    connectionTimeoutMillis: options.dbTimeoutMs,
    statement_timeout: options.dbTimeoutMs,
    query_timeout: options.dbTimeoutMs + CLIENT_TIMEOUT_MARGIN_MS,
    keepAlive: true,
    ...{ replication: "false", sslnegotiation: "postgres" },
    types: { getTypeParser: () => (value: unknown) => value },
  });
  const passwords = passwordFileOf(config, host, user);
  // The driver's types do not show what it keeps: a text, here the environment's, or a function that is called when the server asks.
  const driver = client as unknown as { password: string | null | (() => string | undefined) };
  driver.password ??= passwords.find;
  const loss: SessionLoss = {};
  client.on("error", (error) => loss.error = error);
  const abort = () => destroySocket(client);
  options.signal.addEventListener("abort", abort, { once: true });
  try {
    await client.connect();
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof Error && NO_PASSWORD.test(error.message)) {
      throw new WalferryError(
        "DbConnect",
        `unable to connect to ${where}: the server asks for a password, none is known`,
        {
          cause: error,
          hint: passwords.hint(),
        },
      );
    }
    throw dbError("DbConnect", `unable to connect to ${where}`, error);
  } finally {
    options.signal.removeEventListener("abort", abort);
  }
  try {
    const settings = await readSettings(client, config);
    for (const setting of limitsOf(Number(settings.pgVersion))) await client.query(`set ${setting} = 0`);
    return new ClusterConnection(config, settings, client, options, loss);
  } catch (error) {
    destroySocket(client);
    options.signal.throwIfAborted();
    if (isWalferryError(error)) throw error;
    throw dbError("DbQuery", `unable to read the settings of ${where}`, error);
  }
}

/** The password file for one session: what it has, and what to do when that is nothing. */
function passwordFileOf({ port, database, passwordFile }: ClusterConfig, host: string, user: string) {
  // As for the client library, `localhost` is also who listens on the socket of the usual directory; and here, who listens on this host only.
  const isLocal = SOCKET_DIRECTORIES.includes(host) || LOOPBACK_ADDRESSES.includes(host);
  const hosts = isLocal ? [host, "localhost"] : [host];
  const look = () => passwordFile === undefined ? {} : passwordFrom(passwordFile, { hosts, port, database, user });
  return {
    find: () => look().password,
    hint: (): string => {
      const { ignored } = look();
      if (ignored !== undefined) return `the password file '${passwordFile}' is ignored: ${ignored}.`;
      const names = hosts.map((name) => `'${name}'`).join(" or ");
      return `add a line for host ${names} and user '${user}' to ${passwordFile ?? "~/.pgpass"} (mode 0600).`;
    },
  };
}

/** A value that the statement promised. @throws WalferryError `DbQuery` when it is NULL */
export function required(row: Row, column: string): string {
  const value = row[column];
  if (value === null || value === undefined) {
    throw new WalferryError("DbQuery", `the server answered no value for '${column}'`);
  }
  return value;
}

/**
 * Directory of the server's socket (or its address) by its own word in `postmaster.pid`, else the usual places.
 * PostgreSQL source: `LOCK_FILE_LINE_*` in `src/include/miscadmin.h` (line 4 port, 5 socket directory, 6 listen address).
 */
function findServer(config: ClusterConfig): string {
  const lines = readLines(`${config.path}/postmaster.pid`);
  if (lines?.[3]?.trim() === String(config.port)) {
    const socket = lines[4]?.trim();
    if (socket) return socket;
    const address = lines[5]?.trim();
    if (address) return address === "*" || address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  }
  const found = SOCKET_DIRECTORIES.find((directory) => isThere(`${directory}/.s.PGSQL.${config.port}`));
  return found ?? SOCKET_DIRECTORIES[0]!;
}

function readLines(path: string): string[] | undefined {
  try {
    return Deno.readTextFileSync(path).split("\n");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

async function readSettings(client: Client, config: ClusterConfig): Promise<ServerSettings> {
  const setting = (name: string) => `(select setting from pg_catalog.pg_settings where name = '${name}') as ${name}`;
  const names = ["server_version_num", "data_directory", "archive_mode", "archive_command", "checkpoint_timeout"];
  const result = await client.query<Record<string, string | null>>(`select ${names.map(setting).join(", ")}`);
  const row = result.rows[0] ?? {};
  const value = (name: string): string => {
    const text = row[name];
    if (text !== null && text !== undefined) return text;
    throw new WalferryError("DbQuery", `unable to select some rows from pg_settings on pg${config.key}`, {
      hint:
        "is the backup running as the postgres user?\nis the pg_read_all_settings role assigned for PostgreSQL >= 10?",
    });
  };
  return {
    pgVersion: String(Math.floor(Number(value("server_version_num")) / 10000)),
    dataDirectory: value("data_directory"),
    archiveMode: value("archive_mode"),
    archiveCommand: value("archive_command") || undefined,
    checkpointTimeoutMs: Number(value("checkpoint_timeout")) * 1000,
  };
}

/** Limits that the server's or a role's settings may put on sessions, and that a backup must not end by. */
function limitsOf(pgVersion: number): string[] {
  return [
    // The session is silent for as long as the copy takes.
    ...(pgVersion >= 14 ? ["idle_session_timeout"] : []),
    // Beginning a backup takes as long as a checkpoint does: db-timeout limits it.
    ...(pgVersion >= 17 ? ["transaction_timeout"] : []),
  ];
}

function dbError(kind: ErrorKind, what: string, cause: unknown): WalferryError {
  const said = cause instanceof Error ? cause.message || cause.name : String(cause);
  const hint = cause instanceof Error && "hint" in cause && typeof cause.hint === "string" ? cause.hint : undefined;
  return new WalferryError(kind, `${what}: ${said}`, { cause, hint });
}

/** Ends a session without asking the server, which notices and rolls back what it was doing. */
function destroySocket(client: Client): void {
  const connection = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  connection.stream.destroy();
}
