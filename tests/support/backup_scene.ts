/** Whole backups of a cluster that does not run, into repositories of files, with the real workers; and what they hold, read back. */
import { runBackup } from "../../src/backup/backup.ts";
import type { BackupOptions } from "../../src/backup/options.ts";
import { WalferryError } from "../../src/errors.ts";
import type { Manifest, ManifestFile } from "../../src/format/manifest.ts";
import { blockMapPlace } from "../../src/repository/block_files.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { Repository } from "../../src/repository/repository.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { writeBlocks } from "../../src/restore/block_writer.ts";
import { pipeline } from "../../src/stream/byte_stream.ts";
import { decryptFilter } from "../../src/stream/cipher.ts";
import { decompressFilter } from "../../src/stream/compress.ts";
import { compressExtension } from "../../src/stream/compress_type.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect, streamOf } from "../../src/stream/sources.ts";
import type { Clock } from "../../src/process/clock.ts";
import { assert, assertEquals, assertThrows } from "./assert.ts";
import { makeClusterFiles, relationPages, temporaryDirectory, writeFile } from "./cluster_files.ts";
import {
  dyingRepository,
  hurryingClock,
  makeStanza,
  offlineBackupOptions,
  repositoryConfig,
  STANZA,
  testContext,
} from "./stanza_files.ts";

const LIMIT = 64 * 1024 * 1024;

/** A cluster of plain files and the repositories of its stanza. */
export interface Scene extends Disposable {
  readonly base: string;
  readonly pgPath: string;
  readonly configs: readonly RepositoryConfig[];
  readonly clock: Clock;
}

