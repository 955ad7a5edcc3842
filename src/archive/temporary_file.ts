/** Files of this side that are written under a temporary name, until they are whole. */
import { WalferryError } from "../errors.ts";
import { removeIfThere } from "../process/local_file.ts";

/**
 * A file under its temporary name, known by what it is and not by its name alone: a command that outlived the server that asked for it may
 * still write to the same name, and PostgreSQL gives every segment the same destination.
 */
export class TemporaryFile {
  readonly path: string;
  readonly #identity: string;

  private constructor(path: string, info: Deno.FileInfo) {
    this.path = path;
    this.#identity = identityOf(info);
  }

  /** Makes it anew, so that nobody else writes to it. @throws WalferryError `FileWrite` */
  static make(path: string): { readonly temporary: TemporaryFile; readonly file: Deno.FsFile } {
    try {
      removeIfThere(path);
      const file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
      return { temporary: new TemporaryFile(path, file.statSync()), file };
    } catch (error) {
      return failedWrite(path, error);
    }
  }

  /** Whether the name is still this file's. */
  get isThere(): boolean {
    try {
      return identityOf(Deno.lstatSync(this.path)) === this.#identity;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** Gives it its name. @throws WalferryError `FileMove` */
  giveName(destination: string): void {
    try {
      if (!this.isThere) throw new Error("another process replaced it");
      Deno.renameSync(this.path, destination);
    } catch (error) {
      this.remove();
      throw new WalferryError(
        "FileMove",
        `unable to move '${this.path}' to '${destination}': ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  /** Removes it where it still has the name. */
  remove(): void {
    if (this.isThere) removeIfThere(this.path);
  }
}

/** Numbers of files are given again to later ones, which were made later. */
function identityOf({ dev, ino, birthtime }: Deno.FileInfo): string {
  return `${dev} ${ino} ${birthtime?.getTime()}`;
}

/** @throws WalferryError `FileWrite` */
export function failedWrite(path: string, error: unknown): never {
  throw new WalferryError("FileWrite", `unable to write '${path}': ${(error as Error).message}`, { cause: error });
}
