/** The long header of the first page of a WAL segment: which server wrote it. PostgreSQL source: `XLogLongPageHeaderData`. */
import { WalferryError } from "../errors.ts";
import { PG_RELEASES } from "./version.ts";

/** What a segment says about its origin. */
export interface WalHeader {
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly segmentBytes: number;
  /** Where in the WAL the segment begins (`xlp_pageaddr`). */
  readonly startLsn: bigint;
}

/** Bytes needed by {@link readWalHeader}. */
export const WAL_HEADER_BYTES = 40;

/** `XLP_LONG_HEADER` in `xlp_info`. */
const LONG_HEADER = 0x0002;

/** `WalSegMinSize` and `WalSegMaxSize` of PostgreSQL; a power of two between them. */
const SEGMENT_BYTES_MIN = 1024 ** 2;
const SEGMENT_BYTES_MAX = 1024 ** 3;

/**
 * Reads the header of a segment from its first bytes.
 *
 * @param versionForce `pg-version-force`: taken as the version whatever the magic says.
 * @throws WalferryError `Format` (too short, no long header, a segment size that cannot be), `VersionNotSupported` (unknown magic)
 */
export function readWalHeader(bytes: Uint8Array, versionForce?: string): WalHeader {
  if (bytes.length < WAL_HEADER_BYTES) {
    throw new WalferryError(
      "Format",
      `WAL file has ${bytes.length} bytes, too few for its header of ${WAL_HEADER_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint16(0, true);
  const pgVersion = versionForce ?? PG_RELEASES.find((release) => release.walMagic === magic)?.version;
  if (pgVersion === undefined) {
    throw new WalferryError("VersionNotSupported", `unexpected WAL magic ${magic}`, {
      hint: "is this version of PostgreSQL supported?",
    });
  }
  if ((view.getUint16(2, true) & LONG_HEADER) === 0) {
    throw new WalferryError("Format", "first page header in WAL file is expected to be in long format");
  }
  const segmentBytes = view.getUint32(32, true);
  // Everything that is counted in segments is divided by it.
  if (
    segmentBytes < SEGMENT_BYTES_MIN || segmentBytes > SEGMENT_BYTES_MAX || !Number.isInteger(Math.log2(segmentBytes))
  ) {
    throw new WalferryError("Format", `WAL segment size of ${segmentBytes} bytes is none that a server has`);
  }
  return {
    pgVersion,
    systemId: view.getBigUint64(24, true),
    segmentBytes,
    startLsn: view.getBigUint64(8, true),
  };
}
