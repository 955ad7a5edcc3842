/** Random repositories for `expire`: what a stanza may have gone through, and settings and requests for it. Repeatable by their seed. */
import { type ArchiveInfo, renderArchiveInfo } from "../../src/format/archive_info.ts";
import { type BackupInfo, type BackupInfoEntry, renderBackupInfo } from "../../src/format/backup_info.ts";
import { formatLabel } from "../../src/format/label.ts";
import { parseManifest, renderManifest } from "../../src/format/manifest_codec.ts";
import { segmentNameOf } from "../../src/format/wal_name.ts";
import type { RetentionConfig } from "../../src/repository/config.ts";
import { PIN } from "../../src/repository/keep.ts";
import { BACKREST_VERSION } from "../../src/version.ts";
import { MANIFEST } from "./info_samples.ts";
import { random } from "./random.ts";
import { ONLINE } from "./backup_options.ts";
import { STANZA } from "./stanza_files.ts";

const HASH = "0123456789abcdef0123456789abcdef01234567";
const SEGMENT_BYTES = 16 * 1024 * 1024;
const HOUR = 3600;

/** What is asked for besides the retention. */
export interface ExpireRequest {
  readonly set?: string;
  readonly oldest: boolean;
  readonly archiveExpireBefore?: string;
}

/** A stanza as it is before `expire`. */
export interface ExpireCase {
  readonly seed: number;
  readonly archiveInfo: ArchiveInfo;
  readonly backupInfo: BackupInfo;
  /** Backups whose directory has a manifest and that `backup.info` does not list. */
  readonly unlisted: readonly BackupInfoEntry[];
  /** Labels of backups that have no manifest any more, and of those that need one of them. */
  readonly lost: ReadonlySet<string>;
  /** Paths of files below the repository, with their content. */
  readonly files: ReadonlyMap<string, string>;
  readonly retention: RetentionConfig;
  readonly request: ExpireRequest;
  /** Backups are pinned, or kept by days, weeks and months: the original knows nothing of it. */
  readonly isOwn: boolean;
  /** Some cluster went on with a lower timeline than it had, because a promotion was given up. */
  readonly wentBack: boolean;
}

/** @param nowSeconds the time of the test, seconds since the epoch: backups are some weeks old */
export function expireCase(seed: number, nowSeconds: number): ExpireCase {
  return new CaseMaker(seed, nowSeconds).make();
}

class CaseMaker {
  readonly #seed: number;
  readonly #below: (below: number) => number;
  readonly #isOwn: boolean;
  readonly #files = new Map<string, string>();
  readonly #backups: BackupInfoEntry[] = [];
  readonly #history: BackupInfo["history"] = [];
  readonly #segments: string[] = [];
  #seconds: number;
  readonly #lost = new Set<string>();
  #wentBack = false;

  constructor(seed: number, nowSeconds: number) {
    this.#seed = seed;
    this.#below = random(seed);
    this.#isOwn = this.#chance(25);
    // Not on the hour: no decision lies on the very second of a limit.
    this.#seconds = nowSeconds - 45 * 24 * HOUR - 1800;
  }

