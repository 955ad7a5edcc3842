/**
 * How many repositories must hold a WAL file before PostgreSQL is told that it is archived (`archive-push-quorum`), which of them are asked,
 * and what is noted for the others.
 */
import { isDistant } from "../../backends/config.ts";
import type { Clock } from "../process/clock.ts";
import { amongOthers, type RepositoryConfig } from "../repository/config.ts";
import { DebtLedger } from "../repository/debts.ts";
import { HealthBoard } from "../repository/health.ts";
import { describeFailure, type RepositoryFailure } from "../repository/repository_set.ts";
import type { WalFile } from "./wal_file.ts";

/** Retrying ends early where others can meet the quorum: what fails is owed, and paid with patience. In milliseconds. */
const IMPATIENT_MS = 400;

/** What the quorum is made of. */
export interface QuorumOptions {
  readonly stanza: string;
  readonly repositories: readonly RepositoryConfig[];
  /** Repositories that must hold a file. */
  readonly quorum: number;
  readonly spoolPath: string;
}

export class Quorum {
  readonly needed: number;
  readonly ledger: DebtLedger;
  readonly health: HealthBoard;
  readonly #keys: readonly number[];
  readonly #clock: Clock;

  constructor({ repositories, quorum, spoolPath, stanza }: QuorumOptions, clock: Clock) {
    this.#keys = repositories.map(({ key }) => key);
    this.needed = quorum;
    this.ledger = new DebtLedger(spoolPath, stanza);
    this.health = new HealthBoard(spoolPath, stanza, clock, "push");
    this.#clock = clock;
  }

  /** Whether every repository must hold a file: then nothing is ever owed, and nobody is left out. */
  get isAll(): boolean {
    return this.needed >= this.#keys.length;
  }

  /** Whether a repository is owed something and may be tried now. Also where all must hold a file by now: debts outlive the setting. */
  async isPayable(): Promise<boolean> {
    const nowMs = this.#clock.nowMs();
    for (const key of await this.ledger.keys()) {
      if (this.#keys.includes(key) && this.health.mayTry(key) && await this.ledger.hasDue(key, nowMs)) return true;
    }
    return false;
  }

  /**
   * Keys of the repositories to send a file to: those known to be away are left out as long as the others are enough.
   * @param probes whether one whose pause is over is tried with this file (where nobody else does)
   */
  chosen(probes: boolean): readonly number[] {
    if (this.isAll) return this.#keys;
    const well = this.#keys.filter((key) => this.health.outage(key) === undefined);
    const due = this.#keys.filter((key) => probes && !well.includes(key) && this.health.takeTry(key));
    return well.length + due.length >= this.needed ? [...well, ...due].sort((a, b) => a - b) : this.#keys;
  }

  /**
   * Notes who holds a file, and durably what the others are owed.
   * @param systemId cluster that wrote it, where that is known
   * @returns what is to be told: who went away and who came back
   */
  settle(
    file: WalFile,
    systemId: bigint | undefined,
    holders: readonly number[],
    failures: readonly RepositoryFailure[],
  ): string[] {
    if (this.isAll) return [];
    const news: string[] = [];
    for (const key of this.#keys) {
      if (holders.includes(key)) {
        if (systemId === undefined) this.ledger.settle(key, file.name);
        else this.ledger.settleOf(systemId, key, file.name);
        if (this.health.answered(key)) news.push(`repo${key} answers again`);
        continue;
      }
      const failure = failures.find((candidate) => candidate.key === key);
      if (failure !== undefined && this.health.failed(key, failure.error.text)) {
        news.push(
          `${describeFailure(failure)}\nit is owed what it misses from '${file.name}' on (archive-push-quorum)`,
        );
      }
      this.ledger.record(key, {
        walName: file.name,
        systemId,
        checksum: file.checksum,
        sizeBytes: file.sizeBytes,
        sinceMs: this.#clock.nowMs(),
        reason: failure?.error.text ?? this.health.outage(key)?.reason ?? "it was away",
      });
    }
    return news;
  }
}

/** Repositories as they are used where others can stand in for one that fails. */
export function impatient(
  { repositories, quorum }: Pick<QuorumOptions, "repositories" | "quorum">,
): readonly RepositoryConfig[] {
  if (quorum >= repositories.length) return repositories;
  return amongOthers(repositories).map((config) => {
    const { storage } = config;
    if (!isDistant(storage)) return config;
    const network = { ...storage.network, retryMs: Math.min(storage.network.retryMs, IMPATIENT_MS) };
    return { ...config, storage: { ...storage, network } };
  });
}
