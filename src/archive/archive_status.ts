/** What PostgreSQL says about WAL that waits to be archived: the `.ready` files beside `pg_wal`. */
import { WalferryError } from "../errors.ts";

/** WAL that waits. */
export interface Backlog {
  readonly count: number;
  readonly sizeBytes: number;
}

/** Counts `.ready` files; each stands for one segment. @throws WalferryError `PathOpen` */
export function readBacklog(pgWalPath: string, segmentBytes: number): Backlog {
  let count = 0;
  try {
    for (const { name } of Deno.readDirSync(`${pgWalPath}/archive_status`)) if (name.endsWith(".ready")) count += 1;
  } catch (error) {
    throw new WalferryError(
      "PathOpen",
      `unable to list file info for path '${pgWalPath}/archive_status': ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return { count, sizeBytes: count * segmentBytes };
}
