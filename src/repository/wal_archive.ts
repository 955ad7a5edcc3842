/** Finding WAL in the archive of one repository (repository-format §3). */
import { WalferryError } from "../errors.ts";
import { type ArchiveHistoryEntry, type ArchiveInfo } from "../format/archive_info.ts";
import { walDirectory } from "../format/wal_name.ts";
import type { Clock } from "../process/clock.ts";
import { type CompressType, compressTypeOfName } from "../stream/compress_type.ts";
import type { Repository } from "./repository.ts";

/** A segment as it lies in an archive. */
export interface ArchivedSegment {
  readonly repositoryKey: number;
  /** `15-1` */
  readonly archiveId: string;
  /** Name of the segment (or partial segment). */
  readonly walName: string;
  /** Path in the repository. */
  readonly path: string;
  /** Last segment of the path. */
  readonly name: string;
  /** Stored bytes. */
  readonly sizeBytes: number;
  /** SHA-1 of the plain content, told by the name. */
  readonly checksum: string;
  readonly compressType: CompressType;
}

/** A stored segment: its name, its hash and the extension of its compression. */
const STORED_NAME = /^([0-9A-F]{24}(?:\.partial)?)-([0-9a-f]{40})(?:\.(?:gz|bz2|lz4|zst))?$/;

/** Archive id of a history entry, `15-1`. */
export function archiveIdOf(entry: ArchiveHistoryEntry): string {
  return `${entry.pgVersion}-${entry.id}`;
}

/** Archive ids of a cluster, newest first: every history entry with its version and system identifier. */
export function archiveIdsOf(info: ArchiveInfo, pgVersion: string, systemId: bigint): string[] {
  return info.history.filter((entry) => entry.pgVersion === pgVersion && entry.systemId === systemId).reverse().map(
    archiveIdOf,
  );
}

/** Name under which a segment is stored. */
export function storedSegmentName(walName: string, checksum: string, extension: string): string {
  return `${walName}-${checksum}${extension}`;
}

/** Every stored form of a segment (or partial segment) in one archive id. More than one is an anomaly that the caller judges. */
export async function findSegments(
  repository: Repository,
  stanza: string,
  archiveId: string,
  walName: string,
  signal?: AbortSignal,
): Promise<ArchivedSegment[]> {
  const found: ArchivedSegment[] = [];
  const directory = walDirectory(walName);
  for await (const segment of archivedSegments(repository, stanza, archiveId, directory, signal, `${walName}-`)) {
    found.push(segment);
  }
  return found;
}

/**
 * Every stored segment in one directory of the archive, in no order; history and label files are left out.
 * @param directory first 16 digits of the names
 * @param prefix only names that begin with this
 */
export async function* archivedSegments(
  repository: Repository,
  stanza: string,
  archiveId: string,
  directory: string,
  signal?: AbortSignal,
  prefix?: string,
): AsyncGenerator<ArchivedSegment> {
  const path = repository.archivePath(stanza, archiveId, directory);
  for await (const entry of repository.storage.list(path, { prefix, signal })) {
    const match = STORED_NAME.exec(entry.name);
    if (match === null || entry.type === "path") continue;
    yield {
      repositoryKey: repository.key,
      archiveId,
      walName: match[1]!,
      path: `${path}/${entry.name}`,
      name: entry.name,
      sizeBytes: entry.sizeBytes,
      checksum: match[2]!,
      compressType: compressTypeOfName(entry.name),
    };
  }
}

/**
 * Waits until a segment is in the archive of a repository.
 * @throws WalferryError `ArchiveTimeout`, `ArchiveDuplicate`
 */
export async function waitForSegment(
  repository: Repository,
  stanza: string,
  archiveId: string,
  walName: string,
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<ArchivedSegment> {
  const deadline = clock.monotonicMs() + timeoutMs;
  for (let pauseMs = 50;; pauseMs = Math.min(pauseMs * 1.5, 1000)) {
    const found = await findSegments(repository, stanza, archiveId, walName, signal);
    const checksums = new Set(found.map(({ checksum }) => checksum));
    if (checksums.size > 1) {
      throw new WalferryError(
        "ArchiveDuplicate",
        `duplicates found in archive for WAL segment ${walName}: ${found.map(({ name }) => name).join(", ")}`,
        { hint: "are multiple primaries archiving to this stanza?" },
      );
    }
    if (found.length > 0) return found[0]!;
    const leftMs = deadline - clock.monotonicMs();
    if (leftMs <= 0) {
      throw new WalferryError(
        "ArchiveTimeout",
        `WAL segment ${walName} was not archived before the ${Math.round(timeoutMs)}ms timeout`,
        {
          hint: "check the archive_command to ensure that all options are correct (especially --stanza).\n" +
            "check the PostgreSQL server log for errors.",
        },
      );
    }
    await clock.sleep(Math.min(pauseMs, leftMs), signal);
  }
}
