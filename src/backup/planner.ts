/**
 * The decision about every file: is it copied, or does an earlier backup hold it already. Each repository has an earlier backup of its own,
 * so that a file can be copied to one and be referred to in another. Knows no store and reads nothing.
 */
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { CONTROL_FILE } from "../postgres/control_file.ts";
import { hasCheckedPages } from "../postgres/directory_rules.ts";
import { withPrior } from "./delta.ts";

/** Manifest name of the control file: it is read with care, must be there, and is never taken from an earlier backup. */
export const CONTROL_NAME = `pg_data/${CONTROL_FILE}`;

/** Files up to this size are held in memory: comparing their content costs no second reading. Bytes. */
export const WHOLE_BYTES = 1024 * 1024;

/** What one repository needs of a file that is read. */
export interface TargetDecision {
  /** Its pages carry checksums that are to be checked. */
  readonly checkPages: boolean;
  /** Entry for the case that the content is that of the earlier backup still: nothing is stored then. */
  readonly unchanged?: ManifestFile;
  /** An interrupted backup has stored it. `compare`: the cluster's content must be held against it, since times cannot be trusted. */
  readonly resumed?: { readonly entry: ManifestFile; readonly compare: boolean };
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
  /** Complete entries of files that are not even read, by key of the repository. */
  readonly references: ReadonlyMap<number, readonly ManifestFile[]>;
}

/** What the decisions for one repository depend on besides the files. */
export interface PlanSettings {
  /** Page checksums are checked. */
  readonly checksumPage: boolean;
  /** Manifest of the backup that this one builds on; absent for a full backup, which copies everything. */
  readonly prior: Manifest | undefined;
  /** Contents are compared, not times. */
  readonly delta: boolean;
  /** Entries of files that an interrupted backup has stored, by name. */
  readonly resumed?: ReadonlyMap<string, ManifestFile>;
}

type Decision = { readonly reference: ManifestFile } | Pick<TargetDecision, "unchanged">;

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
  const targets = files.map(() => new Map<number, TargetDecision>());
  const references = new Map<number, ManifestFile[]>();
  for (const [key, setting] of settings) {
    const referred: ManifestFile[] = [];
    let index = 0;
    for (const [file, before] of withPrior(files, setting.prior?.files ?? [])) {
      const decision = before === undefined ? {} : decide(file, before, setting);
      if ("reference" in decision) referred.push(decision.reference);
      else {
        const checkPages = setting.checksumPage && hasCheckedPages(file.name);
        targets[index]!.set(key, { ...decision, checkPages, resumed: resumedOf(file, setting, checkPages) });
      }
      index++;
    }
    references.set(key, referred);
  }
  const copies = files.map((file, index) => ({ file, targets: targets[index]! }));
  return { copies: copies.filter((copy) => copy.targets.size > 0), references };
}

function decide(file: ManifestFile, before: ManifestFile, { prior, delta }: PlanSettings): Decision {
  if (file.name === CONTROL_NAME || file.sizeBytes !== before.sizeBytes) return {};
  if (file.sizeBytes === 0) {
    // A backup with bundles stores nothing for an empty file: there is nothing to refer to.
    const isStored = !prior!.bundle || before.reference !== undefined;
    return isStored ? { reference: referenceTo(file, before, prior!.label) } : {};
  }
  if (before.checksum === undefined) return {};
  if (!delta && file.timestamp === before.timestamp) return { reference: referenceTo(file, before, prior!.label) };
  // A small file is compared even where its time has changed: PostgreSQL touches files without changing them.
  if (delta || file.sizeBytes <= WHOLE_BYTES) return { unchanged: referenceTo(file, before, prior!.label) };
  return {};
}

/** What an interrupted backup has of this file, if it can be this file still. An empty file is copied sooner than looked at. */
function resumedOf(
  file: ManifestFile,
  { resumed, delta }: PlanSettings,
  checkPages: boolean,
): TargetDecision["resumed"] {
  const stored = resumed?.get(file.name);
  if (stored === undefined || file.name === CONTROL_NAME || file.sizeBytes === 0) return undefined;
  const isSame = stored.sizeBytes === file.sizeBytes && (delta || stored.timestamp === file.timestamp);
  const isChecked = (stored.checksumPage !== undefined) === checkPages;
  if (!isSame || !isChecked) return undefined;
  const { timestamp, mode, user, group } = file;
  return { entry: { ...stored, sizeOriginalBytes: undefined, timestamp, mode, user, group }, compare: delta };
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
 * The copies in the order in which they are begun: one queue for the data directory and one for each tablespace, taken from in turn, so that
 * all disks are busy; in a queue the largest first, so that no long file is left for the end.
 */
export function orderCopies(copies: readonly CopyDecision[]): CopyDecision[] {
  const queues = new Map<string, CopyDecision[]>();
  for (const copy of copies) {
    const root = rootOf(copy.file.name);
    const queue = queues.get(root);
    if (queue === undefined) queues.set(root, [copy]);
    else queue.push(copy);
  }
  const sorted = [...queues.values()].map((queue) =>
    queue.sort((a, b) => b.file.sizeBytes - a.file.sizeBytes || (a.file.name < b.file.name ? -1 : 1))
  );
  const order: CopyDecision[] = [];
  for (let turn = 0; order.length < copies.length; turn++) {
    for (const queue of sorted) if (turn < queue.length) order.push(queue[turn]!);
  }
  return order;
}

/** `pg_data`, or `pg_tblspc/<oid>`. */
function rootOf(name: string): string {
  return name.startsWith("pg_tblspc/") ? name.split("/", 2).join("/") : "pg_data";
}
