/**
 * The storing side of a copy: one content, read once, is compressed once for each distinct setting, encrypted for each repository, and written
 * to all of them, alone or as the next member of a bundle.
 */
import type { Storage } from "../../backends/contract.ts";
import { serializeError } from "../errors.ts";
import { blockFilePath, readBlockMap } from "../repository/block_files.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { encryptBytes, encryptFilter } from "../stream/cipher.ts";
import type { Framing } from "../stream/framing.ts";
import { compressBytes, compressFilter } from "../stream/compress.ts";
import { compressExtension } from "../stream/compress_type.ts";
import { ByteMeter, sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { collect, streamOf } from "../stream/sources.ts";
import { tee } from "../stream/tee.ts";
import type { BundleWriter } from "./bundle_writer.ts";
import { BlockStream } from "./block_stream.ts";
import type { BlockTarget, CopyRequest, CopySetup, CopyTarget, StoredFile } from "./copy_request.ts";
import { WHOLE_BYTES } from "./planner.ts";

/** Size and hash of a content. */
export interface Content {
  readonly sizeBytes: number;
  readonly checksum: string;
}

/** Where the files of one job go. */
export interface Destinations {
  readonly setup: CopySetup;
  readonly storages: ReadonlyMap<number, Storage>;
  /** By key of the repository, for those that bundle. */
  readonly bundles: ReadonlyMap<number, BundleWriter>;
  readonly bundleId: number | undefined;
}

/** Where a repository keeps a file of this backup. */
export function storedPath({ directory, compress }: CopyTarget, { name }: { readonly name: string }): string {
  return `${directory}/${name}${compressExtension(compress.type)}`;
}

/** The hash of stored bytes is told only where they are not the content itself. */
export function asStored(target: CopyTarget, { sizeBytes, checksum }: Content) {
  return { sizeBytes, checksum: isTransformed(target) ? checksum : undefined };
}

function isTransformed({ compress, cipherPass }: CopyTarget): boolean {
  return compress.type !== "none" || cipherPass !== undefined;
}

/** Where one repository stores a file. */
interface Place {
  readonly target: CopyTarget;
  readonly storage: Storage;
  /** Absent = the file is stored alone. */
  readonly bundle: BundleWriter | undefined;
  readonly framing: Framing;
  readonly bundleId: number | undefined;
  /** Absent = the file is stored whole. */
  readonly blocks: BlockTarget | undefined;
}

export function placesOf({ setup, storages, bundles, bundleId }: Destinations, request: CopyRequest): Place[] {
  return request.targets.map(({ key, bundled, blocks }): Place => {
    const target = setup.targets.find((one) => one.key === key)!;
    const bundle = bundled ? bundles.get(key) : undefined;
    const framing = bundle === undefined ? "normal" : target.bundleFraming;
    return { target, storage: storages.get(key)!, bundle, framing, bundleId, blocks };
  });
}

/** Repositories with one compression setting share its output. What is stored in blocks depends on what each has already. */
function groupByCompression(places: readonly Place[]): Place[][] {
  const groups = new Map<string, Place[]>();
  for (const place of places) {
    const { type, level } = place.target.compress;
    const key = place.blocks === undefined
      ? `${type}/${level ?? ""}/${place.framing}`
      : `blocks of ${place.target.key}`;
    groups.set(key, [...(groups.get(key) ?? []), place]);
  }
  return [...groups.values()];
}

/** Writes to every place; a failure is its result, so that the others go on. The order is that of the keys. */
export async function storeAll(
  read: ByteStream,
  places: readonly Place[],
  request: CopyRequest,
): Promise<StoredFile[]> {
  const groups = groupByCompression(places);
  const branches = groups.length === 1 ? undefined : tee(read, groups.length);
  const stored = await Promise.all(groups.map(async (group, index) => {
    try {
      const source = branches?.[index] ?? read;
      const { target, framing, blocks } = group[0]!;
      if (blocks !== undefined) return [await storeBlocks(source, group[0]!, blocks, request)];
      const compressed = compressFilter(target.compress, framing)(source);
      return await storeGroup(compressed, group, request);
    } finally {
      // A store may fail before it reads: the other branches would wait for this one.
      branches?.[index]?.drop();
    }
  }));
  return stored.flat().sort((a, b) => a.key - b.key);
}

async function storeGroup(
  compressed: ByteStream,
  group: readonly Place[],
  request: CopyRequest,
): Promise<StoredFile[]> {
  const branches = group.length === 1 ? undefined : tee(compressed, group.length);
  return await Promise.all(group.map(async (place, index) => {
    try {
      return await storeOne(branches?.[index] ?? compressed, place, request);
    } finally {
      branches?.[index]?.drop();
    }
  }));
}

/** Writes one repository's copy; a failure is its result, so that the others go on. */
async function storeOne(compressed: ByteStream, place: Place, request: CopyRequest): Promise<StoredFile> {
  const { target, storage, bundle, framing } = place;
  const meter = isTransformed(target) ? new Sha1Meter() : new ByteMeter();
  const encrypt = target.cipherPass === undefined ? [] : [
    encryptFilter(target.cipherPass, framing, bundle === undefined && storage.features.chunksPass),
  ];
  const bytes = pipeline(compressed, ...encrypt, meter.through);
  let bundleOffset: number | undefined;
  try {
    if (bundle !== undefined) bundleOffset = await bundle.append(bytes);
    else {
      // The name becomes durable with its directory, which is synced once for all files before the manifest is written.
      await storage.write(storedPath(target, request), bytes, { syncDirectory: false, uncached: true });
    }
  } catch (error) {
    return { key: target.key, status: "failed", error: serializeError(error) };
  }
  const checksum = meter instanceof Sha1Meter ? meter.digestHex() : undefined;
  return { key: target.key, status: "stored", bundleOffset, sizeBytes: meter.sizeBytes, checksum };
}

/** {@link storeAll} for content that is in memory. */
export async function storeWhole(
  content: Uint8Array,
  places: readonly Place[],
  request: CopyRequest,
): Promise<StoredFile[]> {
  const stored = await Promise.all(
    groupByCompression(places).map(async (group) => {
      const { target, framing, blocks } = group[0]!;
      if (blocks !== undefined) return [await storeBlocks(streamOf(content), group[0]!, blocks, request)];
      const compressed = await compressBytes(target.compress, content, framing);
      return await Promise.all(group.map((place) => storeOneWhole(compressed, place, request)));
    }),
  );
  return stored.flat().sort((a, b) => a.key - b.key);
}

async function storeOneWhole(compressed: Uint8Array, place: Place, request: CopyRequest): Promise<StoredFile> {
  const { target, storage, bundle, framing } = place;
  const { key, cipherPass } = target;
  try {
    const bytes = cipherPass === undefined ? compressed : await encryptBytes(cipherPass, compressed, framing);
    const checksum = isTransformed(target) ? sha1Hex(bytes) : undefined;
    const bundleOffset = await bundle?.append(bytes);
    if (bundle === undefined) await storage.write(storedPath(target, request), bytes, { syncDirectory: false });
    return { key, status: "stored", bundleOffset, sizeBytes: bytes.length, checksum };
  } catch (error) {
    return { key, status: "failed", error: serializeError(error) };
  }
}

/** Writes the blocks that one repository does not have; `unchanged` when it has them all, or there are none. */
async function storeBlocks(
  content: ByteStream,
  { target, storage, bundle, bundleId }: Place,
  { shape, superBlockBytes, prior }: BlockTarget,
  { name, sizeBytes }: CopyRequest,
): Promise<StoredFile> {
  const { key, reference, compress, cipherPass } = target;
  const meter = new Sha1Meter();
  const isSmall = sizeBytes <= WHOLE_BYTES;
  try {
    const blocks = new BlockStream({
      shape,
      sizeBytes,
      superBlockBytes,
      reference,
      bundleId: bundle === undefined ? 0 : bundleId!,
      offset: bundle?.sizeBytes ?? 0,
      prior: prior && await readBlockMap(storage, prior.map, cipherPass, prior.sizeBytes),
      compress,
      cipherPass,
      // A bundle gathers its members, and what is small is gathered here.
      chunksPass: bundle === undefined && !isSmall && storage.features.chunksPass,
    });
    const bytes = pipeline(content, blocks.through, meter.through);
    const bundleOffset = await bundle?.append(bytes);
    if (bundle === undefined) {
      await writeUnlessEmpty(storage, blockFilePath(target.directory, name, 0), bytes, isSmall);
    }
    if (meter.sizeBytes === 0) return { key, status: "unchanged" };
    const stored = { sizeBytes: meter.sizeBytes, checksum: meter.digestHex() };
    return { key, status: "stored", bundleOffset, mapBytes: blocks.mapBytes, ...stored };
  } catch (error) {
    return { key, status: "failed", error: serializeError(error) };
  }
}

/** A file without bytes is not made. */
async function writeUnlessEmpty(storage: Storage, path: string, bytes: ByteStream, isSmall: boolean): Promise<void> {
  const options = { syncDirectory: false };
  if (isSmall) {
    const whole = await collect(bytes, 2 * WHOLE_BYTES);
    if (whole.length > 0) await storage.write(path, whole, options);
    return;
  }
  const rest = bytes[Symbol.asyncIterator]();
  try {
    const first = await rest.next();
    if (!first.done) await storage.write(path, withFirst(first.value, rest), { ...options, uncached: true });
  } finally {
    await rest.return?.();
  }
}

async function* withFirst(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}
