/**
 * The decision about every file: is it copied, or does an earlier backup hold it already. Each repository has an earlier backup of its own,
 * so that a file can be copied to one and be referred to in another. Knows no store and reads nothing.
 */
import { WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile, ManifestFiles } from "../format/manifest.ts";
import { CONTROL_FILE } from "../postgres/control_file.ts";
import type { FileInWal } from "../postgres/wal_summaries.ts";
import type { BundleConfig } from "../repository/config.ts";
import { hasCheckedPages } from "../postgres/directory_rules.ts";
import { type BlockDecision, type BlockSettings, blocksOf } from "./block_plan.ts";
import { withPrior } from "./delta.ts";

/** Manifest name of the control file: it is read with care, must be there, and is never taken from an earlier backup. */
export const CONTROL_NAME = `pg_data/${CONTROL_FILE}`;

/** What replay writes, and nothing else does. All other files may differ between primary and standby: settings, slots, the WAL. */
const REPLAYED_FILES = /^(pg_data\/(base|global|pg_xact|pg_multixact)|pg_tblspc)\//;

/** Whether what this file becomes while it is copied is in the WAL of the backup. */
export function isReplayed(name: string): boolean {
  return REPLAYED_FILES.test(name);
}

/**
 * Whether a backup that uses a standby reads this file there (commands-and-behaviour §4.5). The control file says where recovery begins:
 * that is the primary's word.
 */
export function isFromStandby(name: string): boolean {
  return name !== CONTROL_NAME && isReplayed(name);
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
  readonly resumed?: { readonly entry: ManifestFile; readonly compare: boolean };
}

/** The file is read, and stored where it is needed. */
export interface CopyDecision {
  /** Which of the cluster's files it is, in the order of their names. */
  readonly index: number;
  readonly file: ManifestFile;
  /** Repositories that need it, by key. */
  readonly targets: ReadonlyMap<number, TargetDecision>;
}

/**
 * What is to be done. The decision about a file is a few bytes, and is told in full when it is looked at: there may be a million of them.
 */
export interface BackupPlan {
  /** Files that are read, in the order of their names. */
  readonly copies: CopyList;
  /**
   * What the manifest of each repository says before copying begins, by key: complete entries of what earlier backups hold, or an interrupted
   * one, and of empty files beside bundles; of other files what was listed. One by one they are replaced by what is stored.
   */
  readonly entries: ReadonlyMap<number, FileTable>;
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
  /** Of which of these times cannot be trusted. */
  readonly resumedDoubts?: (name: string) => boolean;
  /** Small files are stored together. */
  readonly bundle?: BundleConfig;
  /** Files that change in parts are stored in blocks. */
  readonly blocks?: BlockSettings;
}

type Decision = { readonly entry: ManifestFile } | Pick<TargetDecision, "unchanged">;

/**
 * Decides about every file.
 *
 * @param listed sorted by name in byte order
 * @param settings by key of the repository
 */
export function planBackup(listed: ManifestFiles, settings: ReadonlyMap<number, PlanSettings>): BackupPlan {
  const files = FileTable.from(listed);
  const entries = new Map<number, FileTable>();
  const targets: PlannedTarget[] = [];
  for (const [key, setting] of settings) {
    const table = files.withSameNames();
    const target = new PlannedTarget(key, setting, files.length);
    const { prior } = setting;
    const priorFiles = FileTable.from(prior?.files ?? []);
    for (const [index, priorIndex] of withPrior(files, priorFiles)) {
      if (priorIndex >= 0 && isPlainlyUnchanged(files, index, priorFiles, priorIndex, setting)) {
        table.refer(index, files, priorFiles, priorIndex, prior!.label);
        continue;
      }
      const file = files.at(index)!;
      const checkPages = checksPages(file, setting);
      const decision = decide(file, priorFiles.at(priorIndex), checkPages, setting);
      if ("entry" in decision) table.set(index, decision.entry);
      else {
        const resumed = resumedOf(file, setting, checkPages);
        target.take(index, priorIndex, resumed !== undefined);
        // What has to be compared first is not said to be stored: the next run, interrupted or not, would take the word of this list.
        table.set(index, resumed === undefined || resumed.compare ? file : resumed.entry);
      }
    }
    entries.set(key, table);
    targets.push(target);
  }
  return { copies: new CopyList(files, targets), entries };
}

const TAKEN = 1;
/** An interrupted backup has stored it. */
const RESUMED = 2;

/** Which files one repository needs. */
class PlannedTarget {
  readonly key: number;
  readonly #setting: PlanSettings;
  /** 0 = not, {@link TAKEN}, {@link RESUMED}. */
  readonly #taken: Uint8Array;
  /** Where the file is in the prior manifest: 0 = nowhere, 1 = first. */
  readonly #before: Uint32Array | undefined;

  constructor(key: number, setting: PlanSettings, files: number) {
    this.key = key;
    this.#setting = setting;
    this.#taken = new Uint8Array(files);
    this.#before = setting.prior === undefined ? undefined : new Uint32Array(files);
  }

  /** @param priorIndex -1 = the prior backup does not have it */
  take(index: number, priorIndex: number, isResumed: boolean): void {
    this.#taken[index] = isResumed ? RESUMED : TAKEN;
    if (priorIndex >= 0) this.#before![index] = priorIndex + 1;
  }

  takes(index: number): boolean {
    return this.#taken[index] !== 0;
  }

  /** Where an interrupted backup has stored it; `undefined` where that is of no use. */
  resumed(index: number, name: string): ManifestFile | undefined {
    return this.#taken[index] === RESUMED ? this.#setting.resumed?.get(name) : undefined;
  }

