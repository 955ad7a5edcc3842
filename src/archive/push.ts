/**
 * Pushing one WAL file to every repository (behaviour spec §2.2-2.4). States: the repositories are checked, the file is read and hashed,
 * what is stored already is looked up, the rest is written in parallel. PostgreSQL hears "archived" only when every repository of the set
 * holds the file durably.
 */
import { WalferryError } from "../errors.ts";
import { currentHistoryEntry } from "../format/archive_info.ts";
import { isWalSegmentOrPartialName, walDirectory } from "../format/wal_name.ts";
import type { CommandContext } from "../process/command_context.ts";
import { type ControlData, readControlFile } from "../postgres/control_file.ts";
import { readWalHeader, WAL_HEADER_BYTES } from "../postgres/wal_header.ts";
import { formatSize } from "../report/units.ts";
import { encryption, type Repository } from "../repository/repository.ts";
import {
  describeFailure,
  noValidRepository,
  type RepositoryFailure,
  RepositorySet,
} from "../repository/repository_set.ts";
import { archiveIdOf, findSegments, storedSegmentName } from "../repository/wal_archive.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { compressBytes, compressFilter } from "../stream/compress.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { collect, drain, readFileStream, streamOf } from "../stream/sources.ts";
import type { ArchivePushOptions } from "./options.ts";
import { readBacklog } from "./archive_status.ts";
import { resolveWalPath } from "./wal_path.ts";

/** Segments up to this size are held in memory, read once; larger ones (`--wal-segsize` up to 1 GiB) are streamed. */
const IN_MEMORY_BYTES = 64 * 1024 * 1024;

/** A repository that can take the file, and where in it. */
export interface PushTarget {
  readonly repository: Repository;
  readonly archiveId: string;
  readonly passphrase: string | undefined;
}

/** Repositories that can take WAL of the cluster, and what is wrong with the others. */
export interface CheckedRepositories {
  /** The cluster, where `pg1-path` says where it is. */
  readonly control: ControlData | undefined;
  readonly targets: readonly PushTarget[];
  readonly failures: readonly RepositoryFailure[];
}

/** What came of it. */
export type PushResult = { readonly state: "pushed" } | { readonly state: "dropped"; readonly warning: string };

/**
 * Pushes one file.
 * @throws WalferryError `RepoInvalid` when no repository can be used, `ArchiveDuplicate`, `ArchiveMismatch`, `FileInvalid`, and `Command`
 * when some repositories failed (the others hold the file then)
 */
export async function pushWal(options: ArchivePushOptions, context: CommandContext): Promise<PushResult> {
  const path = resolveWalPath(options.walPath, options.cluster?.path, "archive-push");
  const name = path.slice(path.lastIndexOf("/") + 1);
  const control = options.cluster === undefined
    ? undefined
    : readControlFile(options.cluster.path, options.pgVersionForce);
  const dropped = droppedBecauseOfQueue(options, path, name, control);
  if (dropped !== undefined) return dropped;

  await using set = await RepositorySet.open(options.repositories);
  const checked = await checkRepositories(set, options, control);
  await pushFile(path, checked, options, { signal: context.signal, warn: (message) => context.log.warn(message) });
  return { state: "pushed" };
}

/** What pushing a file needs of the outside world. */
export interface PushContext {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/**
 * Pushes one file to repositories that were checked.
 * @throws WalferryError as {@link pushWal}
 */
export async function pushFile(
  path: string,
  { control, targets, failures }: CheckedRepositories,
  options: ArchivePushOptions,
  context: PushContext,
): Promise<void> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (targets.length === 0) throw noValidRepository(failures);
  const errors = [...failures];
  if (isWalSegmentOrPartialName(name)) {
    await pushSegment(await readSegment(path, name, options, control), targets, options, context, errors);
  } else {
    await pushOther(path, name, targets, options, context.signal, errors);
  }
  if (errors.length > 0) {
    // Told to end: that is the reason, not the repositories.
    context.signal.throwIfAborted();
    throw new WalferryError(
      "Command",
      `archive-push command encountered error(s):\n${
        errors.sort((a, b) => a.key - b.key).map(describeFailure).join("\n")
      }`,
    );
  }
}