/** A cluster and its stanza in one repository for each passphrase (`undefined` = not encrypted). */
export async function sceneOf(...passphrases: (string | undefined)[]): Promise<Scene> {
  const directory = temporaryDirectory();
  const base = directory.path;
  makeClusterFiles(`${base}/pg`);
  const configs = passphrases.map((passphrase, index) =>
    repositoryConfig(index + 1, `${base}/repo${index + 1}`, passphrase)
  );
  for (const config of configs) await makeStanza(config, `${base}/pg`);
  return {
    base,
    pgPath: `${base}/pg`,
    configs,
    clock: hurryingClock(),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

/** As {@link backUpUntil}, and no list of what was copied is saved behind the first one: all that is known is in the journal. */
export async function killBackUp(scene: Scene, files: number, options: Partial<BackupOptions> = {}): Promise<void> {
  const dying = scene.configs.map((config) => {
    let saves = 0;
    return dyingRepository(config, Infinity, (step) => {
      if (step.endsWith("backup.manifest.copy") && ++saves > 1) throw new Error("the process died");
    });
  });
  await backUpUntil(scene, files, options, RepositorySet.over(dying));
}

/** Makes an offline backup with one worker that is told to stop when it has copied so many files. */
export async function backUpUntil(
  scene: Scene,
  files: number,
  options: Partial<BackupOptions> = {},
  set?: RepositorySet,
): Promise<void> {
  const abort = new AbortController();
  await using repositories = set ?? await RepositorySet.open(scene.configs);
  let copied = 0;
  const run = runBackup({
    walSources: RepositorySet.over([]),
    options: offlineBackupOptions(scene.pgPath, scene.configs, { processMax: 1, ...options }),
    repositories,
    context: testContext(scene.clock, abort.signal),
    onProgress: () => {
      if (++copied === files) abort.abort(new WalferryError("Term", "terminated on signal SIGTERM"));
    },
  });
  assertEquals((await assertThrows<WalferryError>(() => run)).kind, "Term");
}

/** Makes an offline backup into every repository of the scene. */
export async function backUp(scene: Scene, options: Partial<BackupOptions> = {}, set?: RepositorySet) {
  const context = testContext(scene.clock);
  await using repositories = set ?? await RepositorySet.open(scene.configs);
  const report = await runBackup({
    walSources: RepositorySet.over([]),
    options: offlineBackupOptions(scene.pgPath, scene.configs, options),
    repositories,
    context,
    onProgress: () => {},
  });
  return { report, log: context.log };
}

/** Every file of a backup, read back from where its bytes are through decryption and decompression, is what the manifest says. */
export async function verifyBackup(config: RepositoryConfig, label: string): Promise<Manifest> {
  await using repository = await Repository.open(config);
  const info = await repository.loadBackupInfo(STANZA);
  const manifest = await repository.loadManifest(STANZA, label, info.cipherPass);
  assert(config.storage.type === "posix");
  for (const file of manifest.files) {
    const directory = `${config.storage.path}/${repository.backupPath(STANZA, file.reference ?? label)}`;
    if (file.sizeBytes === 0 && manifest.bundle && file.reference === undefined) {
      assertEquals([file.repoSizeBytes, file.bundleId], [0, undefined], file.name);
      continue;
    }
    if (file.blockMapBytes !== undefined) {
      await verifyBlocks(file, manifest, directory, repository);
      continue;
    }
    const isMember = file.bundleId !== undefined;
    const path = `${directory}/${
      isMember ? `bundle/${file.bundleId}` : `${file.name}${compressExtension(manifest.options.compressType)}`
    }`;
    const whole = Deno.readFileSync(path);
    const stored = isMember ? whole.subarray(file.bundleOffset, file.bundleOffset! + file.repoSizeBytes) : whole;
    assertEquals(stored.length, file.repoSizeBytes, file.name);
    const framing = isMember && manifest.bundleRaw ? "raw" : "normal";
    const decrypt = manifest.cipherPass === undefined ? [] : [decryptFilter(manifest.cipherPass, framing)];
    const plain = await collect(
      pipeline(streamOf(stored), ...decrypt, decompressFilter(manifest.options.compressType, framing)),
      LIMIT,
    );
    assertEquals(plain.length, file.sizeBytes, file.name);
    if (file.sizeBytes > 0) assertEquals(sha1Hex(plain), file.checksum, file.name);
    if (file.repoChecksum !== undefined) assertEquals(sha1Hex(stored), file.repoChecksum, file.name);
  }
  return manifest;
}

/** A file in blocks is put together again. */
async function verifyBlocks(file: ManifestFile, manifest: Manifest, directory: string, repository: Repository) {
  using scratch = temporaryDirectory();
  const path = `${scratch.path}/file`;
  using output = Deno.openSync(path, { create: true, write: true });
  const holder = directory.slice(`${repository.storage.location}/`.length);
  const place = blockMapPlace(file, holder);
  const directories = manifest.references!.map((label) => repository.backupPath(STANZA, label));
  const { compressType } = manifest.options;
  const digest = await writeBlocks({
    file: output,
    path,
    sizeBytes: file.sizeBytes,
    source: { ...place, compressType, cipherPass: manifest.cipherPass },
    blocks: { name: file.name, shape: place.shape, directories },
    existing: undefined,
    storage: repository.storage,
    advance: () => {},
  });
  assertEquals(digest, file.checksum, file.name);
  const stored = await repository.storage.read(place.path, {
    offsetBytes: file.bundleOffset,
    lengthBytes: file.repoSizeBytes,
  });
  assertEquals(sha1Hex(await collect(stored!, LIMIT)), file.repoChecksum, file.name);
}

/** Before anything that the clock of the scenes shows. */
export const LONG_AGO = 1_795_000_000;
/** A relation of 40 pages. */
export const RELATION = "base/5/16384";
/** Content of base/5/20000 in a settled scene: larger than what is compared in memory. */
export const BIG = relationPages(200);

/** Gives every file of the cluster an old time, so that times can be trusted. */
function settle(path: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory) settle(`${path}/${name}`);
    else Deno.utimeSync(`${path}/${name}`, LONG_AGO, LONG_AGO);
  }
}

/** A scene whose times can be trusted, with a large relation. */
export async function settledScene(...passphrases: (string | undefined)[]): Promise<Scene> {
  const scene = await sceneOf(...passphrases);
  writeFile(`${scene.pgPath}/base/5/20000`, BIG);
  settle(scene.pgPath);
  return scene;
}

/** Writes a file of the cluster, with a time of its own. */
export function change(scene: Scene, name: string, content: string | Uint8Array, timestamp = LONG_AGO + 60): void {
  writeFile(`${scene.pgPath}/${name}`, content);
  Deno.utimeSync(`${scene.pgPath}/${name}`, timestamp, timestamp);
}

/** Names of the files that a backup holds itself. */
export function own(manifest: Manifest): string[] {
  return [...manifest.files].filter(({ reference }) => reference === undefined).map(({ name }) => name);
}

/** Manifest name of the file that is always copied. */
export const CONTROL = "pg_data/global/pg_control";
