/** How far a server has come, by its own word. */
import { readIfThere } from "../process/local_file.ts";

/** Line of `postmaster.pid`. PostgreSQL source: `LOCK_FILE_LINE_PM_STATUS` in `src/include/utils/pidfile.h`. */
const STATUS_LINE = 8;

/**
 * `starting`, `stopping`, `ready` (it takes connections), or `standby` (a standby that takes none); empty while it says nothing, `undefined`
 * where no server runs.
 * @throws WalferryError `FileOpen`
 */
export function serverStatus(dataPath: string): string | undefined {
  const lines = readIfThere(`${dataPath}/postmaster.pid`)?.split("\n");
  return lines === undefined ? undefined : lines[STATUS_LINE - 1]?.trim() ?? "";
}
