/**
 * WAL that PostgreSQL was told is archived while a repository did not hold it yet: `<spool-path>/walferry/<stanza>/debt/repoN/<WAL file>`.
 * A debt is on disk, synced, before PostgreSQL hears of the file, and goes away only behind a durable copy.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import { SpoolDirectory } from "./spool_files.ts";

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
  readonly #open: (name: string) => SpoolDirectory;
  readonly #directories = new Map<number, SpoolDirectory>();

  constructor(spoolPath: string, stanza: string) {
    this.#open = (name) => new SpoolDirectory(spoolPath, stanza, name);
  }

  #of(key: number): SpoolDirectory {
    let directory = this.#directories.get(key);
    if (directory === undefined) this.#directories.set(key, directory = this.#open(`debt/repo${key}`));
    return directory;
  }

  /** Records a debt durably. @throws WalferryError `FileWrite` */
  record(key: number, debt: Debt): void {
    try {
      this.#of(key).write(debt.walName, JSON.stringify(debt));
    } catch (error) {
      throw new WalferryError(
        "FileWrite",
        `unable to write '${this.#of(key).path}/${debt.walName}': ${(error as Error).message}`,
        {
          cause: error,
          hint:
            "archive-push-quorum needs a spool-path that the account of the server may write to: there it is noted what a repository is owed.",
        },
      );
    }
  }

  /** The repository holds the file durably. Absent is no error. */
  settle(key: number, walName: string): void {
    this.#of(key).remove(walName);
  }

  /** As {@link settle}, when it is this content that is owed: another cluster's file may have the same name. @throws WalferryError */
  settleContent(key: number, walName: string, checksum: string): void {
    if (this.#getIfReadable(key, walName)?.checksum === checksum) this.settle(key, walName);
  }

  /** Where a debt is noted. */
  pathOf(key: number, walName: string): string {
    return `${this.#of(key).path}/${walName}`;
  }

  /** Whether a repository is owed a file. An account that may not look there has noted nothing there. */
  owes(key: number, walName: string): boolean {
    try {
      Deno.lstatSync(this.pathOf(key, walName));
      return true;
    } catch (error) {
      const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
      if (error instanceof NotFound || error instanceof NotADirectory || error instanceof PermissionDenied) {
        return false;
      }
      throw error;
    }
  }

  /** Keys of repositories that are owed something. */
  keys(): number[] {
    return this.#open("debt").names()
      .flatMap((name) => /^repo(\d{1,3})$/.exec(name)?.[1] ?? []).map(Number)
      .filter((key) => this.names(key).length > 0).sort((a, b) => a - b);
  }

  /** Names of the WAL files that a repository is owed, oldest first. */
  names(key: number): string[] {
    return this.#of(key).names();
  }

  /** @returns `undefined` when there is no such debt (any more) @throws WalferryError `Format` for a damaged file */
  get(key: number, walName: string): Debt | undefined {
    const text = this.#of(key).read(walName);
    if (text === undefined) return undefined;
    const debt = parse(text);
    if (debt?.walName !== walName) {
      throw new WalferryError("Format", `'${this.#of(key).path}/${walName}' does not tell a debt`, {
        hint: `remove it when repo${key} holds ${walName}, or run repo-sync.`,
      });
    }
    return debt;
  }

  /** What is owed to whom, repositories that are owed nothing left out. */
  summaries(): DebtSummary[] {
    return this.keys().map((key) => {
      const names = this.names(key);
      const debts = names.map((name) => this.#getIfReadable(key, name)).filter((debt) => debt !== undefined);
      return {
        key,
        count: names.length,
        sizeBytes: debts.reduce((sum, debt) => sum + debt.sizeBytes, 0),
        oldestMs: debts.reduce((oldest, debt) => Math.min(oldest, debt.sinceMs), Infinity),
      };
    });
  }

  #getIfReadable(key: number, walName: string): Debt | undefined {
    try {
      return this.get(key, walName);
    } catch (error) {
      if (isWalferryError(error, "Format")) return undefined;
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
