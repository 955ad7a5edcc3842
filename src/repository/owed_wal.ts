/** WAL that other repositories are owed, as ranges of names: what a repository must not remove while it may have the only copy. */
import { DebtLedger } from "./debts.ts";
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
 * @throws WalferryError `PathOpen` when it cannot be said
 */
export function owedRuns({ stanza, spoolPath, archiveKeys }: OwedOptions, key: number, systemId: bigint): OwedRun[] {
  const ledger = new DebtLedger(spoolPath, stanza);
  const debtorsOf = new Map<string, number[]>();
  for (const debtor of archiveKeys.filter((one) => one !== key).toSorted((a, b) => a - b)) {
    for (const name of ledger.names(debtor)) {
      if (!ledger.owes(systemId, debtor, name)) continue;
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

function isNext(segment: string, name: string): boolean {
  return segment.slice(0, 16) === name.slice(0, 16) &&
    Number.parseInt(segment.slice(16), 16) + 1 === Number.parseInt(name.slice(16), 16);
}
