/** `archive-push-queue-max`: WAL that could not be archived for too long is given up, so that the server's disk does not fill. */
import type { ControlData } from "../postgres/control_file.ts";
import { DroppedWal } from "../repository/dropped_wal.ts";
import { formatSize } from "../report/units.ts";
import { readBacklog } from "./archive_status.ts";
import type { ArchivePushOptions } from "./options.ts";

/**
 * Drops one file: it is noted durably as a hole in the archive.
 * @returns the warning: first line for the log, all of it for PostgreSQL
 * @throws WalferryError `FileWrite`: then it must not be dropped
 */
export function dropWal(walName: string, { queueMaxBytes, spoolPath, stanza }: ArchivePushOptions): string {
  new DroppedWal(spoolPath, stanza).record(walName);
  return `dropped WAL file '${walName}' because archive queue exceeded ${formatSize(queueMaxBytes!)}\n` +
    "HINT: point-in-time recovery across this segment is impossible: take a new backup when the archive works again.";
}

/** A file was archived: where it was dropped before (and PostgreSQL did not hear of it), there is no hole any more. */
export function undropWal(walName: string, { queueMaxBytes, spoolPath, stanza }: ArchivePushOptions): void {
  if (queueMaxBytes !== undefined) new DroppedWal(spoolPath, stanza).forget(walName);
}

/** Drops a file when too much waits. @returns its warning, `undefined` when it is to be archived @throws WalferryError `PathOpen`, `FileWrite` */
export function droppedBecauseOfQueue(
  options: ArchivePushOptions,
  path: string,
  control: ControlData | undefined,
): string | undefined {
  const { queueMaxBytes } = options;
  if (queueMaxBytes === undefined) return undefined;
  const slash = path.lastIndexOf("/");
  const backlog = readBacklog(path.slice(0, slash), control?.walSegmentBytes ?? Deno.statSync(path).size);
  return backlog.sizeBytes > queueMaxBytes ? dropWal(path.slice(slash + 1), options) : undefined;
}
