/**
 * The main side of copying: hands files to the workers, takes what came of them into the entries of the manifest, and drops a repository
 * that fails. How one file is copied is in copy_job.ts, what is copied in planner.ts.
 */
import { deserializeError, isWalferryError, WalferryError } from "../errors.ts";
import type { ManifestFile } from "../format/manifest.ts";
import { firstBlockOf } from "../postgres/directory_rules.ts";
import type { BadPage } from "../postgres/page_checksum.ts";
import type { CommandContext } from "../process/command_context.ts";
import { isDistant } from "../../backends/config.ts";
import { letGo } from "../process/garbage.ts";
import { LIGHT_AT_ONCE, WorkerPool, workersWorth } from "../process/worker_pool.ts";
import { formatPercent, formatSize } from "../report/units.ts";
import { blockFilePath, blockMapPlace } from "../repository/block_files.ts";
import type { RepositoryFailure } from "../repository/repository_set.ts";
import type { BlockDecision } from "./block_plan.ts";
import type {
  BlockTarget,
  CopyJobRequest,
  CopyJobResult,
  CopyRequest,
  CopyResult,
  CopySetup,
  StoredFile,
  StoredPlace,
} from "./copy_request.ts";
import { type CopyJob, type CopyJobs } from "./copy_jobs.ts";
import { storedPath } from "./file_store.ts";
import { CONTROL_NAME, type CopyDecision, isReplayed } from "./planner.ts";

/** Pause before the attempts behind the first two (`job-retry-interval`), and how many attempts there are in all. */
const RETRY_PAUSES_MS = [0, 15_000];

/** Files up to this size are copied several at once to distant stores. Bytes. */
const LIGHT_BYTES = 1024 * 1024;

/** What the request for a file and the answer leave behind. */
const FILE_BYTES = 3000;

/** Errors that another attempt does not mend. */
const LASTING = [
  "Access",
  "Assert",
  "Config",
  "Crypto",
  "FileInvalid",
  "FileWrite",
  "PathMissing",
  "VersionNotSupported",
] as const;

/** A file that is in the backup. */
export interface CopiedFile {
  readonly decision: CopyDecision;
  /** Its entries for the manifests, by key of the repository: what was learned by reading it, and where its bytes are. */
  readonly entries: ReadonlyMap<number, ManifestFile>;
}

/** What a copy needs besides the files. */
export interface CopyRun {
  readonly setup: CopySetup;
  readonly processMax: number;
  /** Absolute path of a manifest name. */
  readonly pathOf: (name: string) => string;
  /**
   * An error here stops the copy: the server changed its role, or the session is gone. Gives the repositories that are to be left out from
   * here on. Called now and then.
   */
  readonly stillValid: () => Promise<readonly RepositoryFailure[]>;
  /** Hears how far the copy is. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  /** Hears of every file that is stored, or found where an earlier backup has it. */
  readonly onCopied: (copied: CopiedFile) => void;
  /** Hears of every file that the server removed meanwhile. */
  readonly onGone: (decision: CopyDecision) => void;
  /** Hears of a repository that is left out from here on; throws when it was the last one. */
  readonly onFailure: (failure: RepositoryFailure) => void;
}

/**
 * Copies files with a bounded number of workers.
 *
 * @param jobs in the order in which they are begun
 * @throws WalferryError what reading the cluster threw (after retries), what `onFailure` threw, the signal's reason
 */
export async function copyFiles(jobs: CopyJobs, run: CopyRun, context: CommandContext): Promise<void> {
  await new Copier(jobs, run, context).run();
}

class Copier {
  readonly #jobs: CopyJobs;
  readonly #run: CopyRun;
  readonly #context: CommandContext;
  readonly #live: Set<number>;
  readonly #totalBytes: number;
  /** Whether a repository is reached over a network: small files then wait more than they compute. */
  readonly #isDistant: boolean;
  #finishedBytes = 0;

  constructor(jobs: CopyJobs, run: CopyRun, context: CommandContext) {
    this.#jobs = jobs;
    this.#run = run;
    this.#context = context;
    this.#live = new Set(run.setup.targets.map((target) => target.key));
    this.#isDistant = run.setup.targets.some(({ storage }) => isDistant(storage));
    this.#totalBytes = jobs.totalBytes;
  }

