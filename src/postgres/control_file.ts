/** `global/pg_control`: who a cluster is and where it stands. Only `Deno.*` is used: this is on the way of every archive command. */
import { WalferryError } from "../errors.ts";
import { crc32c } from "./crc32c.ts";
import { versionOfControl } from "./versions.ts";

export interface ControlData {
  /** `15` */
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly controlVersion: number;
  readonly catalogVersion: number;
  /** Location of the latest checkpoint record; {@link INVALID_CHECKPOINT} in a restored cluster that never started. */
  readonly checkpointLsn: bigint;
  /** Timeline of the latest checkpoint. */
  readonly timeline: number;
  readonly walSegmentBytes: number;
  /** `data_checksum_version` is not 0. */
  readonly pageChecksums: boolean;
  readonly pageBytes: number;
}

/** Checkpoint location that restore writes so that a cluster cannot start without its `backup_label` (behaviour spec §5.1.13). */
export const INVALID_CHECKPOINT = 0xdeadn;

/** Path below the data directory. */
export const CONTROL_FILE = "global/pg_control";

/** Offsets in `ControlFileData` of `pg_control.h`; equal from 13 to 18 but for the CRC. */
const OFFSETS = {
  systemId: 0,
  controlVersion: 8,
  catalogVersion: 12,
  checkpoint: 32,
  timeline: 48,
  page: 216,
  segment: 228,
  checksum: 252,
};
/** 18 has `default_char_signedness` before the nonce, which moves the CRC by four bytes. */
const CRC_OFFSETS: Readonly<Record<number, number>> = { 1300: 288, 1700: 288, 1800: 292 };
/** `PG_CONTROL_FILE_SIZE` */
const CONTROL_BYTES = 8192;
/** A server may be writing the file while it is read: so many more tries before the checksum counts as wrong. */
const TORN_READ_RETRIES = 10;

/**
 * Reads and checks the control file of a data directory.
 *
 * @param versionForce `pg-version-force`: taken instead of what the file says about the release.
 * @throws WalferryError `FileMissing`, `FileOpen`, `VersionNotSupported`, `Checksum`
 */
export function readControlFile(pgPath: string, versionForce?: string): ControlData {
  return parseControlFile(readControlBytes(pgPath, versionForce), versionForce);
}

/** The file's bytes, whole and consistent. @throws as {@link readControlFile} */
export function readControlBytes(pgPath: string, versionForce?: string): Uint8Array {
  const path = `${pgPath}/${CONTROL_FILE}`;
  for (let retry = 0;; retry++) {
    let bytes: Uint8Array;
    try {
      bytes = Deno.readFileSync(path);
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound;
      throw new WalferryError(
        missing ? "FileMissing" : "FileOpen",
        missing
          ? `unable to open missing file '${path}' for read`
          : `unable to open file '${path}' for read: ${(error as Error).message}`,
        { cause: error, hint: missing ? "is pg1-path the data directory of a cluster?" : undefined },
      );
    }
    try {
      parseControlFile(bytes, versionForce);
      return bytes;
    } catch (error) {
      if (!(error instanceof WalferryError) || error.kind !== "Checksum" || retry >= TORN_READ_RETRIES) throw error;
    }
  }
}

/** @throws WalferryError `Format`, `VersionNotSupported`, `Checksum` */
export function parseControlFile(bytes: Uint8Array, versionForce?: string): ControlData {
  if (bytes.length < CONTROL_BYTES / 16) {
    throw new WalferryError("Format", `pg_control is only ${bytes.length} bytes long`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const controlVersion = view.getUint32(OFFSETS.controlVersion, true);
  const catalogVersion = view.getUint32(OFFSETS.catalogVersion, true);
  const pgVersion = versionOfControl(controlVersion, catalogVersion, versionForce);
  const crcOffset = crcOffsetOf(controlVersion);
  const expected = view.getUint32(crcOffset, true);
  const actual = crc32c(bytes.subarray(0, crcOffset));
  if (actual !== expected) {
    throw new WalferryError(
      "Checksum",
      `calculated pg_control checksum does not match expected value (${hex(actual)}, ${hex(expected)})`,
    );
  }
  return {
    pgVersion,
    systemId: view.getBigUint64(OFFSETS.systemId, true),
    controlVersion,
    catalogVersion,
    checkpointLsn: view.getBigUint64(OFFSETS.checkpoint, true),
    timeline: view.getUint32(OFFSETS.timeline, true),
    walSegmentBytes: view.getUint32(OFFSETS.segment, true),
    pageChecksums: view.getUint32(OFFSETS.checksum, true) !== 0,
    pageBytes: view.getUint32(OFFSETS.page, true),
  };
}

/** The same control file with the checkpoint made invalid and the CRC renewed; the bytes given are not changed. */
export function invalidateCheckpoint(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  const view = new DataView(changed.buffer);
  const crcOffset = crcOffsetOf(view.getUint32(OFFSETS.controlVersion, true));
  view.setBigUint64(OFFSETS.checkpoint, INVALID_CHECKPOINT, true);
  view.setUint32(crcOffset, crc32c(changed.subarray(0, crcOffset)), true);
  return changed;
}

function crcOffsetOf(controlVersion: number): number {
  const offset = CRC_OFFSETS[controlVersion];
  if (offset === undefined) {
    throw new WalferryError("VersionNotSupported", `unexpected control version = ${controlVersion}`);
  }
  return offset;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
