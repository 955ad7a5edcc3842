/**
 * What was read and found sound before, for `--since-last`. It lies beside the repository format, under `walferry/<stanza>/`, and holds names
 * and numbers only. Losing it costs one full verification, nothing else. What a run came to is in verification_results.ts.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { type JsonObject, type JsonValue, parseJson, renderJson } from "../format/json.ts";
import { segmentNumber, timelineOf } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import { decodeText, type Repository } from "./repository.ts";
import { collect } from "../stream/sources.ts";
import type { SegmentRun } from "./wal_span.ts";

/** Largest record that is read, in bytes. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** 2: segments are those of a cluster. */
const FORMAT = 2;

/** Segments of one archive id. */
export interface VerifiedWal {
  /** A stanza that was deleted and made anew has the same archive ids, and the same names of segments in them. */
  readonly systemId: bigint;
  readonly segmentBytes: number;
  readonly runs: readonly SegmentRun[];
}

export class VerifiedRecord {
  /** By label, the time at which the backup stopped: another backup of that label would be another one. */
  readonly backups: Map<string, number>;
  readonly wal: Map<string, VerifiedWal>;

  constructor(backups: Map<string, number> = new Map(), wal: Map<string, VerifiedWal> = new Map()) {
    this.backups = backups;
    this.wal = wal;
  }

  /** @param systemId of the cluster that the archive id belongs to; what is in a directory that belongs to none is not known */
  hasSegment(archiveId: string, systemId: bigint | undefined, name: string): boolean {
    const known = this.wal.get(archiveId);
    if (known === undefined || known.systemId !== systemId) return false;
    const place = segmentNumber(name, known.segmentBytes);
    const timeline = timelineOf(name);
    return known.runs.some((run) => run.timeline === timeline && run.first <= place && place <= run.last);
  }
}

/** The record, or an empty one where there is none that can be understood. @throws WalferryError of the store */
export async function loadRecord(
  repository: Repository,
  stanza: string,
  { log, signal }: CommandContext,
): Promise<VerifiedRecord> {
  try {
    const stream = await repository.storage.read(recordPath(stanza), { signal });
    if (stream === undefined) return new VerifiedRecord();
    return parseRecord(decodeText(await collect(stream, RECORD_BYTES_MAX)));
  } catch (thrown) {
    const error = toWalferryError(thrown);
    if (error.kind !== "Format" && error.kind !== "JsonFormat") throw error;
    log.warn(`${repository.display(recordPath(stanza))} cannot be used, everything is read: ${error.message}`);
    return new VerifiedRecord();
  }
}

/** @throws WalferryError of the store */
export async function saveRecord(repository: Repository, stanza: string, record: VerifiedRecord): Promise<void> {
  const text = renderJson({
    backup: Object.fromEntries(record.backups),
    format: FORMAT,
    wal: Object.fromEntries(
      [...record.wal].map(([id, { systemId, segmentBytes, runs }]) => [id, {
        run: runs.map(({ timeline, first, last }) => [timeline, first, last]),
        "segment-size": segmentBytes,
        "system-id": String(systemId),
      }]),
    ),
  });
  await repository.storage.write(recordPath(stanza), new TextEncoder().encode(`${text}\n`));
}

/** Where the record lies. */
export function recordPath(stanza: string): string {
  return `walferry/${stanza}/verified.json`;
}

/** @throws WalferryError `Format`, `JsonFormat` */
export function parseRecord(text: string): VerifiedRecord {
  const root = objectOf(parseJson(text.trimEnd()));
  if (root["format"] !== FORMAT) throw new WalferryError("Format", "the record is of another format");
  const backups = Object.entries(objectOf(root["backup"])).map(([label, time]) => [label, numberOf(time)] as const);
  const wal = Object.entries(objectOf(root["wal"])).map(([id, one]) => {
    const { run, "segment-size": size, "system-id": systemId } = objectOf(one);
    if (!Array.isArray(run)) throw new WalferryError("Format", "the record has no list of segments");
    const runs = run.map((numbers) => {
      const [timeline, first, last] = (Array.isArray(numbers) ? numbers : []).map(numberOf);
      return { timeline: numberOf(timeline), first: numberOf(first), last: numberOf(last) };
    });
    return [id, { systemId: systemIdOf(systemId), segmentBytes: numberOf(size), runs }] as const;
  });
  return new VerifiedRecord(new Map(backups), new Map(wal));
}

function objectOf(value: JsonValue | undefined): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new WalferryError("Format", "the record is not what this version writes");
}

function systemIdOf(value: JsonValue | undefined): bigint {
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) return BigInt(value);
  throw new WalferryError("Format", "the record is not what this version writes");
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === "number") return value;
  throw new WalferryError("Format", "the record is not what this version writes");
}
