/** `archive-push-queue-max`: WAL that could not be archived for too long is given up, so that the server's disk does not fill. */
import type { ControlData } from "../postgres/control_file.ts";
import { formatSize } from "../report/units.ts";
import { readBacklog } from "./archive_status.ts";
import type { ArchivePushOptions } from "./options.ts";

/** The warning of one dropped file: first line for the log, all of it for PostgreSQL. */
export function droppedWarning(walName: string, queueMaxBytes: number): string {
  return `dropped WAL file '${walName}' because archive queue exceeded ${formatSize(queueMaxBytes)}\n` +
    "HINT: point-in-time recovery across this segment is impossible: take a new backup when the archive works again.";
}

/** The warning when a file is to be dropped, `undefined` when not. @throws WalferryError `PathOpen` */
export function droppedBecauseOfQueue(
  { queueMaxBytes }: ArchivePushOptions,
  path: string,
  control: ControlData | undefined,
): string | undefined {
  if (queueMaxBytes === undefined) return undefined;
  const slash = path.lastIndexOf("/");
  const backlog = readBacklog(path.slice(0, slash), control?.walSegmentBytes ?? Deno.statSync(path).size);
  return backlog.sizeBytes > queueMaxBytes ? droppedWarning(path.slice(slash + 1), queueMaxBytes) : undefined;
}
