/** The PostgreSQL releases that are understood and the numbers by which their files tell themselves apart. */

/** What identifies one major release in `pg_control` and in WAL page headers. */
export interface PgRelease {
  /** As written in info files: `15`. */
  readonly version: string;
  /** `pg_control_version`. PostgreSQL source: `PG_CONTROL_VERSION` in `src/include/catalog/pg_control.h`. */
  readonly controlVersion: number;
  /** `catalog_version_no` of the final release; betas have others. PostgreSQL source: `src/include/catalog/catversion.h`. */
  readonly catalogVersion: number;
  /** First two bytes of every WAL page. PostgreSQL source: `XLOG_PAGE_MAGIC` in `src/include/access/xlog_internal.h`. */
  readonly walMagic: number;
}

/** Every release that can be backed up, oldest first. */
export const PG_RELEASES: readonly PgRelease[] = [
  { version: "13", controlVersion: 1300, catalogVersion: 202007201, walMagic: 0xd106 },
  { version: "14", controlVersion: 1300, catalogVersion: 202107181, walMagic: 0xd10d },
  { version: "15", controlVersion: 1300, catalogVersion: 202209061, walMagic: 0xd110 },
  { version: "16", controlVersion: 1300, catalogVersion: 202307071, walMagic: 0xd113 },
  { version: "17", controlVersion: 1700, catalogVersion: 202406281, walMagic: 0xd116 },
  { version: "18", controlVersion: 1800, catalogVersion: 202506291, walMagic: 0xd118 },
];

/** The release of this version text, or `undefined`. */
export function releaseOf(version: string): PgRelease | undefined {
  return PG_RELEASES.find((release) => release.version === version);
}

/** Directory of a release inside a tablespace: `PG_15_202209061`. PostgreSQL source: `TABLESPACE_VERSION_DIRECTORY`. */
export function tablespaceDirectory(version: string, catalogVersion: number): string {
  return `PG_${version}_${catalogVersion}`;
}
