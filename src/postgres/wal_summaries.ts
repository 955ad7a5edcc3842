/**
 * What the WAL says about changed relation files: the summaries that the server writes with `summarize_wal` (release 17 and later), and how
 * much of them is believed. When they may stand in for a look at a file is decided in src/backup/wal_knowledge.ts.
 *
 * A summary covers the WAL of one timeline from one checkpoint to another. It lists each block that a record names, and for each fork the
 * lowest length it had when it was truncated or created. PostgreSQL source: `src/backend/postmaster/walsummarizer.c`,
 * `src/common/blkreftable.c`; use for incremental backups: `src/backend/backup/basebackup_incremental.c`.
 *
 * Only main forks are told of. Records that clear a bit of a visibility map name the heap's block and not the map's, and the free space map
 * is not in the WAL at all (`pg_rewind` reads both whole for that reason).
 */
import { formatLsn, parseLsn } from "../format/wal_name.ts";
import type { Clock } from "../process/clock.ts";
import { type ClusterConnection, required, type Row } from "./connection.ts";
import { mainForkSegmentOf } from "./relation_file.ts";

/** First release with summaries. */
const FIRST_VERSION = 17;
/** A summarizer that gets no further for so long is not waited for. */
const STALLED_MS = 10_000;
/** One that gets on is waited for so long: reading costs more than that only for a cluster that is not small. */
const LONGEST_WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** Summaries that one statement reads. */
const SUMMARIES_AT_ONCE = 64;
/** Changed files up to which the list of them is worth its memory (some 400 bytes each while it is read, 100 behind that). */
const CHANGES_MAX = 100_000;

/** How a server writes WAL, as far as it matters for summaries. */
export interface SummarySettings {
  readonly pgVersion: number;
  /** `summarize_wal`. */
  readonly enabled: boolean;
  /** `wal_log_hints`: changes of hint bits are in the WAL even without page checksums. Fixed while the server runs. */
  readonly hintsLogged: boolean;
  /** When the server was started, seconds since the epoch by its own clock. */
  readonly serverStart: number;
  /** Pages of a relation file but the last. */
  readonly segmentPages: number;
}

/** A stretch of WAL on one timeline: from the first byte to the one behind the last. */
export interface WalStretch {
  readonly start: bigint;
  readonly end: bigint;
}

/** What the WAL of a stretch says of a file; `undefined` = nothing, for all that is no main fork. */
export type FileInWal = "changed" | "unchanged" | undefined;

/** Asks for the settings; `undefined` for a release without summaries. @throws WalferryError `DbQuery` */
export async function summarySettings(connection: ClusterConnection): Promise<SummarySettings | undefined> {
  const pgVersion = Number(connection.settings.pgVersion);
  if (pgVersion < FIRST_VERSION) return undefined;
  const setting = (name: string) => `(select setting from pg_catalog.pg_settings where name = '${name}') as ${name}`;
  const row = await connection.queryRow(
    `select ${["summarize_wal", "wal_log_hints", "segment_size"].map(setting).join(", ")}, ` +
      "pg_catalog.floor(extract(epoch from pg_catalog.pg_postmaster_start_time()))::bigint::text as server_start",
  );
  return {
    pgVersion,
    enabled: required(row, "summarize_wal") === "on",
    hintsLogged: required(row, "wal_log_hints") === "on",
    serverStart: Number(required(row, "server_start")),
    segmentPages: Number(required(row, "segment_size")),
  };
}

/**
 * Waits until the WAL before this LSN is summarized: a backup begins with a checkpoint, at which the server ends a summary and wakes the
 * process that writes it.
 *
 * @returns whether it is; false when the process does not run or gets no further
 * @throws WalferryError `DbQuery`; the signal's reason
 */
export async function waitForSummaries(
  connection: ClusterConnection,
  lsn: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const begin = clock.monotonicMs();
  let last: { lsn: string; atMs: number } | undefined;
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const row = await connection.queryRow(
      "select pending_lsn::text as pending, " +
        `(summarized_lsn >= ${connection.literal(lsn)})::text as reached, summarizer_pid::text as pid ` +
        "from pg_catalog.pg_get_wal_summarizer_state()",
    );
    if (row.reached === "true") return true;
    if (row.pid === null || row.pid === undefined) return false;
    const nowMs = clock.monotonicMs();
    const pending = required(row, "pending");
    if (last?.lsn !== pending) last = { lsn: pending, atMs: nowMs };
    if (nowMs - last.atMs > STALLED_MS || nowMs - begin > LONGEST_WAIT_MS) return false;
    await clock.sleep(pauseMs, signal);
  }
}

