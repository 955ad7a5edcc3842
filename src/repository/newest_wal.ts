/** When the newest WAL of a stanza came into a repository. */
import type { Repository } from "./repository.ts";

/**
 * Time at which the newest segment was stored, milliseconds since the epoch; `undefined` when it is gone again. A segment that was copied
 * later from another repository has the time of the copy.
 */
export async function storedAtMs(
  repository: Repository,
  stanza: string,
  archiveId: string,
  segment: string,
): Promise<number | undefined> {
  const directory = `${repository.archivePath(stanza, archiveId)}/${segment.slice(0, 16)}`;
  for await (const { name, modifiedTime } of repository.storage.list(directory)) {
    if (name.startsWith(`${segment}-`)) return modifiedTime * 1000;
  }
  return undefined;
}