  async run(): Promise<void> {
    const { signal, progress } = this.#context;
    await using pool = new WorkerPool<CopyJobRequest, CopyJobResult>(
      "backup-copy",
      this.#run.setup,
      // The one that reads the primary beside a standby is not counted.
      this.#workers() + (this.#jobs.has("primary") ? 1 : 0),
      (bytes) => progress.advance(bytes),
    );
    const stop = () => pool.close(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    progress.start("backup", this.#totalBytes);
    try {
      signal.throwIfAborted();
      await this.#copyAll(pool);
      signal.throwIfAborted();
    } finally {
      progress.stop();
      signal.removeEventListener("abort", stop);
    }
  }

  /** A distant store is waited for: there every worker helps. */
  #workers(): number {
    const { processMax } = this.#run;
    const worth = this.#isDistant ? processMax : workersWorth(processMax, this.#totalBytes, this.#jobs.files);
    return Math.min(worth, Math.max(1, this.#jobs.length));
  }

  /** A lane for each job that may run at once; the first error stops the other lanes when they have ended what they are at. */
  async #copyAll(pool: WorkerPool<CopyJobRequest, CopyJobResult>): Promise<void> {
    let failed: { readonly error: unknown } | undefined;
    const lane = async (queue: Iterable<CopyJob>) => {
      for (const job of queue) {
        if (failed !== undefined) return;
        try {
          await this.#runJob(pool, job);
          letGo(job.copies.length * FILE_BYTES);
          for (const { key, error } of await this.#run.stillValid()) {
            if (this.#live.has(key)) this.#drop(key, error);
          }
        } catch (error) {
          failed ??= { error };
        }
      }
    };
    const lanes = this.#run.processMax * (this.#isDistant ? LIGHT_AT_ONCE : 1);
    // One queue for all lanes: a lane that ends with an error must not end it for the others.
    const jobs = this.#jobs.values("any");
    const queue = { [Symbol.iterator]: () => ({ next: () => jobs.next() }) };
    const primary = this.#jobs.values("primary");
    await Promise.all([lane(primary), ...Array.from({ length: lanes }, () => lane(queue))]);
    await lane(this.#jobs.values("last"));
    if (failed !== undefined) throw (failed as { readonly error: unknown }).error;
  }

  async #runJob(pool: WorkerPool<CopyJobRequest, CopyJobResult>, job: CopyJob): Promise<void> {
    for (let attempt = 0;; attempt++) {
      const last = attempt === RETRY_PAUSES_MS.length;
      // What only a repository needed that is left out by now is not copied.
      const copies = job.copies.filter(({ targets }) => [...targets.keys()].some((key) => this.#live.has(key)));
      if (copies.length === 0) return this.#advance(sizeOf(job.copies));
      const files = copies.map((copy) => this.#requestOf(copy));
      const what = files.length === 1 ? `'${files[0]!.path}'` : `bundle ${job.bundleId}`;
      try {
        const isLight = this.#isDistant && files.length === 1 && files[0]!.sizeBytes <= LIGHT_BYTES;
        const { result, worker } = await pool.run({ files, bundleId: job.bundleId }, isLight);
        if (this.#settle(result, last)) {
          for (const [index, copy] of copies.entries()) {
            this.#take(copy, files[index]!, result.files[index]!, job.bundleId, worker);
          }
          return;
        }
      } catch (error) {
        this.#context.signal.throwIfAborted();
        if (last || isWalferryError(error, ...LASTING)) throw error;
        this.#context.log.detail(`copy of ${what} is tried again: ${(error as Error).message}`);
      }
      await this.#context.clock.sleep(RETRY_PAUSES_MS[attempt]!, this.#context.signal);
    }
  }

  #requestOf({ file: { name, sizeBytes }, targets }: CopyDecision): CopyRequest {
    const { setup, pathOf } = this.#run;
    const live = [...targets].filter(([key]) => this.#live.has(key));
    return {
      name,
      path: pathOf(name),
      source: name === CONTROL_NAME ? "control" : "file",
      sizeBytes,
      toEnd: !isReplayed(name),
      firstBlock: live.some(([, { checkPages }]) => checkPages) ? firstBlockOf(name, setup.pageBytes) : undefined,
      targets: live.map(([key, { bundled, unchanged, blocks, resumed }]) => ({
        key,
        bundled,
        unchangedChecksum: unchanged?.checksum,
        blocks: blocks && this.#blocksIn(key, blocks),
        resumed: resumed && {
          checksum: resumed.entry.checksum!,
          compare: resumed.compare,
          stored: this.#placeIn(key, resumed.entry),
        },
      })),
    };
  }

  #blocksIn(key: number, { shape, superBlockBytes, prior }: BlockDecision): BlockTarget {
    if (prior === undefined) return { shape, superBlockBytes };
    const { directory } = this.#run.setup.targets.find((target) => target.key === key)!;
    const backups = directory.slice(0, directory.lastIndexOf("/"));
    const map = blockMapPlace(prior, `${backups}/${prior.reference}`);
    return { shape, superBlockBytes, prior: { map, sizeBytes: prior.sizeBytes, checksum: prior.checksum! } };
  }

  /** Where an interrupted run has stored a file. */
  #placeIn(key: number, entry: ManifestFile): StoredPlace {
    const target = this.#run.setup.targets.find((one) => one.key === key)!;
    const { name, bundleId, bundleOffset = 0, repoSizeBytes, repoChecksum, blockMapBytes } = entry;
    const isInBlocks = blockMapBytes !== undefined;
    const isMember = bundleId !== undefined;
    return {
      path: isMember || isInBlocks ? blockFilePath(target.directory, name, bundleId) : storedPath(target, entry),
      member: isMember ? { offsetBytes: bundleOffset, lengthBytes: repoSizeBytes } : undefined,
      framing: isMember ? target.bundleFraming : "normal",
      blocks: isInBlocks
        ? { repoChecksum: repoChecksum ?? "", map: blockMapPlace(entry, target.directory) }
        : undefined,
    };
  }

  /** Whether this result is final; the alternative is another attempt for all repositories, so that all hold the same content. */
  #settle({ files }: CopyJobResult, last: boolean): boolean {
    const failures = new Map<number, WalferryError>();
    for (const result of files) {
      for (const one of result.status === "missing" ? [] : result.stored) {
        if (one.status !== "failed" || !this.#live.has(one.key) || failures.has(one.key)) continue;
        const error = deserializeError(one.error);
        if (!last && !isWalferryError(error, ...LASTING)) return false;
        failures.set(one.key, error);
      }
    }
    for (const [key, error] of failures) this.#drop(key, error);
    return true;
  }

  #take(
    copy: CopyDecision,
    request: CopyRequest,
    result: CopyResult,
    bundleId: number | undefined,
    worker: number,
  ): void {
    this.#advance(copy.file.sizeBytes);
    if (result.status === "copied") return this.#record(copy, request, result, bundleId, worker);
    if (request.source === "control") {
      throw new WalferryError("FileMissing", `unable to open missing file '${request.path}' for read`);
    }
    this.#run.onGone(copy);
    this.#context.log.detail(`skip file removed by database ${request.path}`, worker);
  }

  #advance(sizeBytes: number): void {
    this.#finishedBytes += sizeBytes;
    this.#run.onProgress(this.#finishedBytes, this.#totalBytes);
  }

  #drop(key: number, error: WalferryError): void {
    this.#live.delete(key);
    this.#run.onFailure({ key, error });
  }

  #record(
    copy: CopyDecision,
    request: CopyRequest,
    result: Copied,
    bundleId: number | undefined,
    worker: number,
  ): void {
    const entries = new Map<number, ManifestFile>();
    for (const stored of result.stored) {
      const entry = entryOf(copy, result, stored, bundleId);
      if (entry !== undefined) entries.set(stored.key, entry);
    }
    this.#run.onCopied({ decision: copy, entries });
    this.#tell(copy, request, result, bundleId, worker);
  }