/** The summaries that the server has of a stretch, in order of their start. @throws WalferryError `DbQuery` */
export async function listSummaries(
  connection: ClusterConnection,
  timeline: number,
  { start, end }: WalStretch,
): Promise<WalStretch[]> {
  const rows = await connection.query(
    "select start_lsn::text as start, end_lsn::text as end from pg_catalog.pg_available_wal_summaries() " +
      `where tli = ${timeline} and end_lsn > '${formatLsn(start)}' and start_lsn < '${formatLsn(end)}' ` +
      "order by start_lsn, end_lsn",
  );
  return rows.map((row) => ({ start: parseLsn(required(row, "start")), end: parseLsn(required(row, "end")) }));
}

/**
 * The first byte of a stretch that no summary covers; `undefined` when all of it is covered.
 *
 * @param summaries in order of their start
 */
export function firstUncovered(summaries: readonly WalStretch[], { start, end }: WalStretch): bigint | undefined {
  let at = start;
  for (const summary of summaries) {
    if (at >= end || summary.start > at) break;
    if (summary.end > at) at = summary.end;
  }
  return at >= end ? undefined : at;
}

/** One line of what summaries say. Oids and file numbers as text. */
export interface ChangeRow {
  readonly tablespace: string;
  readonly database: string;
  /** `0`: the whole database was made, removed, or copied as files. */
  readonly relation: string;
  /** File of the relation in which the block lies. */
  readonly segment: number;
  /** The relation was cut off or made here: what lies behind is not what it was. */
  readonly isLimit: boolean;
}

/** The files that changed in a stretch of WAL. */
export class ChangedFiles {
  readonly #databases = new Set<string>();
  readonly #limits = new Map<string, number>();
  readonly #segments = new Set<string>();

  /** Changes noted so far; the same one may be noted by several summaries. */
  get size(): number {
    return this.#databases.size + this.#limits.size + this.#segments.size;
  }

  add({ tablespace, database, relation, segment, isLimit }: ChangeRow): void {
    const inDatabase = `${tablespace}/${database}`;
    const whole = `${inDatabase}/${relation}`;
    if (relation === "0") this.#databases.add(inDatabase);
    else if (isLimit) this.#limits.set(whole, Math.min(this.#limits.get(whole) ?? Infinity, segment));
    else this.#segments.add(`${whole}.${segment}`);
  }

  /** @param name manifest name */
  of(name: string): FileInWal {
    const file = mainForkSegmentOf(name);
    if (file === undefined) return undefined;
    const inDatabase = `${file.tablespace}/${file.database}`;
    const whole = `${inDatabase}/${file.relation}`;
    const isChanged = this.#databases.has(inDatabase) || file.segment >= (this.#limits.get(whole) ?? Infinity) ||
      this.#segments.has(`${whole}.${file.segment}`);
    return isChanged ? "changed" : "unchanged";
  }
}

/**
 * Reads summaries. The server brings blocks down to files, so that a large table costs one line.
 *
 * @returns `undefined` when more changed than is worth listing
 * @throws WalferryError `DbQuery`, among others when a summary was removed meanwhile
 */
export async function readChanges(
  connection: ClusterConnection,
  timeline: number,
  summaries: readonly WalStretch[],
  segmentPages: number,
): Promise<ChangedFiles | undefined> {
  const changes = new ChangedFiles();
  for (let at = 0; at < summaries.length; at += SUMMARIES_AT_ONCE) {
    const list = summaries.slice(at, at + SUMMARIES_AT_ONCE)
      .map(({ start, end }) => `('${formatLsn(start)}'::pg_lsn, '${formatLsn(end)}'::pg_lsn)`).join(", ");
    const rows = await connection.query(
      "select distinct c.reltablespace::text as tablespace, c.reldatabase::text as database, c.relfilenode::text as relation, " +
        `(c.relblocknumber / ${segmentPages})::text as segment, c.is_limit_block::text as is_limit ` +
        `from (values ${list}) as s (start_lsn, end_lsn), ` +
        `lateral pg_catalog.pg_wal_summary_contents(${timeline}, s.start_lsn, s.end_lsn) as c ` +
        `where c.relforknumber = 0 or c.relfilenode = 0 limit ${CHANGES_MAX + 1}`,
    );
    for (const row of rows) changes.add(changeRow(row));
    if (rows.length > CHANGES_MAX || changes.size > CHANGES_MAX) return undefined;
  }
  return changes;
}

function changeRow(row: Row): ChangeRow {
  return {
    tablespace: required(row, "tablespace"),
    database: required(row, "database"),
    relation: required(row, "relation"),
    segment: Number(required(row, "segment")),
    isLimit: required(row, "is_limit") === "true",
  };
}
