/** Giving one repository the WAL that another one has and it has not, found by comparing what they list, one directory at a time. */
import { mayHoldFiles } from "../../backends/contract.ts";
import type { ArchiveHistoryEntry, ArchiveInfo } from "../format/archive_info.ts";
import { inLanes } from "../process/lanes.ts";
import { copyPlainFile, copySegment, type WalPlace } from "./copy_wal.ts";
import type { Repository } from "./repository.ts";
import { type ArchivedSegment, archivedSegments, archiveIdOf, findSegments } from "./wal_archive.ts";

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
  /** Whether a WAL file is copied into this archive id where it is missing. Default: every one. */
  readonly isWanted?: (name: string, archiveId: string) => boolean;
  readonly signal: AbortSignal;
  /** Hears of each file that was (or would be) copied, and whose it is; of one that was, the SHA-1 of its content. */
  readonly onCopied: (name: string, systemId: bigint, checksum: string | undefined) => void;
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
      const { isWanted = () => true } = options;
      const missing = (await compare(source, target, directory, conflicts, signal)).filter(({ name }) =>
        isWanted(name, target.archiveId)
      );
      await inLanes(missing, options.atOnce, async (file) => {
        signal.throwIfAborted();
        const checksum = options.dryRun ? undefined : await file.copy(signal);
        options.onCopied(file.name, entry.systemId, checksum);
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
  for await (const entry of repository.storage.list(repository.archivePath(stanza, archiveId), { signal })) {
    if (mayHoldFiles(entry) && /^[0-9A-F]{16}$/.test(entry.name)) names.push(entry.name);
  }
  return ["", ...names.sort()];
}

interface MissingFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** @returns SHA-1 of its content */
  copy(signal: AbortSignal): Promise<string | undefined>;
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
    for (const [walName, forms] of here) {
      const segment = forms[0]!;
      const others = there.get(walName) ?? [];
      if ([...forms, ...others].some(({ checksum }) => checksum !== segment.checksum)) conflicts.push(walName);
      else if (others.length === 0) {
        const copy = (own: AbortSignal) => copyIfMissing(from, segment, to, own);
        missing.push({ name: walName, sizeBytes: segment.sizeBytes, copy });
      }
    }
  }
  const [there, here] = await Promise.all([plainFilesIn(to, directory, signal), plainFilesIn(from, directory, signal)]);
  for (const [name, sizeBytes] of here) {
    if (there.has(name)) continue;
    missing.push({ name, sizeBytes, copy: (own) => copyPlainFile(from, name, to, own) });
  }
  return missing.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** It may have been archived since the listing, with another compression: a second form under another name would be a duplicate. */
async function copyIfMissing(
  from: WalPlace,
  segment: ArchivedSegment,
  to: WalPlace,
  signal: AbortSignal,
): Promise<string> {
  const { repository, stanza, archiveId } = to;
  const there = await findSegments(repository, stanza, archiveId, segment.walName, signal);
  if (there.length === 0) await copySegment(from, segment, to, signal);
  return there[0]?.checksum ?? segment.checksum;
}

/** Stored forms by name. More than one is an anomaly. */
async function segmentsIn(
  { repository, stanza, archiveId }: WalPlace,
  directory: string,
  signal: AbortSignal,
): Promise<Map<string, ArchivedSegment[]>> {
  const found = new Map<string, ArchivedSegment[]>();
  for await (const segment of archivedSegments(repository, stanza, archiveId, directory, signal)) {
    const forms = found.get(segment.walName);
    if (forms === undefined) found.set(segment.walName, [segment]);
    else forms.push(segment);
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
