/**
 * What a crash left of writing the info files, the history and the link to the latest backup: temporary files beside them, which nobody reads.
 * Those inside a backup go with it, or when it is gone on with.
 */
import { TEMP_SUFFIX } from "../../backends/path_rules.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "./repository.ts";

/** These files are written in seconds. A younger one may be that of another host, which shares no lock with this one. Seconds. */
const AGE_SECONDS = 3600;

/** Removes what is old enough. The backup lock is held by the caller. @throws WalferryError those of the store */
export async function removeUnfinishedWrites(
  repository: Repository,
  stanza: string,
  { clock, log, signal }: CommandContext,
): Promise<void> {
  const { storage } = repository;
  // Object stores show nothing before it is whole.
  if (!storage.features.directories) return;
  const latestSeconds = clock.nowMs() / 1000 - AGE_SECONDS;
  const places = [
    { path: repository.backupPath(stanza), recurse: false },
    { path: repository.backupPath(stanza, "backup.history"), recurse: true },
    { path: repository.archivePath(stanza), recurse: false },
  ];
  for (const { path, recurse } of places) {
    for await (const { name, type, modifiedTime } of storage.list(path, { recurse, unfinished: true, signal })) {
      if (!name.endsWith(TEMP_SUFFIX) || type === "path" || modifiedTime > latestSeconds) continue;
      log.detail(`${repository.name}: remove unfinished '${repository.display(`${path}/${name}`)}'`);
      await storage.remove(`${path}/${name}`);
    }
  }
}