  #tell(copy: CopyDecision, request: CopyRequest, result: Copied, bundleId: number | undefined, worker: number): void {
    const { log } = this.#context;
    for (const stored of result.stored) {
      if (stored.status !== "stored" || stored.damaged === undefined) continue;
      log.warn(
        `resumed backup file ${stored.damaged} does not have expected checksum ${
          copy.targets.get(stored.key)!.resumed!.entry.checksum
        }. ` +
          "The file will be recopied and backup will continue but this may be an issue unless the resumed backup path in the repository " +
          "is known to be corrupted.",
      );
    }
    log.detail(
      () =>
        describeCopy(
          request,
          result,
          bundleId,
          copy.file.sizeBytes,
          formatPercent(this.#finishedBytes, this.#totalBytes),
        ),
      worker,
    );
    if (result.pages === undefined || result.pages.valid) return;
    log.warn(describePages(request.path, result));
    for (const page of result.pages.badPages ?? []) log.warn(describeBadPage(request.path, page));
  }
}

/** @param percent of all bytes that are done */
function describeCopy(
  request: CopyRequest,
  result: Copied,
  bundleId: number | undefined,
  listedBytes: number,
  percent: string,
): string {
  const size = result.sizeBytes === listedBytes
    ? formatSize(listedBytes)
    : `${formatSize(listedBytes)}->${formatSize(result.sizeBytes)}`;
  const checksum = result.sizeBytes === 0 ? "" : ` checksum ${result.checksum}`;
  const statuses = new Set(result.stored.map(({ status }) => status));
  const what = statuses.has("stored")
    ? "backup file"
    : statuses.has("resumed")
    ? "checksum resumed file"
    : "match file from prior backup";
  const member = result.stored.find((one) => one.status === "stored" && one.bundleOffset !== undefined);
  const place = member?.status === "stored" ? `bundle ${bundleId}/${member.bundleOffset}, ` : "";
  return `${what} ${request.path} (${place}${size}, ${percent})${checksum}`;
}

