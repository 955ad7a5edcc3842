/** How far archiving is behind, as PostgreSQL's own files tell: WAL that has a `.ready` file waits. */
import { isWalSegmentName } from "../format/wal_name.ts";
import { directoryNames } from "../process/directory_names.ts";
import { readControlFile } from "./control_file.ts";

export interface ArchiveLag {
  /** WAL files that wait, history files and the like included. */
  readonly files: number;
  /** Bytes of the segments among them. */
  readonly sizeBytes: number;
  /** When the one that waits longest was finished, milliseconds since the epoch; absent = none waits. */
  readonly oldestMs: number | undefined;
  /** Bytes of a segment of this cluster. */
  readonly segmentBytes: number;
}

/**
 * Reads `pg_wal/archive_status`.
 * @returns `undefined` when the cluster is not on this host @throws WalferryError of the control file; Deno's own errors
 */
export async function readArchiveLag(pgPath: string, versionForce?: string): Promise<ArchiveLag | undefined> {
  const path = `${pgPath}/pg_wal/archive_status`;
  const names = await readyNames(path);
  if (names === undefined) return undefined;
  const { walSegmentBytes } = readControlFile(pgPath, versionForce);
  const times = names.flatMap((name) => timeOf(`${path}/${name}`) ?? []);
  const segments = names.filter((name) => isWalSegmentName(name.slice(0, -".ready".length))).length;
  return {
    files: names.length,
    sizeBytes: segments * walSegmentBytes,
    oldestMs: times.length === 0 ? undefined : times.reduce((oldest, time) => Math.min(oldest, time)),
    segmentBytes: walSegmentBytes,
  };
}

async function readyNames(path: string): Promise<string[] | undefined> {
  try {
    return (await directoryNames(path)).filter((name) => name.endsWith(".ready"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** One that was archived in the meantime has no time. */
function timeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
