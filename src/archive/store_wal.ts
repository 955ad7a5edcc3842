/** Storing one WAL file in several repositories at once, where it is not stored yet (behaviour spec §2.3). */
import { WalferryError } from "../errors.ts";
import { isHistoryName, isWalSegmentOrPartialName, walDirectory } from "../format/wal_name.ts";
import { type AskEnough, askEnough } from "../repository/ask_enough.ts";
import { encryption, type Repository } from "../repository/repository.ts";
import type { RepositoryFailure } from "../repository/repository_set.ts";
import { storedSegmentName } from "../repository/wal_archive.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { compressBytes, compressFilter } from "../stream/compress.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { sha1Hex } from "../stream/hash.ts";
import { collect, streamOf } from "../stream/sources.ts";
import type { ArchivePushOptions } from "./options.ts";
import type { PushTarget } from "./push_targets.ts";
import type { FindStored, StoredSegments } from "./stored_segments.ts";
import { IN_MEMORY_BYTES, readAgain, type WalFile } from "./wal_file.ts";

/** How it is looked for, and who hears of it. */
export interface StoreContext extends AskEnough {
  readonly warn: (message: string) => void;
  readonly find: FindStored;
  /** Is told what was stored. */
  readonly memory?: StoredSegments;
}

/** Which repositories hold the file durably now, and what is wrong with the others. */
export interface Stored {
  readonly holders: readonly number[];
  readonly failures: readonly RepositoryFailure[];
}

/** @throws WalferryError `ArchiveDuplicate`: other content has this name somewhere, and nothing was written anywhere */
export async function storeWal(
  file: WalFile,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  context: StoreContext,
): Promise<Stored> {
  return isWalSegmentOrPartialName(file.name)
    ? await storeSegment(file, targets, options, context)
    : await storeOther(file, targets, options, context);
}

async function storeSegment(
  file: WalFile,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  context: StoreContext,
): Promise<Stored> {
  const { missing, holders, failures } = await lookUp(file, targets, options, context);
  if (missing.length === 0) return { holders, failures };
  const stored = storedSegmentName(file.name, file.checksum, compressExtension(options.compress.type));
  const compressed = file.bytes === undefined ? undefined : await compressBytes(options.compress, file.bytes);
  const written = await writeToAll(
    missing,
    options.stanza,
    { ...context, needed: context.needed - holders.length },
    async (target, signal) => {
      const { repository, archiveId, passphrase } = target;
      const path = repository.archivePath(options.stanza, archiveId, walDirectory(file.name), stored);
      if (compressed !== undefined && passphrase === undefined) {
        await repository.storage.write(path, compressed, { signal });
      } else if (compressed !== undefined) {
        const encrypted = await collect(
          pipeline(streamOf(compressed), ...encryption(passphrase)),
          compressed.length + 64,
        );
        await repository.storage.write(path, encrypted, { signal });
      } else {
        const content = pipeline(readAgain(file), compressFilter(options.compress), ...encryption(passphrase));
        await repository.storage.write(path, content, { signal });
      }
      context.memory?.stored(target, file.name, file.checksum);
    },
  );
  return { holders: [...holders, ...written.holders], failures: [...failures, ...written.failures] };
}

/**
 * Repositories that do not hold the segment yet. The same content is fine; other content under the same name stops everything, so that
 * nothing is written anywhere (behaviour spec §2.3.2).
 */
async function lookUp(
  file: WalFile,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  context: StoreContext,
): Promise<Stored & { readonly missing: readonly PushTarget[] }> {
  const missing: PushTarget[] = [];
  const holders: number[] = [];
  const failures: RepositoryFailure[] = [];
  const outcomes = await askEnough(repositoriesOf(targets), async (repository, signal) => {
    const target = targetOf(targets, repository);
    const found = await context.find(target, file.name, signal);
    // Whoever wrote it may have died between giving it its name and making the name durable: it is about to be acknowledged.
    if (found.length > 0) {
      await repository.storage.syncPath(
        repository.archivePath(options.stanza, target.archiveId, walDirectory(file.name)),
      );
    }
    return found;
  }, context);
  for (const outcome of outcomes) {
    if (!outcome.ok) {
      failures.push(outcome.failure);
      continue;
    }
    // More than one form with the same content (stored with two kinds of compression) is no reason to stop the archiving.
    const isSame = outcome.value.every(({ checksum }) => checksum === file.checksum);
    if (outcome.value.length === 0) missing.push(targetOf(targets, outcome.repository));
    else if (!isSame && outcome.value.length > 1) {
      throw new WalferryError(
        "ArchiveDuplicate",
        `duplicates found in archive for WAL segment ${file.name}: ${outcome.value.map(({ name }) => name).join(", ")}`,
        { hint: "are multiple primaries archiving to this stanza?" },
      );
    } else if (!isSame) {
      throw new WalferryError(
        "ArchiveDuplicate",
        `WAL file '${file.name}' already exists in the ${outcome.repository.name} archive with a different checksum`,
        { hint: "are multiple primaries archiving to this stanza?" },
      );
    } else {
      holders.push(outcome.repository.key);
      if (options.modeCheck) {
        context.warn(
          `WAL file '${file.name}' already exists in the ${outcome.repository.name} archive with the same checksum\n` +
            "HINT: this is valid in some recovery scenarios but may also indicate a problem.",
        );
      }
    }
  }
  return { missing, holders, failures };
}

