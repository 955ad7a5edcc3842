/** The worker's side of healing: gives one repository one WAL file that it is owed, out of `pg_wal` or from another repository. */
import { isWalferryError, toWalferryError, WalferryError } from "../errors.ts";
import { isWalSegmentOrPartialName } from "../format/wal_name.ts";
import { systemClock } from "../process/clock.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import { amongOthers } from "../repository/config.ts";
import { copyPlainFile, copySegment, type WalPlace } from "../repository/copy_wal.ts";
import { type Debt, DebtLedger, isOfCluster } from "../repository/debts.ts";
import type { Repository } from "../repository/repository.ts";
import { describeFailure, type RepositoryFailure, RepositorySet } from "../repository/repository_set.ts";
import { archiveIdOf, findSegments } from "../repository/wal_archive.ts";
import type { ArchivePushOptions } from "./options.ts";
import { checkRepositories, type PushTarget } from "./push_targets.ts";
import { storeWal } from "./store_wal.ts";
import { askForStored } from "./stored_segments.ts";
import { readWalFile, type WalFile } from "./wal_file.ts";

export interface PayRequest {
  readonly key: number;
  readonly walName: string;
  /** Absolute path of `pg_wal`. */
  readonly pgWalPath: string;
}

export type PaidDebt =
  | { readonly state: "paid"; readonly from: string }
  /** Somebody else paid it. */
  | { readonly state: "gone" }
  /** It is about a cluster that the repository's stanza does not know (any more): it was struck out. */
  | { readonly state: "forgotten"; readonly reason: string }
  /** The repository would take it, but nobody has it right now. */
  | { readonly state: "no source"; readonly reason: string };

/** Starts a worker of the job `wal-pay`. A request fails when the repository that is owed cannot take the file. */
export async function start(options: ArchivePushOptions): Promise<(request: PayRequest) => Promise<PaidDebt>> {
  const set = await RepositorySet.open(amongOthers(options.repositories));
  const ledger = new DebtLedger(options.spoolPath, options.stanza);
  // A signal for each: what listens to one that lives as long as the process is never let go.
  return async (request) => await payDebt(request, set, ledger, options, new AbortController().signal);
}

/** @throws WalferryError what keeps the repository from taking the file */
export async function payDebt(
  { key, walName, pgWalPath }: PayRequest,
  set: RepositorySet,
  ledger: DebtLedger,
  options: ArchivePushOptions,
  signal: AbortSignal,
): Promise<PaidDebt> {
  const control = options.cluster === undefined
    ? undefined
    : readControlFile(options.cluster.path, options.pgVersionForce);
  const debtor = set.repositories.find((repository) => repository.key === key);
  if (debtor === undefined) throw new WalferryError("Assert", `repo${key} is not configured`);
  let debt: Debt | undefined;
  let unreadable: string | undefined;
  try {
    debt = ledger.get(key, walName);
  } catch (error) {
    if (!isWalferryError(error, "Format")) throw error;
    unreadable = error.text;
  }
  const isOwn = debt === undefined || control === undefined || isOfCluster(debt, control.systemId);
  const other = isOwn ? undefined : debt?.systemId;
  const locate = (repository: Repository) =>
    other === undefined
      ? targetIn(repository, options, control, signal)
      : placeOfCluster(repository, options.stanza, other, signal);
  // First of all: whatever comes of this debt tells the caller that the repository answers.
  const target = await locate(debtor);
  // Of what is owed nothing is known but its name: the repository is not to blame.
  if (unreadable !== undefined) return { state: "no source", reason: unreadable };
  if (debt === undefined) return { state: "gone" };
  if (target === undefined) {
    ledger.settle(key, walName);
    return { state: "forgotten", reason: `it is of the cluster ${other}, which the stanza there does not know` };
  }

  // What another cluster left is never in this one's pg_wal, whatever has its name.
  const local = other === undefined
    ? await readIfSame(`${pgWalPath}/${walName}`, debt.checksum, options, control)
    : undefined;
  if (local !== undefined) {
    const context = { needed: 1, clock: systemClock, signal, warn: () => {}, find: askForStored(options.stanza) };
    const { failures } = await storeWal(local, [target], options, context);
    if (failures[0] !== undefined) throw failures[0].error;
    ledger.settle(key, walName);
    return { state: "paid", from: "pg_wal" };
  }
  const to: WalPlace = { ...target, stanza: options.stanza };
  const failures: RepositoryFailure[] = [];
  for (const repository of set.repositories) {
    if (repository.key === key) continue;
    let from: WalPlace;
    try {
      const place = await locate(repository);
      if (place === undefined) continue;
      from = { ...place, stanza: options.stanza };
      if (!await holds(from, walName, debt.checksum, signal)) continue;
    } catch (error) {
      failures.push({ key: repository.key, error: toWalferryError(error) });
      continue;
    }
    try {
      await copyTo(to, from, walName, debt.checksum, signal);
    } catch (error) {
      const failure = toWalferryError(error);
      // A damaged copy is its own repository's trouble; the rest is the debtor's as far as anyone can tell.
      if (failure.kind !== "Checksum" && failure.kind !== "FileMissing") throw failure;
      failures.push({ key: repository.key, error: failure });
      continue;
    }
    ledger.settle(key, walName);
    return { state: "paid", from: repository.name };
  }
  return {
    state: "no source",
    reason: ["it is no longer in pg_wal, and no other repository gave it", ...failures.map(describeFailure)].join("\n"),
  };
}

