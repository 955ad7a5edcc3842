/**
 * Doing what `retention.ts` decides, in an order in which a crash never leaves a backup that looks usable and is not: a backup's line in
 * `backup.info` goes first, then its manifest, then its files; WAL goes last. A crash before its manifest goes leaves a backup that is whole and
 * not listed: the next run lists it again, and expires it again.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { type ArchiveInfo, currentHistoryEntry } from "../format/archive_info.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import { formatLabel, parseLabel } from "../format/label.ts";
import { isHistoryName, timelineOf } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import { BACKREST_VERSION } from "../version.ts";
import { listBackupDirectories, reconcileBackupInfo } from "./backup_catalog.ts";
import type { RetentionConfig } from "./config.ts";
import { describeArchivePlan, planBackups } from "./expire_plan.ts";
import { countingFulls, isPinned, keptBeyond, withNeeds } from "./keep.ts";
import type { ExpireOptions } from "./options.ts";
import type { Repository } from "./repository.ts";
import { describeFailure, type RepositoryFailure, RepositorySet } from "./repository_set.ts";
import {
  archiveRetention,
  type BackupExpiry,
  decideArchive,
  expireDiff,
  expireFull,
  expireSet,
  isKept,
  overlaps,
  type WalRange,
} from "./retention.ts";
import { loadMatchingInfos } from "./stanza.ts";
import { removeUnfinishedWrites } from "./unfinished_writes.ts";
import { archiveIdOf } from "./wal_archive.ts";

/**
 * Expires every repository given. The backup locks are held by the caller. One repository's failure does not stop the others.
 * @throws WalferryError `Command` with all failures; `OptionInvalid`/`OptionInvalidValue` before anything is touched
 */
export async function expireRepositories(options: ExpireOptions, context: CommandContext): Promise<void> {
  if (options.set !== undefined && options.oldest) {
    throw new WalferryError("OptionInvalid", "options 'set' and 'oldest' cannot be used together");
  }
  if (options.set !== undefined && parseLabel(options.set) === undefined) {
    throw new WalferryError("OptionInvalidValue", `'${options.set}' is not a valid backup label format`);
  }
  if (options.archiveExpireBefore !== undefined && !/^[0-9A-F]{24}$/.test(options.archiveExpireBefore)) {
    throw new WalferryError(
      "OptionInvalidValue",
      `'${options.archiveExpireBefore}' is not valid for 'archive-expire-before' option`,
      {
        hint: "the name of a WAL segment is expected, 24 digits.",
      },
    );
  }
  await using set = await RepositorySet.open(options.repositories);
  const failures: RepositoryFailure[] = [];
  // Those without backups last: what they keep depends on the backups that stay.
  const isWal = ({ config: { role } }: Repository) => role === "wal";
  const ordered = [...set.repositories.filter((one) => !isWal(one)), ...set.repositories.filter(isWal)];
  for (const repository of ordered) {
    try {
      const expiry = new RepositoryExpiry(repository, options, context);
      if (isWal(repository)) await expiry.runWithoutBackups();
      else await expiry.run();
    } catch (error) {
      context.signal.throwIfAborted();
      const failure = { key: repository.key, error: toWalferryError(error) };
      context.log.error(describeFailure(failure), failure.error.code);
      failures.push(failure);
    }
  }
  if (failures.length > 0) {
    throw new WalferryError(
      "Command",
      `expire command encountered ${failures.length} error(s), check the log file for details`,
    );
  }
}

class RepositoryExpiry {
  readonly #repository: Repository;
  readonly #options: ExpireOptions;
  readonly #context: CommandContext;
  /** Labels that this run has expired: only what was expired, or never became complete, is removed. */
  readonly #expired = new Set<string>();
  /** Labels that stay only because something else than the number or days of the retention keeps them. */
  readonly #spared = new Set<string>();

  constructor(repository: Repository, options: ExpireOptions, context: CommandContext) {
    this.#repository = repository;
    this.#options = options;
    this.#context = context;
  }

