/**
 * Doing what `retention.ts` decides, in an order in which a crash never leaves a backup that looks usable and is not: a backup's line in
 * `backup.info` goes first, then its manifest, then its files; WAL goes last. A crash before its manifest goes leaves a backup that is whole and
 * not listed: the next run lists it again, and expires it again.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { BackupInfo, BackupInfoEntry } from "../format/backup_info.ts";
import { formatLabel, parseLabel } from "../format/label.ts";
import type { CommandContext } from "../process/command_context.ts";
import { BACKREST_VERSION } from "../version.ts";
import { listBackupDirectories, reconcileBackupInfo, withLost } from "./backup_catalog.ts";
import type { RetentionConfig } from "./config.ts";
import { ArchiveExpiry } from "./expire_archive.ts";
import { planBackups } from "./expire_plan.ts";
import { isPinned, keptBeyond, sparedLabels, withNeeds } from "./keep.ts";
import type { ExpireOptions } from "./options.ts";
import type { Repository } from "./repository.ts";
import { describeFailure, type RepositoryFailure, RepositorySet } from "./repository_set.ts";
import { type BackupExpiry, expireDiff, expireFull, expireSet, withDependants } from "./retention.ts";
import { loadMatchingInfos } from "./stanza.ts";
import { removeUnfinishedWrites } from "./unfinished_writes.ts";

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
  // A dry run changes nothing that could be read again: what would stay is handed on.
  const staying = new Map<number, BackupInfo>();
  for (const repository of ordered) {
    try {
      if (isWal(repository)) await new ArchiveExpiry(repository, options, context).runWithoutBackups(staying);
      else staying.set(repository.key, await new RepositoryExpiry(repository, options, context).run());
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
  /** Listed backups that cannot be used and may be mended: they do not count, and go when they would go if they did. */
  #lost: readonly BackupInfoEntry[] = [];
  /** Labels that stay only because something else than the number or days of the retention keeps them. */
  readonly #spared = new Set<string>();

  constructor(repository: Repository, options: ExpireOptions, context: CommandContext) {
    this.#repository = repository;
    this.#options = options;
    this.#context = context;
  }

  /** @returns the list of what stays */
  async run(): Promise<BackupInfo> {
    const { archiveInfo, backupInfo } = await loadMatchingInfos(this.#repository, this.#options.stanza);
    const { changed, lost } = await reconcileBackupInfo(
      this.#repository,
      this.#options.stanza,
      backupInfo,
      this.#context.log,
    );
    this.#lost = lost;
    if (changed && !this.#options.dryRun) await this.#save(backupInfo);
    const { retention } = this.#repository.config;
    const { timeMet, ofWal, spared } = await this.#expireBackups(backupInfo, retention);
    await this.#removeDirectories(backupInfo);
    if (!this.#options.dryRun) {
      await removeUnfinishedWrites(this.#repository, this.#options.stanza, this.#context);
    }
    await this.#expireHistory(backupInfo, retention);
    await new ArchiveExpiry(this.#repository, this.#options, this.#context)
      .run(archiveInfo, backupInfo, ofWal, timeMet, spared, this.#lost);
    return withLost(backupInfo, this.#lost);
  }

  async #save(info: BackupInfo): Promise<void> {
    await this.#repository.saveBackupInfo(this.#options.stanza, withLost(info, this.#lost));
  }

  #tell(line: string): void {
    this.#context.output(`${this.#repository.name}: ${line}\n`);
  }

  #info(message: string): void {
    this.#context.log.info(`${this.#repository.name}: ${message}`);
  }

  /** @returns whether full retention by time found something old enough; the retention for the WAL behind it, and who does not count for it */
  async #expireBackups(
    info: BackupInfo,
    retention: RetentionConfig,
  ): Promise<{ readonly timeMet: boolean; readonly ofWal: RetentionConfig; readonly spared: ReadonlySet<string> }> {
    const { set, oldest } = this.#options;
    const nowSeconds = this.#context.clock.nowMs() / 1000;
    const before = [...info.backups];
    const kept = withNeeds(before, keptBeyond(before, retention.keep).keys());
    const eligible = oldest ? this.#oldest(before, kept) : undefined;
    const deciders = set !== undefined
      ? [() => this.#named(info, set)]
      : [oldest ? () => eligible ?? { reason: "oldest", labels: [] } : expireFull, expireDiff];
    const expiries: BackupExpiry[] = [];
    for (const decide of deciders) {
      const { reason, labels } = decide(info.backups, retention, nowSeconds);
      // A full backup that stays beyond the retention stays without what builds on it, unless that stays for itself.
      const isSpared = (label: string) => reason !== "adhoc" && kept.has(label);
      const expiry = { reason, labels: labels.filter((label) => !isSpared(label)) };
      for (const label of labels) if (isSpared(label)) this.#spared.add(label);
      expiries.push(expiry);
      await this.#apply(info, expiry);
    }
    const lost = this.#lost;
    const goneLost = this.#expireLost(before, retention, nowSeconds, expiries);
    this.#lost = lost.filter(({ label }) => !goneLost.labels.includes(label));
    await this.#apply(info, goneLost);
    if (this.#options.plan) {
      for (const { label, stays, reason } of planBackups(before, retention, expiries, this.#spared)) {
        this.#tell(`${stays ? "keep  " : "remove"} backup ${label}: ${reason}`);
      }
      for (const { label } of lost) {
        const goes = goneLost.labels.includes(label);
        this.#tell(
          `${goes ? "remove" : "keep  "} backup ${label}: it has lost its manifest, or builds on one that has`,
        );
      }
    }
    const timeMet = set === undefined && retention.fullType === "time" && retention.full !== undefined &&
      before.some(({ type, timestampStop }) => type === "full" && timestampStop < nowSeconds - retention.full! * 86400);
    if (eligible !== undefined) return { timeMet, ofWal: keepingAll(info, retention), spared: new Set() };
    // Where one was named the retention judged no backup: all that are there count.
    const spared = set === undefined ? sparedLabels(info.backups, retention, nowSeconds) : new Set<string>();
    return { timeMet, ofWal: retention, spared };
  }

  /**
   * Lost backups that would go now if they could be used, and those that build on what went.
   * @param backups that can be used, before anything went
   */
  #expireLost(
    backups: readonly BackupInfoEntry[],
    retention: RetentionConfig,
    nowSeconds: number,
    expiries: readonly BackupExpiry[],
  ): BackupExpiry {
    const { set, oldest } = this.#options;
    const lost = new Set(this.#lost.map(({ label }) => label));
    let all = [...backups, ...this.#lost].sort((a, b) => (a.label < b.label ? -1 : 1));
    const kept = withNeeds(all, keptBeyond(all, retention.keep).keys());
    const gone = new Set(withDependants(all, expiries.flatMap(({ labels }) => labels)));
    if (set !== undefined && lost.has(set)) { for (const label of this.#setToExpire(all, set)) gone.add(label); }
    for (const decide of set === undefined && !oldest ? [expireFull, expireDiff] : []) {
      const labels = decide(all, retention, nowSeconds).labels.filter((label) => !kept.has(label));
      all = all.filter(({ label }) => !labels.includes(label));
      for (const label of labels) gone.add(label);
    }
    return { reason: expiries[0]!.reason, labels: [...gone].filter((label) => lost.has(label)).sort() };
  }

  /** @throws WalferryError `BackupSetInvalid` when one of them is pinned */
  #setToExpire(backups: readonly BackupInfoEntry[], label: string): readonly string[] {
    const { labels } = expireSet(backups, label);
    const pinned = backups.filter((backup) => labels.includes(backup.label)).find(isPinned);
    if (pinned === undefined) return labels;
    throw new WalferryError("BackupSetInvalid", `backup ${label} cannot be expired: ${pinned.label} is pinned`, {
      hint: `unpin it first: walferry --set=${pinned.label} unpin`,
    });
  }

  /** `--oldest`: the oldest full backup that nothing else keeps, while another one stays. */
  #oldest(backups: readonly BackupInfoEntry[], kept: ReadonlySet<string>): BackupExpiry | undefined {
    const fulls = backups.filter(({ type }) => type === "full");
    const oldest = fulls.slice(0, -1).find(({ label }) => !kept.has(label));
    if (oldest !== undefined) return { reason: "oldest", labels: withDependants(backups, [oldest.label]) };
    this.#context.log.warn(`${this.#repository.name}: expire oldest requested but no eligible full backup`);
    return undefined;
  }

  /** `--set` @throws WalferryError `BackupSetInvalid` */
  #named(info: BackupInfo, label: string): BackupExpiry {
    if (this.#lost.some((backup) => backup.label === label)) return { reason: "adhoc", labels: [] };
    if (!info.backups.some((backup) => backup.label === label)) {
      this.#context.log.warn(
        `${this.#repository.name}: backup ${label} does not exist\nHINT: run the info command and confirm the backup is listed`,
      );
      return { reason: "adhoc", labels: [] };
    }
    // A lost one that builds on it may be the pinned one.
    this.#setToExpire(withLost(info, this.#lost).backups, label);
    const expiry = expireSet(info.backups, label);
    // As the original: the newest full backup, unless the one before it is of the same cluster.
    const [before, newest] = [undefined, ...info.backups.filter(({ type }) => type === "full")].slice(-2);
    if (label === newest?.label && before?.historyId !== newest.historyId) {
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
    return expiry;
  }

  async #apply(info: BackupInfo, expiry: BackupExpiry): Promise<void> {
    if (expiry.labels.length === 0) return;
    const what = expiry.labels.length > 1 && expiry.reason !== "diff" ? " set" : "";
    const reason = expiry.reason === "oldest" ? "full" : expiry.reason;
    this.#info(`expire ${reason} backup${what} ${expiry.labels.join(", ")}`);
    for (const label of expiry.labels) this.#expired.add(label);
    info.backups = info.backups.filter(({ label }) => !expiry.labels.includes(label));
    info.backrestVersion = BACKREST_VERSION;
    if (this.#options.dryRun) return;
    // From here on nobody is led to it. With the manifest first, what is listed would look damaged behind a crash.
    await this.#save(info);
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
    const known = new Set(withLost(info, this.#lost).backups.map(({ label }) => label));
    const directories = await listBackupDirectories(this.#repository, this.#options.stanza);
    const last = directories.at(-1);
    const running = last !== undefined && !last.complete && last.hasCopy ? last.label : undefined;
    for (const { label, complete } of directories.toReversed()) {
      if (known.has(label) || label === running) continue;
      if (complete && !this.#expired.has(label)) {
        // It could not be read, or belongs to a cluster that the stanza does not know: not for a retention rule to judge.
        this.#context.log.warn(
          `${this.#repository.name}: backup ${label} is complete but not in backup.info, it is kept`,
        );
        continue;
      }
      // What has lost its manifest may be what others need, and can be mended.
      const isNeeded = directories.some((other) => other.complete && other.label.startsWith(`${label}_`));
      if (!this.#expired.has(label) && isNeeded) {
        this.#context.log.warn(
          `${this.#repository.name}: backup ${label} has lost its manifest, it is kept\nHINT: repo-sync brings it from a repository that has it.`,
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
    const known = new Set(withLost(info, this.#lost).backups.map(({ label }) => label));
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
}

/** Behind `--oldest` the WAL stays from the oldest full backup on that is left, whatever the number or days of the retention. */
function keepingAll({ backups }: BackupInfo, retention: RetentionConfig): RetentionConfig {
  const fulls = backups.filter(({ type }) => type === "full").length;
  return { ...retention, archiveType: "full", archive: fulls === 0 ? undefined : fulls };
}
