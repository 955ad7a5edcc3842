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

/** What there is of files beside their names, by row. */
class Columns {
  readonly sizes = new NumberColumn();
  readonly originalSizes = new NumberColumn();
  /** Only where it is not the size. */
  readonly repoSizes = new NumberColumn();
  readonly timestamps = new NumberColumn();
  readonly checksums = new Sha1Column();
  readonly repoChecksums = new Sha1Column();
  readonly bundleIds = new NumberColumn();
  readonly bundleOffsets = new NumberColumn();
  readonly mapSizes = new NumberColumn();
  readonly pageErrors = new Map<number, readonly PageRange[]>();
  readonly traitsOf = new NumberColumn();
  readonly traits: Traits[] = [];
  readonly traitIds = new Map<string, number>();
}

export class FileTable implements ManifestFiles {
  /** Shared by tables for the same names, so that there may be rows of others. */
  readonly #names: PathColumn;
  /** Rows in the order of their names; absent where they are the first rows in the order in which they were added. */
  #order: Uint32Array | undefined;
  #count: number;
  #isSorted = true;
  /** Shared by tables of which one has a part of the files of the other. */
  readonly #columns: Columns;
  #lastTraits = 0;

  private constructor(names: PathColumn, columns: Columns, order: Uint32Array | undefined, count: number) {
    this.#names = names;
    this.#columns = columns;
    this.#order = order;
    this.#count = count;
  }

