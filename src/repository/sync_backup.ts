/**
 * Giving one repository a backup that another one has. Compression stays as it is, encryption is the target's: stored bytes are verified on
 * the way, and where they change, the manifest says so. The backup exists in the target when everything it needs does.
 */
import type { ReadOptions } from "../../backends/contract.ts";
import { WalferryError } from "../errors.ts";
import type { BackupInfo } from "../format/backup_info.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import { inLanes } from "../process/lanes.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter, encryptFilter, generateCipherPass } from "../stream/cipher.ts";
import type { Framing } from "../stream/framing.ts";
import { compressFilter, decompressFilter } from "../stream/compress.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { drain, streamOf } from "../stream/sources.ts";
import { tee } from "../stream/tee.ts";
import { entryOfManifest } from "./backup_catalog.ts";
import { encryption, type Repository } from "./repository.ts";

export interface SyncBackupOptions {
  readonly from: Repository;
  readonly to: Repository;
  readonly stanza: string;
  readonly label: string;
  readonly fromInfo: BackupInfo;
  /** Is added to, and saved. */
  readonly toInfo: BackupInfo;
  /** Id of the backup's cluster in the target. */
  readonly historyId: number;
  /** Present where backups of the target refer to this one already: what they need stays as it is. */
  readonly remains?: Remains;
  /** Files on their way at once. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

/** What the target still has of a backup that lost its manifest, as the backups say that refer to it. */
export interface Remains {
  /** Passphrase of its files. */
  readonly cipherPass: string | undefined;
  /** Files that lie there and are sound: they are not stored again. */
  readonly files: ReadonlyMap<string, ManifestFile>;
  /** Empty files that must be stored, although this backup has bundles, where they are not. */
  readonly emptyFiles: ReadonlySet<string>;
  /** Number of the first bundle that is new; absent: bundles keep their numbers, since maps of blocks name these. */
  readonly firstBundleId: number | undefined;
  /**
   * Hears of each object before it is written.
   * @param path in the target
   * @param files members as they are to be stored there when nothing changes their form
   * @returns whether the object is there and right, so that nothing need be written
   */
  readonly prepare: (path: string, files: readonly ManifestFile[]) => Promise<boolean>;
}

/** What came of it. */
export interface SyncedBackup {
  readonly files: number;
  readonly sizeBytes: number;
}

/** Files that share a stored object: a bundle, or one file by itself. */
interface StoredObject {
  /** In the source, below the backup's directory. */
  readonly path: string;
  /** Number that the bundle gets in the target. */
  readonly targetId: number | undefined;
  readonly bundleId: number | undefined;
  readonly files: ManifestFile[];
}

/** A manifest in the making. */
type SyncedManifest = Manifest & { files: ManifestFile[] };

/** @throws WalferryError `FeatureNotSupported`, `BackupSetInvalid` when the backup it builds on does not fit, `Checksum` for damage */
export async function syncBackup(options: SyncBackupOptions): Promise<SyncedBackup> {
  const { from, to, stanza, label, fromInfo, toInfo, historyId, remains, atOnce, signal } = options;
  const source = await from.loadManifest(stanza, label, fromInfo.cipherPass);
  const prior = source.prior === undefined ? undefined : await to.loadManifest(stanza, source.prior, toInfo.cipherPass);
  assertFits(source, prior, to);
  const cipherPass = remains === undefined ? passFor(source, prior, to) : remains.cipherPass;
  const manifest: SyncedManifest = { ...source, historyId, cipherPass, files: [...source.files] };
  referTo(manifest, prior, await manifestsOf(options, source));
  if (source.blockIncremental && source.cipherPass !== cipherPass) {
    throw new WalferryError(
      "FeatureNotSupported",
      `backup ${label} holds block incremental files, whose encryption cannot be changed`,
      { hint: `take a new full backup to ${to.name}.` },
    );
  }
  if (source.blockIncremental) await assertSameBlocks(options, source);
  // A run that was cut off left files that no manifest knows.
  if (remains === undefined) await to.storage.removeTree(to.backupPath(stanza, label));
  const objects = storedObjects(manifest, remains);
  let sizeBytes = 0;
  const written = new Map<string, number>();
  await inLanes(objects, atOnce, async (object) => {
    signal.throwIfAborted();
    const stored = await copyObject(object, source, cipherPass, options);
    if (stored > 0) written.set(targetName(object), stored);
    sizeBytes += stored;
  });
  signal.throwIfAborted();
  await assertWritten(options, written);
  // Copying may have taken hours, and the lock is this host's: what others added or expired meanwhile stays so.
  const nowInfo = await to.loadBackupInfo(stanza);
  if (source.prior !== undefined && !nowInfo.backups.some((entry) => entry.label === source.prior)) {
    throw new WalferryError(
      "BackupSetInvalid",
      `backup ${source.prior}, which ${label} builds on, was expired meanwhile`,
    );
  }
  await to.completeManifest(stanza, manifest, nowInfo.cipherPass);
  const entry = entryOfManifest(manifest);
  // Where it was listed already, notes were made there.
  const known = nowInfo.backups.find((one) => one.label === label);
  if (known !== undefined) entry.annotations = known.annotations;
  nowInfo.backups = [...nowInfo.backups.filter((one) => one.label !== label), entry]
    .sort((a, b) => (a.label < b.label ? -1 : 1));
  await to.saveBackupInfo(stanza, nowInfo);
  toInfo.backups = nowInfo.backups;
  return { files: manifest.files.length, sizeBytes };
}

function assertFits(source: Manifest, prior: Manifest | undefined, to: Repository): void {
  if (prior === undefined) return;
  const differs = prior.options.compressType !== source.options.compressType
    ? "another compress-type"
    : prior.bundleRaw !== source.bundleRaw && prior.bundle && source.bundle
    ? "bundles of another kind"
    : undefined;
  if (differs === undefined) return;
  throw new WalferryError(
    "BackupSetInvalid",
    `backup ${source.label} builds on ${prior.label}, which has ${differs} in ${to.name}`,
    { hint: `take a new backup to ${to.name}.` },
  );
}

/** A backup and what it builds on share one passphrase, since one passphrase opens all files of a manifest. */
function passFor(source: Manifest, prior: Manifest | undefined, to: Repository): string | undefined {
  if (to.config.cipher.type === "none") return undefined;
  return prior === undefined ? source.cipherPass ?? generateCipherPass() : prior.cipherPass;
}

/** Files of a backup in the target. */
interface TargetFiles {
  /** Empty files are not stored there. */
  readonly bundle: boolean;
  readonly files: ReadonlyMap<string, ManifestFile>;
}

/** Manifests of the target for the backups that files refer to. */
async function manifestsOf(
  { to, stanza, toInfo }: SyncBackupOptions,
  source: Manifest,
): Promise<ReadonlyMap<string, TargetFiles>> {
  const labels = new Set(
    source.files.values().flatMap(({ reference }) => (reference === undefined ? [] : [reference])),
  );
  const manifests = new Map<string, TargetFiles>();
  for (const label of labels) {
    const manifest = await to.loadManifest(stanza, label, toInfo.cipherPass);
    const files = new Map(manifest.files.values().map((file) => [file.name, file]));
    manifests.set(label, { bundle: manifest.bundle, files });
  }
  return manifests;
}

/** What is in an earlier backup lies in the target as that backup's own manifest says there. */
function referTo(
  manifest: SyncedManifest,
  prior: Manifest | undefined,
  manifests: ReadonlyMap<string, TargetFiles>,
): void {
  for (const [at, file] of manifest.files.entries()) {
    if (file.reference === undefined) continue;
    const target = manifests.get(file.reference);
    const there = target?.files.get(file.name);
    if (there === undefined || there.checksum !== file.checksum || there.sizeBytes !== file.sizeBytes) {
      throw new WalferryError(
        "BackupSetInvalid",
        `backup ${manifest.label} needs '${file.name}' of ${file.reference}, which is another one there (prior ${prior?.label})`,
        { hint: "take a new backup." },
      );
    }
    const { repoSizeBytes, repoChecksum, bundleId, bundleOffset } = there;
    // Nobody stores it there: this backup does, where it has no bundles.
    const isHeld = file.sizeBytes > 0 || bundleId !== undefined || !target!.bundle;
    const reference = isHeld ? file.reference : undefined;
    manifest.files[at] = { ...file, reference, repoSizeBytes, repoChecksum, bundleId, bundleOffset };
  }
}

/**
 * Maps of blocks say at which byte of which bundle of an earlier backup a block is: the earlier backups must be the same ones there.
 * @throws WalferryError `BackupSetInvalid`
 */
async function assertSameBlocks({ from, to, stanza, fromInfo, toInfo }: SyncBackupOptions, source: Manifest) {
  for (const label of source.references ?? []) {
    if (label === source.label) continue;
    const here = await from.loadManifest(stanza, label, fromInfo.cipherPass);
    const there = await to.loadManifest(stanza, label, toInfo.cipherPass);
    const copies = new Map(there.files.values().map((file) => [file.name, file]));
    for (const file of here.files) {
      if (file.blockMapBytes === undefined || file.reference !== undefined) continue;
      const copy = copies.get(file.name);
      const isSame = copy !== undefined && copy.repoChecksum === file.repoChecksum &&
        copy.bundleId === file.bundleId && copy.bundleOffset === file.bundleOffset;
      if (isSame) continue;
      throw new WalferryError(
        "BackupSetInvalid",
        `backup ${source.label} takes blocks of '${file.name}' from ${label}, which holds others in ${to.name}`,
        { hint: `take a new full backup to ${to.name}.` },
      );
    }
  }
}

/** What the backup itself stores. Empty files beside bundles are stored nowhere. What remains in the target gets its place in the manifest. */
function storedObjects(manifest: SyncedManifest, remains: Remains | undefined): StoredObject[] {
  const objects = new Map<string, StoredObject>();
  for (const [at, file] of manifest.files.entries()) {
    if (file.reference !== undefined) continue;
    const { bundleId } = file;
    const there = remains?.files.get(file.name);
    if (there !== undefined) {
      const { repoSizeBytes, repoChecksum, bundleId, bundleOffset } = there;
      manifest.files[at] = { ...file, repoSizeBytes, repoChecksum, bundleId, bundleOffset };
      continue;
    }
    if (manifest.bundle && file.sizeBytes === 0 && !remains?.emptyFiles.has(file.name)) continue;
    const extension = file.blockMapBytes === undefined ? compressExtension(manifest.options.compressType) : ".pgbi";
    const path = bundleId === undefined ? `${file.name}${extension}` : `bundle/${bundleId}`;
    const object = objects.get(path);
    const first = remains?.firstBundleId ?? 1;
    const targetId = bundleId === undefined ? undefined : bundleId + first - 1;
    if (object === undefined) objects.set(path, { path, bundleId, targetId, files: [file] });
    else object.files.push(file);
  }
  const stored = (object: StoredObject) => object.files.reduce((sum, file) => sum + file.repoSizeBytes, 0);
  return [...objects.values()].sort((a, b) => stored(b) - stored(a));
}

/** Name of an object below the directory of the backup in the target. */
function targetName({ targetId, path }: StoredObject): string {
  return targetId === undefined ? path : `bundle/${targetId}`;
}

/**
 * Until its manifest is there a backup that is brought looks like one that was interrupted, and locks are of a host: another host's backup or
 * expire may have removed it meanwhile.
 *
 * @throws WalferryError `LockAcquire`
 */
async function assertWritten(
  { to, stanza, label, signal }: SyncBackupOptions,
  written: ReadonlyMap<string, number>,
): Promise<void> {
  let found = 0;
  for await (const { name, sizeBytes } of to.storage.list(to.backupPath(stanza, label), { recurse: true, signal })) {
    if (written.get(name) === sizeBytes) found += 1;
  }
  if (found === written.size) return;
  throw new WalferryError(
    "LockAcquire",
    `of ${written.size} files that were brought to backup ${label} in ${to.name} ${
      written.size - found
    } are not there any more`,
    { hint: "does another host back up, or expire, in this repository? Run the command again." },
  );
}

/** @returns stored bytes. The files' entries say afterwards how they are stored. */
async function copyObject(
  object: StoredObject,
  source: Manifest,
  cipherPass: string | undefined,
  { from, to, stanza, label, remains, signal }: SyncBackupOptions,
): Promise<number> {
  const path = `${from.backupPath(stanza, label)}/${object.path}`;
  const { targetId } = object;
  const target = `${to.backupPath(stanza, label)}/${targetName(object)}`;
  if (await remains?.prepare(target, object.files)) return 0;
  const framing: Framing = object.bundleId !== undefined && source.bundleRaw ? "raw" : "normal";
  let written = 0;
  const readVerified = async (file: ManifestFile, { offsetBytes, lengthBytes }: ReadRange): Promise<ByteStream> => {
    const stored = await from.storage.read(path, { offsetBytes, lengthBytes, signal });
    if (stored !== undefined) return verified(stored, file, source, framing, cipherPass, from.display(path));
    throw new WalferryError("FileMissing", `unable to open missing file '${from.display(path)}' for read`);
  };
  const content = async function* (): ByteStreamGenerator {
    for (const file of object.files.sort((a, b) => (a.bundleOffset ?? 0) - (b.bundleOffset ?? 0))) {
      const gapBytes = (file.bundleOffset ?? 0) - written;
      // Maps of blocks count from the beginning of the bundle: what is no member any more keeps its place in it.
      if (source.blockIncremental && gapBytes > 0) {
        yield* await from.storage.read(path, { offsetBytes: written, lengthBytes: gapBytes, signal }) ?? [];
        written += gapBytes;
      }
      const range = object.bundleId === undefined
        ? {}
        : { offsetBytes: file.bundleOffset, lengthBytes: file.repoSizeBytes };
      const meter = new Sha1Meter();
      // An empty file may be stored nowhere in the source.
      const stored = file.sizeBytes === 0 && object.bundleId === undefined
        ? emptyFile(source, cipherPass)
        : await readVerified(file, range);
      yield* meter.through(stored);
      if (object.bundleId !== undefined) file.bundleOffset = written;
      file.bundleId = targetId;
      file.repoSizeBytes = meter.sizeBytes;
      // Where nothing transforms a file, its own checksum is that of the stored bytes; WAL from the archive carries none (§5.3).
      if (file.repoChecksum !== undefined || !isArchivedWal(file.name)) {
        file.repoChecksum = meter.digestHex() === file.checksum ? undefined : meter.digestHex();
      }
      written += meter.sizeBytes;
    }
  };
  await to.storage.write(target, content(), { signal, uncached: true });
  return written;
}

type ReadRange = Pick<ReadOptions, "offsetBytes" | "lengthBytes">;

/** An empty file as it is stored by itself. */
function emptyFile({ options }: Manifest, cipherPass: string | undefined): ByteStream {
  return pipeline(
    streamOf(new Uint8Array(0)),
    compressFilter({ type: options.compressType }),
    ...encryption(cipherPass),
  );
}

function isArchivedWal(name: string): boolean {
  return name.startsWith("pg_data/pg_wal/");
}

type ByteStreamGenerator = AsyncGenerator<Uint8Array, void, undefined>;

/** The bytes to store, which end with an error when the content is not what the manifest says. */
async function* verified(
  stored: ByteStream,
  file: ManifestFile,
  source: Manifest,
  framing: Framing,
  cipherPass: string | undefined,
  shown: string,
): ByteStreamGenerator {
  const { compressType } = source.options;
  const same = source.cipherPass === cipherPass;
  const decrypt = source.cipherPass === undefined ? [] : [decryptFilter(source.cipherPass, framing)];
  // Blocks are stored in a form of their own; their stored bytes have a checksum.
  const isBlock = file.blockMapBytes !== undefined;
  const meter = new Sha1Meter();
  const [out, check] = tee(same ? stored : pipeline(stored, ...decrypt), 2);
  const checked = drain(
    isBlock
      ? meter.through(check!)
      : pipeline(check!, ...(same ? decrypt : []), decompressFilter(compressType, framing), meter.through),
  ).then(() => undefined, (error: unknown) => {
    check!.drop();
    return { error };
  });
  yield* same || cipherPass === undefined ? out! : encryptFilter(cipherPass, framing)(out!);
  const failure = await checked;
  const expected = isBlock ? file.repoChecksum : file.checksum;
  const isRight = failure === undefined && (expected === undefined || meter.digestHex() === expected);
  if (isRight) return;
  throw new WalferryError(
    "Checksum",
    `'${file.name}' in '${shown}' is damaged: ${
      failure === undefined ? `its checksum is ${meter.digestHex()}` : (failure.error as Error).message
    }`,
    { cause: failure?.error },
  );
}
