/**
 * The files of a manifest as a table: a million of them as objects would take gigabytes, here they take some tens of megabytes. Entries are
 * made when they are looked at and belong to whoever looks: changing one changes nothing here.
 */
import { NumberColumn, PathColumn, Sha1Column } from "./columns.ts";
import { compareBytes } from "./json.ts";
import type { ManifestFile, ManifestFiles, OwnerName, PageRange } from "./manifest.ts";

/** What many files have in common. */
interface Traits {
  mode: number | undefined;
  user: OwnerName | undefined;
  group: OwnerName | undefined;
  readonly reference: string | undefined;
  readonly checksumPage: boolean | undefined;
  readonly blockSizeBytes: number | undefined;
  readonly blockChecksumBytes: number | undefined;
}

/** A file whose owner or mode is that of most, which is known later. */
export type UnownedFile = Omit<ManifestFile, "mode" | "user" | "group"> & {
  mode?: number;
  user?: OwnerName;
  group?: OwnerName;
};

export class FileTable implements ManifestFiles {
  /** Shared by tables for the same names, so that there may be rows of others. */
  readonly #names: PathColumn;
  /** Rows in the order of their names; absent where they are the first rows in the order in which they were added. */
  #order: Uint32Array | undefined;
  #count: number;
  #isSorted = true;
  readonly #sizes = new NumberColumn();
  readonly #originalSizes = new NumberColumn();
  /** Only where it is not the size. */
  readonly #repoSizes = new NumberColumn();
  readonly #timestamps = new NumberColumn();
  readonly #checksums = new Sha1Column();
  readonly #repoChecksums = new Sha1Column();
  readonly #bundleIds = new NumberColumn();
  readonly #bundleOffsets = new NumberColumn();
  readonly #mapSizes = new NumberColumn();
  readonly #pageErrors = new Map<number, readonly PageRange[]>();
  readonly #traitsOf = new NumberColumn();
  readonly #traits: Traits[] = [];
  readonly #traitIds = new Map<string, number>();
  #lastTraits = 0;

  private constructor(names: PathColumn, order: Uint32Array | undefined, count: number) {
    this.#names = names;
    this.#order = order;
    this.#count = count;
  }

  /** A table without files. */
  static empty(): FileTable {
    return new FileTable(new PathColumn(), undefined, 0);
  }

  /** These files as a table, sorted; the same one if they are one. */
  static from(files: Iterable<ManifestFile>): FileTable {
    if (files instanceof FileTable) return files;
    const table = FileTable.empty();
    for (const file of files) table.add(file);
    table.sort();
    return table;
  }

