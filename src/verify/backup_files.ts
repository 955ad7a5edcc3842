/** What lies in the directory of one backup, held against the files that manifests say it holds; and those files as objects to read. */
import { type Finding, type FindingKind } from "./finding.ts";
import type { DamagedObjects } from "./damaged_objects.ts";
import type { ObjectRequest, Verdict } from "./object_job.ts";
import type { SubjectObject } from "./object_reader.ts";
import { type HeldFile, type HeldFiles, heldPath, partOf } from "./stored_set.ts";
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
  /** Members of each bundle, by offset. */
  readonly #bundles = new Map<number, HeldFile[]>();
  readonly #bundleBytes = new Map<number, number>();
  /** Files that are not as they must be, by name. */
  readonly bad = new Map<string, FindingKind>();
  /** Files that were read. */
  read = 0;

  constructor(facts: BackupFilesFacts) {
    this.#facts = facts;
    for (const held of facts.held.values()) {
      const id = held.file.bundleId;
      if (id === undefined) continue;
      const members = this.#bundles.get(id);
      if (members === undefined) this.#bundles.set(id, [held]);
      else members.push(held);
    }
    for (const members of this.#bundles.values()) members.sort((a, b) => offsetOf(a) - offsetOf(b));
  }

  #damage(kind: FindingKind, path: string, message: string): void {
    const { add, directory, label } = this.#facts;
    add({ kind, severity: "damage", path: `${directory}/${path}`, message, label });
  }

  /** Keeps what an object must be, for repair. */
  #note(path: string, members: readonly HeldFile[]): void {
    this.#facts.damaged.add({ path: `${this.#facts.directory}/${path}`, parts: members.map(partOf) });
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
    const held = [name.replace(ENDING, ""), name].map((plain) => this.#facts.held.get(plain)).find((found) =>
      found !== undefined && found.file.bundleId === undefined && heldPath(found) === name
    );
    if (held === undefined) return false;
    const expected = held.file.repoSizeBytes;
    held.isThere = true;
    if (sizeBytes !== expected) {
      this.bad.set(held.file.name, "size");
      this.#note(name, [held]);
      this.#damage("size", name, `it has ${sizeBytes} bytes, expected are ${expected}`);
    }
    return true;
  }

  #tellMissing(isThere: boolean): void {
    for (const [id, members] of this.#bundles) this.#checkBundle(id, members, isThere);
    for (const held of this.#facts.held.values()) {
      if (held.file.bundleId !== undefined || held.isThere) continue;
      this.bad.set(held.file.name, "missing");
      this.#note(heldPath(held), [held]);
      if (isThere) this.#damage("missing", heldPath(held), "it is not there");
    }
    if (isThere || this.#facts.held.size === 0) return;
    const { add, directory, label } = this.#facts;
    add({ kind: "missing", severity: "damage", path: directory, message: "the whole backup is not there", label });
  }

  #checkBundle(id: number, members: readonly HeldFile[], isThere: boolean): void {
    const sizeBytes = this.#bundleBytes.get(id);
    if (sizeBytes === undefined) {
      for (const { file } of members) this.bad.set(file.name, "missing");
      this.#note(`bundle/${id}`, members);
      if (isThere) this.#damage("missing", `bundle/${id}`, `it is not there, with ${members.length} files in it`);
      return;
    }
    let cut = 0;
    let needed = 0;
    for (const held of members) {
      const end = offsetOf(held) + held.file.repoSizeBytes;
      needed = Math.max(needed, end);
      held.isThere = end <= sizeBytes;
      if (held.isThere) continue;
      cut += 1;
      this.bad.set(held.file.name, "size");
    }
    // What stands behind the last member was dropped from the manifest while the backup ran: no harm.
    if (cut === 0) return;
    this.#note(`bundle/${id}`, members);
    this.#damage("size", `bundle/${id}`, `it has ${sizeBytes} bytes of ${needed}: ${cut} files are cut off`);
  }

  /** Objects to read: only what is there with the right size. */
  *objects(isChosen: () => boolean): Generator<SubjectObject<FileSubject>> {
    const { directory } = this.#facts;
    for (const [id, all] of [...this.#bundles].sort(([a], [b]) => a - b)) {
      const members = all.filter(({ isThere }) => isThere);
      if (members.length === 0 || !isChosen()) continue;
      const path = `${directory}/bundle/${id}`;
      for (const group of apart(members)) {
        yield {
          request: { path, parts: group.map(partOf) },
          sizeBytes: group.reduce((sum, { file }) => sum + file.repoSizeBytes, 0),
          subjects: group.map(({ file }) => ({ name: file.name, path, inBundle: true })),
        };
      }
    }
    for (const held of this.#facts.held.values()) {
      const { file } = held;
      if (file.bundleId !== undefined || !held.isThere || this.bad.has(file.name) || !isChosen()) continue;
      const path = `${directory}/${heldPath(held)}`;
      yield {
        request: { path, parts: [partOf(held)] },
        sizeBytes: file.repoSizeBytes,
        subjects: [{ name: file.name, path, inBundle: false }],
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

function offsetOf({ file }: HeldFile): number {
  return file.bundleOffset ?? 0;
}

/** Members that overlap cannot be read in one pass. They are sorted by offset. */
function apart(members: readonly HeldFile[]): HeldFile[][] {
  const groups: HeldFile[][] = [];
  const ends: number[] = [];
  for (const held of members) {
    let at = ends.findIndex((end) => end <= offsetOf(held));
    if (at === -1) {
      at = groups.length;
      groups.push([]);
    }
    groups[at]!.push(held);
    ends[at] = offsetOf(held) + held.file.repoSizeBytes;
  }
  return groups;
}
