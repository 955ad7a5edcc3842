/** WAL that other repositories are owed, as ranges of names: what a repository must not remove while it may have the only copy. */
import { isWalferryError } from "../errors.ts";
import { DebtLedger, isOfCluster } from "./debts.ts";
import type { WalRange } from "./retention.ts";

/** Segments behind each other that are owed to the same repositories. */
export interface OwedRun extends WalRange {
  readonly stop: string;
  /** Keys of the repositories, ascending. */
  readonly debtors: readonly number[];
  /** History files that are owed beside them. */
  readonly histories: readonly string[];
}

/** Where to look, and whose debts count: one that is no longer configured will never be given anything. */
export interface OwedOptions {
  readonly stanza: string;
  readonly spoolPath: string;
  /** Keys of all repositories that hold WAL. */
  readonly archiveKeys: readonly number[];
}

/**
 * What others than `key` are owed of a cluster. Files that go with a segment (`.partial`, `.backup`) are kept by its name.
 * @throws WalferryError of a kind for files when it cannot be said
 */
export async function owedRuns(
  { stanza, spoolPath, archiveKeys }: OwedOptions,
  key: number,
  systemId: bigint,
): Promise<OwedRun[]> {
  const ledger = new DebtLedger(spoolPath, stanza);
  const debtorsOf = new Map<string, number[]>();
  for (const debtor of archiveKeys.filter((one) => one !== key).toSorted((a, b) => a - b)) {
    for (const name of await ledger.names(debtor)) {
      if (!isOwed(ledger, debtor, name, systemId)) continue;
      const segment = /^[0-9A-F]{24}/.exec(name)?.[0] ?? name;
      const debtors = debtorsOf.get(segment) ?? [];
      if (debtors.at(-1) !== debtor) debtorsOf.set(segment, [...debtors, debtor]);
    }
  }
  const runs: (OwedRun & { stop: string; histories: string[] })[] = [];
  for (const [name, debtors] of [...debtorsOf].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isHistory = name.length < 24;
    const last = runs.at(-1);
    if (last !== undefined && !isHistory && isNext(last.stop, name) && `${last.debtors}` === `${debtors}`) {
      last.stop = name;
    } else runs.push({ start: name, stop: name, debtors, histories: isHistory ? [name] : [] });
  }
  return runs;
}

/** One that does not say whose it is may be this cluster's; one that cannot be read is an error: unknown is not "nothing". */
function isOwed(ledger: DebtLedger, debtor: number, name: string, systemId: bigint): boolean {
  try {
    const debt = ledger.get(debtor, name);
    return debt !== undefined && isOfCluster(debt, systemId);
  } catch (error) {
    if (isWalferryError(error, "Format")) return true;
    throw error;
  }
}

function isNext(segment: string, name: string): boolean {
  return segment.slice(0, 16) === name.slice(0, 16) &&
    Number.parseInt(segment.slice(16), 16) + 1 === Number.parseInt(name.slice(16), 16);
}
