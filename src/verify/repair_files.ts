/**
 * Files of a backup made anew from the content that another repository has, where its stored bytes are not to be had: another encryption,
 * another compression, other bundles, even another backup will do, because the content has a hash. A file stored by itself is written in its
 * place; members of bundles get a bundle of their own, so that what is sound in the old one is not touched. Until the manifest says so, the
 * files are as damaged as before.
 */
import { toWalferryError, WalferryError } from "../errors.ts";
import { FileTable } from "../format/file_table.ts";
import type { Manifest, ManifestFile } from "../format/manifest.ts";
import type { Repository } from "../repository/repository.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter, encryptFilter } from "../stream/cipher.ts";
import type { Framing } from "../stream/framing.ts";
import { compressFilter, decompressFilter } from "../stream/compress.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { judgeObject, type ObjectRequest } from "./object_job.ts";
import { realignDependants, saveManifest } from "./realign.ts";
import type { RepairPlace } from "./repair_place.ts";
import { type HeldFile, heldPath, partOf } from "./stored_set.ts";

/** A file whose content another repository has. */
interface Source {
  readonly from: Repository;
  readonly request: ObjectRequest;
  readonly form: { readonly framing: Framing; readonly cipherPass: string | undefined; readonly manifest: Manifest };
}

/** What came of it. */
export interface RepairedFiles {
  /** For each file that is right again the repository that had it. */
  readonly from: ReadonlyMap<string, string>;
  /** Backups that refer to them and cannot be made to agree with where they are now. */
  readonly disagreeing: readonly string[];
}

/**
 * @param names files that the backup holds and that are bad
 * @throws WalferryError of the store
 */
export async function repairFiles(
  place: RepairPlace,
  label: string,
  names: ReadonlySet<string>,
): Promise<RepairedFiles> {
  const { repository, stanza } = place;
  const info = await repository.loadBackupInfo(stanza);
  const manifest = await repository.loadManifest(stanza, label, info.cipherPass);
  // Blocks of a file are where later maps say that they are: they cannot be moved.
  const wanted = [...manifest.files].filter((file) =>
    names.has(file.name) && file.reference === undefined && file.blockMapBytes === undefined
  );
  const sources = await findSources(place, manifest, wanted);
  const found = wanted.filter(({ name }) => sources.has(name));
  if (found.length === 0) return { from: new Map(), disagreeing: [] };
  const updates = new Map<string, ManifestFile>();
  for (const file of found.filter(({ bundleId }) => bundleId === undefined)) {
    updates.set(file.name, await putFile(place, manifest, file, sources.get(file.name)!));
  }
  const members = found.filter(({ bundleId }) => bundleId !== undefined);
  if (members.length > 0) {
    for (const file of await putBundle(place, manifest, members, sources)) updates.set(file.name, file);
  }
  const emptied = emptiedBundles(manifest, members);
  for (const id of emptied) await place.keepAside(repository.backupPath(stanza, label, "bundle", String(id)));
  const files = FileTable.from(manifest.files);
  for (const file of updates.values()) files.set(files.indexOf(file.name), file);
  manifest.files = files;
  await saveManifest(place, manifest, info.cipherPass);
  const disagreeing = await realignDependants(place, label);
  for (const id of emptied) await repository.storage.remove(repository.backupPath(stanza, label, "bundle", String(id)));
  return { from: new Map(found.map(({ name }) => [name, sources.get(name)!.from.name])), disagreeing };
}

/** The same backup first, then others of the cluster, the newest first: a file that did not change is as good in any of them. */
async function findSources(
  place: RepairPlace,
  manifest: Manifest,
  wanted: readonly ManifestFile[],
): Promise<Map<string, Source>> {
  const { others, stanza, context, repository } = place;
  const open = new Map(wanted.map((file) => [file.name, file]));
  const sources = new Map<string, Source>();
  for (const other of others) {
    if (other.config.role === "wal") continue;
    try {
      const theirs = await other.loadBackupInfo(stanza);
      const ids = new Set(
        theirs.history.filter(({ systemId, pgVersion }) =>
          systemId === manifest.systemId && pgVersion === manifest.pgVersion
        ).map(({ id }) => id),
      );
      const labels = theirs.backups.filter(({ historyId }) => ids.has(historyId)).map(({ label }) => label).reverse();
      for (const label of labels.sort((a, b) => Number(b === manifest.label) - Number(a === manifest.label))) {
        if (open.size === 0) return sources;
        context.signal.throwIfAborted();
        const candidate = await other.loadManifest(stanza, label, theirs.cipherPass);
        for (const file of candidate.files) {
          const here = open.get(file.name);
          if (here === undefined || file.sizeBytes !== here.sizeBytes || file.checksum !== here.checksum) continue;
          const source = await soundSource(other, stanza, candidate, file);
          if (source === undefined) continue;
          sources.set(file.name, source);
          open.delete(file.name);
        }
      }
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = toWalferryError(thrown);
      context.log.warn(`${repository.name}: ${other.name} cannot be asked for files: ${error.message}`);
    }
  }
  return sources;
}

