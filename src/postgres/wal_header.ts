/** The long page header at the start of every WAL segment: which cluster wrote it. */
import { WalferryError } from "../errors.ts";
import { versionOfWalMagic } from "./versions.ts";

export interface WalHeader {
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly segmentBytes: number;
}

/** Bytes of the header. Source: `XLogLongPageHeaderData` in `xlog_internal.h`. */
export const WAL_HEADER_BYTES = 40;

/** `XLP_LONG_HEADER` */
const LONG_HEADER = 0x0002;

/** @throws WalferryError `Format` when it is no header of a segment, `VersionNotSupported` for an unknown magic */
export function readWalHeader(bytes: Uint8Array, versionForce?: string): WalHeader {
  if (bytes.length < WAL_HEADER_BYTES) throw new WalferryError("Format", `WAL file is only ${bytes.length} bytes long`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pgVersion = versionOfWalMagic(view.getUint16(0, true), versionForce);
  if ((view.getUint16(2, true) & LONG_HEADER) === 0) {
    throw new WalferryError("Format", "first page header in WAL file is expected to be in long format");
  }
  return { pgVersion, systemId: view.getBigUint64(24, true), segmentBytes: view.getUint32(32, true) };
}