  async run(): Promise<void> {
    const { archiveInfo, backupInfo } = await loadMatchingInfos(this.#repository, this.#options.stanza);
    const changed = await reconcileBackupInfo(
      this.#repository,
      this.#options.stanza,
      backupInfo,
      this.#context.log,
    );
    // Before any directory goes: a backup that lost its manifest must not be listed when its files are gone.
    if (changed && !this.#options.dryRun) await this.#repository.saveBackupInfo(this.#options.stanza, backupInfo);
    const retention = this.#retention(backupInfo);
    const timeMet = await this.#expireBackups(backupInfo, retention);
    await this.#removeDirectories(backupInfo);
    if (!this.#options.dryRun) {
      await removeUnfinishedWrites(this.#repository, this.#options.stanza, this.#context);
    }
    await this.#expireHistory(backupInfo, retention);
    await this.#expireArchive(archiveInfo, backupInfo, retention, timeMet);
  }

  /** Keeps the WAL from the oldest backup on that any other repository holds; all of it while one of them cannot say. */
  async runWithoutBackups(): Promise<void> {
    const { stanza, backupSources } = this.#options;
    await using others = await RepositorySet.open(backupSources);
    const archiveInfo = await this.#repository.loadArchiveInfo(stanza);
    const { systemId, pgVersion } = currentHistoryEntry(archiveInfo);
    const starts: (string | undefined)[] = [];
    for (const outcome of await others.ask((other) => other.loadBackupInfo(stanza))) {
      if (!outcome.ok) throw outcome.failure.error;
      const { history, backups } = outcome.value;
      const own = history.filter((entry) => entry.systemId === systemId && entry.pgVersion === pgVersion);
      // Sorted by label, which is by time: what is needed first comes first.
      starts.push(backups.find((backup) => own.some(({ id }) => id === backup.historyId))?.archiveStart);
    }
    const archiveId = archiveIdOf(currentHistoryEntry(archiveInfo));
    const first = starts.every((start) => start !== undefined) ? starts.sort()[0] : undefined;
    if (first === undefined) {
      this.#info(`${archiveId} no archive to remove: not every other repository has a backup yet`);
    } else await this.#removeOutside(archiveId, [{ start: first }], first);
  }

  #tell(line: string): void {
    this.#context.output(`${this.#repository.name}: ${line}\n`);
  }

  #info(message: string): void {
    this.#context.log.info(`${this.#repository.name}: ${message}`);
  }

  /** `--oldest` is a retention of one full backup less than there are. */
  #retention(info: BackupInfo): RetentionConfig {
    const configured = this.#repository.config.retention;
    if (!this.#options.oldest) return configured;
    const fulls = info.backups.filter(({ type }) => type === "full").length;
    if (fulls <= 1) return { ...configured, full: undefined };
    return { ...configured, fullType: "count", full: fulls - 1, archiveType: "full", archive: fulls - 1 };
  }

  /** @returns whether full retention by time found something old enough */
  async #expireBackups(info: BackupInfo, retention: RetentionConfig): Promise<boolean> {
    const { set } = this.#options;
    if (set !== undefined) {
      await this.#expireNamed(info, set);
      return false;
    }
    const nowSeconds = this.#context.clock.nowMs() / 1000;
    const fulls = info.backups.filter(({ type }) => type === "full");
    const timeMet = retention.fullType === "time" && retention.full !== undefined &&
      fulls.some(({ timestampStop }) => timestampStop < nowSeconds - retention.full! * 86400);
    const before = [...info.backups];
    const kept = withNeeds(before, keptBeyond(before, retention.keep).keys());
    const expiries: BackupExpiry[] = [];
    for (const decide of [expireFull, expireDiff]) {
      const { reason, labels } = decide(info.backups, retention, nowSeconds);
      // A full backup that stays beyond the retention stays without what builds on it, unless that stays for itself.
      const expiry = { reason, labels: labels.filter((label) => !kept.has(label)) };
      for (const label of labels) if (kept.has(label)) this.#spared.add(label);
      expiries.push(expiry);
      await this.#apply(info, expiry);
    }
    if (this.#options.plan) {
      for (const { label, stays, reason } of planBackups(before, retention, expiries, this.#spared)) {
        this.#tell(`${stays ? "keep  " : "remove"} backup ${label}: ${reason}`);
      }
    }
    return timeMet;
  }

  async #expireNamed(info: BackupInfo, label: string): Promise<void> {
    const entry = info.backups.find((backup) => backup.label === label);
    if (entry === undefined) {
      this.#context.log.warn(
        `${this.#repository.name}: backup ${label} does not exist\nHINT: run the info command and confirm the backup is listed`,
      );
      return;
    }
    const expiry = expireSet(info.backups, label);
    const pinned = info.backups.filter((backup) => expiry.labels.includes(backup.label)).find(isPinned);
    if (pinned !== undefined) {
      throw new WalferryError("BackupSetInvalid", `backup ${label} cannot be expired: ${pinned.label} is pinned`, {
        hint: `unpin it first: walferry --set=${pinned.label} unpin`,
      });
    }
    const remaining = info.backups.filter((backup) => !expiry.labels.includes(backup.label));
    const lastFull = remaining.findLast(({ type, historyId }) => type === "full" && historyId === info.currentId);
    if (entry.historyId === info.currentId && lastFull === undefined) {
      throw new WalferryError(
        "BackupSetInvalid",
        `full backup ${label} cannot be expired until another full backup has been created on this repo`,
      );
    }
    if (expiry.labels.includes(info.backups.at(-1)!.label)) {
      this.#context.log.warn(
        `${this.#repository.name}: expiring latest backup ${
          info.backups.at(-1)!.label
        } - the ability to perform point-in-time-recovery (PITR) may be affected`,
      );
    }
    await this.#apply(info, expiry);
  }

  async #apply(info: BackupInfo, expiry: BackupExpiry): Promise<void> {
    if (expiry.labels.length === 0) return;
    const what = expiry.labels.length > 1 && expiry.reason !== "diff" ? " set" : "";
    this.#info(`expire ${expiry.reason} backup${what} ${expiry.labels.join(", ")}`);
    for (const label of expiry.labels) this.#expired.add(label);
    info.backups = info.backups.filter(({ label }) => !expiry.labels.includes(label));
    info.backrestVersion = BACKREST_VERSION;
    if (this.#options.dryRun) return;
    // From here on nobody is led to it. With the manifest first, what is listed would look damaged behind a crash.
    await this.#repository.saveBackupInfo(this.#options.stanza, info);
    // Newest first, so that a backup never outlives one that it needs.
    for (const label of [...expiry.labels].reverse()) {
      const directory = this.#repository.backupPath(this.#options.stanza, label);
      await this.#repository.storage.remove(`${directory}/backup.manifest`);
      await this.#repository.storage.remove(`${directory}/backup.manifest.copy`);
      // Durably before the first of its files: with a manifest it would be taken for complete.
      await this.#repository.storage.syncPath(directory);
    }
  }

  /** Directories without a line in `backup.info`: expired just now, or left behind by a crash. The newest one may be running. */
  async #removeDirectories(info: BackupInfo): Promise<void> {
    const { storage, config } = this.#repository;
    const known = new Set(info.backups.map(({ label }) => label));
    const directories = await listBackupDirectories(this.#repository, this.#options.stanza);
    const last = directories.at(-1);
    const running = last !== undefined && !last.complete && last.hasCopy ? last.label : undefined;
    for (const { label, complete } of directories.reverse()) {
      if (known.has(label) || label === running) continue;
      if (complete && !this.#expired.has(label)) {
        // It could not be read, or belongs to a cluster that the stanza does not know: not for a retention rule to judge.
        this.#context.log.warn(
          `${this.#repository.name}: backup ${label} is complete but not in backup.info, it is kept`,
        );
        continue;
      }
      this.#context.signal.throwIfAborted();
      this.#info(`remove expired backup ${label}`);
      if (!this.#options.dryRun) await storage.removeTree(this.#repository.backupPath(this.#options.stanza, label));
    }
    const newest = info.backups.at(-1)?.label;
    if (this.#options.dryRun || !storage.features.symlinks || !config.symlink || newest === undefined) return;
    const latest = this.#repository.backupPath(this.#options.stanza, "latest");
    if ((await storage.info(latest))?.destination !== newest) await storage.symlink(latest, newest);
  }

  /** Manifests in `backup.history` of backups that are gone for longer than the retention says (behaviour spec §6.4). */
  async #expireHistory(info: BackupInfo, retention: RetentionConfig): Promise<void> {
    if (retention.historyDays === undefined) return;
    const known = new Set(info.backups.map(({ label }) => label));
    const limit = formatLabel("full", this.#context.clock.nowMs() / 1000 - retention.historyDays * 86400);
    const history = this.#repository.backupPath(this.#options.stanza, "backup.history");
    const gone: string[] = [];
    for await (const entry of this.#repository.storage.list(history, { recurse: true })) {
      const label = /\/([^/]+)\.manifest\.gz$/.exec(entry.name)?.[1];
      if (label === undefined || known.has(label) || label >= limit) continue;
      this.#info(`remove expired backup history manifest ${label}`);
      gone.push(`${history}/${entry.name}`);
    }
    if (!this.#options.dryRun) await this.#repository.storage.removeMany(gone, this.#context.signal);
  }

  async #expireArchive(
    archiveInfo: ArchiveInfo,
    backupInfo: BackupInfo,
    retention: RetentionConfig,
    timeMet: boolean,
  ): Promise<void> {
    const fulls = countingFulls(backupInfo.backups, retention, this.#context.clock.nowMs() / 1000);
    const kept = archiveRetention(retention, fulls, timeMet);
    if ("none" in kept && this.#options.archiveExpireBefore === undefined) {
      this.#info(`${kept.none} - archive logs will not be expired`);
      return;
    }
    const count = "count" in kept ? kept.count : undefined;
    const onDisk = new Set<string>();
    for await (const entry of this.#repository.storage.list(this.#repository.archivePath(this.#options.stanza))) {
      if (entry.type === "path") onDisk.add(entry.name);
    }
    for (const entry of archiveInfo.history) {
      const archiveId = archiveIdOf(entry);
      if (!onDisk.has(archiveId)) continue;
      const decision = decideArchive(
        backupInfo.backups,
        retention.archiveType,
        count,
        entry.id,
        entry.id === archiveInfo.currentId,
        this.#options.archiveExpireBefore,
      );
      if (this.#options.plan) { for (const line of describeArchivePlan(archiveId, decision)) this.#tell(line); }
      if (decision.kind === "keep all") this.#info(`${archiveId} no archive to remove`);
      else if (decision.kind === "remove archive id") await this.#removeArchiveId(archiveId);
      else await this.#removeOutside(archiveId, decision.ranges, decision.continuousFrom);
    }
  }

  async #removeArchiveId(archiveId: string): Promise<void> {
    const path = this.#repository.archivePath(this.#options.stanza, archiveId);
    this.#info(`remove archive path ${this.#repository.display(path)}`);
    if (!this.#options.dryRun) await this.#repository.storage.removeTree(path);
  }

  async #removeOutside(archiveId: string, ranges: readonly WalRange[], continuousFrom: string): Promise<void> {
    const { storage } = this.#repository;
    const root = this.#repository.archivePath(this.#options.stanza, archiveId);
    for (const range of ranges) {
      this.#context.log.detail(
        `${this.#repository.name}: ${archiveId} archive retention on backup range, start = ${range.start}${
          range.stop === undefined ? "" : `, stop = ${range.stop}`
        }`,
      );
    }
    const directories: string[] = [];
    const histories: string[] = [];
    for await (const entry of storage.list(root)) {
      if (/^[0-9A-F]{16}$/.test(entry.name)) directories.push(entry.name);
      else if (isHistoryName(entry.name) && timelineOf(entry.name) < timelineOf(continuousFrom)) {
        histories.push(entry.name);
      }
    }
    const runs = new RemovedRuns((start, stop) =>
      this.#info(`${archiveId} remove archive, start = ${start}, stop = ${stop}`)
    );
    for (const directory of directories.sort()) {
      this.#context.signal.throwIfAborted();
      if (!overlaps(directory, ranges)) {
        runs.add(directory);
        if (!this.#options.dryRun) await storage.removeTree(`${root}/${directory}`);
      } else if (directory <= continuousFrom.slice(0, 16)) {
        await this.#removeFiles(`${root}/${directory}`, ranges, runs);
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
