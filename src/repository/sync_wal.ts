/** Giving one repository the WAL that another one has and it has not, found by comparing what they list, one directory at a time. */
import type { ArchiveHistoryEntry, ArchiveInfo } from "../format/archive_info.ts";
import { inLanes } from "../process/lanes.ts";
import { copyPlainFile, copySegment, type WalPlace } from "./copy_wal.ts";
import type { Repository } from "./repository.ts";
import { type ArchivedSegment, archivedSegments, archiveIdOf } from "./wal_archive.ts";

/** History and backup label files, which are stored under their own names. */
const PLAIN_NAME = /^[0-9A-F]{8}\.history$|^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/;

/** What came of it. */
export interface SyncedWal {
  readonly copied: number;
  readonly copiedBytes: number;
  /** Names that have other content in the other repository: nothing was done about them. */
  readonly conflicts: readonly string[];
}

export interface SyncWalOptions {
  readonly from: Repository;
  readonly to: Repository;
  readonly stanza: string;
  /** Files on their way at once. */
  readonly atOnce: number;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Hears of each file that was (or would be) copied. */
  readonly onCopied: (name: string) => void;
}

/** Compares every archive id of clusters that both repositories know; oldest first. @throws WalferryError what keeps either from answering */
export async function syncWal(options: SyncWalOptions): Promise<SyncedWal> {
  const { from, to, stanza, signal } = options;
  const [fromInfo, toInfo] = await Promise.all([
    from.loadArchiveInfo(stanza, signal),
    to.loadArchiveInfo(stanza, signal),
  ]);
  let [copied, copiedBytes] = [0, 0];
  const conflicts: string[] = [];
  for (const entry of fromInfo.history) {
    const other = sameCluster(toInfo, entry);
    if (other === undefined) continue;
    const source = { repository: from, stanza, archiveId: archiveIdOf(entry), passphrase: fromInfo.cipherPass };
    const target = { repository: to, stanza, archiveId: archiveIdOf(other), passphrase: toInfo.cipherPass };
    for (const directory of await walDirectories(source, signal)) {
      const missing = await compare(source, target, directory, conflicts, signal);
      await inLanes(missing, options.atOnce, async (file) => {
        signal.throwIfAborted();
        if (!options.dryRun) await file.copy(signal);
        options.onCopied(file.name);
        copied++;
        copiedBytes += file.sizeBytes;
      });
    }
  }
  return { copied, copiedBytes, conflicts };
}

/** The entry of the same cluster in the other repository, which may have another id there. */
export function sameCluster(
  info: ArchiveInfo,
  entry: Pick<ArchiveHistoryEntry, "pgVersion" | "systemId">,
): ArchiveHistoryEntry | undefined {
  return info.history.findLast((one) => one.pgVersion === entry.pgVersion && one.systemId === entry.systemId);
}

/** `""` for the files beside the directories, then the directories in order. */
async function walDirectories({ repository, stanza, archiveId }: WalPlace, signal: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, type } of repository.storage.list(repository.archivePath(stanza, archiveId), { signal })) {
    if (type === "path" && /^[0-9A-F]{16}$/.test(name)) names.push(name);
  }
  return ["", ...names.sort()];
}

interface MissingFile {
  readonly name: string;
  readonly sizeBytes: number;
  copy(signal: AbortSignal): Promise<void>;
}

async function compare(
  from: WalPlace,
  to: WalPlace,
  directory: string,
  conflicts: string[],
  signal: AbortSignal,
): Promise<MissingFile[]> {
  const missing: MissingFile[] = [];
  if (directory !== "") {
    const [there, here] = await Promise.all([segmentsIn(to, directory, signal), segmentsIn(from, directory, signal)]);
    for (const [walName, segment] of here) {
      const same = there.get(walName);
      if (same === undefined) {
        const copy = (own: AbortSignal) => copySegment(from, segment, to, own);
        missing.push({ name: walName, sizeBytes: segment.sizeBytes, copy });
      } else if (same.checksum !== segment.checksum) conflicts.push(walName);
    }
  }
  const [there, here] = await Promise.all([plainFilesIn(to, directory, signal), plainFilesIn(from, directory, signal)]);
  for (const [name, sizeBytes] of here) {
    if (there.has(name)) continue;
    missing.push({ name, sizeBytes, copy: async (own) => void await copyPlainFile(from, name, to, own) });
  }
  return missing.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function segmentsIn(
  { repository, stanza, archiveId }: WalPlace,
  directory: string,
  signal: AbortSignal,
): Promise<Map<string, ArchivedSegment>> {
  const found = new Map<string, ArchivedSegment>();
  for await (const segment of archivedSegments(repository, stanza, archiveId, directory, signal)) {
    found.set(segment.walName, segment);
  }
  return found;
}

async function plainFilesIn(
  { repository, stanza, archiveId }: WalPlace,
  directory: string,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const path = repository.archivePath(stanza, archiveId, directory);
  for await (const { name, type, sizeBytes } of repository.storage.list(path, { signal })) {
    if (type === "file" && PLAIN_NAME.test(name)) found.set(name, sizeBytes);
  }
  return found;
}
