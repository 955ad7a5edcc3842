/** A made-up data directory at four moments: the same on every machine, so that what a program once stored of it can be kept as a test vector. */
import type { CompressType } from "../../src/stream/compress_type.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { runAs, testAccount } from "./accounts.ts";
import { makeClusterFiles, relationPages, writeFile } from "./cluster_files.ts";

/** Seconds since 1970 of the first moment of what is kept: a day before its backups, so that files have the age for blocks. */
const FIRST_TIME = 1_704_000_000;

/** The types of the backups of the first three moments; the fourth is for whoever goes on. */
export const HISTORY_TYPES = ["full", "diff", "incr"] as const;

export interface BlockSet {
  readonly compressType: CompressType;
  readonly cipherPass?: string;
}

/** The repositories that are kept of this history: each compression, encrypted and plain. */
export const BLOCK_SETS: readonly BlockSet[] = [
  { compressType: "none" },
  { compressType: "gz" },
  { compressType: "lz4" },
  { compressType: "zst", cipherPass: "a passphrase of no importance" },
  { compressType: "bz2" },
];

/** Options of a repository by which one relation stands alone and the others are in bundles. */
export const HISTORY_REPOSITORY = {
  "bundle": "y",
  "bundle-limit": "128KiB",
  "block": "y",
  "block-size-super": "32KiB",
  "block-size-super-full": "64KiB",
} as const;

/** Pages of a relation at a moment: `length` of them, and those named replaced. */
function relation(length: number, replaced: readonly number[], moment: number): Uint8Array {
  const pages = relationPages(length);
  for (const block of replaced) {
    const page = relationPages(1, block);
    page.fill(moment, 200, 264);
    pages.set(page, block * 8192);
  }
  return pages;
}

/** What the relations are at each moment; `undefined` = there is no such file. */
const RELATIONS: Readonly<Record<string, readonly (Uint8Array | undefined)[]>> = {
  // Alone: changes here and there, and grows.
  "base/5/20000": [
    relation(24, [], 0),
    relation(24, [1, 12], 1),
    relation(26, [1, 2, 12, 25], 2),
    relation(30, [1, 2, 3, 12, 25], 3),
  ],
  // In a bundle: one block in each backup.
  "base/5/20001": [relation(9, [], 0), relation(9, [8], 1), relation(9, [0, 8], 2), relation(9, [0, 4, 8], 3)],
  // Ends earlier, without any change before.
  "base/5/20002": [relation(12, [], 0), relation(7, [], 0), relation(7, [], 0), relation(5, [], 0)],
  // Goes and comes.
  "base/5/20003": [relation(4, [], 0), undefined, relation(5, [3], 2), undefined],
  // Is emptied and written anew; its last block is short.
  "base/5/20004_fsm": [
    relation(3, [], 0),
    new Uint8Array(0),
    relation(3, [1], 2).subarray(0, 20_000),
    relation(3, [1, 2], 3),
  ],
  // Too small for blocks, then large enough, then too small again.
  "base/5/20005": [relation(1, [], 0), relation(3, [2], 1), relation(3, [2], 1), relation(1, [0], 3)],
};

/** Makes the data directory, or makes of what it was at the moment before what it is at this one; moments are an hour apart. */
export async function writeMoment(path: string, moment: number, firstTime = FIRST_TIME): Promise<void> {
  const time = firstTime + moment * 3600;
  if (moment === 0) {
    makeClusterFiles(path);
    // A restore would make it.
    writeFile(`${path}/postgresql.auto.conf`, "");
    await runAs(["find", path, "-type", "f", "-exec", "touch", "-d", `@${firstTime}`, "{}", "+"], { asSelf: true });
  }
  for (const [name, states] of Object.entries(RELATIONS)) {
    const content = states[moment];
    if (content === undefined) {
      if (moment > 0 && states[moment - 1] !== undefined) Deno.removeSync(`${path}/${name}`);
      continue;
    }
    if (moment > 0 && content === states[moment - 1]) continue;
    writeFile(`${path}/${name}`, content);
    Deno.utimeSync(`${path}/${name}`, time, time);
  }
  if (testAccount !== undefined) {
    await runAs(["chown", "-R", `${testAccount.uid}:${testAccount.gid}`, path], { asSelf: true });
  }
}

/** SHA-1 of every file below a directory, by name. */
export async function contentOf(path: string): Promise<Record<string, string>> {
  const names = (await runAs(["find", path, "-type", "f", "-printf", "%P\\n"])).trim().split("\n").sort();
  return Object.fromEntries(names.map((name) => [name, sha1Hex(Deno.readFileSync(`${path}/${name}`))]));
}
