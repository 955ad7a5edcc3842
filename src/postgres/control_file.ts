/**
 * `global/pg_control`: who a cluster is and where its last checkpoint began. Read with synchronous calls only, since it stands on the
 * way of every archived segment.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import { crc32c } from "../stream/crc32c.ts";
import { PG_RELEASES, releaseOf } from "./version.ts";

/** What is taken from a control file. */
export interface ControlData {
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly controlVersion: number;
  readonly catalogVersion: number;
  /** Location of the last checkpoint record. */
  readonly checkpointLsn: bigint;
  /** Timeline of the last checkpoint. */
  readonly timeline: number;
  readonly walSegmentBytes: number;
  /** Data pages carry checksums. */
  readonly pageChecksums: boolean;
  readonly pageBytes: number;
}

/** Name of the control file below the data directory. */
export const CONTROL_FILE = "global/pg_control";

/** The file is one block of this size; what matters fits the first 512 bytes, so that it is written in one sector. */
const CONTROL_FILE_BYTES = 8192;

/**
 * Byte offsets in `ControlFileData` of 64-bit builds (`src/include/catalog/pg_control.h`). All releases from 13 to 18 agree on them; 18
 * put `default_char_signedness` in front of the nonce, which moves the CRC only.
 */
const OFFSET = {
  systemId: 0,
  controlVersion: 8,
  catalogVersion: 12,
  checkpoint: 32,
  timeline: 48,
  pageBytes: 216,
  walSegmentBytes: 228,
  pageChecksumVersion: 252,
} as const;
const CRC_OFFSET = 288;
const CRC_OFFSET_18 = 292;
const CONTROL_VERSION_18 = 1800;

/** Stands in for a checkpoint location so that a cluster without `backup_label` cannot start (pgBackRest 2.51 and later write the same). */
export const INVALID_CHECKPOINT = 0xdeadn;

/** A torn read heals within microseconds; a file that stays wrong for a second is damaged. */
const READ_ATTEMPTS = 50;
const READ_PAUSE_MS = 20;

/**
 * Reads a cluster's control file.
 *
 * @param versionForce `pg-version-force`: taken as the version whatever the catalog version says.
 * @throws WalferryError `FileMissing`, `FileOpen`, `FileRead`, `FileInvalid` (too short), `Checksum` (damaged), `VersionNotSupported`
 */
export function readControlFile(pgPath: string, versionForce?: string): ControlData {
  return parseControl(readControlBytes(pgPath, versionForce), versionForce);
}

/**
 * The bytes of a cluster's control file, with a CRC that is right: read again when the server was writing it at that moment.
 *
 * @throws WalferryError as {@link readControlFile}
 */
export function readControlBytes(pgPath: string, versionForce?: string): Uint8Array {
  const path = `${pgPath}/${CONTROL_FILE}`;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1;; attempt++) {
    const bytes = readWhole(path);
    try {
      checkControl(bytes, path, versionForce);
      return bytes;
    } catch (error) {
      if (attempt === READ_ATTEMPTS || !isWalferryError(error, "Checksum")) throw error;
      Atomics.wait(pause, 0, 0, READ_PAUSE_MS);
    }
  }
}

/** The values of a control file whose CRC was checked. @throws WalferryError `VersionNotSupported` */
export function parseControl(bytes: Uint8Array, versionForce?: string): ControlData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const controlVersion = view.getUint32(OFFSET.controlVersion, true);
  const catalogVersion = view.getUint32(OFFSET.catalogVersion, true);
  return {
    pgVersion: versionForce ?? versionOf(controlVersion, catalogVersion),
    systemId: view.getBigUint64(OFFSET.systemId, true),
    controlVersion,
    catalogVersion,
    checkpointLsn: view.getBigUint64(OFFSET.checkpoint, true),
    timeline: view.getUint32(OFFSET.timeline, true),
    walSegmentBytes: view.getUint32(OFFSET.walSegmentBytes, true),
    pageChecksums: view.getUint32(OFFSET.pageChecksumVersion, true) > 0,
    pageBytes: view.getUint32(OFFSET.pageBytes, true),
  };
}

/**
 * A copy of a control file whose checkpoint location is the invalid marker, with its CRC made right again.
 *
 * @throws WalferryError `VersionNotSupported`, `Checksum` when the input is no valid control file
 */
export function invalidateCheckpoint(bytes: Uint8Array, versionForce?: string): Uint8Array {
  checkControl(bytes, CONTROL_FILE, versionForce);
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const crcAt = crcOffset(view.getUint32(OFFSET.controlVersion, true), versionForce);
  view.setBigUint64(OFFSET.checkpoint, INVALID_CHECKPOINT, true);
  view.setUint32(crcAt, crc32c(copy.subarray(0, crcAt)), true);
  return copy;
}

function versionOf(controlVersion: number, catalogVersion: number): string {
  const release = PG_RELEASES.find((known) =>
    known.catalogVersion === catalogVersion && known.controlVersion === controlVersion
  );
  if (release === undefined) throw unsupported(controlVersion, catalogVersion);
  return release.version;
}

function unsupported(controlVersion: number, catalogVersion: number): WalferryError {
  return new WalferryError(
    "VersionNotSupported",
    `unexpected control version = ${controlVersion} and catalog version = ${catalogVersion}`,
    { hint: "is this version of PostgreSQL supported?" },
  );
}

/** Where the CRC stands. A control version that no known release has needs the forced version to say which layout to take. */
function crcOffset(controlVersion: number, versionForce: string | undefined): number {
  const known = PG_RELEASES.some((release) => release.controlVersion === controlVersion);
  const layout = known || versionForce === undefined ? controlVersion : releaseOf(versionForce)?.controlVersion;
  return (layout ?? CONTROL_VERSION_18) >= CONTROL_VERSION_18 ? CRC_OFFSET_18 : CRC_OFFSET;
}

function checkControl(bytes: Uint8Array, path: string, versionForce: string | undefined): void {
  if (bytes.length < CRC_OFFSET_18 + 4) {
    throw new WalferryError(
      "FileInvalid",
      `'${path}' has ${bytes.length} bytes, too few for a PostgreSQL control file`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const controlVersion = view.getUint32(OFFSET.controlVersion, true);
  const crcAt = crcOffset(controlVersion, versionForce);
  const expected = view.getUint32(crcAt, true);
  const actual = crc32c(bytes.subarray(0, crcAt));
  if (actual === expected) return;
  // The place of the CRC is known only for known releases: for others the version is the news.
  if (versionForce === undefined && !PG_RELEASES.some((release) => release.controlVersion === controlVersion)) {
    throw unsupported(controlVersion, view.getUint32(OFFSET.catalogVersion, true));
  }
  throw new WalferryError(
    "Checksum",
    `invalid CRC-32C in '${path}', actual ${hex8(actual)} but expected ${hex8(expected)}`,
    { hint: "the file is damaged, or no PostgreSQL control file" },
  );
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function readWhole(path: string): Uint8Array {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new WalferryError("FileMissing", `unable to open missing file '${path}' for read`, {
        hint: `is '${path.slice(0, -`/${CONTROL_FILE}`.length)}' the data directory of the cluster?`,
        cause: error,
      });
    }
    throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  using open = file;
  const bytes = new Uint8Array(CONTROL_FILE_BYTES);
  let count = 0;
  try {
    for (let read; count < bytes.length && (read = open.readSync(bytes.subarray(count))) !== null;) count += read;
  } catch (error) {
    throw new WalferryError("FileRead", `unable to read '${path}': ${(error as Error).message}`, { cause: error });
  }
  return bytes.subarray(0, count);
}
