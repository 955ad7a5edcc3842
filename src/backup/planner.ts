/**
 * The decision about every file: is it copied, or does an earlier backup hold it already. Knows no store and reads nothing.
 */
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { hasCheckedPages } from "../postgres/directory_rules.ts";

/** The file is read and stored. */
export interface CopyDecision {
  readonly action: "copy";
  readonly file: ManifestFile;
  /** Its pages carry checksums that are to be checked. */
  readonly checkPages: boolean;
}

/** The bytes are in an earlier backup; the entry says where. */
export interface ReferenceDecision {
  readonly action: "reference";
  readonly file: ManifestFile;
}

export type FileDecision = CopyDecision | ReferenceDecision;

/** What the decisions depend on besides the files. */
export interface PlanSettings {
  /** Page checksums are checked. */
  readonly checksumPage: boolean;
  /** Manifest of the backup that this one builds on; absent for a full backup, which copies everything. */
  readonly prior: Manifest | undefined;
}

/** A decision for every file, in the order of the files. */
export function planBackup(files: readonly ManifestFile[], settings: PlanSettings): FileDecision[] {
  const checkPages = (file: ManifestFile) => settings.checksumPage && hasCheckedPages(file.name);
  return files.map((file) => ({ action: "copy", file, checkPages: checkPages(file) }));
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
