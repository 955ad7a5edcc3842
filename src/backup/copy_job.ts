/**
 * The worker's side of copying: one file of the cluster is read once, hashed once, its pages checked once, and stored where it is needed
 * (file_store.ts). What an earlier backup or an interrupted run holds already is found out here. The main side is copier.ts.
 */
import type { Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import { type SerializedError, serializeError } from "../errors.ts";
import { PageChecker } from "../postgres/page_checksum.ts";
import type { Advance } from "../process/worker_pool.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { drain } from "../stream/sources.ts";
import { BundleWriter } from "./bundle_writer.ts";
import { type ClusterFile, openClusterFile } from "./cluster_file.ts";
import type {
  CopyJobRequest,
  CopyJobResult,
  CopyRequest,
  CopyResult,
  CopySetup,
  FileTarget,
  StoredFile,
} from "./copy_request.ts";
import { asStored, type Content, type Destinations, placesOf, storeAll, storeWhole } from "./file_store.ts";
import { WHOLE_BYTES } from "./planner.ts";
import { ResumedFiles } from "./resumed_file.ts";

/** Starts a worker of the job `backup-copy`: opens every repository's store once. */
export async function start(
  setup: CopySetup,
): Promise<(request: CopyJobRequest, advance: Advance) => Promise<CopyJobResult>> {
  const storages = new Map<number, Storage>();
  for (const target of setup.targets) storages.set(target.key, await openStorage(target.storage));
  return (request, advance) => copyAll(setup, storages, request, advance);
}

async function copyAll(
  setup: CopySetup,
  storages: ReadonlyMap<number, Storage>,
  { files, bundleId }: CopyJobRequest,
  advance: Advance,
): Promise<CopyJobResult> {
  const bundles = new Map<number, BundleWriter>();
  for (const { key, directory } of bundleId === undefined ? [] : setup.targets) {
    bundles.set(key, new BundleWriter(storages.get(key)!, `${directory}/bundle/${bundleId}`));
  }
  await using before = new AsyncDisposableStack();
  const resumed = new Map(setup.targets.map(({ key }) => [key, before.use(new ResumedFiles(storages.get(key)!))]));
  const results: CopyResult[] = [];
  try {
    for (const file of files) {
      results.push(await copyFile({ setup, storages, bundles, bundleId }, resumed, file, advance));
    }
  } catch (error) {
    for (const bundle of bundles.values()) await bundle.abandon(error);
    throw error;
  }
  const failures = new Map<number, SerializedError>();
  await Promise.all([...bundles].map(async ([key, bundle]) => {
    try {
      await bundle.finish();
    } catch (error) {
      failures.set(key, serializeError(error));
    }
  }));
  return { files: failures.size === 0 ? results : results.map((result) => withoutBundles(result, failures)) };
}

/** A bundle that is not there takes all its members with it. */
function withoutBundles(result: CopyResult, failures: ReadonlyMap<number, SerializedError>): CopyResult {
  if (result.status === "missing") return result;
  const stored = result.stored.map((one): StoredFile => {
    const error = failures.get(one.key);
    const isMember = one.status === "stored" && one.bundleOffset !== undefined;
    return error === undefined || !isMember ? one : { key: one.key, status: "failed", error };
  });
  return { ...result, stored };
}

async function copyFile(
  destinations: Destinations,
  resumed: ReadonlyMap<number, ResumedFiles>,
  request: CopyRequest,
  advance: Advance,
): Promise<CopyResult> {
  const { setup } = destinations;
  using file = openClusterFile(setup, request);
  if (file === undefined) return { status: "missing" };
  const { sizeBytes } = file;
  const isSmall = sizeBytes <= WHOLE_BYTES;
  const isCompared = request.targets.some(({ unchangedChecksum, resumed }) =>
    unchangedChecksum !== undefined || resumed?.compare
  );
  const isBundled = request.targets.some(({ bundled }) => bundled);
  // What an interrupted run has stored everywhere, and need not be compared, is not read.
  const isRead = isCompared || request.targets.some((target) => target.resumed === undefined);
  const whole = isSmall && isRead ? file.whole() : undefined;
  const known = whole === undefined ? undefined : { sizeBytes: whole.length, checksum: sha1Hex(whole) };
  const found = isCompared
    ? known ?? await contentOf(file.content(true))
    : isBundled && whole?.length === 0
    ? known
    : undefined;
  const { settled, damaged } = await settle(setup, resumed, request, found);
  const targets = request.targets.filter(({ key }) => !settled.has(key));
  if (targets.length === 0) {
    advance(request.sizeBytes);
    const content = found ?? { sizeBytes: request.sizeBytes, checksum: request.targets[0]!.resumed!.checksum };
    const pages = content.sizeBytes === 0 && request.firstBlock !== undefined ? { valid: true } : undefined;
    return { status: "copied", ...content, pages, stored: [...settled.values()] };
  }
  // What was too large for memory is read again. It may have changed in between: this reading says what is stored.
  const storing = (targets: readonly FileTarget[], advance: Advance) =>
    whole === undefined
      ? store(destinations, { ...request, sizeBytes, targets }, file, advance)
      : storeSmall(destinations, { ...request, sizeBytes, targets }, file, { bytes: whole, ...known! }, advance);
  let copied = await storing(targets, advance);
  if (targets.some((target) => isOther(target, copied))) {
    const anew = targets.map((target) => ({
      ...target,
      blocks: target.blocks && { ...target.blocks, prior: undefined },
    }));
    copied = await storing(anew, () => undefined);
  }
  const stored = copied.stored.map((one): StoredFile => {
    if (one.status === "unchanged" && copied.sizeBytes === 0) return emptyMember(one.key);
    if (one.status !== "stored") return one;
    // The server emptied a file that was too large to be held: its member is there, and nobody is led to it.
    if (copied.sizeBytes === 0 && one.bundleOffset !== undefined) return emptyMember(one.key);
    return { ...one, damaged: damaged.get(one.key) };
  });
  return { ...copied, stored: [...settled.values(), ...stored] };
}

/** Other content with the same checksums of its blocks, which are short: the earlier backup does not have it after all. */
function isOther({ key, blocks }: FileTarget, { stored, sizeBytes, checksum }: Copied): boolean {
  if (sizeBytes === 0 || stored.find((one) => one.key === key)?.status !== "unchanged") return false;
  return blocks?.prior?.sizeBytes !== sizeBytes || blocks.prior.checksum !== checksum;
}

/** Beside bundles an empty file has no stored bytes. */
function emptyMember(key: number): StoredFile {
  return { key, status: "stored", sizeBytes: 0, checksum: undefined };
}

/**
 * Finds the repositories that need nothing, since an earlier backup or an interrupted run has this content there, and those that cannot be
 * asked.
 *
 * @param found the cluster's content, where it had to be looked at
 */
async function settle(
  setup: CopySetup,
  resumedFiles: ReadonlyMap<number, ResumedFiles>,
  request: CopyRequest,
  found: Content | undefined,
): Promise<{ readonly settled: Map<number, StoredFile>; readonly damaged: Map<number, string> }> {
  const settled = new Map<number, StoredFile>();
  const damaged = new Map<number, string>();
  const isThis = (checksum: string) => found?.checksum === checksum && found.sizeBytes === request.sizeBytes;
  for (const { key, unchangedChecksum, resumed, bundled } of request.targets) {
    // In a bundle nothing is stored of it.
    if (bundled && found?.sizeBytes === 0) {
      settled.set(key, emptyMember(key));
    } else if (unchangedChecksum !== undefined && isThis(unchangedChecksum)) {
      settled.set(key, { key, status: "unchanged" });
    } else if (resumed !== undefined && (found === undefined || isThis(resumed.checksum))) {
      const target = setup.targets.find((one) => one.key === key)!;
      const { checksum, stored } = resumed;
      const expected = {
        checksum,
        sizeBytes: request.sizeBytes,
        compressType: target.compress.type,
        cipherPass: target.cipherPass,
      };
      try {
        const bytes = await resumedFiles.get(key)!.read(stored, expected);
        if (bytes === undefined) damaged.set(key, resumedFiles.get(key)!.display(stored));
        // The hash of blocks is told whatever they are made of: they are not the content.
        else settled.set(key, { key, status: "resumed", ...(stored.blocks ? bytes : asStored(target, bytes)) });
      } catch (error) {
        settled.set(key, { key, status: "failed", error: serializeError(error) });
      }
    }
  }
  return { settled, damaged };
}

async function contentOf(bytes: ByteStream): Promise<Content> {
  const meter = new Sha1Meter();
  await drain(meter.through(bytes));
  return { sizeBytes: meter.sizeBytes, checksum: meter.digestHex() };
}

type Copied = Extract<CopyResult, { status: "copied" }>;

function checkerOf({ setup }: Destinations, { firstBlock }: CopyRequest, file: ClusterFile): PageChecker | undefined {
  return firstBlock === undefined ? undefined : new PageChecker({
    pageBytes: setup.pageBytes,
    firstBlock,
    headerCheck: setup.pageHeaderCheck,
    reread: (offset) => file.reread(offset, setup.pageBytes),
  });
}

/** Writes content that is in memory to every repository that needs it. */
async function storeSmall(
  destinations: Destinations,
  request: CopyRequest,
  file: ClusterFile,
  { bytes, sizeBytes, checksum }: Content & { readonly bytes: Uint8Array },
  advance: Advance,
): Promise<Copied> {
  const checker = checkerOf(destinations, request, file);
  checker?.update(bytes);
  const stored = await storeWhole(bytes, placesOf(destinations, request), request);
  advance(sizeBytes);
  return { status: "copied", sizeBytes, checksum, pages: checker?.finish(), stored };
}

/** Reads the content once and writes it to every repository that needs it. */
async function store(
  destinations: Destinations,
  request: CopyRequest,
  file: ClusterFile,
  advance: Advance,
): Promise<Copied> {
  const checker = checkerOf(destinations, request, file);
  const plain = new Sha1Meter();
  const failure: { error?: unknown } = {};
  const places = placesOf(destinations, request);
  // A bundle gathers members, and a store may send chunks while it takes the next.
  const chunksPass = places.every(({ bundle, storage }) => bundle === undefined && storage.features.chunksPass);
  const read = pipeline(watched(file.content(chunksPass), checker, advance, failure), plain.through);
  const stored = await storeAll(read, places, request);
  // A source that failed is no fault of the repositories, which all report it.
  if (failure.error !== undefined) throw failure.error;
  if (stored.every(({ status }) => status === "failed")) return failed(stored);
  return {
    status: "copied",
    sizeBytes: plain.sizeBytes,
    checksum: plain.digestHex(),
    pages: checker?.finish(),
    stored,
  };
}

/** Every repository failed: nothing is known of the content, since nobody read it to its end. */
function failed(stored: readonly StoredFile[]): Copied {
  return { status: "copied", sizeBytes: 0, checksum: "", pages: undefined, stored };
}

/** Passes the source on, with its progress, its page check, and a note of its own failure. */
async function* watched(
  source: ByteStream,
  checker: PageChecker | undefined,
  advance: Advance,
  failure: { error?: unknown },
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const result = await iterator.next();
      if (!result.done) checker?.update(result.value);
      return result;
    } catch (error) {
      failure.error = error;
      throw error;
    }
  };
  for (let chunk = await next(); !chunk.done; chunk = await next()) {
    advance(chunk.value.length);
    yield chunk.value;
  }
}