async function targetIn(
  repository: Repository,
  options: ArchivePushOptions,
  control: ControlData | undefined,
  signal: AbortSignal,
): Promise<PushTarget> {
  const alone = { needed: 1, clock: systemClock, signal };
  const { targets, failures } = await checkRepositories([repository], options.stanza, control, alone);
  if (targets[0] === undefined) throw failures[0]!.error;
  return targets[0];
}

/** Where the WAL of a cluster is that the stanza belongs to or belonged to; `undefined` when it never did. */
async function placeOfCluster(
  repository: Repository,
  stanza: string,
  systemId: bigint,
  signal: AbortSignal,
): Promise<PushTarget | undefined> {
  const info = await repository.loadArchiveInfo(stanza, signal);
  const entry = info.history.findLast((candidate) => candidate.systemId === systemId);
  return entry && { repository, archiveId: archiveIdOf(entry), passphrase: info.cipherPass };
}

/** The file in `pg_wal` when it still is the one that was acknowledged. */
async function readIfSame(
  path: string,
  checksum: string,
  options: ArchivePushOptions,
  control: ControlData | undefined,
): Promise<WalFile | undefined> {
  try {
    const file = await readWalFile(path, options, control);
    return file.checksum === checksum ? file : undefined;
  } catch (error) {
    // Recycled, removed or of another cluster by now: then a repository has it.
    if (error instanceof WalferryError) return undefined;
    throw error;
  }
}

async function holds(place: WalPlace, walName: string, checksum: string, signal: AbortSignal): Promise<boolean> {
  if (!isWalSegmentOrPartialName(walName)) return true;
  const found = await findSegments(place.repository, place.stanza, place.archiveId, walName, signal);
  return found.some((segment) => segment.checksum === checksum);
}

async function copyTo(
  to: WalPlace,
  from: WalPlace,
  walName: string,
  checksum: string,
  signal: AbortSignal,
): Promise<void> {
  if (!isWalSegmentOrPartialName(walName)) {
    if (await copyPlainFile(from, walName, to, signal, checksum) !== undefined) return;
    throw new WalferryError("FileMissing", `${from.repository.name} does not have '${walName}'`);
  }
  const there = await findSegments(to.repository, to.stanza, to.archiveId, walName, signal);
  if (there.some((segment) => segment.checksum === checksum)) return;
  if (there[0] !== undefined) {
    throw new WalferryError(
      "ArchiveDuplicate",
      `WAL file '${walName}' already exists in the ${to.repository.name} archive with a different checksum`,
      { hint: "are multiple primaries archiving to this stanza?" },
    );
  }
  const [segment] = (await findSegments(from.repository, from.stanza, from.archiveId, walName, signal))
    .filter((found) => found.checksum === checksum);
  if (segment === undefined) {
    throw new WalferryError("FileMissing", `${from.repository.name} does not have '${walName}'`);
  }
  await copySegment(from, segment, to, signal);
}
