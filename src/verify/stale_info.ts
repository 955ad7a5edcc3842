/**
 * Which of two info files that can both be read and differ is the one that holds. Writers write the file first and then its copy, so that the
 * file is the newer one, unless a store gave back an old version of it: then what lies in the repository tells.
 */
import { parseArchiveInfo } from "../format/archive_info.ts";
import { parseBackupInfo } from "../format/backup_info.ts";
import { listBackupDirectories } from "../repository/backup_catalog.ts";
import { decodeText, INFO_BYTES_MAX } from "../repository/repository.ts";
import { collect } from "../stream/sources.ts";
import type { RepairPlace } from "./repair_place.ts";

/**
 * @param path of the file itself; both it and its copy were read before
 * @throws WalferryError of the store
 */
export async function isMainStale({ repository, stanza }: RepairPlace, path: string): Promise<boolean> {
  const texts: string[] = [];
  for (const one of [path, `${path}.copy`]) {
    const stream = await repository.readWith(one, repository.infoPassphrase);
    if (stream === undefined) return false;
    texts.push(decodeText(await collect(stream, INFO_BYTES_MAX)));
  }
  const [main, copy] = [texts[0]!, texts[1]!];
  // A history only grows.
  if (path.endsWith("/archive.info")) {
    return parseArchiveInfo(copy).history.length > parseArchiveInfo(main).history.length;
  }
  const complete = new Set(
    (await listBackupDirectories(repository, stanza)).filter((directory) => directory.complete)
      .map(({ label }) => label),
  );
  const wrong = (text: string): number => {
    const listed = new Set(parseBackupInfo(text).backups.map(({ label }) => label));
    return listed.symmetricDifference(complete).size;
  };
  return wrong(copy) < wrong(main);
}