  /** A table for the same names in the same order, whose entries are yet to be set; the names are shared. */
  withSameNames(): FileTable {
    return new FileTable(this.#names, this.#order, this.#count);
  }

  get length(): number {
    return this.#count;
  }

  /** Adds a file to a table in the making. Behind one with a later name it is to be sorted before it is read. */
  add(file: UnownedFile): void {
    const row = this.#names.push(file.name);
    this.#count = row + 1;
    if (this.#isSorted && row > 0 && this.#names.compare(row - 1, row) > 0) this.#isSorted = false;
    this.#put(row, file);
  }

  /** Brings the files into the order of their names, by bytes. */
  sort(): void {
    if (this.#isSorted) return;
    const order = new Uint32Array(this.#count);
    for (let row = 0; row < order.length; row++) order[row] = row;
    this.#order = order.sort((a, b) => this.#names.compare(a, b));
    this.#isSorted = true;
  }

  /**
   * Takes files out of a sorted table and adds others. Where one of those has the name of one that was there, it takes its place.
   * @param isGone asked with the index that a file has up to now
   */
  amend(isGone: (index: number) => boolean, others: readonly ManifestFile[]): void {
    const added = others.toSorted((a, b) => compareBytes(a.name, b.name)).map((file) => {
      const row = this.#names.push(file.name);
      this.#put(row, file);
      return row;
    });
    const order = new Uint32Array(this.#count + added.length);
    let count = 0;
    let next = 0;
    for (let index = 0; index < this.#count; index++) {
      const row = this.#rowOf(index);
      let sign = -1;
      while (next < added.length && (sign = this.#names.compare(added[next]!, row)) < 0) {
        order[count++] = added[next++]!;
      }
      if (!(next < added.length && sign === 0) && !isGone(index)) order[count++] = row;
    }
    while (next < added.length) order[count++] = added[next++]!;
    this.#order = order.subarray(0, count);
    this.#count = count;
  }

  /** The first name that stands twice. */
  duplicate(): string | undefined {
    for (let index = 1; index < this.length; index++) {
      if (this.#names.compare(this.#rowOf(index - 1), this.#rowOf(index)) === 0) return this.nameAt(index);
    }
    return undefined;
  }

  /** Gives owner and mode to files that were added without. */
  settle(defaults: { readonly mode: number; readonly user: OwnerName; readonly group: OwnerName }): void {
    for (const traits of this.#traits) {
      traits.mode ??= defaults.mode;
      traits.user ??= defaults.user;
      traits.group ??= defaults.group;
    }
    // What has become equal keeps its two numbers; what is added from now on gets one with all that it is.
    this.#traitIds.clear();
  }

  /** Replaces all of an entry but its name. */
  set(index: number, file: UnownedFile): void {
    this.#put(this.#rowOf(index), file);
  }

  /**
   * Replaces all of an entry but its name by what another table says of a file, as a reference: owner, mode and time are those of the cluster's
   * file, and the backup that holds the bytes is named.
   *
   * @param holder backup of the other table, which holds what is no reference there
   */
  refer(index: number, listed: FileTable, before: FileTable, beforeIndex: number, holder: string): void {
    const row = this.#rowOf(index);
    const from = before.#rowOf(beforeIndex);
    const { checksumPage, blockSizeBytes, blockChecksumBytes, reference } = before
      .#traits[before.#traitsOf.get(from)!]!;
    const { mode, user, group } = listed.#traits[listed.#traitsOf.get(listed.#rowOf(index))!]!;
    this.#sizes.set(row, before.#sizes.get(from));
    this.#originalSizes.set(row, undefined);
    this.#repoSizes.set(row, before.#repoSizes.get(from));
    this.#timestamps.set(row, listed.timestampAt(index));
    this.#checksums.copy(row, before.#checksums, from);
    this.#repoChecksums.copy(row, before.#repoChecksums, from);
    this.#bundleIds.set(row, before.#bundleIds.get(from));
    this.#bundleOffsets.set(row, before.#bundleOffsets.get(from));
    this.#mapSizes.set(row, before.#mapSizes.get(from));
    this.#setPageErrors(row, before.#pageErrors.get(from));
    const traits = { mode, user, group, checksumPage, blockSizeBytes, blockChecksumBytes };
    this.#traitsOf.set(row, this.#traitId({ ...traits, reference: reference ?? holder }));
  }

  /** Orders a file and one of another table by the bytes of their names. */
  compareNames(index: number, other: FileTable, otherIndex: number): number {
    return this.#names.compare(this.#rowOf(index), other.#rowOf(otherIndex), other.#names);
  }

  nameAt(index: number): string {
    return this.#names.get(this.#rowOf(index));
  }

  sizeAt(index: number): number {
    return this.#sizes.get(this.#rowOf(index)) ?? 0;
  }

  /** Stored bytes. */
  repoSizeAt(index: number): number {
    return this.#repoSizes.get(this.#rowOf(index)) ?? this.sizeAt(index);
  }

  /** Size when it was listed, where that is another. */
  originalSizeAt(index: number): number | undefined {
    return this.#originalSizes.get(this.#rowOf(index));
  }

  hasChecksumAt(index: number): boolean {
    return this.#checksums.has(this.#rowOf(index));
  }

  /** Whether it is stored in blocks. */
  hasBlocksAt(index: number): boolean {
    return this.#mapSizes.get(this.#rowOf(index)) !== undefined;
  }

  timestampAt(index: number): number {
    return this.#timestamps.get(this.#rowOf(index)) ?? 0;
  }

  referenceAt(index: number): string | undefined {
    return this.#traits[this.#traitsOf.get(this.#rowOf(index))!]!.reference;
  }

  bundleIdAt(index: number): number | undefined {
    return this.#bundleIds.get(this.#rowOf(index));
  }

  bundleOffsetAt(index: number): number | undefined {
    return this.#bundleOffsets.get(this.#rowOf(index));
  }

  at(index: number): ManifestFile | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const row = this.#rowOf(index);
    const sizeBytes = this.#sizes.get(row) ?? 0;
    const { mode, user, group, reference, checksumPage, blockSizeBytes, blockChecksumBytes } = this
      .#traits[this.#traitsOf.get(row)!]!;
    return {
      name: this.#names.get(row),
      sizeBytes,
      sizeOriginalBytes: this.#originalSizes.get(row),
      timestamp: this.#timestamps.get(row) ?? 0,
      checksum: this.#checksums.get(row),
      repoChecksum: this.#repoChecksums.get(row),
      repoSizeBytes: this.#repoSizes.get(row) ?? sizeBytes,
      reference,
      bundleId: this.#bundleIds.get(row),
      bundleOffset: this.#bundleOffsets.get(row),
      blockSizeBytes,
      blockChecksumBytes,
      blockMapBytes: this.#mapSizes.get(row),
      checksumPage,
      checksumPageErrors: this.#pageErrors.get(row),
      mode: mode!,
      user: user!,
      group: group!,
    };
  }

  /** Index of a name; -1 when it is not there. */
  indexOf(name: string): number {
    let from = 0;
    for (let to = this.length; from < to;) {
      const middle = (from + to) >>> 1;
      const order = compareBytes(this.nameAt(middle), name);
      if (order === 0) return middle;
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    return -1;
  }

  *values(): Generator<ManifestFile, undefined, unknown> {
    for (let index = 0; index < this.length; index++) yield this.at(index)!;
  }

  [Symbol.iterator](): Generator<ManifestFile, undefined, unknown> {
    return this.values();
  }

  #rowOf(index: number): number {
    return this.#order === undefined ? index : this.#order[index]!;
  }

  #put(row: number, file: UnownedFile): void {
    this.#sizes.set(row, file.sizeBytes);
    this.#originalSizes.set(row, file.sizeOriginalBytes);
    this.#repoSizes.set(row, file.repoSizeBytes === file.sizeBytes ? undefined : file.repoSizeBytes);
    this.#timestamps.set(row, file.timestamp);
    this.#checksums.set(row, file.checksum);
    this.#repoChecksums.set(row, file.repoChecksum);
    this.#bundleIds.set(row, file.bundleId);
    this.#bundleOffsets.set(row, file.bundleOffset);
    this.#mapSizes.set(row, file.blockMapBytes);
    this.#setPageErrors(row, file.checksumPageErrors);
    this.#traitsOf.set(row, this.#traitId(file));
  }

  #setPageErrors(row: number, errors: readonly PageRange[] | undefined): void {
    if (errors !== undefined) this.#pageErrors.set(row, errors);
    else if (this.#pageErrors.size > 0) this.#pageErrors.delete(row);
  }

  #traitId(
    { mode, user, group, reference, checksumPage, blockSizeBytes, blockChecksumBytes }: Partial<Traits>,
  ): number {
    const traits = { mode, user, group, reference, checksumPage, blockSizeBytes, blockChecksumBytes };
    // Neighbours are mostly alike.
    const last = this.#traits[this.#lastTraits];
    if (last !== undefined && areSame(last, traits)) return this.#lastTraits;
    const key = JSON.stringify(Object.values(traits).map((value) => value ?? null));
    let id = this.#traitIds.get(key);
    if (id === undefined) this.#traitIds.set(key, id = this.#traits.push(traits) - 1);
    return this.#lastTraits = id;
  }
}

function areSame(a: Traits, b: Traits): boolean {
  return a.mode === b.mode && a.user === b.user && a.group === b.group && a.reference === b.reference &&
    a.checksumPage === b.checksumPage && a.blockSizeBytes === b.blockSizeBytes &&
    a.blockChecksumBytes === b.blockChecksumBytes;
}
