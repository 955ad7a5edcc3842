/**
 * Removing the WAL that `retention.ts` no longer keeps. What another repository is owed stays in any case: PostgreSQL was told that it is
 * archived, and this may be the only place where it still is.
 */
import { mayHoldFiles } from "../../backends/contract.ts";
import { type ArchiveInfo, currentHistoryEntry } from "../format/archive_info.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import { isHistoryName, timelineOf } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { RetentionConfig } from "./config.ts";
import { describeArchivePlan } from "./expire_plan.ts";
import { countingFulls } from "./keep.ts";
import type { ExpireOptions } from "./options.ts";
import { type OwedRun, owedRuns } from "./owed_wal.ts";
import type { Repository } from "./repository.ts";
import { RepositorySet } from "./repository_set.ts";
import {
  type ArchiveDecision,
  archiveRetention,
  decideArchive,
  isKept,
  keepingLost,
  overlaps,
  recoversFrom,
  type WalRange,
} from "./retention.ts";
import { archiveIdOf } from "./wal_archive.ts";

type Cluster = ArchiveInfo["history"][number];

export class ArchiveExpiry {
  readonly #repository: Repository;
  readonly #options: ExpireOptions;
  readonly #context: CommandContext;

  constructor(repository: Repository, options: ExpireOptions, context: CommandContext) {
    this.#repository = repository;
    this.#options = options;
    this.#context = context;
  }

  /**
   * Behind the backups, whose list is what stays.
   * @param timeMet full retention by time found something old enough
   * @param spared labels that do not count for the WAL
   * @param lost backups that cannot be used and may be mended
   */
  async run(
    archiveInfo: ArchiveInfo,
    { backups }: BackupInfo,
    retention: RetentionConfig,
    timeMet: boolean,
    spared: ReadonlySet<string>,
    lost: readonly BackupInfoEntry[],
  ): Promise<void> {
    const { archiveExpireBefore } = this.#options;
    const kept = archiveRetention(retention, countingFulls(backups, spared), timeMet);
    // Without a retention the named segment counts only while there is no backup at all, as the manual of the original has it (its program
    // then removes nothing).
    if ("none" in kept && (archiveExpireBefore === undefined || backups.length > 0)) {
      this.#plan([`all WAL stays (${kept.none})`]);
      this.#info(`${kept.none} - archive logs will not be expired`);
      return;
    }
    const count = "count" in kept ? kept.count : undefined;
    for (const cluster of await this.#clustersOnDisk(archiveInfo)) {
      const isCurrent = cluster.id === archiveInfo.currentId;
      const { archiveType } = retention;
      const decision = decideArchive(backups, archiveType, count, cluster.id, isCurrent, archiveExpireBefore, spared);
      await this.#apply(cluster, keepingLost(decision, lost, cluster.id));
    }
  }

  /**
   * In a repository that has no backups: keeps the WAL from the first segment on that a backup in any other repository begins with; all of
   * it while one of them cannot say.
   * @param staying lists that are known already, by key of the repository
   */
  async runWithoutBackups(staying: ReadonlyMap<number, BackupInfo>): Promise<void> {
    const { stanza, backupSources, archiveExpireBefore } = this.#options;
    await using others = await RepositorySet.open(backupSources);
    const archiveInfo = await this.#repository.loadArchiveInfo(stanza);
    const infos: BackupInfo[] = [];
    for (
      const outcome of await others.ask(async (other) => staying.get(other.key) ?? await other.loadBackupInfo(stanza))
    ) {
      if (!outcome.ok) throw outcome.failure.error;
      infos.push(outcome.value);
    }
    const startsOf = (cluster: Cluster) => infos.map((info) => firstStart(backupsOf(info, cluster)));
    const everyHasOne = startsOf(currentHistoryEntry(archiveInfo)).every((start) => start !== "none");
    for (const cluster of await this.#clustersOnDisk(archiveInfo)) {
      const starts = startsOf(cluster);
      if (!everyHasOne || infos.length === 0) {
        await this.#apply(cluster, { kind: "keep all", reason: "not every other repository has a backup yet" });
        continue;
      }
      if (starts.includes("unknown")) {
        await this.#apply(cluster, { kind: "keep all", reason: "the oldest backup was made offline" });
        continue;
      }
      const first = starts.filter((start) => start !== "none").sort()[0];
      if (first === undefined) {
        await this.#apply(cluster, { kind: "remove archive id" });
        continue;
      }
      const isEarlier = cluster.id === archiveInfo.currentId && archiveExpireBefore !== undefined &&
        archiveExpireBefore < first;
      const start = isEarlier ? archiveExpireBefore : first;
      await this.#apply(cluster, { kind: "keep ranges", ranges: [{ start }], continuousFrom: start });
    }
  }