/**
 * History and backup label files: under their own name, as they are (but encrypted where the repository is), replacing what is there. Another
 * history of the same timeline is not replaced: two clusters took one number, and recoveries along the first would take the second's way.
 */
async function storeOther(
  file: WalFile,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  context: StoreContext,
): Promise<Stored> {
  if (isHistoryName(file.name)) await assertNoOtherHistory(file, targets, options, context);
  return await writeToAll(targets, options.stanza, context, async ({ repository, archiveId, passphrase }, signal) => {
    const stored = repository.archivePath(options.stanza, archiveId, walDirectory(file.name), file.name);
    await repository.storage.write(stored, pipeline(streamOf(file.bytes!), ...encryption(passphrase)), { signal });
  });
}

/** One that cannot be read, or is empty, is replaced. @throws WalferryError `ArchiveDuplicate` */
async function assertNoOtherHistory(
  file: WalFile,
  targets: readonly PushTarget[],
  { stanza }: ArchivePushOptions,
  context: StoreContext,
): Promise<void> {
  const outcomes = await askEnough(repositoriesOf(targets), async (repository, signal) => {
    const { archiveId, passphrase } = targetOf(targets, repository);
    const stored = await repository.readWith(
      repository.archivePath(stanza, archiveId, "", file.name),
      passphrase,
      { signal },
    );
    const bytes = stored === undefined ? new Uint8Array() : await collect(stored, IN_MEMORY_BYTES);
    return bytes.length === 0 ? undefined : sha1Hex(bytes);
  }, context);
  for (const outcome of outcomes) {
    if (!outcome.ok || outcome.value === undefined || outcome.value === file.checksum) continue;
    throw new WalferryError(
      "ArchiveDuplicate",
      `history file '${file.name}' already exists in the ${outcome.repository.name} archive with different content`,
      { hint: "are multiple primaries archiving to this stanza? did two of them take the same timeline?" },
    );
  }
}

/** Writes to all at once; one that fails is noted and the others finish. */
async function writeToAll(
  targets: readonly PushTarget[],
  stanza: string,
  enough: AskEnough,
  write: (target: PushTarget, signal: AbortSignal) => Promise<void>,
): Promise<Stored> {
  const outcomes = await askEnough(repositoriesOf(targets), async (repository, signal) => {
    await write(targetOf(targets, repository), signal);
    await assertStillThere(repository, stanza, signal);
  }, enough);
  return {
    holders: outcomes.flatMap((outcome) => (outcome.ok ? [outcome.repository.key] : [])),
    failures: outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure])),
  };
}

/**
 * Of a directory: it may have been unmounted since it was checked, and then the file went to the disk below, where nobody will find it.
 * @throws WalferryError `FileMissing`
 */
async function assertStillThere(repository: Repository, stanza: string, signal: AbortSignal): Promise<void> {
  if (!repository.storage.features.directories) return;
  const path = repository.archivePath(stanza, "archive.info");
  if (await repository.storage.info(path, signal) !== undefined) return;
  if (await repository.storage.info(`${path}.copy`, signal) !== undefined) return;
  throw new WalferryError("FileMissing", `'${repository.display(path)}' went away while the file was written`, {
    hint: "is the repository still mounted?",
  });
}

function repositoriesOf(targets: readonly PushTarget[]): Repository[] {
  return targets.map(({ repository }) => repository);
}

function targetOf(targets: readonly PushTarget[], repository: Repository): PushTarget {
  return targets.find((target) => target.repository === repository)!;
}
