/** `archive-push-queue-max`: WAL that could not be archived for too long is given up, so that the server's disk does not fill. */
import { isWalferryError } from "../errors.ts";
import type { ControlData } from "../postgres/control_file.ts";
import { DroppedWal } from "../repository/dropped_wal.ts";
import { formatSize } from "../report/units.ts";
import { readBacklog } from "./archive_status.ts";
import type { ArchivePushOptions } from "./options.ts";

/**
 * Drops one file: it is noted durably as a hole in the archive. One that cannot be noted is dropped all the same: a spool without room is often
 * on the disk that is about to be full of WAL, and the server is to outlive that.
 * @param systemId whose it is, where that is known
 * @returns the warning: first line for the log, all of it for PostgreSQL
 */
export function dropWal(
  walName: string,
  systemId: bigint | undefined,
  { queueMaxBytes, spoolPath, stanza }: ArchivePushOptions,
): string {
  const warning = `dropped WAL file '${walName}' because archive queue exceeded ${formatSize(queueMaxBytes!)}\n` +
    "HINT: point-in-time recovery across this segment is impossible: take a new backup when the archive works again.";
  try {
    new DroppedWal(spoolPath, stanza).record(walName, systemId);
    return warning;
  } catch (error) {
    if (!isWalferryError(error, "FileWrite")) throw error;
    return `${warning}\nit could not be noted, so that info and check do not know of this hole: ${error.text}`;
  }
}

/**
 * A file was archived: where it was dropped before (and PostgreSQL did not hear of it), there is no hole any more.
 * @returns what is to be told
 */
export function undropWal(walName: string, { queueMaxBytes, spoolPath, stanza }: ArchivePushOptions): string[] {
  if (queueMaxBytes === undefined) return [];
  try {
    new DroppedWal(spoolPath, stanza).forget(walName);
    return [];
  } catch (error) {
    // The file is archived, that is what counts. An account that may not look there has noted nothing there.
    if (!isWalferryError(error, "FileRemove")) throw error;
    return error.cause instanceof Deno.errors.PermissionDenied ? [] : [error.text];
  }
}

/** Drops a file when too much waits. @returns its warning, `undefined` when it is to be archived @throws WalferryError `PathOpen` */
export async function droppedBecauseOfQueue(
  options: ArchivePushOptions,
  path: string,
  control: ControlData | undefined,
): Promise<string | undefined> {
  const { queueMaxBytes } = options;
  if (queueMaxBytes === undefined) return undefined;
  const slash = path.lastIndexOf("/");
  const segmentBytes = control?.walSegmentBytes ?? Deno.statSync(path).size;
  const backlog = await readBacklog(path.slice(0, slash), segmentBytes);
  return backlog.sizeBytes > queueMaxBytes ? dropWal(path.slice(slash + 1), control?.systemId, options) : undefined;
}