/** Loads `archive.info` of every repository and compares it with the cluster (behaviour spec §2.2). */
export async function checkRepositories(
  set: RepositorySet,
  options: ArchivePushOptions,
  control: ControlData | undefined,
): Promise<CheckedRepositories> {
  const targets: PushTarget[] = [];
  const failures: RepositoryFailure[] = [];
  // Without pg1-path the first good repository says which cluster it is.
  let identity: { readonly pgVersion: string; readonly systemId: bigint } | undefined = control;
  for (const outcome of await set.ask((repository) => repository.loadArchiveInfo(options.stanza))) {
    if (!outcome.ok) {
      failures.push(outcome.failure);
      continue;
    }
    const entry = currentHistoryEntry(outcome.value);
    identity ??= entry;
    if (entry.pgVersion !== identity.pgVersion || entry.systemId !== identity.systemId) {
      const error = new WalferryError(
        "ArchiveMismatch",
        `PostgreSQL version ${identity.pgVersion}, system-id ${identity.systemId} do not match ${outcome.repository.name} stanza ` +
          `version ${entry.pgVersion}, system-id ${entry.systemId}`,
        { hint: "are you archiving to the correct stanza?" },
      );
      failures.push({ key: outcome.repository.key, error });
      continue;
    }
    targets.push({
      repository: outcome.repository,
      archiveId: archiveIdOf(entry),
      passphrase: outcome.value.cipherPass,
    });
  }
  return { control, targets, failures };
}

/** A segment as it was read: at hand, or (very large ones) to be read again. */
interface ReadSegment {
  readonly path: string;
  readonly name: string;
  readonly checksum: string;
  readonly bytes: Uint8Array | undefined;
}

async function readSegment(
  path: string,
  name: string,
  options: ArchivePushOptions,
  control: ControlData | undefined,
): Promise<ReadSegment> {
  const header = await collect(readFileStream(path, { limitBytes: WAL_HEADER_BYTES }), WAL_HEADER_BYTES);
  const sizeBytes = Deno.statSync(path).size;
  const expectedBytes = checkHeader(path, header, options, control);
  if (expectedBytes !== undefined && sizeBytes !== expectedBytes && !name.endsWith(".partial")) {
    throw new WalferryError(
      "FileInvalid",
      `WAL file '${path}' is ${sizeBytes} bytes long, a segment of this cluster is ${expectedBytes}`,
      {
        hint: "the file is truncated or is not a WAL segment: nothing was archived.",
      },
    );
  }
  if (sizeBytes <= IN_MEMORY_BYTES) {
    const bytes = await collect(readFileStream(path, { chunkBytes: Math.max(1, sizeBytes) }), IN_MEMORY_BYTES);
    if (bytes.length !== sizeBytes) throw changedWhileRead(path);
    return { path, name, checksum: sha1Hex(bytes), bytes };
  }
  const meter = new Sha1Meter();
  await drain(meter.through(readFileStream(path)));
  if (meter.sizeBytes !== sizeBytes) throw changedWhileRead(path);
  return { path, name, checksum: meter.digestHex(), bytes: undefined };
}

function changedWhileRead(path: string): WalferryError {
  return new WalferryError("FileInvalid", `WAL file '${path}' changed while it was archived`);
}

/** Compares the file's header with the cluster; gives the segment size that is expected, where it is known. */
function checkHeader(
  path: string,
  header: Uint8Array,
  options: ArchivePushOptions,
  control: ControlData | undefined,
): number | undefined {
  if (!options.headerCheck) return control?.walSegmentBytes;
  const found = readWalHeader(header, options.pgVersionForce);
  if (control !== undefined && (found.pgVersion !== control.pgVersion || found.systemId !== control.systemId)) {
    throw new WalferryError(
      "ArchiveMismatch",
      `WAL file '${path}' version ${found.pgVersion}, system-id ${found.systemId} do not match stanza version ${control.pgVersion}, ` +
        `system-id ${control.systemId}`,
    );
  }
  return control?.walSegmentBytes ?? found.segmentBytes;
}

async function pushSegment(
  segment: ReadSegment,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  context: PushContext,
  errors: RepositoryFailure[],
): Promise<void> {
  const missing = await withoutCopy(segment, targets, options, context, errors);
  if (missing.length === 0) return;
  const stored = storedSegmentName(segment.name, segment.checksum, compressExtension(options.compress.type));
  const compressed = segment.bytes === undefined ? undefined : await compressBytes(options.compress, segment.bytes);
  await writeToAll(missing, errors, async ({ repository, archiveId, passphrase }) => {
    const path = repository.archivePath(options.stanza, archiveId, walDirectory(segment.name), stored);
    if (compressed !== undefined && passphrase === undefined) {
      await repository.storage.write(path, compressed, { signal: context.signal });
    } else if (compressed !== undefined) {
      const encrypted = await collect(
        pipeline(streamOf(compressed), ...encryption(passphrase)),
        compressed.length + 64,
      );
      await repository.storage.write(path, encrypted, { signal: context.signal });
    } else {
      await streamSegment(segment, repository, path, passphrase, options, context.signal);
    }
  });
}

