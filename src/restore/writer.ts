/**
 * The main side of restoring files: the largest first, spread over the workers; a file that one repository cannot deliver comes from another
 * one that holds the same backup (behaviour spec §5.6, design of repository sets).
 */
import { isDistant } from "../../backends/config.ts";
import { deserializeError, serializeError, WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { CONTROL_FILE } from "../postgres/control_file.ts";
import type { CommandContext } from "../process/command_context.ts";
import { letGo } from "../process/garbage.ts";
import { inLanes } from "../process/lanes.ts";
import { LIGHT_AT_ONCE, WorkerPool, workersWorth } from "../process/worker_pool.ts";
import { formatPercent, formatSize } from "../report/units.ts";
import { blockMapPlace } from "../repository/block_files.ts";
import type { Repository } from "../repository/repository.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { batchesOf, LIGHT_BYTES } from "./batches.ts";
import type { RestoreOptions } from "./options.ts";
import { mayOtherCopyHelp } from "./other_copy.ts";
import type { Owners } from "./owners.ts";
import type { Layout } from "./remap.ts";
import type {
  StoredSource,
  WriteJobRequest,
  WriteJobResult,
  WriteRequest,
  WriteResult,
  WriteSetup,
} from "./write_request.ts";

/** Name under which the control file is restored until everything else is. */
export const CONTROL_FILE_PENDING = `${CONTROL_FILE}.pgbackrest.tmp`;

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

/** What the request for a file and the answer leave behind. */
const FILE_BYTES = 3000;

type WriteStatus = Exclude<WriteResult["status"], "failed">;

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
  const distant = work.repositories.some(({ config }) => isDistant(config.storage));
  context.progress.start("restore", totalBytes);
  await using pool = new WorkerPool<WriteJobRequest, WriteJobResult>(
    "restore-write",
    setup,
    distant ? work.options.processMax : workersWorth(work.options.processMax, totalBytes, order.length),
    (bytes) => context.progress.advance(bytes),
  );
  const abort = () => pool.close(context.signal.reason);
  context.signal.addEventListener("abort", abort, { once: true });
  let doneBytes = 0;
  const done = (file: ManifestFile, status: WriteStatus, worker: number) => {
    doneBytes += file.sizeBytes;
    logFile(file, status, worker, doneBytes, totalBytes, work);
  };
  try {
    const lanes = work.options.processMax * (distant ? LIGHT_AT_ONCE : 1);
    const inOrder = order.values().map((index) => files.at(index)!);
    await inLanes(batchesOf(inOrder, distant), lanes, (batch) => restoreBatch(batch, work, pool, done));
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

/** What a repository cannot deliver is asked of the next one. @throws WalferryError of the first file that none delivers */
async function restoreBatch(
  batch: readonly ManifestFile[],
  work: RestoreWork,
  pool: WorkerPool<WriteJobRequest, WriteJobResult>,
  done: (file: ManifestFile, status: WriteStatus, worker: number) => void,
): Promise<void> {
  let missing = batch;
  let first: WalferryError | undefined;
  for (const repository of work.repositories) {
    const asked: ManifestFile[] = [];
    const requests: WriteRequest[] = [];
    const left: ManifestFile[] = [];
    for (const file of missing) {
      const request = await requestFor(file, repository, work);
      if (request === undefined) left.push(file);
      else {
        asked.push(file);
        requests.push(request);
      }
    }
    if (asked.length === 0) continue;
    const isLight = isDistant(repository.config.storage) && asked.every(({ sizeBytes }) => sizeBytes <= LIGHT_BYTES);
    const { results, worker } = await runJob(requests, isLight, pool);
    letGo(requests.length * FILE_BYTES);
    for (const [at, result] of results.entries()) {
      if (result.status !== "failed") {
        done(asked[at]!, result.status, worker);
        continue;
      }
      const failure = deserializeError(result.error);
      const mayHelp = !result.isLocal && mayOtherCopyHelp(failure);
      if (!mayHelp || work.context.signal.aborted) throw failure;
      first ??= failure;
      left.push(asked[at]!);
      if (work.repositories.length > 1) {
        work.context.log.warn(`${repository.name}: [${failure.name}] ${failure.message}`);
      }
    }
    missing = left;
    if (missing.length === 0) return;
  }
  throw first ?? new WalferryError("FileMissing", `no repository holds '${missing[0]!.name}'`);
}

/** A worker that fails as a whole fails for all its files. */
async function runJob(
  files: readonly WriteRequest[],
  isLight: boolean,
  pool: WorkerPool<WriteJobRequest, WriteJobResult>,
): Promise<{ readonly results: readonly WriteResult[]; readonly worker: number }> {
  try {
    const { result, worker } = await pool.run({ files }, isLight);
    return { results: result.files, worker };
  } catch (error) {
    const failed = { status: "failed", error: serializeError(error), isLocal: false } as const;
    return { results: files.map(() => failed), worker: 0 };
  }
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
  if (work.isZeroed(file.name)) {
    return { ...base, checksum: undefined, timestamp: undefined, delta: false, source: undefined };
  }
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
  const extent = file.bundleId === undefined
    ? undefined
    : { offsetBytes: file.bundleOffset!, lengthBytes: file.repoSizeBytes };
  const common = { key: repository.key, compressType, cipherPass: manifest.cipherPass, extent };
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
  status: WriteStatus,
  worker: number,
  doneBytes: number,
  totalBytes: number,
  work: RestoreWork,
): void {
  work.context.log.detail(() => {
    const path = work.layout.pathOf(file.name);
    const checksum = file.checksum === undefined || status === "zeroed" ? "" : ` checksum ${file.checksum}`;
    const what = status === "zeroed" ? "restore zeroed file" : "restore file";
    const kept = status === "kept" && file.sizeBytes > 0 ? " - exists and matches backup" : "";
    const size = formatSize(file.sizeBytes);
    return `${what} ${path}${kept} (${size}, ${formatPercent(doneBytes, totalBytes)})${checksum}`;
  }, worker);
}
