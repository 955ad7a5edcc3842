/**
 * The spool of asynchronous archiving (behaviour spec §2.5): a file for each WAL file tells what became of it. The files are pgBackRest's,
 * so that either program can go on with what the other left.
 */
import { ERROR_CODES, type ErrorKind, WalferryError } from "../errors.ts";
import { namesIfThere } from "../process/directory_names.ts";
import { modifiedIfThere, readIfThere, replaceFile } from "../process/local_file.ts";

/** What a status file says. */
export type SpoolStatus =
  | { readonly kind: "ok"; readonly warning: string | undefined; readonly modifiedMs: number }
  | { readonly kind: "error"; readonly code: number; readonly message: string };

/** Name that stands for trouble that is not one file's. */
export const GLOBAL = "global";
/** Modes of the spool (behaviour spec §10). */
const PATH_MODE = 0o750;

/** `<spool-path>/archive/<stanza>/out`. */
export class PushSpool {
  readonly path: string;
  /** Names the cluster that the spool belongs to, beside the queue: what another cluster left must never count. */
  readonly identityPath: string;
  /** Is there while a command waits for the lock of a process that does not push. */
  readonly #wantedPath: string;

  constructor(spoolPath: string, stanza: string) {
    this.path = `${spoolPath}/archive/${stanza}/out`;
    this.identityPath = `${spoolPath}/archive/${stanza}/system-id`;
    this.#wantedPath = `${spoolPath}/archive/${stanza}/out-wanted`;
  }

  /** Makes the directory. @throws WalferryError `PathCreate` */
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

  /** Whether the spool may hold answers for this cluster: nobody's or its own. */
  belongsTo(systemId: bigint): boolean {
    const text = readIfThere(this.identityPath);
    return text === undefined || text.trim() === String(systemId);
  }

  /** Takes the spool for a cluster; what another one left is thrown away. @throws WalferryError of a kind for files */
  async claim(systemId: bigint): Promise<void> {
    if (!this.belongsTo(systemId)) { for (const name of await this.names()) this.remove(name); }
    this.make();
    replaceFile(this.identityPath, `${systemId}\n`);
  }

  /** Asks whoever holds the lock and does not push to give way. @throws WalferryError `PathCreate`, `FileWrite` */
  want(): void {
    this.make();
    replaceFile(this.#wantedPath, "");
  }

  /** Whether a command waits for the lock. */
  get isWanted(): boolean {
    return modifiedIfThere(this.#wantedPath) !== undefined;
  }

  /** What was asked for is done, or was asked of somebody else. */
  forgetWanted(): void {
    removeIfThere(this.#wantedPath);
  }

  /** Names of all files, with their endings. @throws WalferryError `PathOpen` */
  async names(): Promise<string[]> {
    return await namesIfThere(this.path);
  }

  /**
   * What is said of a WAL file (or of `GLOBAL`); `undefined` = nothing. The spool is not synced: after a power cut a file may be empty or cut
   * short. Such an answer that all is well does not count, and such an error is one, which the next try replaces.
   */
  status(walName: string): SpoolStatus | undefined {
    const okPath = `${this.path}/${walName}.ok`;
    const modifiedMs = modifiedIfThere(okPath);
    // Looked at before it is read: one that is replaced in between then seems older than it is, never newer.
    const ok = modifiedMs === undefined ? undefined : readIfThere(okPath);
    if (modifiedMs !== undefined && ok !== undefined) {
      if (ok === "") return { kind: "ok", warning: undefined, modifiedMs };
      const answer = parse(ok);
      // Somebody renamed an error to let the archiver go on without this file.
      const warning = answer === undefined || answer.code === 0
        ? answer?.message
        : `WAL segment '${walName}' was not pushed due to error [${answer.code}] and was manually skipped: ${answer.message}`;
      if (answer !== undefined) return { kind: "ok", warning, modifiedMs };
    }
    const path = `${this.path}/${walName}.error`;
    const text = readIfThere(path);
    if (text === undefined) return undefined;
    const told = {
      code: ERROR_CODES.Format,
      message: `'${path}' is not a status file: a code and a message are expected`,
    };
    return { kind: "error", ...(parse(text) ?? told) };
  }

  /**
   * @param writtenMs when the WAL file was written: an answer is never older than what it is about, also where the clock was set back
   */
  writeOk(walName: string, writtenMs: number, warning?: string): void {
    replaceFile(`${this.path}/${walName}.ok`, warning === undefined ? "" : `0\n${warning}`, writtenMs);
    this.remove(`${walName}.error`);
  }

  writeError(walName: string, error: WalferryError): void {
    replaceFile(`${this.path}/${walName}.error`, `${error.code}\n${error.text}`);
  }

  /** Removes a file by its whole name. Absent is no error. */
  remove(name: string): void {
    removeIfThere(`${this.path}/${name}`);
  }
}

/** The error that a status file tells of. */
export function spooledError({ code, message }: { readonly code: number; readonly message: string }): WalferryError {
  const kind = (Object.keys(ERROR_CODES) as ErrorKind[]).find((name) => ERROR_CODES[name] === code) ?? "Unknown";
  return new WalferryError(kind, message);
}

function parse(text: string): { code: number; message: string } | undefined {
  const match = /^(\d{1,3})\n([\s\S]+)$/.exec(text);
  return match === null ? undefined : { code: Number(match[1]), message: match[2]!.trimEnd() };
}

/** @throws WalferryError `FileRemove` */
function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new WalferryError("FileRemove", `unable to remove '${path}': ${(error as Error).message}`, { cause: error });
  }
}
