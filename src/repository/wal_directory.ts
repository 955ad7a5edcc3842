/** What lies in one archive id: directories of segments, one at a time, and the files beside them. */
import { mayHoldFiles, type StorageEntry } from "../../backends/contract.ts";
import { compareBytes } from "../format/json.ts";
import { isBackupLabelName, isHistoryName } from "../format/wal_name.ts";
import type { Repository } from "./repository.ts";

/** A segment or partial segment as it is stored. */
export interface StoredSegment {
  /** 24 digits. */
  readonly name: string;
  readonly partial: boolean;
  readonly checksum: string;
  /** Name with hash and extension. */
  readonly storedName: string;
  readonly sizeBytes: number;
  /** Seconds since the epoch. */
  readonly storedTime: number;
}

export interface WalDirectory {
  /** 16 digits. */
  readonly name: string;
  /** Sorted by name; several of one name are several stored forms. */
  readonly segments: readonly StoredSegment[];
  /** Backup label files that PostgreSQL archived. */
  readonly labelFiles: readonly StorageEntry[];
  /** What does not belong there. */
  readonly strays: readonly StorageEntry[];
}

/** What stands directly in an archive id. */
export interface ArchiveIdEntries {
  /** 16 digits each, sorted. */
  readonly directories: readonly string[];
  /** Timeline history files, sorted. */
  readonly histories: readonly StorageEntry[];
  readonly strays: readonly StorageEntry[];
}

const SEGMENT = /^([0-9A-F]{24})(\.partial)?-([0-9a-f]{40})(?:\.(?:gz|bz2|lz4|zst))?$/;

export async function listArchiveId(
  repository: Repository,
  root: string,
  signal?: AbortSignal,
): Promise<ArchiveIdEntries> {
  const directories: string[] = [];
  const histories: StorageEntry[] = [];
  const strays: StorageEntry[] = [];
  for await (const entry of repository.storage.list(root, { signal })) {
    if (mayHoldFiles(entry) && /^[0-9A-F]{16}$/.test(entry.name)) directories.push(entry.name);
    else if (entry.type === "file" && isHistoryName(entry.name)) histories.push(entry);
    else strays.push(entry);
  }
  return { directories: directories.sort(), histories: histories.sort(byName), strays };
}

export async function listWalDirectory(
  repository: Repository,
  root: string,
  name: string,
  signal?: AbortSignal,
): Promise<WalDirectory> {
  const segments: StoredSegment[] = [];
  const labelFiles: StorageEntry[] = [];
  const strays: StorageEntry[] = [];
  for await (const entry of repository.storage.list(`${root}/${name}`, { signal })) {
    const match = entry.type === "file" && entry.name.startsWith(name) ? SEGMENT.exec(entry.name) : null;
    if (match !== null) {
      segments.push({
        name: match[1]!,
        partial: match[2] !== undefined,
        checksum: match[3]!,
        storedName: entry.name,
        sizeBytes: entry.sizeBytes,
        storedTime: entry.modifiedTime,
      });
    } else if (entry.type === "file" && entry.name.startsWith(name) && isBackupLabelName(entry.name)) {
      labelFiles.push(entry);
    } else strays.push(entry);
  }
  segments.sort((a, b) => compareBytes(a.storedName, b.storedName));
  return { name, segments, labelFiles, strays };
}

function byName(a: StorageEntry, b: StorageEntry): number {
  return compareBytes(a.name, b.name);
}
