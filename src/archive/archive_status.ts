/** What PostgreSQL says about WAL that waits to be archived: the `.ready` files beside `pg_wal`. */
import { WalferryError } from "../errors.ts";

/** WAL that waits. */
export interface Backlog {
  readonly count: number;
  readonly sizeBytes: number;
}

/** Counts `.ready` files; each stands for one segment. @throws WalferryError `PathOpen` */
export function readBacklog(pgWalPath: string, segmentBytes: number): Backlog {
  const count = readReady(pgWalPath).length;
  return { count, sizeBytes: count * segmentBytes };
}

/** Names of WAL files that wait, in no order. @throws WalferryError `PathOpen` */
export function readReady(pgWalPath: string): string[] {
  const names: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(`${pgWalPath}/archive_status`)) {
      if (name.endsWith(".ready")) names.push(name.slice(0, -".ready".length));
    }
  } catch (error) {
    throw new WalferryError(
      "PathOpen",
      `unable to list file info for path '${pgWalPath}/archive_status': ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return names;
}
