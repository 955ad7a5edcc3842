/**
 * What was read and found sound before, for `--since-last`. It lies beside the repository format, under `walferry/<stanza>/`, and holds names,
 * numbers and digests of names only. Losing it costs one full verification, nothing else. What a run came to is in verification_results.ts.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { type JsonObject, type JsonValue, parseJson, renderJson } from "../format/json.ts";
import { segmentNumber, timelineOf } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import { decodeText, type Repository } from "./repository.ts";
import { sha1Hex } from "../stream/hash.ts";
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
  /** By directory (16 digits), the digest of what was read there of these runs: names of segments alone say nothing of the objects. */
  readonly directories: ReadonlyMap<string, string>;
}

/** An object of a directory of segments, as listed. */
export interface ListedSegment {
  readonly name: string;
  readonly storedName: string;
  readonly sizeBytes: number;
}

/** One digest for a directory, so that the record of a long archive stays small. @param segments of one directory, sorted by stored name */
export function digestOf(
  segments: readonly ListedSegment[],
  wal: Pick<VerifiedWal, "segmentBytes" | "runs">,
): string {
  const lines = segments.filter(({ name }) => isInRuns(name, wal)).map(({ storedName, sizeBytes }) =>
    `${storedName} ${sizeBytes}\n`
  );
  return sha1Hex(new TextEncoder().encode(lines.join("")));
}

/** Whether a segment need not be read again. Where anything that was read has another name or size now, all of its directory is. */
export function provedIn(
  wal: VerifiedWal | undefined,
  directory: string,
  segments: readonly ListedSegment[],
): (name: string) => boolean {
  const digest = wal?.directories.get(directory);
  if (wal === undefined || digest === undefined || digest !== digestOf(segments, wal)) return () => false;
  return (name) => isInRuns(name, wal);
}

function isInRuns(name: string, { segmentBytes, runs }: Pick<VerifiedWal, "segmentBytes" | "runs">): boolean {
  const place = segmentNumber(name, segmentBytes);
  const timeline = timelineOf(name);
  return runs.some((run) => run.timeline === timeline && run.first <= place && place <= run.last);
}

/** How a backup was read. */
export interface VerifiedBackup {
  /** The time at which it stopped: another backup of that label would be another one. */
  readonly timestampStop: number;
  /** Down to the content also where there is a hash of the stored form (`--deep`). */
  readonly isDeep: boolean;
}

export class VerifiedRecord {
  /** By label. */
  readonly backups: Map<string, VerifiedBackup>;
  readonly wal: Map<string, VerifiedWal>;

  constructor(backups: Map<string, VerifiedBackup> = new Map(), wal: Map<string, VerifiedWal> = new Map()) {
    this.backups = backups;
    this.wal = wal;
  }

  /** @param deep whether only what was read down to the content counts */
  hasBackup(label: string, timestampStop: number, deep: boolean): boolean {
    const known = this.backups.get(label);
    return known !== undefined && known.timestampStop === timestampStop && (known.isDeep || !deep);
  }

  /** @param systemId of the cluster that the archive id belongs to; what is in a directory that belongs to none is not known */
  walOf(archiveId: string, systemId: bigint | undefined): VerifiedWal | undefined {
    const known = this.wal.get(archiveId);
    return known?.systemId === systemId ? known : undefined;
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
    backup: Object.fromEntries([...record.backups].map(([label, { timestampStop }]) => [label, timestampStop])),
    deep: [...record.backups].flatMap(([label, { isDeep }]) => (isDeep ? [label] : [])),
    format: FORMAT,
    wal: Object.fromEntries(
      [...record.wal].map(([id, { systemId, segmentBytes, runs, directories }]) => [id, {
        directory: Object.fromEntries(directories),
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
  // A version that did not remember how deep it had read may not have been asked to.
  const deep = new Set(Array.isArray(root["deep"]) ? root["deep"].map(textOf) : []);
  const backups = Object.entries(objectOf(root["backup"])).map(([label, time]) =>
    [label, { timestampStop: numberOf(time), isDeep: deep.has(label) }] as const
  );
  const wal = Object.entries(objectOf(root["wal"])).map(([id, one]) => {
    const { directory, run, "segment-size": size, "system-id": systemId } = objectOf(one);
    if (!Array.isArray(run)) throw new WalferryError("Format", "the record has no list of segments");
    const runs = run.map((numbers) => {
      const [timeline, first, last] = (Array.isArray(numbers) ? numbers : []).map(numberOf);
      return { timeline: numberOf(timeline), first: numberOf(first), last: numberOf(last) };
    });
    // A record of a version that remembered names only proves nothing.
    const digests = directory === undefined ? [] : Object.entries(objectOf(directory));
    const directories = new Map(digests.map(([name, digest]) => [name, textOf(digest)]));
    return [id, { systemId: systemIdOf(systemId), segmentBytes: numberOf(size), runs, directories }] as const;
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

function textOf(value: JsonValue | undefined): string {
  if (typeof value === "string") return value;
  throw new WalferryError("Format", "the record is not what this version writes");
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === "number") return value;
  throw new WalferryError("Format", "the record is not what this version writes");
}
