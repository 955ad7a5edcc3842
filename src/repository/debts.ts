/**
 * WAL that PostgreSQL was told is archived while a repository did not hold it yet: `<spool-path>/walferry/<stanza>/debt/repoN/<WAL file>`.
 * A debt is on disk, synced, before PostgreSQL hears of the file, and goes away only behind a durable copy. Names of WAL files come back with
 * the next cluster, so a debt says whose file it is about.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import { parseRecord, SpoolDirectory } from "./spool_files.ts";

/** What nobody has at the moment is looked for again after so many milliseconds. */
export const SEEK_AGAIN = 300_000;

/** One WAL file that one repository is owed. */
export interface Debt {
  readonly walName: string;
  /** Cluster that wrote it; absent in debts of versions that did not note it. */
  readonly systemId?: bigint;
  /** SHA-1 of the plain content. */
  readonly checksum: string;
  /** Plain content. */
  readonly sizeBytes: number;
  /** When it was acknowledged, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Why the repository did not take it. */
  readonly reason: string;
  /** Nobody could pay it: before this time it is not worth another look, milliseconds since the epoch. */
  readonly notBeforeMs?: number;
}

/** Whether a debt is (or may be) about a file of this cluster. */
export function isOfCluster({ systemId }: Debt, cluster: bigint): boolean {
  return systemId === undefined || systemId === cluster;
}

/** A clock that was set back ends the wait. */
function leftMsOf({ notBeforeMs = 0 }: Debt, nowMs: number): number {
  const leftMs = notBeforeMs - nowMs;
  return leftMs > SEEK_AGAIN ? 0 : Math.max(0, leftMs);
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
      this.#of(key).write(debt.walName, render(debt));
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

  /** The repository holds the file durably, or nobody will ever ask it for it. Absent is no error. */
  settle(key: number, walName: string): void {
    this.#of(key).remove(walName);
  }

  /** As {@link settle}, when the file is this cluster's: the one before may have left a debt of the same name. @throws WalferryError */
  settleOf(systemId: bigint, key: number, walName: string): void {
    const debt = this.#getIfReadable(key, walName);
    if (debt === undefined || isOfCluster(debt, systemId)) this.settle(key, walName);
  }

  /** As {@link settleOf}, when it is this content that is owed. @throws WalferryError */
  settleContent(systemId: bigint, key: number, walName: string, checksum: string): void {
    const debt = this.#getIfReadable(key, walName);
    if (debt?.checksum === checksum && isOfCluster(debt, systemId)) this.settle(key, walName);
  }

  /** Nobody could pay it now: it is left alone for a while, by every process. @throws WalferryError `FileWrite` */
  postpone(key: number, walName: string, nowMs: number): void {
    const debt = this.#getIfReadable(key, walName);
    if (debt !== undefined) this.record(key, { ...debt, notBeforeMs: nowMs + SEEK_AGAIN });
  }

  /** How long a debt that nobody could pay is left alone, in milliseconds; 0 = it may be paid. */
  postponedMs(key: number, walName: string, nowMs: number): number {
    const debt = this.#getIfReadable(key, walName);
    return debt === undefined ? 0 : leftMsOf(debt, nowMs);
  }

  /**
   * Whether a repository is owed something that may be paid now. One that cannot be read says nothing of what would pay it.
   * @throws WalferryError `PathOpen`, `FileOpen`
   */
  async hasDue(key: number, nowMs: number): Promise<boolean> {
    return (await this.names(key)).some((name) => {
      const debt = this.#getIfReadable(key, name);
      return debt !== undefined && leftMsOf(debt, nowMs) === 0;
    });
  }

  /** Where a debt is noted. */
  pathOf(key: number, walName: string): string {
    return `${this.#of(key).path}/${walName}`;
  }

  /** Whether a repository is owed a file of a cluster. An account that may not look there has noted nothing there. */
  owes(systemId: bigint, key: number, walName: string): boolean {
    try {
      const debt = parse(Deno.readTextFileSync(this.pathOf(key, walName)));
      return debt === undefined || isOfCluster(debt, systemId);
    } catch (error) {
      const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
      if (error instanceof NotFound || error instanceof NotADirectory || error instanceof PermissionDenied) {
        return false;
      }
      throw error;
    }
  }

  /** Keys of repositories that are owed something, ascending. @throws WalferryError `PathOpen` */
  async keys(): Promise<number[]> {
    const all = (await this.#open("debt").names())
      .flatMap((name) => /^repo(\d{1,3})$/.exec(name)?.[1] ?? []).map(Number);
    const owed: number[] = [];
    for (const key of all) if ((await this.names(key)).length > 0) owed.push(key);
    return owed.sort((a, b) => a - b);
  }

  /** Names of the WAL files that a repository is owed, oldest first. @throws WalferryError `PathOpen` */
  async names(key: number): Promise<string[]> {
    return await this.#of(key).names();
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

  /** What is owed to whom, repositories that are owed nothing left out. @throws WalferryError `PathOpen`, `FileOpen` */
  async summaries(): Promise<DebtSummary[]> {
    const summaries: DebtSummary[] = [];
    for (const key of await this.keys()) {
      const names = await this.names(key);
      const debts = names.map((name) => this.#getIfReadable(key, name)).filter((debt) => debt !== undefined);
      summaries.push({
        key,
        count: names.length,
        sizeBytes: debts.reduce((sum, debt) => sum + debt.sizeBytes, 0),
        oldestMs: debts.reduce((oldest, debt) => Math.min(oldest, debt.sinceMs), Infinity),
      });
    }
    return summaries;
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

function render({ systemId, ...rest }: Debt): string {
  // Larger than the numbers of JSON.
  return JSON.stringify(systemId === undefined ? rest : { ...rest, systemId: String(systemId) });
}

function parse(text: string): Debt | undefined {
  const { walName, checksum, sizeBytes, sinceMs, reason, systemId, notBeforeMs } = parseRecord(text) ?? {};
  if (typeof walName !== "string" || typeof checksum !== "string" || typeof reason !== "string") return undefined;
  if (typeof sizeBytes !== "number" || typeof sinceMs !== "number") return undefined;
  const isNumber = typeof systemId === "string" && /^\d{1,20}$/.test(systemId);
  if (systemId !== undefined && !isNumber) return undefined;
  return {
    walName,
    checksum,
    sizeBytes,
    sinceMs,
    reason,
    ...(isNumber ? { systemId: BigInt(systemId) } : {}),
    ...(typeof notBeforeMs === "number" ? { notBeforeMs } : {}),
  };
}
