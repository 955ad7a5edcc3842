/** PostgreSQL releases that are known, and what tells them apart on disk. */
import { WalferryError } from "../errors.ts";

/** One major release. Sources: `catversion.h`, `pg_control.h`, `xlog_internal.h` of that release. */
interface Release {
  readonly version: string;
  readonly controlVersion: number;
  readonly catalogVersion: number;
  /** `XLOG_PAGE_MAGIC` */
  readonly walMagic: number;
}

const RELEASES: readonly Release[] = [
  { version: "13", controlVersion: 1300, catalogVersion: 202007201, walMagic: 0xd106 },
  { version: "14", controlVersion: 1300, catalogVersion: 202107181, walMagic: 0xd10d },
  { version: "15", controlVersion: 1300, catalogVersion: 202209061, walMagic: 0xd110 },
  { version: "16", controlVersion: 1300, catalogVersion: 202307071, walMagic: 0xd113 },
  { version: "17", controlVersion: 1700, catalogVersion: 202406281, walMagic: 0xd116 },
  { version: "18", controlVersion: 1800, catalogVersion: 202506291, walMagic: 0xd118 },
];

/** Versions this program works with, oldest first. */
export const SUPPORTED_VERSIONS: readonly string[] = RELEASES.map(({ version }) => version);

/** Version of the cluster that wrote a control file. @throws WalferryError `VersionNotSupported` */
export function versionOfControl(controlVersion: number, catalogVersion: number, forced?: string): string {
  if (forced !== undefined) return forced;
  const release = RELEASES.find((known) =>
    known.controlVersion === controlVersion && known.catalogVersion === catalogVersion
  );
  if (release !== undefined) return release.version;
  throw new WalferryError(
    "VersionNotSupported",
    `unexpected control version = ${controlVersion} and catalog version = ${catalogVersion}`,
    { hint: `is this version of PostgreSQL supported? (${SUPPORTED_VERSIONS.join(", ")})` },
  );
}

/** Version of the cluster that wrote a WAL page. @throws WalferryError `VersionNotSupported` */
export function versionOfWalMagic(magic: number, forced?: string): string {
  if (forced !== undefined) return forced;
  const release = RELEASES.find((known) => known.walMagic === magic);
  if (release !== undefined) return release.version;
  throw new WalferryError("VersionNotSupported", `unexpected WAL magic ${magic}`, {
    hint: `is this version of PostgreSQL supported? (${SUPPORTED_VERSIONS.join(", ")})`,
  });
}

/** Name of the directory of one release inside a tablespace, e.g. `PG_15_202209061`. */
export function tablespaceDirectory(pgVersion: string, catalogVersion: number): string {
  return `PG_${pgVersion}_${catalogVersion}`;
}
