/**
 * A full backup and everything that builds on it: where the manifests say that the bytes of each file are. A file that several backups
 * refer to stands here once, so that it is looked for and read once.
 */
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { compressExtension } from "../stream/compress_type.ts";
import type { PartRequest } from "./object_job.ts";

/** What the files of one manifest have in common. */
type Common = Pick<Manifest, "label" | "bundleRaw" | "cipherPass"> & {
  readonly options: Pick<Manifest["options"], "compressType">;
};

/** A file as a backup holds it. */
export interface HeldFile {
  readonly file: ManifestFile;
  /** Of the manifest that it was read from. */
  readonly common: Common;
}

/** Two manifests that say different things of one stored file. */
export interface Disagreement {
  readonly name: string;
  readonly holder: string;
  readonly labels: readonly [string, string];
}

/** Files that one backup holds, by name: a table, because there may be a million of them. */
export class HeldFiles {
  #files = FileTable.empty();
  /** Of the manifest that named the first files, which as a rule is that of the backup that holds them. */
  #common: Common | undefined;
  /** Of the others, by name. */
  readonly #commons = new Map<string, Common>();

  get length(): number {
    return this.#files.length;
  }

  at(index: number): HeldFile {
    const file = this.#files.at(index)!;
    return { file, common: this.#commonOf(file.name) };
  }

  /** Index of a name; -1 when it is not there. */
  indexOf(name: string): number {
    return this.#files.indexOf(name);
  }

  nameAt(index: number): string {
    return this.#files.nameAt(index);
  }

  repoSizeAt(index: number): number {
    return this.#files.repoSizeAt(index);
  }

  bundleIdAt(index: number): number | undefined {
    return this.#files.bundleIdAt(index);
  }

  /** Bytes before it in its bundle. */
  bundleOffsetAt(index: number): number {
    return this.#files.bundleOffsetAt(index) ?? 0;
  }

  /** Begins with what a manifest says, most of whose files this backup holds: the entries are shared. */
  begin(common: Common, files: FileTable, isSaid: (index: number) => boolean): void {
    this.#common = common;
    this.#files = files.part(isSaid);
  }

  /**
   * Takes over what a manifest says.
   *
   * @param said indexes of files in its table, in order
   * @param tell hears names of which something else was said before, and by whom
   */
  add(common: Common, files: FileTable, said: Iterable<number>, tell: (name: string, by: Common) => void): void {
    const isFirst = this.#common === undefined;
    this.#common ??= common;
    const others: ManifestFile[] = [];
    let at = 0;
    for (const index of said) {
      if (isFirst) {
        this.#files.add(files.at(index)!);
        continue;
      }
      let order = 1;
      while (at < this.#files.length && (order = files.compareNames(index, this.#files, at)) > 0) at++;
      if (at === this.#files.length || order < 0) others.push(files.at(index)!);
      else if (!isSame(this.#files.at(at)!, files.at(index)!)) tell(files.nameAt(index), this.at(at).common);
    }
    if (others.length === 0) return;
    for (const { name } of others) this.#commons.set(name, common);
    this.#files.amend(() => false, others);
  }

  #commonOf(name: string): Common {
    return (this.#commons.size === 0 ? undefined : this.#commons.get(name)) ?? this.#common!;
  }
}

export class StoredSet {
  readonly #held = new Map<string, HeldFiles>();
  /** Backups with bundles, as far as their manifests were taken over. */
  readonly #bundled = new Set<string>();

  /** Takes over what a manifest says, oldest backups first; gives what it says differently from those before it. */
  add(manifest: Manifest): Disagreement[] {
    if (manifest.bundle) this.#bundled.add(manifest.label);
    const common: Common = {
      label: manifest.label,
      bundleRaw: manifest.bundleRaw,
      cipherPass: manifest.cipherPass,
      options: { compressType: manifest.options.compressType },
    };
    const disagreements: Disagreement[] = [];
    const files = FileTable.from(manifest.files);
    const isStored = (index: number) => isStoredAt(files, index, manifest, this.#bundled);
    const holders = holdersOf(files, manifest, isStored);
    const [only] = holders;
    if (only !== undefined && holders.size === 1 && this.heldBy(only).length === 0) {
      this.heldBy(only).begin(common, files, isStored);
      return [];
    }
    // One holder after the other, so that each takes its files in their order.
    for (const holder of holders) {
      this.heldBy(holder).add(common, files, storedIn(holder, files, manifest, isStored), (name, by) => {
        disagreements.push({ name, holder, labels: [by.label, manifest.label] });
      });
    }
    return disagreements;
  }

  /** Files whose bytes this backup holds; an empty list that grows for one that is not known yet. */
  heldBy(label: string): HeldFiles {
    let held = this.#held.get(label);
    if (held === undefined) this.#held.set(label, held = new HeldFiles());
    return held;
  }

  /** Backups that hold something, sorted. */
  get holders(): string[] {
    return [...this.#held.keys()].sort();
  }
}

function holdersOf(files: FileTable, manifest: Manifest, isStored: (index: number) => boolean): Set<string> {
  const holders = new Set<string>();
  for (let index = 0; index < files.length; index++) {
    if (isStored(index)) holders.add(files.referenceAt(index) ?? manifest.label);
  }
  return holders;
}

function* storedIn(
  holder: string,
  files: FileTable,
  manifest: Manifest,
  isStored: (index: number) => boolean,
): Generator<number> {
  for (let index = 0; index < files.length; index++) {
    if ((files.referenceAt(index) ?? manifest.label) === holder && isStored(index)) yield index;
  }
}

/**
 * Empty files are not stored where files are bundled (repository-format §6.3), and no restore reads one. pgBackRest refers to them all the same
 * in a backup without bundles on top of one with bundles.
 */
function isStoredAt(files: FileTable, index: number, manifest: Manifest, bundled: ReadonlySet<string>): boolean {
  if (files.sizeAt(index) > 0 || files.bundleIdAt(index) !== undefined) return true;
  const reference = files.referenceAt(index);
  return reference === undefined ? !manifest.bundle : !bundled.has(reference);
}

/** Whether two manifests say the same of where and how a file is stored. */
export function isSame(a: ManifestFile, b: ManifestFile): boolean {
  return a.sizeBytes === b.sizeBytes && a.checksum === b.checksum && a.repoSizeBytes === b.repoSizeBytes &&
    a.bundleId === b.bundleId && (a.bundleOffset ?? 0) === (b.bundleOffset ?? 0) &&
    a.blockMapBytes === b.blockMapBytes && a.repoChecksum === b.repoChecksum;
}

/** Path below the directory of the backup that holds it, of a file outside bundles. */
export function heldPath({ file, common }: HeldFile): string {
  const extension = file.blockMapBytes !== undefined ? ".pgbi" : compressExtension(common.options.compressType);
  return `${file.name}${extension}`;
}

/** How a worker reads the file. */
export function partOf({ file, common }: HeldFile): PartRequest {
  const inBundle = file.bundleId !== undefined;
  const place = { offsetBytes: inBundle ? file.bundleOffset ?? 0 : 0, lengthBytes: file.repoSizeBytes };
  // Block incremental: super blocks and their map, each compressed and encrypted by itself (repository-format §7).
  if (file.blockMapBytes !== undefined) return { ...place, repoChecksum: file.repoChecksum };
  return {
    ...place,
    form: {
      compressType: common.options.compressType,
      framing: inBundle && common.bundleRaw ? "raw" : "normal",
      cipherPass: common.cipherPass,
    },
    sizeBytes: file.sizeBytes,
    checksum: file.sizeBytes === 0 ? undefined : file.checksum,
    repoChecksum: file.repoChecksum,
  };
}
