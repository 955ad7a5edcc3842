/**
 * The decision about every file: is it copied, or does an earlier backup hold it already. Each repository has an earlier backup of its own,
 * so that a file can be copied to one and be referred to in another. Knows no store and reads nothing.
 */
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { CONTROL_FILE } from "../postgres/control_file.ts";
import type { FileInWal } from "../postgres/wal_summaries.ts";
import type { BundleConfig } from "../repository/config.ts";
import { hasCheckedPages } from "../postgres/directory_rules.ts";
import { type BlockDecision, type BlockSettings, blocksOf } from "./block_plan.ts";
import { withPrior } from "./delta.ts";

/** Manifest name of the control file: it is read with care, must be there, and is never taken from an earlier backup. */
export const CONTROL_NAME = `pg_data/${CONTROL_FILE}`;

/** What replay writes, and nothing else does. All other files may differ between primary and standby: settings, slots, the WAL. */
const REPLAYED = /^(pg_data\/(base|global|pg_xact|pg_multixact)|pg_tblspc)\//;

/**
 * Whether a backup that uses a standby reads this file there (commands-and-behaviour §4.5). The control file says where recovery begins:
 * that is the primary's word.
 */
export function isFromStandby(name: string): boolean {
  return name !== CONTROL_NAME && REPLAYED.test(name);
}

/** Files up to this size are held in memory: comparing their content costs no second reading. Bytes. */
export const WHOLE_BYTES = 1024 * 1024;

/** What one repository needs of a file that is read. */
export interface TargetDecision {
  /** It is stored together with other small files. */
  readonly bundled: boolean;
  /** Its pages carry checksums that are to be checked. */
  readonly checkPages: boolean;
  /** Entry for the case that the content is that of the earlier backup still: nothing is stored then. */
  readonly unchanged?: ManifestFile;
  /** It is stored in blocks. `unchanged`: entry for the case that the earlier backup turns out to have all of them. */
  readonly blocks?: BlockDecision & { readonly unchanged?: ManifestFile };
  /** An interrupted backup has stored it. `compare`: the cluster's content must be held against it, since times cannot be trusted. */
  readonly resumed?: {
    readonly entry: ManifestFile;
    readonly compare: boolean;
    /** It was read from a standby: until it is compared it is not known to be what the primary had. */
    readonly isUnsure: boolean;
  };
}

/** The file is read, and stored where it is needed. */
export interface CopyDecision {
  readonly file: ManifestFile;
  /** Repositories that need it, by key. */
  readonly targets: ReadonlyMap<number, TargetDecision>;
}

/** What is to be done. */
export interface BackupPlan {
  readonly copies: readonly CopyDecision[];
  /** Complete entries of files that are not even read, by key of the repository: those of earlier backups, and empty ones beside bundles. */
  readonly references: ReadonlyMap<number, readonly ManifestFile[]>;
}

/** What a worker does in one go: a file, or the small files of one bundle. */
export interface CopyJob {
  readonly copies: readonly CopyDecision[];
  /** Number of the bundle, from 1; the same in every repository that bundles. */
  readonly bundleId?: number;
  /** It reads the primary in a backup that otherwise reads a standby: one such job at a time, so that the primary has little to do. */
  readonly sparesPrimary?: boolean;
}

/** What the decisions for one repository depend on besides the files. */
export interface PlanSettings {
  /** Page checksums are checked. */
  readonly checksumPage: boolean;
  /** Manifest of the backup that this one builds on; absent for a full backup, which copies everything. */
  readonly prior: Manifest | undefined;
  /** Contents are compared, not times. */
  readonly delta: boolean;
  /** What the WAL since the start of the prior backup says of a file; absent = nothing. */
  readonly inWal?: (name: string) => FileInWal;
  /** Entries of files that an interrupted backup has stored, or (with a reference) found as the prior one has them; by name. */
  readonly resumed?: ReadonlyMap<string, ManifestFile>;
  /** That backup read from a standby. */
  readonly resumedFromStandby?: boolean;
  /** Small files are stored together. */
  readonly bundle?: BundleConfig;
  /** Files that change in parts are stored in blocks. */
  readonly blocks?: BlockSettings;
}

