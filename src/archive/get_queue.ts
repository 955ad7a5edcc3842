/**
 * The prefetch queue of asynchronous archive-get: `<spool-path>/archive/<stanza>/in`. A file under its own name is whole and verified; one
 * with the ending of temporary files is on its way. Either program may leave the queue to the other (behaviour spec §3.3).
 */
import { WalferryError } from "../errors.ts";
import { isWalSegmentName } from "../format/wal_name.ts";
import type { ControlData } from "../postgres/control_file.ts";
import { readWalHeader, WAL_HEADER_BYTES } from "../postgres/wal_header.ts";
import { openForRead, readFully } from "../stream/sources.ts";

/** Ending of a file that is being fetched. */
const FETCHING = ".pgbackrest.tmp";
const PATH_MODE = 0o750;

export class GetQueue {
  readonly path: string;

  constructor(spoolPath: string, stanza: string) {
    this.path = `${spoolPath}/archive/${stanza}/in`;
  }

  /** @throws WalferryError `PathCreate` */
  make(): void {
    try {
      Deno.mkdirSync(this.path, { recursive: true, mode: PATH_MODE });
    } catch (error) {
      throw new WalferryError("PathCreate", `unable to create path '${this.path}': ${(error as Error).message}`, {
        cause: error,
        hint: "does the account that runs the server own the spool path?",
      });
    }
  }

  pathOf(walName: string): string {
    return `${this.path}/${walName}`;
  }

  /** Names of the segments that are there whole. */
  segments(): string[] {
    return this.#names().filter(isWalSegmentName);
  }

  isFetching(walName: string): boolean {
    return this.#names().includes(`${walName}${FETCHING}`);
  }

  /** Removes everything but these segments. */
  keepOnly(wanted: ReadonlySet<string>): void {
    for (const name of this.#names()) if (!wanted.has(name)) this.remove(name);
  }

  remove(name: string): void {
    try {
      Deno.removeSync(`${this.path}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw new WalferryError("FileRemove", `unable to remove '${this.path}/${name}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /**
   * Moves a segment to where PostgreSQL wants it. One that is not this cluster's, or not whole, is thrown away.
   * @returns whether it was there
   */
  take(walName: string, destination: string, control: ControlData): boolean {
    const path = this.pathOf(walName);
    try {
      if (!isOfCluster(path, control)) {
        this.remove(walName);
        return false;
      }
      move(path, destination);
      return true;
    } catch (error) {
      if (error instanceof WalferryError && error.kind === "FileMissing") return false;
      throw error;
    }
  }

  #names(): string[] {
    try {
      return [...Deno.readDirSync(this.path)].map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw new WalferryError("PathOpen", `unable to list path '${this.path}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

/** Whether a file is a whole segment of the cluster. @throws WalferryError `FileMissing` */
function isOfCluster(path: string, control: ControlData): boolean {
  using file = openForRead(path);
  if (file.statSync().size !== control.walSegmentBytes) return false;
  const header = new Uint8Array(WAL_HEADER_BYTES);
  if (readFully(file, header, path) < header.length) return false;
  try {
    return readWalHeader(header).systemId === control.systemId;
  } catch (error) {
    if (error instanceof WalferryError) return false;
    throw error;
  }
}

/** A rename where both are on one file system, else a copy that gets its name when it is whole. */
function move(path: string, destination: string): void {
  try {
    Deno.renameSync(path, destination);
  } catch (error) {
    // EXDEV: the spool is on another file system.
    if ((error as { code?: string }).code !== "EXDEV") {
      throw new WalferryError("FileMove", `unable to move '${path}' to '${destination}': ${(error as Error).message}`, {
        cause: error,
      });
    }
    const temporary = `${destination}${FETCHING}`;
    Deno.copyFileSync(path, temporary);
    Deno.renameSync(temporary, destination);
    Deno.removeSync(path);
  }
}
