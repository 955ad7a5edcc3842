/** Damage of every sort to every kind of object of a repository of files, chosen by a seed; and what verify may call each. */
import { gunzipSync } from "node:zlib";
import type { Report } from "./verify_stanza.ts";

/** Kinds of objects, by their paths. */
export const KINDS = {
  "archive.info": /^archive\/main\/archive\.info$/,
  "copy of archive.info": /^archive\/main\/archive\.info\.copy$/,
  "backup.info": /^backup\/main\/backup\.info$/,
  "copy of backup.info": /^backup\/main\/backup\.info\.copy$/,
  "manifest": /^backup\/main\/[^/]+\/backup\.manifest$/,
  "copy of a manifest": /^backup\/main\/[^/]+\/backup\.manifest\.copy$/,
  "kept manifest": /^backup\/main\/backup\.history\//,
  "segment": /^archive\/main\/15-1\/[0-9A-F]{16}\/[0-9A-F]{24}-/,
  "backup label file": /^archive\/main\/15-1\/[0-9A-F]{16}\/.*\.backup$/,
  "timeline history": /^archive\/main\/15-1\/[0-9A-F]{8}\.history$/,
  "bundle": /^backup\/main\/[^/]+\/bundle\/\d+$/,
  "file": /^backup\/main\/[^/]+\/pg_(data|tblspc)\/.*(?<!\.pgbi)$/,
  "block incremental file": /\.pgbi$/,
} as const;
export type Kind = keyof typeof KINDS;

/** What nothing needs while it is not there. */
const MAY_BE_MISSING: readonly Kind[] = ["kept manifest", "backup label file"];

export const SORTS = ["flip", "truncate", "empty", "delete", "swap", "duplicate", "stale"] as const;
export type Sort = (typeof SORTS)[number];

/** What verify may call it. */
const CALLED: Readonly<Record<Sort, readonly string[]>> = {
  flip: ["checksum", "mismatch", "size"],
  truncate: ["size", "checksum"],
  empty: ["size", "checksum"],
  delete: ["missing", "gap"],
  swap: ["checksum", "mismatch", "size"],
  duplicate: ["duplicate"],
  stale: ["mismatch"],
};

/** Mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export interface Damage {
  readonly kind: Kind;
  readonly sort: Sort;
  /** Paths that are changed; one of a swap may be named. */
  readonly paths: readonly string[];
  readonly apply: () => Promise<void>;
  /** A path that was not there before. */
  readonly added?: string;
  /** Only where this is whole is it known that something is gone. */
  readonly witness?: string;
}

