/**
 * Whether sizes and times may decide what has changed, or whether contents have to be compared (`delta`, commands-and-behaviour §4.6).
 * Times lie when the clock went back, when a file was put there with an old time, and when the cluster went another way since.
 */
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile, ManifestFiles } from "../format/manifest.ts";

/** A file of the cluster that is newer than the moment at which copying begins: a reason for `delta` in every repository. */
export function futureFile(files: ManifestFiles, latestSeconds: number): ManifestFile | undefined {
  const table = FileTable.from(files);
  for (let index = 0; index < table.length; index++) {
    if (table.timestampAt(index) > latestSeconds) return table.at(index);
  }
  return undefined;
}

/**
 * A file of the cluster that is older than it was at a prior backup: the clock went back, or an older copy was put there. A size that is another
 * at the same time is no such sign, it only says that a file was written in the second in which it was listed.
 */
export function olderFile(files: ManifestFiles, prior: Manifest): ManifestFile | undefined {
  const listed = FileTable.from(files);
  const before = FileTable.from(prior.files);
  for (const [index, priorIndex] of withPrior(listed, before)) {
    if (priorIndex >= 0 && listed.timestampAt(index) < before.timestampAt(priorIndex)) return listed.at(index);
  }
  return undefined;
}

/** What the comparison with a prior backup needs besides the files. */
export interface DeltaFacts {
  readonly online: boolean;
  /** Segment in which an online backup began. */
  readonly walSegment: string | undefined;
  /** Whose file system the times come from (see the manifest's `timesOf`). */
  readonly timesOf: string | undefined;
}

/** Why contents have to be compared with this prior backup, as the original words it; `undefined` when sizes and times will do. */
export function reasonForDelta(
  files: ManifestFiles,
  prior: Manifest,
  { online, walSegment, timesOf }: DeltaFacts,
): string | undefined {
  if (
    walSegment !== undefined && prior.archiveStop !== undefined &&
    walSegment.slice(0, 8) !== prior.archiveStop.slice(0, 8)
  ) {
    return `a timeline switch has occurred since the ${prior.label} backup, enabling delta checksum`;
  }
  if (prior.options.online !== online) {
    return `the online option has changed since the ${prior.label} backup, enabling delta checksum`;
  }
  // Two hosts write the same page at different times, and different pages at the same time.
  if (prior.timesOf !== timesOf) {
    return `the times of the ${prior.label} backup are those of ${
      prior.timesOf ?? "the primary"
    }, enabling delta checksum`;
  }
  const listed = FileTable.from(files);
  const before = FileTable.from(prior.files);
  for (const [index, priorIndex] of withPrior(listed, before)) {
    // Most files are new, newer, or what they were: for those nothing more is looked at.
    const isPlain = priorIndex < 0 || listed.timestampAt(index) > before.timestampAt(priorIndex) ||
      listed.timestampAt(index) === before.timestampAt(priorIndex) &&
        before.originalSizeAt(priorIndex) === undefined && listed.sizeAt(index) === before.sizeAt(priorIndex);
    const reason = isPlain ? undefined : anomalyOf(listed.at(index)!, before.at(priorIndex)!);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function anomalyOf(file: ManifestFile, before: ManifestFile): string | undefined {
  if (file.timestamp < before.timestamp) {
    return `file '${
      clusterName(file)
    }' has timestamp earlier than prior backup (prior ${before.timestamp}, current ${file.timestamp}), ` +
      "enabling delta checksum";
  }
  // A file that shrank while it was copied is listed with the size that it had before: that is no anomaly.
  const beforeBytes = before.sizeOriginalBytes ?? before.sizeBytes;
  if (file.timestamp === before.timestamp && file.sizeBytes !== beforeBytes) {
    return `file '${
      clusterName(file)
    }' has same timestamp (${file.timestamp}) as prior but different size (prior ${beforeBytes}, ` +
      `current ${file.sizeBytes}), enabling delta checksum`;
  }
  return undefined;
}

/** Name relative to the data directory, as people know it. */
export function clusterName({ name }: ManifestFile): string {
  return name.startsWith("pg_data/") ? name.slice("pg_data/".length) : name;
}

/**
 * Where each file is in both lists: index in the first, and index in that of a prior backup or -1. Both are sorted by name, so that no index
 * of a million names is built.
 */
export function* withPrior(
  files: FileTable,
  prior: FileTable,
): Generator<readonly [index: number, priorIndex: number]> {
  let at = 0;
  for (let index = 0; index < files.length; index++) {
    let order = 1;
    while (at < prior.length && (order = files.compareNames(index, prior, at)) > 0) at++;
    yield [index, at < prior.length && order === 0 ? at : -1];
  }
}
