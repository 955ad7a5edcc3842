/** Copying a stored WAL file from one repository to another: compression is kept, encryption changed, content verified on the way. */
import { toWalferryError, WalferryError } from "../errors.ts";
import { walDirectory } from "../format/wal_name.ts";
import { pipeline } from "../stream/byte_stream.ts";
import { decompressFilter } from "../stream/compress.ts";
import { sha1Hex, Sha1Meter } from "../stream/hash.ts";
import { collect, drain, streamOf } from "../stream/sources.ts";
import { encryption, type Repository } from "./repository.ts";
import type { ArchivedSegment } from "./wal_archive.ts";

/** Stored files up to this size are held in memory, read once; larger ones are read a second time while they are written. */
const IN_MEMORY_BYTES = 64 * 1024 * 1024;

/** One archive id of a stanza in one repository. */
export interface WalPlace {
  readonly repository: Repository;
  readonly stanza: string;
  readonly archiveId: string;
  /** `cipherPass` of `archive.info`. */
  readonly passphrase: string | undefined;
}

/**
 * Copies a segment, durably. The bytes written are those that were verified.
 * @throws WalferryError `Checksum` when the source is damaged, `FileMissing`
 */
export async function copySegment(
  from: WalPlace,
  segment: ArchivedSegment,
  to: WalPlace,
  signal: AbortSignal,
): Promise<void> {
  const path = placeOf(to, segment.walName, segment.name);
  const encrypt = encryption(to.passphrase);
  const { sizeBytes } = await from.repository.storage.info(segment.path, signal) ?? missing(from, segment.path);
  if (sizeBytes <= IN_MEMORY_BYTES) {
    const stored = await collect(await read(from, segment.path, signal), IN_MEMORY_BYTES);
    await verifySegment(from, segment, streamOf(stored));
    await to.repository.storage.write(path, pipeline(streamOf(stored), ...encrypt), { signal });
    return;
  }
  const first = new Sha1Meter();
  await verifySegment(from, segment, first.through(await read(from, segment.path, signal)));
  const verified = first.digestHex();
  const again = async function* () {
    const meter = new Sha1Meter();
    yield* meter.through(await read(from, segment.path, signal));
    if (meter.digestHex() !== verified) throw damaged(from, segment.path, "it changed while it was copied");
  };
  await to.repository.storage.write(path, pipeline(again(), ...encrypt), { signal });
}

/**
 * Copies a file that is stored under its own name (history, backup label).
 * @param checksum SHA-1 of its content, where it is known
 * @returns SHA-1 of its content, `undefined` when the source does not have it
 * @throws WalferryError `Checksum`
 */
export async function copyPlainFile(
  from: WalPlace,
  name: string,
  to: WalPlace,
  signal: AbortSignal,
  checksum?: string,
): Promise<string | undefined> {
  const stored = await from.repository.readWith(placeOf(from, name, name), from.passphrase, { signal });
  if (stored === undefined) return undefined;
  const bytes = await collect(stored, IN_MEMORY_BYTES);
  const found = sha1Hex(bytes);
  if (checksum !== undefined && found !== checksum) {
    throw damaged(from, placeOf(from, name, name), `its checksum is ${found}`);
  }
  await to.repository.storage.write(
    placeOf(to, name, name),
    pipeline(streamOf(bytes), ...encryption(to.passphrase)),
    { signal },
  );
  return found;
}

async function read({ repository, passphrase }: WalPlace, path: string, signal: AbortSignal) {
  return await repository.readWith(path, passphrase, { signal }) ?? missing({ repository }, path);
}

/** @param stored compressed, no longer encrypted */
async function verifySegment(
  from: WalPlace,
  { path, checksum, compressType }: ArchivedSegment,
  stored: AsyncIterable<Uint8Array>,
): Promise<void> {
  const meter = new Sha1Meter();
  try {
    await drain(pipeline(stored, decompressFilter(compressType), meter.through));
  } catch (error) {
    throw damaged(from, path, toWalferryError(error).text);
  }
  if (meter.digestHex() !== checksum) throw damaged(from, path, `its checksum is ${meter.digestHex()}`);
}

function placeOf({ repository, stanza, archiveId }: WalPlace, walName: string, stored: string): string {
  return repository.archivePath(stanza, archiveId, walDirectory(walName), stored);
}

function missing({ repository }: Pick<WalPlace, "repository">, path: string): never {
  throw new WalferryError("FileMissing", `unable to open missing file '${repository.display(path)}' for read`);
}

function damaged({ repository }: WalPlace, path: string, reason: string): WalferryError {
  return new WalferryError("Checksum", `content of '${repository.display(path)}' is damaged: ${reason}`);
}