  /** A table without files. */
  static empty(): FileTable {
    return new FileTable(new PathColumn(), new Columns(), undefined, 0);
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
    return new FileTable(this.#names, new Columns(), this.#order, this.#count);
  }

  /**
   * Some of the files of a sorted table as one of their own, which costs four bytes a file: the entries are shared, and belong to it from here on.
   * Other files can be added to it with {@link amend}.
   */
  part(isIn: (index: number) => boolean): FileTable {
    const rows = new Uint32Array(this.#count);
    let count = 0;
    for (let index = 0; index < this.#count; index++) if (isIn(index)) rows[count++] = this.#rowOf(index);
    return new FileTable(this.#names, this.#columns, rows.subarray(0, count), count);
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
    for (const traits of this.#columns.traits) {
      traits.mode ??= defaults.mode;
      traits.user ??= defaults.user;
      traits.group ??= defaults.group;
    }
    // What has become equal keeps its two numbers; what is added from now on gets one with all that it is.
    this.#columns.traitIds.clear();
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
    const [columns, theirs] = [this.#columns, before.#columns];
    const row = this.#rowOf(index);
    const from = before.#rowOf(beforeIndex);
    const { checksumPage, blockSizeBytes, blockChecksumBytes, reference } = theirs.traits[theirs.traitsOf.get(from)!]!;
    const { mode, user, group } = listed.#columns.traits[listed.#columns.traitsOf.get(listed.#rowOf(index))!]!;
    columns.sizes.set(row, theirs.sizes.get(from));
    columns.originalSizes.set(row, undefined);
    columns.repoSizes.set(row, theirs.repoSizes.get(from));
    columns.timestamps.set(row, listed.timestampAt(index));
    columns.checksums.copy(row, theirs.checksums, from);
    columns.repoChecksums.copy(row, theirs.repoChecksums, from);
    columns.bundleIds.set(row, theirs.bundleIds.get(from));
    columns.bundleOffsets.set(row, theirs.bundleOffsets.get(from));
    columns.mapSizes.set(row, theirs.mapSizes.get(from));
    this.#setPageErrors(row, theirs.pageErrors.get(from));
    const traits = { mode, user, group, checksumPage, blockSizeBytes, blockChecksumBytes };
    columns.traitsOf.set(row, this.#traitId({ ...traits, reference: reference ?? holder }));
  }

  /** Orders a file and one of another table by the bytes of their names. */
  compareNames(index: number, other: FileTable, otherIndex: number): number {
    return this.#names.compare(this.#rowOf(index), other.#rowOf(otherIndex), other.#names);
  }

  nameAt(index: number): string {
    return this.#names.get(this.#rowOf(index));
  }

  sizeAt(index: number): number {
    return this.#columns.sizes.get(this.#rowOf(index)) ?? 0;
  }

  /** Stored bytes. */
  repoSizeAt(index: number): number {
    return this.#columns.repoSizes.get(this.#rowOf(index)) ?? this.sizeAt(index);
  }

  /** Size when it was listed, where that is another. */
  originalSizeAt(index: number): number | undefined {
    return this.#columns.originalSizes.get(this.#rowOf(index));
  }

  hasChecksumAt(index: number): boolean {
    return this.#columns.checksums.has(this.#rowOf(index));
  }

  /** Stored bytes of its map; 0 where it is not stored in blocks. */
  mapSizeAt(index: number): number {
    return this.#columns.mapSizes.get(this.#rowOf(index)) ?? 0;
  }

  /** Whether all its pages were right; `undefined` where nobody looked. */
  checksumPageAt(index: number): boolean | undefined {
    return this.#columns.traits[this.#columns.traitsOf.get(this.#rowOf(index))!]!.checksumPage;
  }

  /** Whether it is stored in blocks. */
  hasBlocksAt(index: number): boolean {
    return this.#columns.mapSizes.get(this.#rowOf(index)) !== undefined;
  }

  timestampAt(index: number): number {
    return this.#columns.timestamps.get(this.#rowOf(index)) ?? 0;
  }

  referenceAt(index: number): string | undefined {
    return this.#columns.traits[this.#columns.traitsOf.get(this.#rowOf(index))!]!.reference;
  }

  bundleIdAt(index: number): number | undefined {
    return this.#columns.bundleIds.get(this.#rowOf(index));
  }

  bundleOffsetAt(index: number): number | undefined {
    return this.#columns.bundleOffsets.get(this.#rowOf(index));
  }

  at(index: number): ManifestFile | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const [columns, row] = [this.#columns, this.#rowOf(index)];
    const sizeBytes = columns.sizes.get(row) ?? 0;
    const { mode, user, group, reference, checksumPage, blockSizeBytes, blockChecksumBytes } = columns
      .traits[columns.traitsOf.get(row)!]!;
    return {
      name: this.#names.get(row),
      sizeBytes,
      sizeOriginalBytes: columns.originalSizes.get(row),
      timestamp: columns.timestamps.get(row) ?? 0,
      checksum: columns.checksums.get(row),
      repoChecksum: columns.repoChecksums.get(row),
      repoSizeBytes: columns.repoSizes.get(row) ?? sizeBytes,
      reference,
      bundleId: columns.bundleIds.get(row),
      bundleOffset: columns.bundleOffsets.get(row),
      blockSizeBytes,
      blockChecksumBytes,
      blockMapBytes: columns.mapSizes.get(row),
      checksumPage,
      checksumPageErrors: columns.pageErrors.get(row),
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
    const columns = this.#columns;
    columns.sizes.set(row, file.sizeBytes);
    columns.originalSizes.set(row, file.sizeOriginalBytes);
    columns.repoSizes.set(row, file.repoSizeBytes === file.sizeBytes ? undefined : file.repoSizeBytes);
    columns.timestamps.set(row, file.timestamp);
    columns.checksums.set(row, file.checksum);
    columns.repoChecksums.set(row, file.repoChecksum);
    columns.bundleIds.set(row, file.bundleId);
    columns.bundleOffsets.set(row, file.bundleOffset);
    columns.mapSizes.set(row, file.blockMapBytes);
    this.#setPageErrors(row, file.checksumPageErrors);
    columns.traitsOf.set(row, this.#traitId(file));
  }

  #setPageErrors(row: number, errors: readonly PageRange[] | undefined): void {
    if (errors !== undefined) this.#columns.pageErrors.set(row, errors);
    else if (this.#columns.pageErrors.size > 0) this.#columns.pageErrors.delete(row);
  }

  #traitId(
    { mode, user, group, reference, checksumPage, blockSizeBytes, blockChecksumBytes }: Partial<Traits>,
  ): number {
    const traits = { mode, user, group, reference, checksumPage, blockSizeBytes, blockChecksumBytes };
    // Neighbours are mostly alike.
    const last = this.#columns.traits[this.#lastTraits];
    if (last !== undefined && areSame(last, traits)) return this.#lastTraits;
    const key = JSON.stringify(Object.values(traits).map((value) => value ?? null));
    let id = this.#columns.traitIds.get(key);
    if (id === undefined) this.#columns.traitIds.set(key, id = this.#columns.traits.push(traits) - 1);
    return this.#lastTraits = id;
  }
}

function areSame(a: Traits, b: Traits): boolean {
  return a.mode === b.mode && a.user === b.user && a.group === b.group && a.reference === b.reference &&
    a.checksumPage === b.checksumPage && a.blockSizeBytes === b.blockSizeBytes &&
    a.blockChecksumBytes === b.blockChecksumBytes;
}
