/** Names of WAL segments and what belongs to them (repository-format §3.1). Pure text and arithmetic. */
import { WalferryError } from "../errors.ts";

const SEGMENT = /^[0-9A-F]{24}$/;
const SEGMENT_OR_PARTIAL = /^[0-9A-F]{24}(?:\.partial)?$/;
const HISTORY = /^[0-9A-F]{8}\.history$/;
const BACKUP_LABEL = /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/;

/** A complete segment: 24 hex digits. */
export function isWalSegmentName(name: string): boolean {
  return SEGMENT.test(name);
}

/** A segment or a partial segment: what is compressed and carries its hash in the archive. */
export function isWalSegmentOrPartialName(name: string): boolean {
  return SEGMENT_OR_PARTIAL.test(name);
}

/** A timeline history file: 8 hex digits and `.history`. */
export function isHistoryName(name: string): boolean {
  return HISTORY.test(name);
}

/** A backup label file that PostgreSQL archives: segment, offset and `.backup`. */
export function isBackupLabelName(name: string): boolean {
  return BACKUP_LABEL.test(name);
}

/**
 * Directory of an archived file relative to its archive id: the first 16 digits for anything that begins with a segment name,
 * `""` (the archive id itself) for everything else.
 */
export function walDirectory(name: string): string {
  return /^[0-9A-F]{24}/.test(name) ? name.slice(0, 16) : "";
}

/** Timeline number of a segment name or a history file name. */
export function timelineOf(name: string): number {
  return parseInt(name.slice(0, 8), 16);
}

/** Number of segments in one 4 GiB "log file" of this segment size. */
function segmentsPerLog(segmentSizeBytes: number): number {
  return 0x1_0000_0000 / segmentSizeBytes;
}

/** Name of the segment that follows on the same timeline. PostgreSQL source: `XLogFileName`, `XLogSegmentsPerXLogId`. */
export function nextSegmentName(name: string, segmentSizeBytes: number): string {
  if (!isWalSegmentName(name)) throw new WalferryError("Assert", `'${name}' is not a WAL segment name`);
  let log = parseInt(name.slice(8, 16), 16);
  let segment = parseInt(name.slice(16, 24), 16) + 1;
  if (segment >= segmentsPerLog(segmentSizeBytes)) {
    segment = 0;
    log += 1;
  }
  return name.slice(0, 8) + hex8(log) + hex8(segment);
}

/** Place of a segment on its timeline: its first byte's LSN divided by the segment size. */
export function segmentNumber(name: string, segmentSizeBytes: number): number {
  return parseInt(name.slice(8, 16), 16) * segmentsPerLog(segmentSizeBytes) + parseInt(name.slice(16, 24), 16);
}

/** Name of the segment at a place on a timeline. */
export function segmentNameOf(timeline: number, number: number, segmentSizeBytes: number): string {
  const perLog = segmentsPerLog(segmentSizeBytes);
  return hex8(timeline) + hex8(Math.floor(number / perLog)) + hex8(number % perLog);
}

/** True when a segment of this name exists with this segment size: the last 8 digits count up to a limit only. */
export function isPossibleSegment(name: string, segmentSizeBytes: number): boolean {
  return isWalSegmentName(name) && parseInt(name.slice(16, 24), 16) < segmentsPerLog(segmentSizeBytes);
}

/** Name of the history file of a timeline. */
export function historyNameOf(timeline: number): string {
  return `${hex8(timeline)}.history`;
}

/** Every segment name from first to last, both included. @throws WalferryError `Assert` when last is before first or on another timeline. */
export function* segmentRange(first: string, last: string, segmentSizeBytes: number): Generator<string> {
  if (first.slice(0, 8) !== last.slice(0, 8) || first > last) {
    throw new WalferryError("Assert", `'${first}' to '${last}' is no range of WAL segments`);
  }
  for (let name = first; name <= last; name = nextSegmentName(name, segmentSizeBytes)) yield name;
}

/** Name of the segment that holds this LSN (`0/3000028`) on a timeline. */
export function segmentOfLsn(timeline: number, lsn: string, segmentSizeBytes: number): string {
  const value = parseLsn(lsn);
  const log = Number(value >> 32n);
  const segment = Math.floor(Number(value & 0xffff_ffffn) / segmentSizeBytes);
  return hex8(timeline) + hex8(log) + hex8(segment);
}

/** An LSN as PostgreSQL prints it (`16/B374D848`) as a number. @throws WalferryError `Format` */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match === null) throw new WalferryError("Format", `'${text}' is not an LSN such as 0/3000028`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** A number as PostgreSQL prints an LSN. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

function hex8(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
