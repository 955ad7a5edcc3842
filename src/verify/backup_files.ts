/** What lies in the directory of one backup, held against the files that manifests say it holds; and those files as objects to read. */
import { type Finding, type FindingKind } from "./finding.ts";
import type { DamagedObjects } from "./damaged_objects.ts";
import type { ObjectRequest, Verdict } from "./object_job.ts";
import type { SubjectObject } from "./object_reader.ts";
import { type HeldFiles, heldPath, partOf } from "./stored_set.ts";
import type { Repository } from "../repository/repository.ts";

/** Endings of stored files. */
const ENDING = /\.(?:gz|bz2|lz4|zst|pgbi)$/;

export interface BackupFilesFacts {
  readonly repository: Repository;
  /** Path of the backup. */
  readonly directory: string;
  readonly label: string;
  readonly held: HeldFiles;
  /** Unchanged files of earlier backups may be here too, as hard links. */
  readonly hardlinked: boolean;
  /** Whether everything that belongs here is known. */
  readonly tellStrays: boolean;
  readonly signal: AbortSignal;
  readonly add: (finding: Finding) => void;
  readonly damaged: DamagedObjects;
}

/** A file that is read. */
export interface FileSubject {
  readonly name: string;
  readonly path: string;
  readonly inBundle: boolean;
}

export class BackupFiles {
  readonly #facts: BackupFilesFacts;
  /** Indexes of all members of bundles, by bundle and offset. */
  readonly #members: Uint32Array;
  /** Where the members of each bundle begin and end among them. */
  readonly #bundles: ReadonlyMap<number, readonly [begin: number, end: number]>;
  readonly #bundleBytes = new Map<number, number>();
  /** By index: a list of the store has shown the file, and what is there is long enough. */
  readonly #isThere: Uint8Array;
  /** Files that are not as they must be, by name. */
  readonly bad = new Map<string, FindingKind>();
  /** Files that were read. */
  read = 0;

  constructor(facts: BackupFilesFacts) {
    this.#facts = facts;
    const { held } = facts;
    this.#isThere = new Uint8Array(held.length);
    this.#members = membersOf(held);
    const bundles = new Map<number, [begin: number, end: number]>();
    for (const [at, index] of this.#members.entries()) {
      const id = held.bundleIdAt(index)!;
      const bundle = bundles.get(id);
      if (bundle === undefined) bundles.set(id, [at, at + 1]);
      else bundle[1] = at + 1;
    }
    this.#bundles = bundles;
  }

