/** Small files of the spool that must survive a crash of the host: written whole, synced with the directories that lead to them. */
import { WalferryError } from "../errors.ts";
import { namesIfThere } from "../process/directory_names.ts";

const FILE_MODE = 0o640;
const PATH_MODE = 0o750;
/** Ending of a file that is being written. */
const TEMPORARY = ".pgbackrest.tmp";

/**
 * Where walferry keeps what it knows of a stanza on this host. Beside pgBackRest's part of the spool (`archive/`), which a restore of either
 * program empties: what a repository is owed is still owed then.
 */
export function stateRoot(spoolPath: string, stanza: string): string {
  return `${spoolPath}/walferry/${stanza}`;
}

/** A directory below {@link stateRoot}, which is made when something is written. */
export class SpoolDirectory {
  readonly path: string;
  readonly #rootLength: number;
  #isMade = false;

  constructor(spoolPath: string, stanza: string, name: string) {
    this.path = `${stateRoot(spoolPath, stanza)}/${name}`;
    this.#rootLength = spoolPath.length + 1;
  }

  /** Writes a file durably. @throws Deno's own errors */
  write(name: string, text: string): void {
    const temporary = `${this.path}/${name}.${crypto.randomUUID().slice(0, 8)}${TEMPORARY}`;
    using file = this.#create(temporary);
    try {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
      Deno.renameSync(temporary, `${this.path}/${name}`);
    } catch (error) {
      // It is tried again and again while a disk is full: nothing may pile up.
      Deno.removeSync(temporary);
      throw error;
    }
    syncPath(this.path);
  }

  /** A new file; the directories that lead to it are there then, also where somebody emptied the spool since they were made. */
  #create(path: string): Deno.FsFile {
    const create = () => Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE });
    if (this.#isMade) {
      try {
        return create();
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    Deno.mkdirSync(this.path, { recursive: true, mode: PATH_MODE });
    // Each may be new: a name is durable when the directory that holds it is synced.
    for (let above = this.path; above.length >= this.#rootLength; above = parentOf(above)) syncPath(parentOf(above));
    this.#isMade = true;
    return create();
  }

  /** Content of a file, `undefined` when it is not there. @throws WalferryError `FileOpen` */
  read(name: string): string | undefined {
    try {
      return Deno.readTextFileSync(`${this.path}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw new WalferryError(
        "FileOpen",
        `unable to open file '${this.path}/${name}' for read: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  /** Removes a file. Absent is no error. @throws WalferryError `FileRemove` */
  remove(name: string): void {
    try {
      Deno.removeSync(`${this.path}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
      throw new WalferryError("FileRemove", `unable to remove '${this.path}/${name}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Removes what a crash left of writing a file, for the one who alone writes it. @throws WalferryError `PathOpen`; Deno's own errors */
  async removeUnfinished(name: string): Promise<void> {
    for (const temporary of await namesIfThere(this.path)) {
      if (temporary.startsWith(`${name}.`) && temporary.endsWith(TEMPORARY)) {
        Deno.removeSync(`${this.path}/${temporary}`);
      }
    }
  }

  /** Names of the files, in order: all of them, or none when the directory is not there. @throws WalferryError `PathOpen` */
  async names(): Promise<string[]> {
    return (await namesIfThere(this.path)).filter((name) => !name.endsWith(TEMPORARY)).sort();
  }
}

/** The members of a record in JSON; `undefined` when the text is none, because somebody else wrote it. */
export function parseRecord(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

function syncPath(path: string): void {
  using directory = Deno.openSync(path);
  directory.syncSync();
}
