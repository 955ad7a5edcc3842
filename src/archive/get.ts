/**
 * Getting one WAL file from the first repository that can deliver it right (behaviour spec §3.2). "Absent" is said only when every
 * repository answered that it does not have the file; a wrong byte is never delivered, because the bytes are verified against the hash
 * in the stored name before the file gets its final name.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { isWalSegmentOrPartialName, walDirectory } from "../format/wal_name.ts";
import { type ControlData, INVALID_CHECKPOINT, readControlFile } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";
import {
  describeFailure,
  noValidRepository,
  type RepositoryFailure,
  RepositorySet,
} from "../repository/repository_set.ts";
import { archiveIdsOf, findSegments } from "../repository/wal_archive.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decompressFilter } from "../stream/compress.ts";
import { type CompressType } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import type { ArchiveGetOptions } from "./options.ts";
import { resolveWalPath } from "./wal_path.ts";

/** A stored file that may be delivered. */
interface Candidate {
  readonly repository: Repository;
  readonly archiveId: string;
  readonly path: string;
  readonly passphrase: string | undefined;
  readonly compressType: CompressType;
  /** Absent for files without a hash in their name. */
  readonly checksum: string | undefined;
}

/** What came of it. */
export type GetResult = { readonly state: "found"; readonly repository: string; readonly archiveId: string } | {
  readonly state: "absent";
};

/**
 * Gets one file.
 * @throws WalferryError `RepoInvalid` when no repository answered, `ArchiveDuplicate`, `FileRead` when no copy could be delivered or when
 * a repository that could not be asked may hold it
 */
export async function getWal(options: ArchiveGetOptions, context: CommandContext): Promise<GetResult> {
  await using set = await RepositorySet.open(options.repositories);
  return await getWalFrom(set, options, { signal: context.signal, warn: (message) => context.log.warn(message) });
}

/** What getting a file needs of the outside world. */
export interface GetContext {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/** As {@link getWal}, from repositories that are open. */
export async function getWalFrom(
  set: RepositorySet,
  options: ArchiveGetOptions,
  context: GetContext,
): Promise<GetResult> {
  const destination = resolveWalPath(options.destination, options.cluster.path, "archive-get");
  const control = readControlFile(options.cluster.path, options.pgVersionForce);
  assertStartable(options.cluster.path, control);
  const { candidates, failures, asked } = await search(set, options, control, context);
  context.signal.throwIfAborted();
  for (const failure of failures) context.warn(describeFailure(failure));
  if (asked === 0) throw noValidRepository(failures);
  assertOneContent(options.walName, candidates);

  for (const candidate of candidates) {
    try {
      await deliver(candidate, destination);
      return { state: "found", repository: candidate.repository.name, archiveId: candidate.archiveId };
    } catch (error) {
      const failure = { key: candidate.repository.key, error: toWalferryError(error) };
      if (failure.error.kind === "FileWrite" || failure.error.kind === "Term") throw failure.error;
      context.warn(describeFailure(failure));
      failures.push(failure);
    }
  }
  if (candidates.length > 0) {
    throw new WalferryError(
      "FileRead",
      `unable to get ${options.walName}:\n${failures.map(describeFailure).join("\n")}`,
    );
  }
  // A repository that did not answer may have it: PostgreSQL must not take that for the end of the archive.
  if (failures.length > 0) {
    throw new WalferryError(
      "RepoInvalid",
      `unable to tell whether ${options.walName} is in the archive:\n${failures.map(describeFailure).join("\n")}`,
      {
        hint: "the other repositories do not have it; recovery must not end before this one has answered.\n" +
          "a repository that is lost for good must be left out: remove it from the configuration, or name another one with --repo.",
      },
    );
  }
  return { state: "absent" };
}

/** A restored cluster has an invalid checkpoint until it started from its `backup_label`; without the label it must not be fed WAL. */
export function assertStartable(pgPath: string, control: ControlData): void {
  if (control.checkpointLsn !== INVALID_CHECKPOINT) return;
  try {
    Deno.lstatSync(`${pgPath}/backup_label`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new WalferryError("Format", "pg_control from backup is not valid without backup_label", {
      hint: "was the backup_label file removed?",
      cause: error,
    });
  }
}

async function search(
  set: RepositorySet,
  options: ArchiveGetOptions,
  control: ControlData,
  context: GetContext,
): Promise<{ candidates: Candidate[]; failures: RepositoryFailure[]; asked: number }> {
  const outcomes = await set.ask((repository) => candidatesOf(repository, options, control, context.signal));
  return {
    candidates: outcomes.flatMap((outcome) => (outcome.ok ? outcome.value : [])),
    failures: outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure])),
    asked: outcomes.filter(({ ok }) => ok).length,
  };
}