  /** Clusters whose WAL is there, oldest first. */
  async #clustersOnDisk({ history }: ArchiveInfo): Promise<Cluster[]> {
    const onDisk = new Set<string>();
    for await (const entry of this.#repository.storage.list(this.#repository.archivePath(this.#options.stanza))) {
      if (mayHoldFiles(entry)) onDisk.add(entry.name);
    }
    return history.filter((cluster) => onDisk.has(archiveIdOf(cluster)));
  }

  async #apply(cluster: Cluster, decision: ArchiveDecision): Promise<void> {
    const archiveId = archiveIdOf(cluster);
    const owed = await owedRuns(this.#options, this.#repository.key, cluster.systemId);
    this.#plan([
      ...describeArchivePlan(archiveId, decision),
      ...(decision.kind === "keep all" ? [] : owed.map((run) => `${archiveId}: ${describeOwed(run)}`)),
    ]);
    if (decision.kind === "keep all") this.#info(`${archiveId} no archive to remove`);
    else if (decision.kind === "keep ranges") {
      const { ranges, continuousFrom, keepsHistories = false } = decision;
      await this.#removeOutside(archiveId, ranges, continuousFrom, owed, keepsHistories);
    } else if (owed.length > 0) await this.#removeOutside(archiveId, [], undefined, owed, false);
    else await this.#removeArchiveId(archiveId);
  }

  #plan(lines: readonly string[]): void {
    if (!this.#options.plan) return;
    for (const line of lines) this.#context.output(`${this.#repository.name}: ${line}\n`);
  }

  #info(message: string): void {
    this.#context.log.info(`${this.#repository.name}: ${message}`);
  }

  async #removeArchiveId(archiveId: string): Promise<void> {
    const path = this.#repository.archivePath(this.#options.stanza, archiveId);
    this.#info(`remove archive path ${this.#repository.display(path)}`);
    if (!this.#options.dryRun) await this.#repository.storage.removeTree(path);
  }

  /** @param continuousFrom no file behind its directory goes; absent: nothing but what is owed stays */
  async #removeOutside(
    archiveId: string,
    ranges: readonly WalRange[],
    continuousFrom: string | undefined,
    owed: readonly OwedRun[],
    keepsHistories: boolean,
  ): Promise<void> {
    const { storage } = this.#repository;
    const root = this.#repository.archivePath(this.#options.stanza, archiveId);
    for (const range of ranges) {
      this.#context.log.detail(
        `${this.#repository.name}: ${archiveId} archive retention on backup range, start = ${range.start}${
          range.stop === undefined ? "" : `, stop = ${range.stop}`
        }`,
      );
    }
    for (const run of owed) {
      if (isKept(run.start, ranges) && isKept(run.stop, ranges)) continue;
      this.#context.log.warn(`${this.#repository.name}: ${archiveId} ${describeOwed(run)}`);
    }
    const kept = [...ranges, ...owed];
    const first = recoversFrom(ranges);
    const owedNames = new Set(owed.flatMap(({ histories }) => histories));
    const directories: string[] = [];
    const histories: string[] = [];
    for await (const entry of storage.list(root)) {
      if (/^[0-9A-F]{16}$/.test(entry.name)) directories.push(entry.name);
      else if (!keepsHistories && isHistoryName(entry.name) && !owedNames.has(entry.name)) {
        if (first === undefined || timelineOf(entry.name) < timelineOf(first)) histories.push(entry.name);
      }
    }
    const runs = new RemovedRuns((start, stop) =>
      this.#info(`${archiveId} remove archive, start = ${start}, stop = ${stop}`)
    );
    for (const directory of directories.sort()) {
      this.#context.signal.throwIfAborted();
      if (!overlaps(directory, kept)) {
        runs.add(directory);
        if (!this.#options.dryRun) await storage.removeTree(`${root}/${directory}`);
      } else if (continuousFrom === undefined || directory <= continuousFrom.slice(0, 16)) {
        await this.#removeFiles(`${root}/${directory}`, kept, runs);
      }
    }
    runs.end();
    if (runs.count === 0) this.#info(`${archiveId} no archive to remove`);
    if (!this.#options.dryRun) {
      await storage.removeMany(histories.map((name) => `${root}/${name}`), this.#context.signal);
    }
  }

  async #removeFiles(directory: string, ranges: readonly WalRange[], runs: RemovedRuns): Promise<void> {
    const names: string[] = [];
    for await (const entry of this.#repository.storage.list(directory)) {
      if (/^[0-9A-F]{24}/.test(entry.name)) names.push(entry.name);
    }
    const gone: string[] = [];
    for (const name of names.sort()) {
      if (isKept(name.slice(0, 24), ranges)) {
        runs.end();
        continue;
      }
      runs.add(name.slice(0, 24));
      gone.push(`${directory}/${name}`);
    }
    if (!this.#options.dryRun) await this.#repository.storage.removeMany(gone, this.#context.signal);
  }
}

function backupsOf({ history, backups }: BackupInfo, { systemId, pgVersion }: Cluster): BackupInfoEntry[] {
  const own = history.filter((entry) => entry.systemId === systemId && entry.pgVersion === pgVersion);
  return backups.filter(({ historyId }) => own.some(({ id }) => id === historyId));
}

/**
 * First segment in the order of names, which is not that of time: a cluster may go on with an older timeline when a promotion was given up.
 * `unknown`: the oldest backup was made offline, and may be recovered with any WAL that is there.
 */
function firstStart(backups: readonly BackupInfoEntry[]): string {
  if (backups.length === 0) return "none";
  if (backups[0]!.archiveStart === undefined) return "unknown";
  return backups.flatMap(({ archiveStart }) => archiveStart ?? []).sort()[0]!;
}

function describeOwed({ start, stop, debtors }: OwedRun): string {
  const who = debtors.map((key) => `repo${key}`).join(", ");
  return `WAL ${start} to ${stop} stays: ${who} ${debtors.length === 1 ? "is" : "are"} owed it`;
}

/** Gathers neighbours that go into one log line each. */
class RemovedRuns {
  readonly #tell: (start: string, stop: string) => void;
  #run: { readonly start: string; stop: string } | undefined;
  /** Names added in all. */
  count = 0;

  constructor(tell: (start: string, stop: string) => void) {
    this.#tell = tell;
  }

  add(name: string): void {
    this.count += 1;
    if (this.#run === undefined) this.#run = { start: name, stop: name };
    else this.#run.stop = name;
  }

  end(): void {
    if (this.#run !== undefined) this.#tell(this.#run.start, this.#run.stop);
    this.#run = undefined;
  }
}
