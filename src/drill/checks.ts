/** What is asked of the restored cluster, while it runs and after it was stopped. Each gives a line, or throws what is wrong. */
import { isWalferryError, WalferryError } from "../errors.ts";
import { readControlFile } from "../postgres/control_file.ts";
import { runProgram } from "../process/run_program.ts";
import type { DrillQuery } from "./options.ts";
import type { Recovered } from "./report.ts";
import type { Scratch } from "./scratch.ts";
import { DRILL_PORT } from "./server_settings.ts";
import { DrillSession, SESSION_OPTIONS } from "./session.ts";

/** What every check works with. */
export interface Drilled {
  readonly scratch: Scratch;
  /** Directory of PostgreSQL's programs. */
  readonly binPath: string;
  readonly superuser: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly dbTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * What a database or a role was given for its users must not fail a check: times, and triggers on the making of an extension, which `amcheck`
 * is.
 */
const CHECK_OPTIONS = [
  "default_transaction_read_only=off",
  "idle_in_transaction_session_timeout=0",
  "lock_timeout=0",
  "session_replication_role=replica",
  "statement_timeout=0",
].map((setting) => `-c ${setting}`).join(" ");

/** Longest result that is shown whole, in characters. */
const SHOWN_MAX = 200;

/** Where recovery ended. @throws WalferryError `DbQuery` */
export async function askRecovered({ scratch, superuser, dbTimeoutMs, signal }: Drilled): Promise<Recovered> {
  await using session = await DrillSession.open(scratch, superuser, "template1", dbTimeoutMs, signal);
  const [row] = await session.rows(
    "select extract(epoch from pg_catalog.pg_last_xact_replay_timestamp())::numeric(20, 6), " +
      "pg_catalog.pg_last_wal_replay_lsn()",
  );
  const [seconds, lsn] = row!;
  return {
    lastTransactionMs: seconds === null || seconds === undefined ? undefined : Number(seconds) * 1000,
    lsn: lsn ?? undefined,
  };
}

/** Runs a statement of the user's. @throws WalferryError `DrillFailed` when the result is another, `DbQuery`, `DbConnect` */
export async function runQuery(query: DrillQuery, database: string, drilled: Drilled): Promise<string> {
  const { scratch, superuser, dbTimeoutMs, signal } = drilled;
  const session = await DrillSession.open(scratch, superuser, database, dbTimeoutMs, signal).catch((error) => {
    if (isWalferryError(error)) throw error;
    signal.throwIfAborted();
    throw new WalferryError("DbConnect", `unable to connect to database '${database}': ${(error as Error).message}`, {
      cause: error,
    });
  });
  await using _ = session;
  const rows = await session.rows(query.sql);
  const result = rows.map((row) => row.map((value) => value ?? "").join("|")).join("\n");
  if (query.expected === undefined || query.expected === result) return `${query.sql}: ${shortened(result)}`;
  throw new WalferryError(
    "DrillFailed",
    `${query.sql}: expected '${shortened(query.expected)}' but got '${shortened(result)}'`,
  );
}

function shortened(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`;
}

/** Reads every row of every table by dumping them to nowhere. @throws WalferryError `Execute` */
export async function dumpAll(drilled: Drilled): Promise<string> {
  await runProgram(`${drilled.binPath}/pg_dumpall`, connectionWords(drilled), clientOptions(drilled, true));
  return "every database was dumped to nowhere";
}

/** Checks tables and indexes by their own rules. @throws WalferryError `Execute` with what was found */
export async function amcheckAll(drilled: Drilled): Promise<string> {
  const words = ["--all", "--install-missing", "--heapallindexed", ...connectionWords(drilled)];
  await runProgram(`${drilled.binPath}/pg_amcheck`, words, clientOptions(drilled, false));
  return "tables and indexes of every database are consistent";
}

function connectionWords({ scratch, superuser }: Drilled): string[] {
  return ["-h", scratch.socketPath, "-p", String(DRILL_PORT), "-U", superuser, "--no-password"];
}

function clientOptions({ scratch, environment, signal }: Drilled, discardOutput: boolean) {
  return {
    cwd: scratch.path,
    env: { ...environment, PGOPTIONS: `${SESSION_OPTIONS} ${CHECK_OPTIONS}`, LC_ALL: "C" },
    clearEnv: true,
    detached: true,
    discardOutput,
    signal,
  };
}

/** Whether pages of the stopped cluster have checksums. @throws WalferryError as `readControlFile` */
export function hasPageChecksums(scratch: Scratch, versionForce: string | undefined): boolean {
  return readControlFile(scratch.dataPath, versionForce).pageChecksums;
}

/** Verifies the checksum of every page of the stopped cluster. @throws WalferryError `Execute` with what was found */
export async function verifyPages({ scratch, binPath, environment, signal }: Drilled): Promise<string> {
  const answer = await runProgram(`${binPath}/pg_checksums`, ["--check", "-D", scratch.dataPath], {
    cwd: scratch.path,
    env: { ...environment, LC_ALL: "C" },
    clearEnv: true,
    detached: true,
    signal,
  });
  const blocks = /^Blocks scanned:\s+(\d+)/m.exec(answer)?.[1];
  return `${blocks ?? "all"} pages have the right checksum`;
}