type Copied = Extract<CopyResult, { status: "copied" }>;

/** What the manifest of one repository says of a file; `undefined` when it is not there. */
function entryOf(
  copy: CopyDecision,
  result: Copied,
  stored: StoredFile,
  bundleId: number | undefined,
): ManifestFile | undefined {
  const target = copy.targets.get(stored.key)!;
  if (stored.status === "failed") return undefined;
  if (stored.status === "unchanged") return target.unchanged ?? target.blocks!.unchanged;
  if (stored.status === "resumed") {
    return { ...target.resumed!.entry, repoSizeBytes: stored.sizeBytes, repoChecksum: stored.checksum };
  }
  const pages = target.checkPages ? result.pages : undefined;
  const listedBytes = copy.file.sizeBytes;
  return {
    ...copy.file,
    sizeBytes: result.sizeBytes,
    sizeOriginalBytes: result.sizeBytes === listedBytes ? undefined : listedBytes,
    checksum: result.sizeBytes === 0 ? undefined : result.checksum,
    checksumPage: pages?.valid,
    checksumPageErrors: pages?.errors,
    repoSizeBytes: stored.sizeBytes,
    repoChecksum: stored.checksum,
    bundleId: stored.bundleOffset === undefined ? undefined : bundleId,
    bundleOffset: stored.bundleOffset,
    ...(stored.mapBytes === undefined ? {} : {
      blockSizeBytes: target.blocks!.shape.blockBytes,
      blockChecksumBytes: target.blocks!.shape.checksumBytes,
      blockMapBytes: stored.mapBytes,
    }),
  };
}

function sizeOf(copies: readonly CopyDecision[]): number {
  return copies.reduce((total, { file }) => total + file.sizeBytes, 0);
}

/** The line for those who look for what wrote the page. */
function describeBadPage(path: string, { block, lsn, checksums }: BadPage): string {
  const why = checksums === undefined
    ? "it is not all zero, but its header says that it is empty"
    : `checksum ${checksums.stored} in its header, ${checksums.calculated} by its content`;
  return `page ${block} of file ${path}, LSN ${lsn}: ${why}`;
}

function describePages(path: string, { sizeBytes, pages: checked }: Copied): string {
  const ranges = checked?.errors;
  if (ranges === undefined) {
    return `page misalignment in file ${path}: file size ${sizeBytes} is not divisible by page size`;
  }
  const pages = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
  const one = ranges.length === 1 && ranges[0]![0] === ranges[0]![1];
  return one
    ? `invalid page checksum found in file ${path} at page ${pages}`
    : `invalid page checksums found in file ${path} at pages ${pages}`;
}