  #chance(percent: number): boolean {
    return this.#below(100) < percent;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  make(): ExpireCase {
    const clusters = this.#pick([1, 1, 1, 2, 2, 3]);
    for (let id = 1; id <= clusters; id++) this.#cluster(id);
    this.#backups.sort((a, b) => (a.label < b.label ? -1 : 1));
    const unlisted = this.#directories();
    this.#manifestHistory();
    const head = { backrestVersion: BACKREST_VERSION, currentId: clusters };
    const archiveInfo = {
      ...head,
      history: this.#history.map(({ id, pgVersion, systemId }) => ({ id, pgVersion, systemId })),
    };
    const backupInfo = {
      ...head,
      history: this.#history,
      backups: this.#backups.filter((entry) => !unlisted.includes(entry)),
    };
    for (const end of ["", ".copy"]) {
      this.#files.set(`archive/${STANZA}/archive.info${end}`, renderArchiveInfo(archiveInfo));
      this.#files.set(`backup/${STANZA}/backup.info${end}`, renderBackupInfo(backupInfo));
    }
    return {
      seed: this.#seed,
      archiveInfo,
      backupInfo,
      unlisted,
      lost: this.#lost,
      files: this.#files,
      retention: this.#retention(),
      request: this.#request(backupInfo.backups),
      isOwn: this.#isOwn,
      wentBack: this.#wentBack,
    };
  }

  /** The life of a cluster: segments, backups, promotions. */
  #cluster(id: number): void {
    const pgVersion = this.#pick(["13", "14", "15"]);
    this.#history.push({
      id,
      pgVersion,
      systemId: 1000n + BigInt(id),
      catalogVersion: 202209061,
      controlVersion: 1300,
    });
    const archive = `archive/${STANZA}/${pgVersion}-${id}`;
    const timelines = [1];
    let position = this.#pick([1, 0xf8, 0x1f0]);
    let full: BackupInfoEntry | undefined;
    const chain: BackupInfoEntry[] = [];
    for (let steps = this.#below(14); steps > 0; steps--) {
      this.#seconds += (1 + this.#below(72)) * HOUR;
      const timeline = timelines.at(-1)!;
      const what = this.#below(10);
      if (what < 3) position = this.#archive(archive, timeline, position, 1 + this.#below(6));
      else if (what === 3) {
        // A promotion: the new timeline begins here, or earlier when it was a recovery to a moment in the past.
        const next = Math.max(...timelines) + 1 + this.#below(2);
        if (this.#chance(20)) this.#file(`${archive}/${this.#directory(timeline, position)}.partial-${HASH}.gz`);
        if (this.#chance(90)) this.#file(`${archive}/${hex(next)}.history`);
        if (this.#chance(50)) position = Math.max(1, position - this.#below(6));
        timelines.push(next);
      } else if (what === 4 && this.#chance(15) && timelines.length > 1) {
        timelines.pop();
        this.#wentBack = true;
      } else {
        const start = position;
        position = this.#archive(archive, timeline, position, 1 + this.#below(3));
        const type = full === undefined
          ? "full"
          : this.#pick(["full", "diff", "diff", "incr", "incr", "incr"] as const);
        const prior = type === "full"
          ? undefined
          : type === "diff"
          ? full
          : this.#chance(85)
          ? chain.at(-1)
          : this.#pick(chain);
        const entry = this.#backup(id, type, prior, chain, timeline, start, position - 1);
        if (type === "full") {
          full = entry;
          chain.length = 0;
        }
        chain.push(entry);
        if (this.#chance(40)) {
          this.#file(`${archive}/${this.#directory(timeline, start)}.00000028.backup`);
        }
      }
    }
    if (this.#chance(5)) this.#file(`${archive}/unknown`);
    if (this.#chance(5)) this.#file(`archive/${STANZA}/12-${id + 5}/${this.#directory(1, 1)}-${HASH}`);
  }

  #backup(
    historyId: number,
    type: BackupInfoEntry["type"],
    prior: BackupInfoEntry | undefined,
    chain: readonly BackupInfoEntry[],
    timeline: number,
    start: number,
    stop: number,
  ): BackupInfoEntry {
    this.#seconds += 60;
    const online = !this.#chance(4);
    const ancestors: string[] = [];
    for (let at = prior; at !== undefined; at = chain.find(({ label }) => label === at!.prior)) {
      ancestors.push(at.label);
    }
    const entry: BackupInfoEntry = {
      label: formatLabel(type, this.#seconds, chain[0]?.label),
      type,
      backrestFormat: 5,
      backrestVersion: BACKREST_VERSION,
      error: false,
      ...(this.#isOwn && this.#chance(15) ? { annotations: new Map([[PIN, "kept"]]) } : {}),
      ...(online ? { archiveStart: segmentNameOf(timeline, start, SEGMENT_BYTES) } : {}),
      ...(online ? { archiveStop: segmentNameOf(timeline, stop, SEGMENT_BYTES) } : {}),
      repoSizeBytes: 1,
      repoSizeDeltaBytes: 1,
      sizeBytes: 1,
      sizeDeltaBytes: 1,
      ...(prior === undefined ? {} : { prior: prior.label }),
      ...(type === "full" ? {} : { references: ancestors.filter(() => this.#chance(80)).sort() }),
      timestampStart: this.#seconds,
      timestampStop: this.#seconds + this.#pick([60, 2 * HOUR, 30 * HOUR]),
      historyId,
      options: { ...ONLINE, online },
    };
    this.#backups.push(entry);
    return entry;
  }

  /** @returns the position behind */
  #archive(archive: string, timeline: number, position: number, count: number): number {
    for (let at = position; at < position + count; at++) {
      this.#segments.push(segmentNameOf(timeline, at, SEGMENT_BYTES));
      if (this.#chance(93)) {
        this.#file(`${archive}/${this.#directory(timeline, at)}-${HASH}${this.#pick(["", ".gz", ".zst"])}`);
      }
    }
    return position + count + (this.#chance(10) ? this.#pick([1, 0x80, 0x200]) : 0);
  }

  #directory(timeline: number, position: number): string {
    const name = segmentNameOf(timeline, position, SEGMENT_BYTES);
    return `${name.slice(0, 16)}/${name}`;
  }

  #file(path: string, content = "x"): void {
    this.#files.set(path, content);
  }

  /** @returns backups that are complete and not listed */
  #directories(): BackupInfoEntry[] {
    const unlisted: BackupInfoEntry[] = [];
    const mayLose = this.#chance(15);
    for (const entry of this.#backups) {
      const manifest = this.#manifest(entry);
      const directory = `backup/${STANZA}/${entry.label}`;
      this.#file(`${directory}/pg_data/PG_VERSION`);
      if (entry.prior !== undefined && this.#lost.has(entry.prior)) this.#lost.add(entry.label);
      if (mayLose && this.#chance(20)) {
        this.#lost.add(entry.label);
        continue;
      }
      this.#file(`${directory}/backup.manifest`, manifest);
      this.#file(`${directory}/backup.manifest.copy`, manifest);
      if (this.#chance(3)) unlisted.push(entry);
    }
    // What a crash left, or what runs: without a manifest, not listed.
    const last = this.#backups.at(-1);
    for (let count = this.#pick([0, 0, 1, 2]); count > 0 && last !== undefined; count--) {
      const type = this.#pick(["full", "incr"] as const);
      const seconds = this.#chance(60) ? this.#seconds + 7200 + count : last.timestampStart - 5 * 24 * HOUR + count;
      const label = formatLabel(type, seconds, last.label.slice(0, 16));
      const entry = { ...last, label, type, prior: type === "full" ? undefined : last.label };
      if (this.#chance(70)) this.#file(`backup/${STANZA}/${label}/backup.manifest.copy`, this.#manifest(entry));
      this.#file(`backup/${STANZA}/${label}/pg_data/PG_VERSION`);
    }
    return unlisted;
  }

  #manifest(entry: BackupInfoEntry): string {
    const cluster = this.#history.find(({ id }) => id === entry.historyId)!;
    const sample = parseManifest(MANIFEST);
    const { id, ...identity } = cluster;
    return [...renderManifest({
      ...sample,
      ...identity,
      historyId: id,
      label: entry.label,
      type: entry.type,
      prior: entry.prior,
      references: [...(entry.references ?? []), entry.label],
      archiveStart: entry.archiveStart,
      archiveStop: entry.archiveStop,
      timestampStart: entry.timestampStart,
      timestampCopyStart: entry.timestampStart,
      timestampStop: entry.timestampStop,
      files: [...sample.files].map((file) => ({ ...file, reference: undefined })),
    })].join("");
  }

  #manifestHistory(): void {
    const gone = [40, 400, 800, 8].map((days) => formatLabel("full", this.#seconds - days * 24 * HOUR));
    for (const label of [...this.#backups.map((entry) => entry.label), ...gone]) {
      if (this.#chance(80)) this.#file(`backup/${STANZA}/backup.history/${label.slice(0, 4)}/${label}.manifest.gz`);
    }
  }

  #retention(): RetentionConfig {
    const some = (percent: number, most: number) => (this.#chance(percent) ? 1 + this.#below(most) : undefined);
    const isTime = this.#chance(35);
    return {
      fullType: isTime ? "time" : "count",
      full: some(85, isTime ? 40 : 4),
      diff: some(45, 5),
      archiveType: this.#pick(["full", "full", "full", "diff", "incr"]),
      archive: some(40, 5),
      historyDays: this.#chance(30) ? this.#pick([0, 1, 10, 30, 380]) : undefined,
      keep: this.#isOwn ? { daily: some(30, 4), weekly: some(40, 4), monthly: some(40, 3), yearly: some(20, 2) } : {},
    };
  }

  #request(backups: readonly BackupInfoEntry[]): ExpireRequest {
    const before = this.#chance(20) && this.#segments.length > 0
      ? { archiveExpireBefore: this.#pick(this.#segments) }
      : {};
    const kind = this.#below(10);
    if (kind < 2 && backups.length > 0) return { set: this.#pick(backups).label, oldest: false, ...before };
    if (kind === 2) return { set: "20200101-000000F", oldest: false, ...before };
    return { oldest: kind === 3 || kind === 4, ...before };
  }
}

function hex(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(8, "0");
}