/** Stored forms of the file in one repository, newest archive id first. @throws WalferryError `ArchiveMismatch` and those of the store */
async function candidatesOf(
  repository: Repository,
  options: ArchiveGetOptions,
  control: ControlData,
  signal: AbortSignal,
): Promise<Candidate[]> {
  const info = await repository.loadArchiveInfo(options.stanza);
  const archiveIds = archiveIdsOf(info, control.pgVersion, control.systemId);
  if (archiveIds.length === 0) {
    throw new WalferryError(
      "ArchiveMismatch",
      `unable to retrieve the archive id for database version '${control.pgVersion}' and system-id '${control.systemId}'`,
      { hint: "are you restoring from the correct stanza?" },
    );
  }
  const candidates: Candidate[] = [];
  for (const archiveId of archiveIds) {
    if (isWalSegmentOrPartialName(options.walName)) {
      for (const found of await findSegments(repository, options.stanza, archiveId, options.walName, signal)) {
        candidates.push({
          repository,
          archiveId,
          path: found.path,
          passphrase: info.cipherPass,
          compressType: found.compressType,
          checksum: found.checksum,
        });
      }
      continue;
    }
    const path = repository.archivePath(options.stanza, archiveId, walDirectory(options.walName), options.walName);
    if (await repository.storage.info(path, signal) !== undefined) {
      candidates.push({
        repository,
        archiveId,
        path,
        passphrase: info.cipherPass,
        compressType: "none",
        checksum: undefined,
      });
    }
  }
  return candidates;
}

/** Two contents under one segment name mean that two clusters wrote to this stanza: nobody can tell which is meant. */
function assertOneContent(walName: string, candidates: readonly Candidate[]): void {
  const checksums = new Set(candidates.map(({ checksum }) => checksum));
  if (checksums.size <= 1) return;
  const places = candidates.map(({ repository, path }) =>
    `${repository.name}: ${path.slice(path.lastIndexOf("/", path.lastIndexOf("/") - 1) + 1)}`
  );
  throw new WalferryError("ArchiveDuplicate", `duplicates found for WAL segment ${walName}:\n${places.join("\n")}`, {
    hint: "are multiple primaries archiving to this stanza?",
  });
}

/** Writes under a temporary name, verifies, renames: PostgreSQL sees the whole file or none. It is not synced: PostgreSQL asks again after a crash. */
async function deliver(candidate: Candidate, destination: string): Promise<void> {
  const { repository, path, passphrase, compressType, checksum } = candidate;
  const stored = await repository.readWith(path, passphrase);
  if (stored === undefined) {
    throw new WalferryError("FileMissing", `unable to open missing file '${repository.display(path)}' for read`);
  }
  const meter = new Sha1Meter();
  const temporary = `${destination}.pgbackrest.tmp`;
  try {
    await writeLocal(temporary, pipeline(stored, decompressFilter(compressType), meter.through));
    if (checksum !== undefined && meter.digestHex() !== checksum) {
      throw new WalferryError(
        "Checksum",
        `content of '${
          repository.display(path)
        }' is damaged: actual checksum '${meter.digestHex()}' does not match expected checksum '${checksum}'`,
      );
    }
    Deno.renameSync(temporary, destination);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

async function writeLocal(path: string, content: ByteStream): Promise<void> {
  const fail = (error: unknown): never => {
    throw new WalferryError("FileWrite", `unable to write '${path}': ${(error as Error).message}`, { cause: error });
  };
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  } catch (error) {
    return fail(error);
  }
  try {
    for await (const chunk of content) {
      try {
        for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
      } catch (error) {
        fail(error);
      }
    }
  } finally {
    file.close();
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
