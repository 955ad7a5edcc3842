/** What PostgreSQL says about WAL that waits to be archived: the `.ready` files beside `pg_wal`. */
import { WalferryError } from "../errors.ts";
import { directoryNames } from "../process/directory_names.ts";

/** WAL that waits. */
export interface Backlog {
  readonly count: number;
  readonly sizeBytes: number;
}

/** Counts `.ready` files; each stands for one segment. @throws WalferryError `PathOpen` */
export async function readBacklog(pgWalPath: string, segmentBytes: number): Promise<Backlog> {
  const count = (await readReady(pgWalPath)).length;
  return { count, sizeBytes: count * segmentBytes };
}

/** Names of WAL files that wait, in no order. @throws WalferryError `PathOpen` */
export async function readReady(pgWalPath: string): Promise<string[]> {
  let names: string[];
  try {
    names = await directoryNames(`${pgWalPath}/archive_status`);
  } catch (error) {
    throw new WalferryError(
      "PathOpen",
      `unable to list file info for path '${pgWalPath}/archive_status': ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return names.filter((name) => name.endsWith(".ready")).map((name) => name.slice(0, -".ready".length));
}
