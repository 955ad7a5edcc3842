/**
 * The WAL that makes a backup consistent: waited for in the archive of each repository, and copied into the backup where `archive-copy`
 * asks for it.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import type { ManifestFile } from "../format/manifest.ts";
import { segmentRange } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import { type ArchivedSegment, waitForSegment } from "../repository/wal_archive.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { decompressFilter } from "../stream/compress.ts";
import { Sha1Meter } from "../stream/hash.ts";
import type { BackupFacts } from "./assemble.ts";
import type { Participant } from "./participants.ts";
import { storeFile } from "./stored_file.ts";

/**
 * Waits for one segment in one repository.
 *
 * @throws WalferryError `ArchiveTimeout`, `ArchiveDuplicate`
 */
export async function waitInArchive(
  participant: Participant,
  stanza: string,
  segment: string,
  timeoutMs: number,
  context: CommandContext,
): Promise<ArchivedSegment> {
  const { repository, archiveId } = participant.archive;
  return await waitForSegment(repository, stanza, archiveId, segment, timeoutMs, context.clock, context.signal);
}

/** Every segment from the first to the last that the backup needs, in the archive of one repository; each is waited for. */
export async function waitForRange(
  participant: Participant,
  facts: BackupFacts,
  first: string,
  last: string,
  context: CommandContext,
): Promise<ArchivedSegment[]> {
  const { stanza, archiveTimeoutMs } = facts.options;
  const segments: ArchivedSegment[] = [];
  for (const segment of segmentRange(first, last, facts.control.walSegmentBytes)) {
    try {
      segments.push(await waitInArchive(participant, stanza, segment, archiveTimeoutMs, context));
    } catch (error) {
      if (segment !== last || facts.timesOf === undefined || !isWalferryError(error, "ArchiveTimeout")) throw error;
      throw new WalferryError("ArchiveTimeout", error.text, { hint: NOT_COMPLETED, cause: error });
    }
  }
  return segments;
}

/** A standby cannot end a segment, and an idle primary does not. */
const NOT_COMPLETED = "a backup on a standby ends in a segment that its primary has to complete first.\n" +
  "set archive_timeout on the primary below archive-timeout, or call pg_switch_wal() there.";

/**
 * Copies segments from the archive into the backup's `pg_wal`, so that it can be restored without the archive.
 *
 * @returns their entries for the manifest
 * @throws WalferryError `FileMissing`, `Checksum` when the content is not what the segment's name says
 */
export async function copySegments(
  participant: Participant,
  facts: BackupFacts,
  segments: readonly ArchivedSegment[],
  timestamp: number,
): Promise<ManifestFile[]> {
  const { repository, passphrase } = participant.archive;
  const entries: ManifestFile[] = [];
  for (const segment of segments) {
    const stored = await repository.readWith(segment.path, passphrase);
    if (stored === undefined) {
      throw new WalferryError(
        "FileMissing",
        `unable to open missing file '${repository.display(segment.path)}' for read`,
      );
    }
    const meter = new Sha1Meter();
    const plain = pipeline(stored, decompressFilter(segment.compressType), meter.through);
    const name = `pg_data/pg_wal/${segment.name.slice(0, 24)}`;
    const entry = await storeFile(participant, facts, name, plain, timestamp);
    if (meter.digestHex() !== segment.checksum) {
      throw new WalferryError(
        "Checksum",
        `WAL segment '${repository.display(segment.path)}' does not have the content that its name says`,
      );
    }
    // Readers expect no hash of the stored bytes on these (repository-format §5.3).
    entries.push({ ...entry, repoChecksum: undefined });
  }
  return entries;
}
