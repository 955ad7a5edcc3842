/**
 * The main side of restoring files: the largest first, spread over the workers; a file that one repository cannot deliver comes from another
 * one that holds the same backup (behaviour spec §5.6, design of repository sets).
 */
import { isDistant } from "../../backends/config.ts";
import { toWalferryError, WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { CONTROL_FILE } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { type JobResult, LIGHT_AT_ONCE, WorkerPool } from "../process/worker_pool.ts";
import { formatPercent, formatSize } from "../report/units.ts";
import { blockMapPlace } from "../repository/block_files.ts";
import type { Repository } from "../repository/repository.ts";
import { compressExtension } from "../stream/compress_type.ts";
import type { RestoreOptions } from "./options.ts";
import type { Owners } from "./owners.ts";
import type { Layout } from "./remap.ts";
import type { StoredSource, WriteRequest, WriteResult, WriteSetup } from "./write_request.ts";

/** Name under which the control file is restored until everything else is. */
export const CONTROL_FILE_PENDING = `${CONTROL_FILE}.pgbackrest.tmp`;

/** Kinds of failure for which another repository may have the right bytes. */
const OTHER_COPY_MAY_HELP = new Set([
  "Checksum",
  "FileMissing",
  "FileOpen",
  "FileRead",
  "Format",
  "Crypto",
  "Access",
  "Service",
  "HostConnect",
  "Protocol",
]);

export interface RestoreWork {
  readonly manifest: Manifest;
  readonly layout: Layout;
  readonly options: RestoreOptions;
  readonly owners: Owners;
  /** Repository of the manifest first. */
  readonly repositories: readonly Repository[];
  /** Manifest of the same backup in another repository; `undefined` when it has none. */
  readonly manifestOf: (repository: Repository) => Promise<Manifest | undefined>;
  readonly delta: boolean;
  readonly isZeroed: (name: string) => boolean;
  readonly isSkipped: (name: string) => boolean;
  readonly context: CommandContext;
}

/** Files up to this size are read several at once from distant stores. Bytes. */
const LIGHT_BYTES = 1024 * 1024;

/** Bytes and number of the files that were restored. */
export interface RestoreTotals {
  readonly sizeBytes: number;
  readonly files: number;
}

/** Restores every file but those skipped. @throws WalferryError of the first file that no repository could deliver */
export async function writeFiles(work: RestoreWork): Promise<RestoreTotals> {
  const { manifest, context } = work;
  const files = FileTable.from(manifest.files);
  const order = writeOrder(files, work.isSkipped);
  const totalBytes = order.reduce((sum, index) => sum + files.sizeAt(index), 0);
  const setup: WriteSetup = { stores: work.repositories.map(({ key, config }) => ({ key, storage: config.storage })) };
  context.progress.start("restore", totalBytes);
  await using pool = new WorkerPool<WriteRequest, WriteResult>(
    "restore-write",
    setup,
    work.options.processMax,
    (bytes) => context.progress.advance(bytes),
  );
  const abort = () => pool.close(context.signal.reason);
  context.signal.addEventListener("abort", abort, { once: true });
  let doneBytes = 0;
  try {
    const iterator = order.values().map((index) => files.at(index)!);
    let failed: { readonly error: unknown } | undefined;
    const lane = async () => {
      for (let next = iterator.next(); !next.done && failed === undefined; next = iterator.next()) {
        try {
          const result = await restoreFile(next.value, work, pool);
          doneBytes += next.value.sizeBytes;
          logFile(next.value, result, doneBytes, totalBytes, work);
        } catch (error) {
          failed ??= { error };
        }
      }
    };
    const distant = work.repositories.some(({ config }) => isDistant(config.storage));
    const lanes = work.options.processMax * (distant ? LIGHT_AT_ONCE : 1);
    await Promise.all(Array.from({ length: lanes }, lane));
    if (failed !== undefined) throw failed.error;
  } finally {
    context.signal.removeEventListener("abort", abort);
    context.progress.stop();
  }
  return { sizeBytes: totalBytes, files: order.length };
}

/** Indexes of the files: bundles together and in their own order, so that a store reads them forward; what is alone, largest first. */
function writeOrder(files: FileTable, isSkipped: (name: string) => boolean): Uint32Array {
  const indexes = new Uint32Array(files.length);
  let count = 0;
  for (let index = 0; index < files.length; index++) if (!isSkipped(files.nameAt(index))) indexes[count++] = index;
  return indexes.subarray(0, count).sort((a, b) => {
    const bundleId = files.bundleIdAt(a);
    const bundle = (bundleId ?? 0) - (files.bundleIdAt(b) ?? 0);
    if (bundle !== 0) return bundle;
    if (bundleId === undefined) return files.sizeAt(b) - files.sizeAt(a) || a - b;
    const [left = "", right = ""] = [files.referenceAt(a), files.referenceAt(b)];
    return left === right ? files.bundleOffsetAt(a)! - files.bundleOffsetAt(b)! : left < right ? -1 : 1;
  });
}

async function restoreFile(
  file: ManifestFile,
  work: RestoreWork,
  pool: WorkerPool<WriteRequest, WriteResult>,
): Promise<JobResult<WriteResult>> {
  const failures: WalferryError[] = [];
  for (const repository of work.repositories) {
    const request = await requestFor(file, repository, work);
    if (request === undefined) continue;
    try {
      return await pool.run(request, isDistant(repository.config.storage) && file.sizeBytes <= LIGHT_BYTES);
    } catch (error) {
      const failure = toWalferryError(error);
      if (!OTHER_COPY_MAY_HELP.has(failure.kind) || work.context.signal.aborted) throw failure;
      failures.push(failure);
      if (work.repositories.length > 1) {
        work.context.log.warn(`${repository.name}: [${failure.name}] ${failure.message}`);
      }
    }
  }
  throw failures[0] ?? new WalferryError("FileMissing", `no repository holds '${file.name}'`);
}

/** What a worker needs to take the file from this repository; `undefined` when the repository does not have the same file. */
async function requestFor(
  file: ManifestFile,
  repository: Repository,
  work: RestoreWork,
): Promise<WriteRequest | undefined> {
  const { layout, options, manifest, owners } = work;
  const isControl = file.name === `pg_data/${CONTROL_FILE}`;
  const path = isControl ? `${layout.basePath}/${CONTROL_FILE_PENDING}` : layout.pathOf(file.name)!;
  const base = {
    path,
    sizeBytes: file.sizeBytes,
    checksum: file.checksum,
    mode: file.mode,
    owner: owners.idsOf(file),
    timestamp: file.timestamp,
    delta: work.delta && !isControl,
    trustBefore: options.force ? manifest.timestampCopyStart : undefined,
  };
  if (work.isZeroed(file.name)) return { ...base, checksum: undefined, delta: false, source: undefined };
  const own = repository === work.repositories[0] ? manifest : await work.manifestOf(repository);
  const stored = own === manifest ? file : own && sameFileIn(own, file);
  if (own === undefined || stored === undefined) return undefined;
  return { ...base, source: file.sizeBytes === 0 ? undefined : sourceOf(stored, own, repository, options.stanza) };
}

function sameFileIn(manifest: Manifest, file: ManifestFile): ManifestFile | undefined {
  const files = FileTable.from(manifest.files);
  const other = files.at(files.indexOf(file.name));
  return other?.sizeBytes === file.sizeBytes && other.checksum === file.checksum ? other : undefined;
}

/** Where a file's bytes are (repository-format §5.3, §6.4), or the map that says so block by block (§7). */
function sourceOf(file: ManifestFile, manifest: Manifest, repository: Repository, stanza: string): StoredSource {
  const directory = repository.backupPath(stanza, file.reference ?? manifest.label);
  const compressType = manifest.options.compressType;
  const common = { key: repository.key, compressType, cipherPass: manifest.cipherPass };
  if (file.blockMapBytes !== undefined) {
    const map = blockMapPlace(file, directory);
    const directories = (manifest.references ?? []).map((label) => repository.backupPath(stanza, label));
    return { ...common, ...map, framing: "raw", blocks: { name: file.name, shape: map.shape, directories } };
  }
  if (file.bundleId === undefined) {
    return { ...common, path: `${directory}/${file.name}${compressExtension(compressType)}`, framing: "normal" };
  }
  return {
    ...common,
    path: `${directory}/bundle/${file.bundleId}`,
    offsetBytes: file.bundleOffset,
    lengthBytes: file.repoSizeBytes,
    framing: manifest.bundleRaw ? "raw" : "normal",
  };
}

function logFile(
  file: ManifestFile,
  { result, worker }: JobResult<WriteResult>,
  doneBytes: number,
  totalBytes: number,
  work: RestoreWork,
): void {
  const path = work.layout.pathOf(file.name);
  const checksum = file.checksum === undefined || result.status === "zeroed" ? "" : ` checksum ${file.checksum}`;
  const what = result.status === "zeroed" ? "restore zeroed file" : "restore file";
  const kept = result.status === "kept" && file.sizeBytes > 0 ? " - exists and matches backup" : "";
  work.context.log.detail(
    `${what} ${path}${kept} (${formatSize(file.sizeBytes)}, ${formatPercent(doneBytes, totalBytes)})${checksum}`,
    worker,
  );
}
