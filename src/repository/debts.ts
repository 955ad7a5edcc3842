/**
 * WAL that PostgreSQL was told is archived while a repository did not hold it yet: `<spool-path>/archive/<stanza>/debt/repoN/<WAL file>`.
 * A debt is on disk, synced, before PostgreSQL hears of the file, and goes away only behind a durable copy.
 */
import { WalferryError } from "../errors.ts";

const FILE_MODE = 0o640;
const PATH_MODE = 0o750;
/** Ending of a debt that is being written. */
const TEMPORARY = ".pgbackrest.tmp";

/** One WAL file that one repository is owed. */
export interface Debt {
  readonly walName: string;
  /** SHA-1 of the plain content. */
  readonly checksum: string;
  /** Plain content. */
  readonly sizeBytes: number;
  /** When it was acknowledged, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Why the repository did not take it. */
  readonly reason: string;
}

/** What one repository is owed in all. */
export interface DebtSummary {
  readonly key: number;
  readonly count: number;
  readonly sizeBytes: number;
  readonly oldestMs: number;
}

export class DebtLedger {
  readonly #path: string;
  /** Directories that are known to be there durably. */
  readonly #made = new Set<string>();

  constructor(spoolPath: string, stanza: string) {
    this.#path = `${spoolPath}/archive/${stanza}/debt`;
  }

  #pathOf(key: number): string {
    return `${this.#path}/repo${key}`;
  }

  /** Records a debt durably. @throws WalferryError `FileWrite` */
  record(key: number, debt: Debt): void {
    const directory = this.#pathOf(key);
    const path = `${directory}/${debt.walName}`;
    try {
      if (!this.#made.has(directory)) {
        Deno.mkdirSync(directory, { recursive: true, mode: PATH_MODE });
        // Each may be new: a name is durable when the directory that holds it is synced.
        for (let above = directory; above.length >= this.#path.length; above = parentOf(above)) {
          syncPath(parentOf(above));
        }
        this.#made.add(directory);
      }
      const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}${TEMPORARY}`;
      using file = Deno.openSync(temporary, { write: true, createNew: true, mode: FILE_MODE });
      const bytes = new TextEncoder().encode(JSON.stringify(debt));
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
      Deno.renameSync(temporary, path);
      syncPath(directory);
    } catch (error) {
      throw new WalferryError("FileWrite", `unable to write '${path}': ${(error as Error).message}`, {
        cause: error,
        hint:
          "archive-push-quorum needs a spool-path that the account of the server may write to: there it is noted what a repository is owed.",
      });
    }
  }

  /** The repository holds the file durably. Absent is no error. */
  settle(key: number, walName: string): void {
    const path = `${this.#pathOf(key)}/${walName}`;
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
      throw new WalferryError("FileRemove", `unable to remove '${path}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Keys of repositories that are owed something. */
  keys(): number[] {
    return names(this.#path).flatMap((name) => /^repo(\d{1,3})$/.exec(name)?.[1] ?? []).map(Number)
      .filter((key) => this.names(key).length > 0).sort((a, b) => a - b);
  }

  /** Names of the WAL files that a repository is owed, oldest first. */
  names(key: number): string[] {
    return names(this.#pathOf(key)).filter((name) => !name.endsWith(TEMPORARY)).sort();
  }

  /** @returns `undefined` when there is no such debt (any more) @throws WalferryError `Format` for a damaged file */
  get(key: number, walName: string): Debt | undefined {
    const path = `${this.#pathOf(key)}/${walName}`;
    let text: string;
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw new WalferryError("FileOpen", `unable to open file '${path}' for read: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const debt = parse(text);
    if (debt?.walName !== walName) {
      throw new WalferryError("Format", `'${path}' does not tell a debt`, {
        hint: `remove it when repo${key} holds ${walName}, or run repo-sync.`,
      });
    }
    return debt;
  }

  /** What is owed to whom, repositories that are owed nothing left out. */
  summaries(): DebtSummary[] {
    return this.keys().map((key) => {
      const debts = this.names(key).map((name) => this.#getIfReadable(key, name)).filter((debt) => debt !== undefined);
      return {
        key,
        count: this.names(key).length,
        sizeBytes: debts.reduce((sum, debt) => sum + debt.sizeBytes, 0),
        oldestMs: Math.min(...debts.map(({ sinceMs }) => sinceMs)),
      };
    });
  }

  #getIfReadable(key: number, walName: string): Debt | undefined {
    try {
      return this.get(key, walName);
    } catch (error) {
      if (error instanceof WalferryError && error.kind === "Format") return undefined;
      throw error;
    }
  }
}

function parse(text: string): Debt | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { walName, checksum, sizeBytes, sinceMs, reason } = value as Record<string, unknown>;
  if (typeof walName !== "string" || typeof checksum !== "string" || typeof reason !== "string") return undefined;
  if (typeof sizeBytes !== "number" || typeof sinceMs !== "number") return undefined;
  return { walName, checksum, sizeBytes, sinceMs, reason };
}

function names(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new WalferryError("PathOpen", `unable to list path '${path}': ${(error as Error).message}`, { cause: error });
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

function syncPath(path: string): void {
  using directory = Deno.openSync(path);
  directory.syncSync();
}