/** True when both are gzip of the same content. */
function sameInflated(a: Uint8Array, b: Uint8Array): boolean {
  if (a[0] !== 0x1f || a[1] !== 0x8b) return false;
  try {
    return gunzipSync(a).equals(gunzipSync(b));
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

export class Vandal {
  readonly #root: string;
  readonly #files: readonly string[];
  readonly #random: () => number;
  readonly #encrypted: boolean;
  readonly #firstNeeded: string;
  /** Earlier versions of info files, by path. */
  readonly #former: ReadonlyMap<string, Uint8Array>;

  constructor(
    root: string,
    files: readonly string[],
    random: () => number,
    encrypted: boolean,
    firstNeeded: string,
    former: ReadonlyMap<string, Uint8Array> = new Map(),
  ) {
    this.#root = root;
    this.#files = files;
    this.#random = random;
    this.#encrypted = encrypted;
    this.#firstNeeded = firstNeeded;
    this.#former = former;
  }

  #choose<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  /** A damage of this sort to some object of this kind; `undefined` when there is none. */
  async damage(kind: Kind, sort: Sort, isFree: (path: string) => boolean = () => true): Promise<Damage | undefined> {
    if (sort === "delete" && MAY_BE_MISSING.includes(kind)) return undefined;
    if (sort === "duplicate" && kind !== "segment") return undefined;
    const candidates: string[] = [];
    for (const path of this.#files) {
      if (!KINDS[kind].test(path) || !isFree(path)) continue;
      if (sort === "stale" && !this.#former.has(path)) continue;
      if ((await Deno.stat(`${this.#root}/${path}`)).size < 2) continue;
      if (kind === "segment" && this.#isNotMissed(path, sort)) continue;
      candidates.push(path);
    }
    if (candidates.length === 0) return undefined;
    const path = this.#choose(candidates);
    const full = `${this.#root}/${path}`;
    const bytes = await Deno.readFile(full);
    if (sort === "swap") return await this.#swap(kind, path, candidates, isFree);
    if (sort === "duplicate") return this.#duplicate(path, bytes);
    if (sort === "stale") {
      return {
        kind,
        sort,
        paths: [path, `${path.replace(/\.copy$/, "")}.copy`],
        apply: () => Deno.writeFile(full, this.#former.get(path)!),
      };
    }
    const apply = async () => {
      if (sort === "delete") await Deno.remove(full);
      else if (sort === "empty") await Deno.writeFile(full, new Uint8Array(0));
      else if (sort === "truncate") {
        await Deno.writeFile(full, bytes.subarray(0, 1 + Math.floor(this.#random() * (bytes.length - 2))));
      } else await Deno.writeFile(full, this.#flipped(kind, bytes));
    };
    return { kind, sort, paths: [path], apply, witness: sort === "delete" ? this.#historyTelling(path) : undefined };
  }

  /** The history of a timeline says which segment is its first; the others are missed between those beside them. */
  #historyTelling(path: string): string | undefined {
    const timeline = path.slice(0, "archive/main/15-1/00000001".length);
    const isFirst = path === this.#files.find((name) => KINDS.segment.test(name) && name.startsWith(timeline));
    return isFirst && !timeline.endsWith("/00000001") ? `${timeline}.history` : undefined;
  }

  /** WAL from before the first backup is of no use to anybody; behind the last segment of a timeline nobody knows that there was more. */
  #isNotMissed(path: string, sort: Sort): boolean {
    if (path.split("/").at(-1)! < this.#firstNeeded) return true;
    const timeline = path.slice(0, "archive/main/15-1/00000001".length);
    return sort === "delete" &&
      path === this.#files.filter((name) => KINDS.segment.test(name) && name.startsWith(timeline)).at(-1);
  }

  #flipped(kind: Kind, bytes: Uint8Array): Uint8Array {
    const changed = bytes.slice();
    // A header of gzip has bytes that mean nothing, and of WAL only the content has a hash; small plain files have none at all: there what
    // is changed must mean something.
    const small = kind === "timeline history" || kind === "backup label file";
    const from = kind === "segment" || kind === "kept manifest" ? Math.floor(bytes.length / 4) : 0;
    const to = kind === "segment" || kind === "kept manifest" ? Math.floor((bytes.length * 3) / 4) : bytes.length;
    for (;;) {
      const at = small && !this.#encrypted ? 0 : from + Math.floor(this.#random() * (to - from));
      const bit = 1 << Math.floor(this.#random() * 8);
      changed[at]! ^= bit;
      // Zeros that are copied from elsewhere in a run of zeros are the same content.
      if (this.#encrypted || kind !== "segment" || !sameInflated(bytes, changed)) return changed;
      changed[at]! ^= bit;
    }
  }

  /** The same segment with other content, as from a second cluster. */
  #duplicate(path: string, bytes: Uint8Array): Damage {
    const digits = Array.from({ length: 40 }, () => Math.floor(this.#random() * 16).toString(16)).join("");
    const other = path.replace(/-[0-9a-f]{40}/, `-${digits}`);
    const apply = () => Deno.writeFile(`${this.#root}/${other}`, bytes);
    return { kind: "segment", sort: "duplicate", paths: [path, other], apply, added: other };
  }

  async #swap(
    kind: Kind,
    path: string,
    candidates: readonly string[],
    isFree: (path: string) => boolean,
  ): Promise<Damage | undefined> {
    const read = (name: string) => Deno.readFile(`${this.#root}/${name}`);
    const bytes = await read(path);
    // The two of an info file are the same: it changes places with the other one.
    const others = candidates.length > 1
      ? candidates
      : this.#files.filter((name) => /\.info(\.copy)?$/.test(name) && isFree(name));
    const different: string[] = [];
    for (const other of others) {
      const content = await read(other);
      if (content.length !== bytes.length || content.some((byte, at) => byte !== bytes[at])) different.push(other);
    }
    if (different.length === 0) return undefined;
    const other = this.#choose(different);
    const apply = async () => {
      const content = await read(other);
      await Deno.writeFile(`${this.#root}/${path}`, content);
      await Deno.writeFile(`${this.#root}/${other}`, bytes);
    };
    return { kind, sort: "swap", paths: [path, other], apply };
  }
}

/** The finding that names the object. Missing WAL is named without its hash. */
export function namesIt(report: Report, { paths, sort }: Damage): boolean {
  return report.finding.some(({ severity, kind, path, segment }) =>
    severity === "damage" && CALLED[sort].includes(kind) &&
    paths.some((changed) =>
      changed === path || (kind !== "stray" && changed.startsWith(`${path}-`)) ||
      isWithin(changed, segment)
    )
  );
}

/** Missing WAL is told by its first and last segment. */
function isWithin(path: string, segment: { readonly start: string; readonly stop: string } | undefined): boolean {
  const name = /\/([0-9A-F]{24})-[^/]*$/.exec(path)?.[1];
  return segment !== undefined && name !== undefined && segment.start <= name && name <= segment.stop;
}
