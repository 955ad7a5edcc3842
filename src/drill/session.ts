/** A session with the scratch cluster as a superuser of it. */
import type { Client } from "pg";
import { WalferryError } from "../errors.ts";
import { Accounts, currentUserName } from "../process/accounts.ts";
import type { Scratch } from "./scratch.ts";
import { DRILL_PORT } from "./server_settings.ts";

/**
 * Libraries that roles and databases ask for may not be installed here. Programs get these words through `PGOPTIONS`.
 */
export const SESSION_OPTIONS = "-c session_preload_libraries= -c local_preload_libraries=";
/** `invalid_authorization_specification`: there is no such role. */
const NO_SUCH_ROLE = "28000";
/** Name of the user that `initdb` made in most clusters. */
const USUAL_USER = "postgres";
/** Oid of the user that `initdb` made. PostgreSQL source: `BOOTSTRAP_SUPERUSERID` in `pg_authid.dat`. */
const BOOTSTRAP_USER = 10;

/** One open session; every value comes back as text. */
export class DrillSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #abort: () => void;
  /** The connection broke between two statements; the next one tells. */
  #loss: Error | undefined;

  private constructor(client: Client, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
    this.#abort = () => destroySocket(client);
    signal.addEventListener("abort", this.#abort, { once: true });
    client.on("error", (error) => this.#loss = error);
  }

  /** @throws the driver's error */
  static async open(
    scratch: Scratch,
    user: string,
    database: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<DrillSession> {
    signal.throwIfAborted();
    const { default: pg } = await import("pg");
    const client = new pg.Client({
      host: scratch.socketPath,
      port: DRILL_PORT,
      user,
      database,
      ssl: false,
      application_name: "walferry drill",
      client_encoding: "UTF8",
      options: SESSION_OPTIONS,
      statement_timeout: timeoutMs,
      ...{ replication: "false", sslnegotiation: "postgres" },
    });
    const session = new DrillSession(client, signal);
    try {
      await client.connect();
    } catch (error) {
      await session[Symbol.asyncDispose]();
      signal.throwIfAborted();
      throw error;
    }
    return session;
  }

  /** Rows of the last statement, every value as text, `null` for NULL. @throws WalferryError `DbQuery` */
  async rows(sql: string): Promise<Array<Array<string | null>>> {
    try {
      if (this.#loss !== undefined) throw this.#loss;
      const results = await this.#client.query({
        text: sql,
        rowMode: "array",
        types: { getTypeParser: () => (value: string | Uint8Array) => value },
      });
      const last = [results].flat().at(-1) as unknown as { rows?: Array<Array<string | null>> } | undefined;
      return last?.rows ?? [];
    } catch (error) {
      this.#signal.throwIfAborted();
      throw new WalferryError("DbQuery", `unable to execute query '${sql}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#abort);
    if (this.#signal.aborted || this.#loss !== undefined) destroySocket(this.#client);
    else await this.#client.end();
  }
}

/**
 * Name of a superuser of the scratch cluster: whoever can be let in is asked for the one that made the cluster.
 * @throws WalferryError `DbConnect` when none of the names is one of its users
 */
export async function findSuperuser(
  scratch: Scratch,
  configured: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const names = [configured, currentUserName(new Accounts()), USUAL_USER].filter((name) => name !== undefined);
  for (const name of new Set(names)) {
    try {
      await using session = await DrillSession.open(scratch, name, "template1", timeoutMs, signal);
      const rows = await session.rows(
        `select rolname from pg_catalog.pg_roles where oid = ${BOOTSTRAP_USER} and rolcanlogin and rolsuper`,
      );
      return rows[0]?.[0] ?? name;
    } catch (error) {
      signal.throwIfAborted();
      if ((error as { code?: unknown }).code === NO_SUCH_ROLE) continue;
      if (error instanceof WalferryError) throw error;
      throw new WalferryError("DbConnect", `unable to connect to the restored cluster: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  throw new WalferryError("DbConnect", `the restored cluster has none of the users ${names.join(", ")}`, {
    hint: "set pg1-user to the name of one.",
  });
}

function destroySocket(client: Client): void {
  const connection = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  connection.stream.destroy();
}