type Decision = { readonly entry: ManifestFile } | Pick<TargetDecision, "unchanged">;

/**
 * Decides about every file.
 *
 * @param files sorted by name in byte order
 * @param settings by key of the repository
 */
export function planBackup(
  files: readonly ManifestFile[],
  settings: ReadonlyMap<number, PlanSettings>,
): BackupPlan {
  const targets: (Map<number, TargetDecision> | undefined)[] = files.map(() => undefined);
  const references = new Map<number, ManifestFile[]>();
  for (const [key, setting] of settings) {
    const complete: ManifestFile[] = [];
    let index = 0;
    for (const [file, before] of withPrior(files, setting.prior?.files ?? [])) {
      const checkPages = setting.checksumPage && hasCheckedPages(file.name);
      const decision = decide(file, before, checkPages, setting);
      if ("entry" in decision) complete.push(decision.entry);
      else {
        const bundled = setting.bundle !== undefined && file.sizeBytes <= setting.bundle.limitBytes &&
          file.name !== CONTROL_NAME;
        const resumed = resumedOf(file, setting, checkPages);
        const blocks = blocksFor(file, before, setting);
        (targets[index] ??= new Map()).set(key, { ...decision, bundled, checkPages, blocks, resumed });
      }
      index++;
    }
    references.set(key, complete);
  }
  const copies = files.flatMap((file, index): CopyDecision[] => {
    const own = targets[index];
    return own === undefined ? [] : [{ file, targets: own }];
  });
  return { copies, references };
}

function decide(
  file: ManifestFile,
  before: ManifestFile | undefined,
  checkPages: boolean,
  { prior, delta, bundle, resumed, inWal }: PlanSettings,
): Decision {
  // Beside bundles nothing is stored of an empty file, and nothing referred to.
  if (bundle !== undefined && file.sizeBytes === 0) {
    return { entry: { ...file, repoSizeBytes: 0, checksumPage: checkPages ? true : undefined } };
  }
  if (before === undefined || file.name === CONTROL_NAME || file.sizeBytes !== before.sizeBytes) return {};
  if (file.sizeBytes === 0) {
    // A backup with bundles stores nothing for an empty file: there is nothing to refer to.
    const isStored = !prior!.bundle || before.reference !== undefined;
    return isStored ? { entry: referenceTo(file, before, prior!.label) } : {};
  }
  if (before.checksum === undefined) return {};
  const wal = inWal?.(file.name);
  if (wal === "unchanged" && isSound(before)) return { entry: referenceTo(file, before, prior!.label) };
  if (!delta && wal !== "changed" && isFoundSame(file, before, prior!, resumed?.get(file.name))) {
    return { entry: referenceTo(file, before, prior!.label) };
  }
  // Compared whatever its size: the time of such a file stays, so that only its content tells.
  if (!delta && mayLag(file, prior!)) return { unchanged: referenceTo(file, before, prior!.label) };
  if (!delta && file.timestamp === before.timestamp) {
    const reference = referenceTo(file, before, prior!.label);
    return wal === "changed" ? { unchanged: reference } : { entry: reference };
  }
  // A small file is compared even where its time has changed: PostgreSQL touches files without changing them.
  if (delta || file.sizeBytes <= WHOLE_BYTES) return { unchanged: referenceTo(file, before, prior!.label) };
  return {};
}

/** An interrupted backup has read this file and found it as the prior one has it; it has not changed since. */
function isFoundSame(
  file: ManifestFile,
  before: ManifestFile,
  prior: Manifest,
  found: ManifestFile | undefined,
): boolean {
  return found?.reference !== undefined && found.reference === (before.reference ?? prior.label) &&
    found.checksum === before.checksum && found.sizeBytes === file.sizeBytes && found.timestamp === file.timestamp;
}