async function soundSource(
  from: Repository,
  stanza: string,
  manifest: Manifest,
  file: ManifestFile,
): Promise<Source | undefined> {
  if (file.blockMapBytes !== undefined) return undefined;
  const held: HeldFile = { file, common: manifest };
  const directory = from.backupPath(stanza, file.reference ?? manifest.label);
  const inBundle = file.bundleId !== undefined;
  const path = `${directory}/${inBundle ? `bundle/${file.bundleId}` : heldPath(held)}`;
  const request: ObjectRequest = { path, parts: [partOf(held)] };
  const [verdict] = await judgeObject(request, from.storage);
  if (verdict !== undefined) return undefined;
  const framing = inBundle && manifest.bundleRaw ? "raw" : "normal";
  return { from, request, form: { framing, cipherPass: manifest.cipherPass, manifest } };
}

/** Content of a source, which ends with an error when it is not what it must be. */
async function* contentOf({ from, request, form }: Source, file: ManifestFile): AsyncGenerator<Uint8Array> {
  const [part] = request.parts;
  const stored = await from.storage.read(request.path, {
    offsetBytes: part!.offsetBytes,
    lengthBytes: part!.lengthBytes,
  });
  if (stored === undefined) throw new WalferryError("FileMissing", `'${from.display(request.path)}' is gone`);
  const meter = new Sha1Meter();
  const decrypt = form.cipherPass === undefined ? [] : [decryptFilter(form.cipherPass, form.framing)];
  const open = decompressFilter(form.manifest.options.compressType, form.framing);
  yield* pipeline(stored, ...decrypt, open, meter.through);
  const isRight = meter.sizeBytes === file.sizeBytes &&
    (file.checksum === undefined || meter.digestHex() === file.checksum);
  if (!isRight) throw new WalferryError("Checksum", `'${from.display(request.path)}' is not what it was`);
}

/** @param meter hears of the bytes as they are stored */
function storedForm(manifest: Manifest, framing: Framing, content: ByteStream, meter: Sha1Meter): ByteStream {
  const encrypt = manifest.cipherPass === undefined ? [] : [encryptFilter(manifest.cipherPass, framing)];
  return pipeline(content, compressFilter({ type: manifest.options.compressType }, framing), ...encrypt, meter.through);
}

/** What the manifest says of a file as it was stored. */
function storedAs(file: ManifestFile, meter: Sha1Meter, place: Partial<ManifestFile> = {}): ManifestFile {
  const repoChecksum = meter.digestHex() === file.checksum ? undefined : meter.digestHex();
  return { ...file, repoSizeBytes: meter.sizeBytes, repoChecksum, ...place };
}

async function putFile(
  place: RepairPlace,
  manifest: Manifest,
  file: ManifestFile,
  source: Source,
): Promise<ManifestFile> {
  const { repository, stanza } = place;
  const path = `${repository.backupPath(stanza, manifest.label)}/${heldPath({ file, common: manifest })}`;
  await place.keepAside(path);
  const meter = new Sha1Meter();
  await repository.storage.write(path, storedForm(manifest, "normal", contentOf(source, file), meter));
  const update = storedAs(file, meter);
  await assertRight(repository, path, manifest, [update]);
  return update;
}

async function putBundle(
  place: RepairPlace,
  manifest: Manifest,
  members: readonly ManifestFile[],
  sources: ReadonlyMap<string, Source>,
): Promise<ManifestFile[]> {
  const { repository, stanza } = place;
  const directory = repository.backupPath(stanza, manifest.label);
  let bundleId = Math.max(...[...manifest.files].map((file) => file.bundleId ?? 0));
  for await (const { name } of repository.storage.list(`${directory}/bundle`)) {
    bundleId = Math.max(bundleId, Number(name) || 0);
  }
  bundleId += 1;
  const framing = manifest.bundleRaw ? "raw" : "normal";
  const updates: ManifestFile[] = [];
  const all = async function* (): AsyncGenerator<Uint8Array> {
    let bundleOffset = 0;
    for (const file of members) {
      const meter = new Sha1Meter();
      yield* storedForm(manifest, framing, contentOf(sources.get(file.name)!, file), meter);
      updates.push(storedAs(file, meter, { bundleId, bundleOffset: bundleOffset === 0 ? undefined : bundleOffset }));
      bundleOffset += meter.sizeBytes;
    }
  };
  const path = `${directory}/bundle/${bundleId}`;
  await repository.storage.write(path, all());
  await assertRight(repository, path, manifest, updates);
  return updates;
}

/** Bundles in which nothing is left that a manifest names. */
function emptiedBundles(manifest: Manifest, moved: readonly ManifestFile[]): number[] {
  const names = new Set(moved.map(({ name }) => name));
  const left = new Set(
    [...manifest.files].flatMap(({ name, reference, bundleId }) =>
      reference === undefined && bundleId !== undefined && !names.has(name) ? [bundleId] : []
    ),
  );
  return [...new Set(moved.map(({ bundleId }) => bundleId!))].filter((id) => !left.has(id));
}

async function assertRight(
  repository: Repository,
  path: string,
  manifest: Manifest,
  files: readonly ManifestFile[],
): Promise<void> {
  const parts = files.map((file) => partOf({ file, common: manifest }));
  const verdicts = await judgeObject({ path, parts }, repository.storage);
  if (verdicts.every((verdict) => verdict === undefined)) return;
  throw new WalferryError("Checksum", `'${repository.display(path)}' is not what was written`, {
    hint: "the store does not give back what it took.",
  });
}
