/**
 * The prefetch queue of asynchronous archive-get: `<spool-path>/archive/<stanza>/in`. A file under its own name is whole and verified; one
 * with the ending of temporary files is on its way. Either program may leave the queue to the other (behaviour spec §3.3).
 */
import { WalferryError } from "../errors.ts";
import { isWalSegmentName, nextSegmentName } from "../format/wal_name.ts";
import type { ControlData } from "../postgres/control_file.ts";
import { readWalHeader, WAL_HEADER_BYTES } from "../postgres/wal_header.ts";
import { writeFully } from "../report/write_fully.ts";
import { memoryForReading } from "../stream/aligned_memory.ts";
import { openForRead, readFully } from "../stream/sources.ts";
import { TemporaryFile } from "./temporary_file.ts";
import { namesIfThere } from "../process/directory_names.ts";
import { readIfThere, replaceFile } from "../process/local_file.ts";

/** Ending of a file that is being fetched. */
const FETCHING = ".pgbackrest.tmp";
const PATH_MODE = 0o750;
/** Chunk of a copy between file systems in bytes. */
const COPY_BYTES = 1024 * 1024;

/** So many segments are fetched ahead at least, however small the queue is. */
const SEGMENTS_MIN = 2;

/** Segments that a queue of a size shall hold from one on, on one timeline. */
export function wantedSegments(first: string, queueMaxBytes: number, segmentBytes: number): string[] {
  const names = [first];
  const count = Math.max(SEGMENTS_MIN, Math.floor(queueMaxBytes / segmentBytes));
  while (names.length < count) names.push(nextSegmentName(names.at(-1)!, segmentBytes));
  return names;
}

export class GetQueue {
  readonly path: string;
  /** Names the cluster whose segments are queued, beside the queue. */
  readonly identityPath: string;
  /** Names what {@link announce} told. */
  readonly #windowPath: string;
  /** Names the segment that is wanted next, when that is not the one that follows. */
  readonly #wantedPath: string;

  constructor(spoolPath: string, stanza: string) {
    this.path = `${spoolPath}/archive/${stanza}/in`;
    this.identityPath = `${spoolPath}/archive/${stanza}/in-system-id`;
    this.#windowPath = `${spoolPath}/archive/${stanza}/in-window`;
    this.#wantedPath = `${spoolPath}/archive/${stanza}/in-wanted`;
  }

  /** Whether the queue holds segments of this cluster, as far as any. @throws WalferryError `FileOpen` */
  belongsTo(systemId: bigint): boolean {
    return readIfThere(this.identityPath)?.trim() === String(systemId);
  }

  /** Takes the queue for a cluster; what another one left is thrown away. @throws WalferryError `PathCreate`, `PathOpen`, `FileWrite` */
  async claim(systemId: bigint): Promise<void> {
    this.make();
    if (this.belongsTo(systemId)) return;
    await this.keepOnly(new Set());
    replaceFile(this.identityPath, `${systemId}\n`);
  }

  /** Tells which segments are in the queue or will be soon: from the first to before the end. Nothing = none. */
  announce(window: { readonly first: string; readonly end: string } | undefined): void {
    if (window !== undefined) return replaceFile(this.#windowPath, `${window.first} ${window.end}`);
    try {
      Deno.removeSync(this.#windowPath);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Whether the process that fills the queue has announced a segment. It may have died since. */
  isAnnounced(walName: string): boolean {
    const [first, end] = readIfThere(this.#windowPath)?.split(" ") ?? [];
    return first !== undefined && end !== undefined && first <= walName && walName < end;
  }

  /** Tells the process that fills the queue where to go on. */
  want(walName: string): void {
    replaceFile(this.#wantedPath, walName);
  }

  /** Takes what {@link want} told. */
  takeWanted(): string | undefined {
    const text = readIfThere(this.#wantedPath);
    if (text === undefined) return undefined;
    Deno.removeSync(this.#wantedPath);
    return isWalSegmentName(text) ? text : undefined;
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

  /** Names of the segments that are there whole. @throws WalferryError `PathOpen` */
  async segments(): Promise<string[]> {
    return (await namesIfThere(this.path)).filter(isWalSegmentName);
  }

  /** Whether a segment is there whole. */
  has(walName: string): boolean {
    return this.#sizeOf(this.pathOf(walName)) !== undefined;
  }

  /** How much of a segment has come that is on its way, in bytes; `undefined` = it is not on its way. */
  fetchedBytes(walName: string): number | undefined {
    return this.#sizeOf(`${this.pathOf(walName)}${FETCHING}`);
  }

  #sizeOf(path: string): number | undefined {
    try {
      return Deno.lstatSync(path).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
      throw error;
    }
  }

  /**
   * Removes everything but these segments.
   * @param fetching segments that are on their way right now
   * @throws WalferryError `PathOpen`, `FileRemove`
   */
  async keepOnly(wanted: ReadonlySet<string>, fetching: ReadonlySet<string> = new Set()): Promise<void> {
    for (const name of await namesIfThere(this.path)) {
      const isOnItsWay = name.endsWith(FETCHING) && fetching.has(name.split(".", 1)[0]!);
      if (!wanted.has(name) && !isOnItsWay) this.remove(name);
    }
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
      return move(path, destination);
    } catch (error) {
      if (error instanceof WalferryError && error.kind === "FileMissing") return false;
      throw error;
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

/**
 * A rename where both are on one file system, else a copy that gets its name when it is whole.
 * @returns false when the file went away meanwhile: the process that fills the queue throws away what is no longer wanted
 */
function move(path: string, destination: string): boolean {
  try {
    // EXDEV: the spool is on another file system.
    if (!renamed(path, destination)) copy(path, destination);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new WalferryError("FileMove", `unable to move '${path}' to '${destination}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** @returns false when the two are not on one file system */
function renamed(path: string, destination: string): boolean {
  try {
    Deno.renameSync(path, destination);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EXDEV") return false;
    throw error;
  }
}

function copy(path: string, destination: string): void {
  const { temporary, file } = TemporaryFile.make(`${destination}${FETCHING}`);
  try {
    using to = file;
    using from = Deno.openSync(path, { read: true });
    const buffer = memoryForReading(COPY_BYTES);
    for (let count = from.readSync(buffer); count !== null; count = from.readSync(buffer)) {
      writeFully(to, buffer.subarray(0, count));
    }
  } catch (error) {
    temporary.remove();
    throw error;
  }
  temporary.giveName(destination);
  Deno.removeSync(path);
}