/** The prior backup saw nothing odd in it: a size that changed while it was copied, or bad pages, is a reason to look again. */
function isSound({ sizeOriginalBytes, checksumPage }: ManifestFile): boolean {
  return sizeOriginalBytes === undefined && checksumPage !== false;
}

/** The control file is small, and read by programs that look into a repository. */
function blocksFor(
  file: ManifestFile,
  before: ManifestFile | undefined,
  setting: PlanSettings,
): TargetDecision["blocks"] {
  if (file.name === CONTROL_NAME) return undefined;
  const blocks = blocksOf(file, before, setting.prior?.label, setting.blocks);
  if (blocks?.prior === undefined) return blocks;
  return { ...blocks, unchanged: referenceTo(file, blocks.prior, blocks.prior.reference) };
}

/**
 * Whether the prior backup may hold less than the time of the file promises. Times are those of the primary, contents were a standby's, and
 * that was on disk there only what the primary had written when the backup started. What the primary wrote while the standby was read is
 * in the WAL of that backup, but not in that of this one.
 */
function mayLag({ timestamp, name }: ManifestFile, prior: Manifest): boolean {
  return prior.options.backupStandby === true && timestamp >= prior.timestampStart && isFromStandby(name);
}

/** What an interrupted backup has of this file, if it can be this file still. An empty file is copied sooner than looked at. */
function resumedOf(
  file: ManifestFile,
  { resumed, resumedFromStandby, delta }: PlanSettings,
  checkPages: boolean,
): TargetDecision["resumed"] {
  const stored = resumed?.get(file.name);
  if (stored === undefined || stored.reference !== undefined) return undefined;
  if (file.name === CONTROL_NAME || file.sizeBytes === 0) return undefined;
  const isSame = stored.sizeBytes === file.sizeBytes && (delta || stored.timestamp === file.timestamp);
  const isChecked = (stored.checksumPage !== undefined) === checkPages;
  if (!isSame || !isChecked) return undefined;
  const { timestamp, mode, user, group } = file;
  const isUnsure = resumedFromStandby === true && isFromStandby(file.name);
  return {
    entry: { ...stored, sizeOriginalBytes: undefined, timestamp, mode, user, group },
    compare: delta || isUnsure,
    isUnsure,
  };
}

/** Entry of a file whose bytes are where an earlier backup says; owner, mode and time are what they are now. */
function referenceTo(file: ManifestFile, before: ManifestFile, priorLabel: string): ManifestFile {
  return {
    ...before,
    sizeOriginalBytes: undefined,
    timestamp: file.timestamp,
    mode: file.mode,
    user: file.user,
    group: file.group,
    // Always the backup that holds the bytes: there is never a chain to follow (repository-format §5.3).
    reference: before.reference ?? priorLabel,
  };
}

/**
 * The copies as jobs, in the order in which they are begun: one queue for the data directory and one for each tablespace, taken from in turn,
 * so that all disks are busy. In a queue the largest file comes first, so that no long one is left for the end; behind them the bundles, of
 * files that were last changed about the same time, since they will change together again. What an interrupted backup has in its bundles makes
 * jobs of its own, each of one of these bundles in its order: it is only looked at, and goes into a new bundle where it is damaged.
 *
 * @param bundleBytes a bundle is full when its files have this size together
 * @param fromStandby which files are read from a standby; absent = there is none. The others make a queue of their own.
 */
