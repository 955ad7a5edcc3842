/** `archive.info` and `backup.info` with their copies, and against each other. */
import { type ArchiveInfo, parseArchiveInfo } from "../format/archive_info.ts";
import { type BackupInfo, parseBackupInfo } from "../format/backup_info.ts";
import { decodeText } from "../repository/info_bytes.ts";
import { INFO_BYTES_MAX, type Repository } from "../repository/repository.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { collect } from "../stream/sources.ts";
import { toWalferryError, type WalferryError } from "../errors.ts";
import { type CopiedFile, loadBoth } from "./copies.ts";
import type { Finding } from "./finding.ts";
import { isOlderArchiveInfo, isOlderBackupInfo } from "./stale_info.ts";

export interface StanzaInfos {
  readonly archiveInfo: ArchiveInfo | undefined;
  readonly backupInfo: BackupInfo | undefined;
}

/** @throws WalferryError of the store */
export async function checkInfos(
  repository: Repository,
  stanza: string,
  add: (finding: Finding) => void,
): Promise<StanzaInfos> {
  const archiveInfo = await loadBoth(archiveInfoFile(repository, stanza), add);
  const file = backupInfoFile(repository, stanza);
  const backupInfo = await loadBoth(file, add);
  if (archiveInfo !== undefined && backupInfo !== undefined && historyOf(archiveInfo) !== historyOf(backupInfo)) {
    add({
      kind: "mismatch",
      severity: "damage",
      path: file.path,
      message: "archive and backup history lists do not match",
      disagreement: "infos",
    });
  }
  return { archiveInfo, backupInfo };
}

/** The one of the two that holds, as it is now. @throws WalferryError as {@link Repository.loadBackupInfo} */
export async function loadHoldingBackupInfo(repository: Repository, stanza: string): Promise<BackupInfo> {
  return await loadBoth(backupInfoFile(repository, stanza), () => {}) ??
    await repository.loadBackupInfo(stanza);
}

/** How `archive.info` is read. */
export function archiveInfoFile(repository: Repository, stanza: string): CopiedFile<ArchiveInfo> {
  return {
    path: repository.archivePath(stanza, "archive.info"),
    read: (path) => repository.readInfo(path),
    decode: textDecoder(parseArchiveInfo),
    isOlder: isOlderArchiveInfo,
  };
}

/** How `backup.info` is read. */
export function backupInfoFile(repository: Repository, stanza: string): CopiedFile<BackupInfo> {
  return {
    path: repository.backupPath(stanza, "backup.info"),
    read: (path) => repository.readInfo(path),
    decode: textDecoder(parseBackupInfo),
    isOlder: (main, copy) => isOlderBackupInfo(repository, stanza, main, copy),
  };
}

function textDecoder<T>(parse: (text: string) => T): (content: ByteStream) => Promise<T> {
  return async (content) => parse(decodeText(await collect(content, INFO_BYTES_MAX)));
}

function historyOf({ currentId, history }: ArchiveInfo | BackupInfo): string {
  return [String(currentId), ...history.map((entry) => `${entry.id} ${entry.pgVersion} ${entry.systemId}`)].join("\n");
}

/**
 * Where no info file can be used at all, it is more likely that the wrong stanza or passphrase was named than that four files are bad.
 * @throws WalferryError `FileMissing` when there is nothing of the stanza, `Crypto` and `Format` when every info file is unreadable alike
 */
export async function assertStanza(repository: Repository, stanza: string): Promise<void> {
  const failures: WalferryError[] = [];
  for (const load of [() => repository.loadArchiveInfo(stanza), () => repository.loadBackupInfo(stanza)]) {
    try {
      await load();
    } catch (error) {
      failures.push(toWalferryError(error));
    }
  }
  const [first, second] = failures;
  if (first === undefined || second === undefined || first.kind !== second.kind) return;
  if (first.kind === "Crypto" || first.kind === "Format") throw first;
  if (first.kind !== "FileMissing") return;
  for (const path of [repository.archivePath(stanza), repository.backupPath(stanza)]) {
    for await (const _entry of repository.storage.list(path)) return;
  }
  throw first;
}