/** A large segment is read a second time; what is stored must be what was hashed, or nothing is stored. */
async function streamSegment(
  segment: ReadSegment,
  repository: Repository,
  path: string,
  passphrase: string | undefined,
  options: ArchivePushOptions,
  signal: AbortSignal,
): Promise<void> {
  const checked = async function* () {
    const meter = new Sha1Meter();
    yield* meter.through(readFileStream(segment.path));
    if (meter.digestHex() !== segment.checksum) throw changedWhileRead(segment.path);
  };
  await repository.storage.write(
    path,
    pipeline(checked(), compressFilter(options.compress), ...encryption(passphrase)),
    { signal },
  );
}

/**
 * Repositories that do not hold the segment yet. The same content is fine; other content under the same name stops everything, so that
 * nothing is written anywhere (behaviour spec §2.3.2).
 */
async function withoutCopy(
  segment: ReadSegment,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  context: PushContext,
  errors: RepositoryFailure[],
): Promise<PushTarget[]> {
  const missing: PushTarget[] = [];
  const set = RepositorySet.over(targets.map(({ repository }) => repository));
  const outcomes = await set.ask(async (repository) => {
    const { archiveId } = targetOf(targets, repository);
    const found = await findSegments(repository, options.stanza, archiveId, segment.name, context.signal);
    // Whoever wrote it may have died between giving it its name and making the name durable: it is about to be acknowledged.
    if (found.length > 0) {
      await repository.storage.syncPath(repository.archivePath(options.stanza, archiveId, walDirectory(segment.name)));
    }
    return found;
  });
  for (const outcome of outcomes) {
    if (!outcome.ok) {
      errors.push(outcome.failure);
      continue;
    }
    const [first, ...others] = outcome.value;
    const target = targetOf(targets, outcome.repository);
    if (first === undefined) missing.push(target);
    else if (others.length > 0) {
      throw new WalferryError(
        "ArchiveDuplicate",
        `duplicates found in archive for WAL segment ${segment.name}: ${
          outcome.value.map(({ name }) => name).join(", ")
        }`,
        { hint: "are multiple primaries archiving to this stanza?" },
      );
    } else if (first.checksum !== segment.checksum) {
      throw new WalferryError(
        "ArchiveDuplicate",
        `WAL file '${segment.name}' already exists in the ${outcome.repository.name} archive with a different checksum`,
        { hint: "are multiple primaries archiving to this stanza?" },
      );
    } else if (options.modeCheck) {
      context.warn(
        `WAL file '${segment.name}' already exists in the ${outcome.repository.name} archive with the same checksum\n` +
          "HINT: this is valid in some recovery scenarios but may also indicate a problem.",
      );
    }
  }
  return missing;
}

function targetOf(targets: readonly PushTarget[], repository: Repository): PushTarget {
  return targets.find((target) => target.repository === repository)!;
}

/** History and backup label files: under their own name, as they are (but encrypted where the repository is), replacing what is there. */
async function pushOther(
  path: string,
  name: string,
  targets: readonly PushTarget[],
  options: ArchivePushOptions,
  signal: AbortSignal,
  errors: RepositoryFailure[],
): Promise<void> {
  const bytes = await collect(readFileStream(path), IN_MEMORY_BYTES);
  await writeToAll(targets, errors, async ({ repository, archiveId, passphrase }) => {
    const stored = repository.archivePath(options.stanza, archiveId, walDirectory(name), name);
    await repository.storage.write(stored, pipeline(streamOf(bytes), ...encryption(passphrase)), { signal });
  });
}

/** Writes to all at once; one that fails is noted and the others finish. */
async function writeToAll(
  targets: readonly PushTarget[],
  errors: RepositoryFailure[],
  write: (target: PushTarget) => Promise<void>,
): Promise<void> {
  const set = RepositorySet.over(targets.map(({ repository }) => repository));
  for (const outcome of await set.ask((repository) => write(targetOf(targets, repository)))) {
    if (!outcome.ok) errors.push(outcome.failure);
  }
}

/** `archive-push-queue-max`: WAL that could not be archived for too long is given up, so that the server's disk does not fill. */
function droppedBecauseOfQueue(
  options: ArchivePushOptions,
  path: string,
  name: string,
  control: ControlData | undefined,
): PushResult | undefined {
  if (options.queueMaxBytes === undefined) return undefined;
  const backlog = readBacklog(
    path.slice(0, path.lastIndexOf("/")),
    control?.walSegmentBytes ?? Deno.statSync(path).size,
  );
  if (backlog.sizeBytes <= options.queueMaxBytes) return undefined;
  return {
    state: "dropped",
    warning: `dropped WAL file '${name}' because archive queue exceeded ${formatSize(options.queueMaxBytes)}\n` +
      "HINT: point-in-time recovery across this segment is impossible: take a new backup when the archive works again.",
  };
}