  get someResumed(): boolean {
    return this.#taken.includes(RESUMED);
  }

  bundles(name: string, sizeBytes: number): boolean {
    const { bundle } = this.#setting;
    return bundle !== undefined && sizeBytes <= bundle.limitBytes && name !== CONTROL_NAME;
  }

  /** What it needs of a file that it takes. */
  decisionOn(file: ManifestFile, index: number): TargetDecision {
    const priorIndex = (this.#before?.[index] ?? 0) - 1;
    const before = this.#setting.prior?.files.at(priorIndex < 0 ? Infinity : priorIndex);
    const checkPages = checksPages(file, this.#setting);
    const decision = decide(file, before, checkPages, this.#setting);
    if ("entry" in decision) throw new WalferryError("Assert", `'${file.name}' was decided about twice`);
    return {
      ...decision,
      bundled: this.bundles(file.name, file.sizeBytes),
      checkPages,
      blocks: blocksFor(file, before, this.#setting),
      resumed: resumedOf(file, this.#setting, checkPages),
    };
  }
}

/** The files that are read. Each decision is made when it is looked at. */
export class CopyList implements Iterable<CopyDecision> {
  readonly #files: FileTable;
  readonly #targets: readonly PlannedTarget[];
  /** Of the files that are read, among all. */
  readonly #indexes: Uint32Array;
  /** Bytes of all of them. */
  readonly totalBytes: number;

  constructor(files: FileTable, targets: readonly PlannedTarget[]) {
    this.#files = files;
    this.#targets = targets;
    const indexes = new Uint32Array(files.length);
    let count = 0;
    let totalBytes = 0;
    for (let index = 0; index < files.length; index++) {
      if (!targets.some((target) => target.takes(index))) continue;
      indexes[count++] = index;
      totalBytes += files.sizeAt(index);
    }
    this.#indexes = indexes.slice(0, count);
    this.totalBytes = totalBytes;
  }

  get length(): number {
    return this.#indexes.length;
  }

  at(position: number): CopyDecision | undefined {
    const index = this.#indexes[position];
    if (index === undefined) return undefined;
    const file = this.#files.at(index)!;
    const taking = this.#targets.filter((target) => target.takes(index));
    return { index, file, targets: new Map(taking.map((target) => [target.key, target.decisionOn(file, index)])) };
  }

  *values(): Generator<CopyDecision, undefined, unknown> {
    for (let position = 0; position < this.length; position++) yield this.at(position)!;
  }

  [Symbol.iterator](): Generator<CopyDecision, undefined, unknown> {
    return this.values();
  }

  /** Tells the index of each file that this repository needs. */
  eachTakenBy(key: number, tell: (index: number) => void): void {
    const target = this.#targets.find((one) => one.key === key);
    for (const index of this.#indexes) if (target?.takes(index)) tell(index);
  }

  nameAt(position: number): string {
    return this.#files.nameAt(this.#indexes[position]!);
  }

  sizeAt(position: number): number {
    return this.#files.sizeAt(this.#indexes[position]!);
  }

  timestampAt(position: number): number {
    return this.#files.timestampAt(this.#indexes[position]!);
  }

  /** Whether some repository stores it together with others. */
  isBundledAt(position: number): boolean {
    const index = this.#indexes[position]!;
    const name = this.nameAt(position);
    return this.#targets.some((target) => target.takes(index) && target.bundles(name, this.sizeAt(position)));
  }

  /** What an interrupted backup has of it in the repositories that need it: `undefined` for those where it has nothing. */
  resumedAt(position: number): (ManifestFile | undefined)[] {
    const index = this.#indexes[position]!;
    const taking = this.#targets.filter((target) => target.takes(index));
    return taking.map((target) => target.resumed(index, this.nameAt(position)));
  }

  /** Whether an interrupted backup has stored anything that is used again. */
  get someResumed(): boolean {
    return this.#targets.some((target) => target.someResumed);
  }
}

function checksPages({ name }: ManifestFile, { checksumPage }: PlanSettings): boolean {
  return checksumPage && hasCheckedPages(name);
}

/** {@link decide} without making entries of a million files: its answer is the prior backup's entry, by size and time alone. */
function isPlainlyUnchanged(
  files: FileTable,
  index: number,
  priorFiles: FileTable,
  priorIndex: number,
  { prior, delta, inWal }: PlanSettings,
): boolean {
  if (delta || inWal !== undefined || prior!.options.backupStandby === true) return false;
  const sizeBytes = files.sizeAt(index);
  return sizeBytes > 0 && sizeBytes === priorFiles.sizeAt(priorIndex) && priorFiles.hasChecksumAt(priorIndex) &&
    files.timestampAt(index) === priorFiles.timestampAt(priorIndex) && files.nameAt(index) !== CONTROL_NAME;
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
  { resumed, resumedDoubts, delta }: PlanSettings,
  checkPages: boolean,
): TargetDecision["resumed"] {
  const stored = resumed?.get(file.name);
  if (stored === undefined || stored.reference !== undefined) return undefined;
  if (file.name === CONTROL_NAME || file.sizeBytes === 0) return undefined;
  const isSame = stored.sizeBytes === file.sizeBytes && (delta || stored.timestamp === file.timestamp);
  const isChecked = (stored.checksumPage !== undefined) === checkPages;
  if (!isSame || !isChecked) return undefined;
  const { timestamp, mode, user, group } = file;
  return {
    entry: { ...stored, sizeOriginalBytes: undefined, timestamp, mode, user, group },
    compare: delta || resumedDoubts?.(file.name) === true,
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
