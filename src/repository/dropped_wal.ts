/**
 * WAL that was given up because the queue was full: `<spool-path>/walferry/<stanza>/dropped/<WAL file>`. Each is a hole in the archive, noted
 * durably before PostgreSQL may recycle the file, and told until a newer full backup makes it meaningless. It says whose WAL it was: positions of
 * another cluster in its place (behind a stanza-upgrade) begin anew.
 */
import { WalferryError } from "../errors.ts";
import { isWalSegmentName } from "../format/wal_name.ts";
import { SpoolDirectory } from "./spool_files.ts";

/** Dropped segments one behind the other. */
export interface ArchiveHole {
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

export class DroppedWal {
  readonly #directory: SpoolDirectory;

  constructor(spoolPath: string, stanza: string) {
    this.#directory = new SpoolDirectory(spoolPath, stanza, "dropped");
  }

  /** Notes a dropped file durably, and of which cluster it is where that is known. @throws WalferryError `FileWrite` */
  record(walName: string, systemId?: bigint): void {
    try {
      this.#directory.write(walName, systemId === undefined ? "" : `${systemId}\n`);
    } catch (error) {
      throw new WalferryError(
        "FileWrite",
        `unable to write '${this.#directory.path}/${walName}': ${(error as Error).message}`,
        {
          cause: error,
          hint: "archive-push-queue-max needs a spool-path that the account of the server may write to.",
        },
      );
    }
  }

  /** The file was archived after all. */
  forget(walName: string): void {
    this.#directory.remove(walName);
  }

  /** Names of dropped segments, oldest first. @throws WalferryError `PathOpen` */
  async names(): Promise<string[]> {
    return (await this.#directory.names()).filter(isWalSegmentName);
  }

  /** As {@link names}, without those that are known to be another cluster's. @throws WalferryError `PathOpen`, `FileOpen` */
  async namesOf(systemId: bigint): Promise<string[]> {
    return (await this.names()).filter((name) => {
      const owner = this.#directory.read(name)?.trim() ?? "";
      return owner === "" || owner === String(systemId);
    });
  }
}

/**
 * Holes that still matter: those behind the beginning of the newest full backup of some repository.
 * @param backupStarts first segment of the newest full backup of each repository; `undefined` for one that has none
 */
export function openHoles(names: readonly string[], backupStarts: readonly (string | undefined)[]): ArchiveHole[] {
  // Positions count, not timelines: a backup that begins behind the hole does not need what is before.
  const position = (name: string) => name.slice(8);
  const open = names.filter((name) =>
    backupStarts.length === 0 || backupStarts.some((start) => start === undefined || position(start) <= position(name))
  );
  const holes: ArchiveHole[] = [];
  for (const name of open) {
    const last = holes.at(-1);
    if (last !== undefined && isNext(last.last, name)) {
      holes[holes.length - 1] = { ...last, last: name, count: last.count + 1 };
    } else holes.push({ first: name, last: name, count: 1 });
  }
  return holes;
}

/** Whether a segment follows another one on its timeline, whatever the size of segments: the next number, or the first of the next file. */
function isNext(before: string, name: string): boolean {
  if (before.slice(0, 8) !== name.slice(0, 8)) return false;
  const [log, nextLog] = [parseInt(before.slice(8, 16), 16), parseInt(name.slice(8, 16), 16)];
  const [segment, nextSegment] = [parseInt(before.slice(16), 16), parseInt(name.slice(16), 16)];
  return log === nextLog ? nextSegment === segment + 1 : nextLog === log + 1 && nextSegment === 0;
}
