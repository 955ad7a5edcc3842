/** `archive.info` and `backup.info` with their copies, and against each other. */
import { type ArchiveInfo, parseArchiveInfo } from "../format/archive_info.ts";
import { type BackupInfo, parseBackupInfo } from "../format/backup_info.ts";
import { decodeText } from "../repository/info_bytes.ts";
import { INFO_BYTES_MAX, type Repository } from "../repository/repository.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { collect } from "../stream/sources.ts";
import { toWalferryError, type WalferryError } from "../errors.ts";
import { loadBoth } from "./copies.ts";
import type { Finding } from "./finding.ts";

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
  const common = { passphrase: repository.infoPassphrase };
  const archiveInfo = await loadBoth(
    repository,
    { ...common, path: repository.archivePath(stanza, "archive.info"), decode: textDecoder(parseArchiveInfo) },
    add,
  );
  const path = repository.backupPath(stanza, "backup.info");
  const backupInfo = await loadBoth(repository, { ...common, path, decode: textDecoder(parseBackupInfo) }, add);
  if (archiveInfo !== undefined && backupInfo !== undefined && historyOf(archiveInfo) !== historyOf(backupInfo)) {
    add({
      kind: "mismatch",
      severity: "damage",
      path,
      message: "archive and backup history lists do not match",
    });
  }
  return { archiveInfo, backupInfo };
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