  #membersOf(id: number): Uint32Array {
    return this.#members.subarray(...this.#bundles.get(id)!);
  }

  #damage(kind: FindingKind, path: string, message: string): void {
    const { add, directory, label } = this.#facts;
    add({ kind, severity: "damage", path: `${directory}/${path}`, message, label });
  }

  /** Keeps what an object must be, for repair. */
  #note(path: string, indexes: Iterable<number>): void {
    const { damaged, directory, held } = this.#facts;
    damaged.add({ path: `${directory}/${path}`, parts: Array.from(indexes, (index) => partOf(held.at(index))) });
  }

  /** Lists the directory once. @throws WalferryError of the store */
  async list(): Promise<void> {
    const { repository, directory, signal, add, label, hardlinked, tellStrays } = this.#facts;
    let isThere = false;
    for await (const { name, type, sizeBytes } of repository.storage.list(directory, { recurse: true, signal })) {
      isThere = true;
      if (type === "path" || type === "link" || name === "backup.manifest" || name === "backup.manifest.copy") continue;
      if (type === "file" && this.#match(name, sizeBytes)) continue;
      if (!tellStrays || (hardlinked && name.startsWith("pg_"))) continue;
      add({
        kind: "stray",
        severity: "notice",
        path: `${directory}/${name}`,
        message: "no manifest names it",
        label,
      });
    }
    this.#tellMissing(isThere);
  }

  /** @returns whether a manifest names it */
  #match(name: string, sizeBytes: number): boolean {
    const bundle = /^bundle\/([1-9]\d*)$/.exec(name);
    if (bundle !== null) {
      this.#bundleBytes.set(Number(bundle[1]), sizeBytes);
      return this.#bundles.has(Number(bundle[1]));
    }
    // A relation may itself be called x.gz only outside of PostgreSQL's own names: both readings are tried.
    const { held } = this.#facts;
    const index = this.#indexOf(name.replace(ENDING, ""), name) ?? this.#indexOf(name, name);
    if (index === undefined) return false;
    const expected = held.repoSizeAt(index);
    this.#isThere[index] = 1;
    if (sizeBytes !== expected) {
      this.bad.set(held.nameAt(index), "size");
      this.#note(name, [index]);
      this.#damage("size", name, `it has ${sizeBytes} bytes, expected are ${expected}`);
    }
    return true;
  }

  /** Of the file of this name, when it is stored by itself under that one. */
  #indexOf(name: string, stored: string): number | undefined {
    const { held } = this.#facts;
    const index = held.indexOf(name);
    if (index === -1 || held.bundleIdAt(index) !== undefined) return undefined;
    return heldPath(held.at(index)) === stored ? index : undefined;
  }

  #tellMissing(isThere: boolean): void {
    const { held, add, directory, label } = this.#facts;
    for (const id of this.#bundles.keys()) this.#checkBundle(id, isThere);
    for (let index = 0; index < held.length; index++) {
      if (this.#isThere[index] === 1 || held.bundleIdAt(index) !== undefined) continue;
      const path = heldPath(held.at(index));
      this.bad.set(held.nameAt(index), "missing");
      this.#note(path, [index]);
      if (isThere) this.#damage("missing", path, "it is not there");
    }
    if (isThere || held.length === 0) return;
    add({ kind: "missing", severity: "damage", path: directory, message: "the whole backup is not there", label });
  }

  #checkBundle(id: number, isThere: boolean): void {
    const { held } = this.#facts;
    const members = this.#membersOf(id);
    const sizeBytes = this.#bundleBytes.get(id);
    if (sizeBytes === undefined) {
      for (const index of members) this.bad.set(held.nameAt(index), "missing");
      this.#note(`bundle/${id}`, members);
      if (isThere) this.#damage("missing", `bundle/${id}`, `it is not there, with ${members.length} files in it`);
      return;
    }
    let cut = 0;
    let needed = 0;
    for (const index of members) {
      const end = held.bundleOffsetAt(index) + held.repoSizeAt(index);
      needed = Math.max(needed, end);
      if (end <= sizeBytes) {
        this.#isThere[index] = 1;
        continue;
      }
      cut += 1;
      this.bad.set(held.nameAt(index), "size");
    }
    // What stands behind the last member was dropped from the manifest while the backup ran: no harm.
    if (cut === 0) return;
    this.#note(`bundle/${id}`, members);
    this.#damage("size", `bundle/${id}`, `it has ${sizeBytes} bytes of ${needed}: ${cut} files are cut off`);
  }

  /** Objects to read: only what is there with the right size. */
  *objects(isChosen: () => boolean): Generator<SubjectObject<FileSubject>> {
    const { directory, held } = this.#facts;
    for (const id of [...this.#bundles.keys()].sort((a, b) => a - b)) {
      const members = this.#membersOf(id).filter((index) => this.#isThere[index] === 1);
      if (members.length === 0 || !isChosen()) continue;
      const path = `${directory}/bundle/${id}`;
      for (const group of apart(members, held)) {
        yield {
          request: { path, parts: group.map((index) => partOf(held.at(index))) },
          sizeBytes: group.reduce((sum, index) => sum + held.repoSizeAt(index), 0),
          subjects: group.map((index) => ({ name: held.nameAt(index), path, inBundle: true })),
        };
      }
    }
    for (let index = 0; index < held.length; index++) {
      if (held.bundleIdAt(index) !== undefined || this.#isThere[index] === 0) continue;
      const one = held.at(index);
      const { name, repoSizeBytes } = one.file;
      if (this.bad.has(name) || !isChosen()) continue;
      const path = `${directory}/${heldPath(one)}`;
      yield {
        request: { path, parts: [partOf(one)] },
        sizeBytes: repoSizeBytes,
        subjects: [{ name, path, inBundle: false }],
      };
    }
  }

  /** What came of reading one. */
  take({ name, path, inBundle }: FileSubject, verdict: Verdict, request: ObjectRequest): void {
    this.read += 1;
    if (verdict === undefined) return;
    const { add, label } = this.#facts;
    const message = inBundle ? `${name}: ${verdict.message}` : verdict.message;
    add({ kind: verdict.kind, severity: "damage", path, message, label });
    this.bad.set(name, verdict.kind);
    this.#facts.damaged.add(request);
  }
}

/** Indexes of what is in bundles, by bundle and offset. */
function membersOf(held: HeldFiles): Uint32Array {
  const indexes = new Uint32Array(held.length);
  let count = 0;
  for (let index = 0; index < held.length; index++) if (held.bundleIdAt(index) !== undefined) indexes[count++] = index;
  return indexes.slice(0, count).sort((a, b) =>
    held.bundleIdAt(a)! - held.bundleIdAt(b)! || held.bundleOffsetAt(a) - held.bundleOffsetAt(b)
  );
}

/** Members that overlap cannot be read in one pass. They are sorted by offset. */
function apart(members: Iterable<number>, held: HeldFiles): number[][] {
  const groups: number[][] = [];
  const ends: number[] = [];
  for (const index of members) {
    const offset = held.bundleOffsetAt(index);
    let at = ends.findIndex((end) => end <= offset);
    if (at === -1) {
      at = groups.length;
      groups.push([]);
    }
    groups[at]!.push(index);
    ends[at] = offset + held.repoSizeAt(index);
  }
  return groups;
}
