/**
 * A full backup and everything that builds on it: where the manifests say that the bytes of each file are. A file that several backups
 * refer to stands here once, so that it is looked for and read once.
 */
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
  /** A list of the store has shown it, with the right size. */
  isThere: boolean;
}

/** Files that one backup holds, by name. */
export type HeldFiles = Map<string, HeldFile>;

/** Two manifests that say different things of one stored file. */
export interface Disagreement {
  readonly name: string;
  readonly holder: string;
  readonly labels: readonly [string, string];
}

export class StoredSet {
  readonly #held = new Map<string, HeldFiles>();

  /** Takes over what a manifest says; gives what it says differently from those before it. */
  add(manifest: Manifest): Disagreement[] {
    const common: Common = {
      label: manifest.label,
      bundleRaw: manifest.bundleRaw,
      cipherPass: manifest.cipherPass,
      options: { compressType: manifest.options.compressType },
    };
    const disagreements: Disagreement[] = [];
    for (const file of manifest.files) {
      if (!isStored(file, manifest)) continue;
      const holder = file.reference ?? manifest.label;
      const held = this.heldBy(holder);
      const before = held.get(file.name);
      if (before === undefined) held.set(file.name, { file, common, isThere: false });
      else if (!isSame(before.file, file)) {
        disagreements.push({ name: file.name, holder, labels: [before.common.label, manifest.label] });
      }
    }
    return disagreements;
  }

  /** Files whose bytes this backup holds; an empty list that grows for one that is not known yet. */
  heldBy(label: string): HeldFiles {
    let held = this.#held.get(label);
    if (held === undefined) this.#held.set(label, held = new Map());
    return held;
  }

  /** Backups that hold something, sorted. */
  get holders(): string[] {
    return [...this.#held.keys()].sort();
  }
}

/** Empty files are not stored where files are bundled (repository-format §6.3). */
export function isStored(file: ManifestFile, manifest: Pick<Manifest, "bundle">): boolean {
  return file.sizeBytes > 0 || file.bundleId !== undefined || file.reference !== undefined || !manifest.bundle;
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
