/** Which files a worker restores in one go: small ones together, so that what is near in a repository is read together, and messages are few. */
import type { ManifestFile } from "../format/manifest.ts";

/** Files up to this size share a job. Bytes. */
export const LIGHT_BYTES = 1024 * 1024;

/** Of a job with several files: bytes of their content, and their number. Few enough that no worker is busy long after the others. */
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_FILES = 256;

/**
 * Cuts a list into jobs, in its order.
 *
 * @param files members of one bundle next to each other, by their offset
 * @param isDistant small files by themselves are one job each then: they are waited for at the same time
 */
export function* batchesOf(files: Iterable<ManifestFile>, isDistant: boolean): Generator<ManifestFile[]> {
  let batch: ManifestFile[] = [];
  let batchBytes = 0;
  for (const file of files) {
    const isFull = batch.length >= BATCH_FILES || batchBytes + file.sizeBytes > BATCH_BYTES;
    if (batch.length > 0 && (isFull || !mayShare(batch.at(-1)!, file, isDistant))) {
      yield batch;
      batch = [];
      batchBytes = 0;
    }
    batch.push(file);
    batchBytes += file.sizeBytes;
  }
  if (batch.length > 0) yield batch;
}

function mayShare(a: ManifestFile, b: ManifestFile, isDistant: boolean): boolean {
  if (a.sizeBytes > LIGHT_BYTES || b.sizeBytes > LIGHT_BYTES) return false;
  // Nothing is asked of a repository for an empty file.
  if (b.sizeBytes === 0) return true;
  return a.bundleId === b.bundleId && a.reference === b.reference && !(isDistant && a.bundleId === undefined);
}