export function orderJobs(
  copies: readonly CopyDecision[],
  bundleBytes: number,
  fromStandby?: (name: string) => boolean,
): CopyJob[] {
  const queues = new Map<string, CopyDecision[]>();
  for (const copy of copies) {
    const root = fromStandby?.(copy.file.name) === false ? PRIMARY : rootOf(copy.file.name);
    const queue = queues.get(root);
    if (queue === undefined) queues.set(root, [copy]);
    else queue.push(copy);
  }
  const sorted = [...queues].map(([root, queue]) => {
    const small = queue.filter((copy) => isBundled(copy) && !isAllResumed(copy))
      .sort((a, b) => a.file.timestamp - b.file.timestamp || byName(a, b));
    const bundled = queue.filter((copy) => isBundled(copy) && isAllResumed(copy));
    const alone = queue.filter((copy) => !isBundled(copy))
      .sort((a, b) => b.file.sizeBytes - a.file.sizeBytes || byName(a, b));
    return {
      root,
      jobs: [...alone.map((copy) => [copy]), ...bundlesOf(small, bundleBytes), ...bundlesOfBefore(bundled)],
    };
  });
  const jobs: CopyJob[] = [];
  const longest = sorted.reduce((most, queue) => Math.max(most, queue.jobs.length), 0);
  let bundleId = lastBundleOf(copies);
  for (let turn = 0; turn < longest; turn++) {
    for (const queue of sorted) {
      const job = queue.jobs[turn];
      if (job === undefined) continue;
      const bundled = isBundled(job[0]!) ? ++bundleId : undefined;
      jobs.push({ copies: job, bundleId: bundled, sparesPrimary: queue.root === PRIMARY });
    }
  }
  return jobs;
}

function isBundled({ targets }: CopyDecision): boolean {
  for (const { bundled } of targets.values()) if (bundled) return true;
  return false;
}

/** No repository needs more of it than a look at what is stored. */
function isAllResumed({ targets }: CopyDecision): boolean {
  for (const { resumed } of targets.values()) if (resumed === undefined) return false;
  return true;
}

/** Where a file is in the bundles of an interrupted backup, of the first repository that has it in one. */
function placeBefore({ targets }: CopyDecision): readonly [bundleId: number, offsetBytes: number] {
  for (const { resumed } of targets.values()) {
    if (resumed?.entry.bundleId !== undefined) return [resumed.entry.bundleId, resumed.entry.bundleOffset ?? 0];
  }
  return [0, 0];
}

/** The highest number of a bundle that is in use already: new ones come behind it. */
function lastBundleOf(copies: readonly CopyDecision[]): number {
  let last = 0;
  for (const { targets } of copies) {
    for (const { resumed } of targets.values()) last = Math.max(last, resumed?.entry.bundleId ?? 0);
  }
  return last;
}

function bundlesOfBefore(copies: readonly CopyDecision[]): CopyDecision[][] {
  const bundles = new Map<number, CopyDecision[]>();
  for (const copy of copies) {
    const [bundleId] = placeBefore(copy);
    const bundle = bundles.get(bundleId);
    if (bundle === undefined) bundles.set(bundleId, [copy]);
    else bundle.push(copy);
  }
  return [...bundles.values()].map((bundle) => bundle.sort((a, b) => placeBefore(a)[1] - placeBefore(b)[1]));
}

function byName(a: CopyDecision, b: CopyDecision): number {
  return a.file.name < b.file.name ? -1 : 1;
}

function bundlesOf(copies: readonly CopyDecision[], bundleBytes: number): CopyDecision[][] {
  const bundles: CopyDecision[][] = [];
  let sizeBytes = Infinity;
  for (const copy of copies) {
    if (sizeBytes >= bundleBytes) {
      bundles.push([]);
      sizeBytes = 0;
    }
    bundles.at(-1)!.push(copy);
    sizeBytes += copy.file.sizeBytes;
  }
  return bundles;
}

/** Queue of what a backup from a standby reads from the primary. */
const PRIMARY = "primary";

/** `pg_data`, or `pg_tblspc/<oid>`. */
function rootOf(name: string): string {
  return name.startsWith("pg_tblspc/") ? name.split("/", 2).join("/") : "pg_data";
}
