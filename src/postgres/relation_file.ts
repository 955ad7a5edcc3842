/** Which part of which relation a file of the cluster is, by its manifest name (PostgreSQL source: `src/common/relpath.c`). */

/** A segment of the main fork of a relation. */
export interface MainForkSegment {
  /** Oid of the tablespace as WAL has it: that of `pg_default` for `base`, that of `pg_global` for `global`. */
  readonly tablespace: string;
  /** Oid of the database; `0` for what all databases share. */
  readonly database: string;
  /** File number (`relfilenode`). */
  readonly relation: string;
  /** Place among the files of the relation, from 0. */
  readonly segment: number;
}

/** Oids that never change. PostgreSQL source: `src/include/catalog/pg_tablespace.dat`. */
const DEFAULT_TABLESPACE = "1663";
const GLOBAL_TABLESPACE = "1664";

const MAIN_FORK =
  /^(?:pg_data\/(?:base\/([1-9]\d*)|global)|pg_tblspc\/([1-9]\d*)\/PG_[^/]+\/([1-9]\d*))\/([1-9]\d*)(?:\.([1-9]\d*))?$/;

/** `undefined` for everything that is no main fork of a permanent relation: other forks, temporary relations, files beside relations. */
export function mainForkSegmentOf(name: string): MainForkSegment | undefined {
  const match = MAIN_FORK.exec(name);
  if (match === null) return undefined;
  const [, database, tablespace, databaseThere, relation, segment] = match;
  return {
    tablespace: tablespace ?? (database === undefined ? GLOBAL_TABLESPACE : DEFAULT_TABLESPACE),
    database: databaseThere ?? database ?? "0",
    relation: relation!,
    segment: segment === undefined ? 0 : Number(segment),
  };
}
