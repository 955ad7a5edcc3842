/**
 * One repository: its store, its encryption, and the files that describe a stanza in it. Which repositories there are and what happens
 * when one fails is decided above (repository_set.ts and the services).
 */
import type { ReadOptions, Storage } from "../../backends/contract.ts";
import { openStorage } from "../../backends/open.ts";
import { toWalferryError, WalferryError } from "../errors.ts";
import { type ArchiveInfo, parseArchiveInfo, renderArchiveInfo } from "../format/archive_info.ts";
import { type BackupInfo, parseBackupInfo, renderBackupInfo } from "../format/backup_info.ts";
import type { Manifest } from "../format/manifest.ts";
import { renderManifest } from "../format/manifest_codec.ts";
import { letGo } from "../process/garbage.ts";
import { type ByteStream, type Filter, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter, encryptFilter } from "../stream/cipher.ts";
import { compressFilter } from "../stream/compress.ts";
import { expectSha1, Sha1Meter } from "../stream/hash.ts";
import { collect, streamOf } from "../stream/sources.ts";
import type { RepositoryConfig } from "./config.ts";
import { decodeText, readManifest } from "./info_bytes.ts";
import { openingPassphrase, opensInfo } from "./info_passphrase.ts";

export { decodeText } from "./info_bytes.ts";

/** Largest `archive.info` or `backup.info` that is read, in bytes: a hundred thousand backups. */
export const INFO_BYTES_MAX = 128 * 1024 * 1024;
/**
 * Level of the manifests kept in `backup.history` (repository-format §1.2). The original takes the highest, which takes twice as long and, by the
 * runtime's zlib, makes manifests no smaller.
 */
export const HISTORY_LEVEL = 2;
const ARCHIVE_INFO_HINT = "archive.info cannot be opened but is required to push/get WAL segments.\n" +
  "is archive_command configured correctly in postgresql.conf?\nhas a stanza-create been performed?\n" +
  "use --no-archive-check to disable archive checks during backup if you have an alternate archiving scheme.";
const BACKUP_INFO_HINT =
  "backup.info cannot be opened and is required to perform a backup.\nhas a stanza-create been performed?";

export class Repository implements AsyncDisposable {
  readonly config: RepositoryConfig;
  readonly storage: Storage;

  private constructor(config: RepositoryConfig, storage: Storage) {
    this.config = config;
    this.storage = storage;
  }

  /** Opens a configured repository; nothing is read yet. */
  static async open(config: RepositoryConfig): Promise<Repository> {
    return new Repository(config, await openStorage(config.storage));
  }

  /** A repository over a store that is open already (tests, simulation). */
  static over(config: RepositoryConfig, storage: Storage): Repository {
    return new Repository(config, storage);
  }

  get key(): number {
    return this.config.key;
  }

  /** `repo1`, as it is called in messages. */
  get name(): string {
    return `repo${this.config.key}`;
  }

  /** The user's passphrase, which opens the info files; `undefined` when the repository is not encrypted. */
  get infoPassphrase(): string | undefined {
    return this.config.cipher.type === "none" ? undefined : this.config.cipher.passphrase;
  }

  /** Whether the configured passphrase opens an info file, without the one before. @throws WalferryError those of the store */
  async opensWithCurrent(path: string): Promise<boolean> {
    const stored = await this.#storedInfo(path);
    return stored !== undefined && this.infoPassphrase !== undefined && await opensInfo(stored, this.infoPassphrase);
  }

  /**
   * The passphrase that an info file has, or gets when it is written: the one that opens it or, where there is none that could be opened, its
   * copy or the stanza's other info file. Hosts that do not know the configured one yet go on with the stanza until `rekey`. A stanza that is
   * new begins with the configured one.
   * @returns `undefined` when the repository is not encrypted
   * @throws WalferryError those of the store
   */
  async infoPassphraseOf(stanza: string, path: string): Promise<string | undefined> {
    const { cipher } = this.config;
    if (cipher.type === "none") return undefined;
    if (cipher.previous === undefined) return cipher.passphrase;
    const main = path.replace(/\.copy$/, "");
    const infos = [main, this.archivePath(stanza, "archive.info"), this.backupPath(stanza, "backup.info")];
    for (const candidate of new Set([path, ...infos.flatMap((info) => [info, `${info}.copy`])])) {
      const stored = await this.#storedInfo(candidate);
      const opening = stored === undefined ? undefined : await openingPassphrase(stored, cipher);
      if (opening !== undefined) return opening;
    }
    return cipher.passphrase;
  }

  /** Content of an info file, which the passphrase before may still open; `undefined` when it is proved absent. */
  async readInfo(path: string, signal?: AbortSignal): Promise<ByteStream | undefined> {
    const { cipher } = this.config;
    if (cipher.type === "none" || cipher.previous === undefined) {
      return await this.readWith(path, this.infoPassphrase, { signal });
    }
    const stored = await this.#storedInfo(path, signal);
    if (stored === undefined) return undefined;
    return decryptFilter(await openingPassphrase(stored, cipher) ?? cipher.passphrase)(streamOf(stored));
  }

  async #storedInfo(path: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const stream = await this.storage.read(path, { signal });
    return stream === undefined ? undefined : await collect(stream, INFO_BYTES_MAX);
  }

  archivePath(stanza: string, ...rest: string[]): string {
    return ["archive", stanza, ...rest].filter((part) => part !== "").join("/");
  }

  backupPath(stanza: string, ...rest: string[]): string {
    return ["backup", stanza, ...rest].filter((part) => part !== "").join("/");
  }

  /** Path of a stored file as a person would look for it. */
  display(path: string): string {
    return `${this.storage.location}/${path}`;
  }

  /** Content of a file, decrypted when a passphrase is given; `undefined` when it is proved absent. */
  async readWith(
    path: string,
    passphrase: string | undefined,
    options: Pick<ReadOptions, "signal" | "chunksPass"> = {},
  ): Promise<ByteStream | undefined> {
    const stream = await this.storage.read(path, options);
    if (stream === undefined || passphrase === undefined) return stream;
    return decryptFilter(passphrase, "normal", options.chunksPass)(stream);
  }

  /** @throws WalferryError the first failure's kind with both attempts in the message (repository-format §2.4) */
  async loadArchiveInfo(stanza: string, signal?: AbortSignal): Promise<ArchiveInfo> {
    return await this.#load(
      this.archivePath(stanza, "archive.info"),
      (path) => this.readInfo(path, signal),
      async (content) => parseArchiveInfo(decodeText(await collect(content, INFO_BYTES_MAX))),
      "info file",
      ARCHIVE_INFO_HINT,
      signal,
    );
  }

  /** Writes `archive.info`, then its copy, from the same bytes, with the passphrase of {@link infoPassphraseOf}. */
  async saveArchiveInfo(stanza: string, info: ArchiveInfo): Promise<void> {
    const path = this.archivePath(stanza, "archive.info");
    await this.#saveWithCopy(path, renderArchiveInfo(info), await this.infoPassphraseOf(stanza, path));
  }

  /** As {@link saveArchiveInfo} with the configured passphrase, whichever it has: for `rekey` alone. */
  async rekeyArchiveInfo(stanza: string, info: ArchiveInfo): Promise<void> {
    await this.#saveWithCopy(this.archivePath(stanza, "archive.info"), renderArchiveInfo(info), this.infoPassphrase);
  }

  /** @throws WalferryError as {@link loadArchiveInfo} */
  async loadBackupInfo(stanza: string): Promise<BackupInfo> {
    return await this.#load(
      this.backupPath(stanza, "backup.info"),
      (path) => this.readInfo(path),
      async (content) => parseBackupInfo(decodeText(await collect(content, INFO_BYTES_MAX))),
      "info file",
      BACKUP_INFO_HINT,
    );
  }

  /** Writes `backup.info`, then its copy, from the same bytes, with the passphrase of {@link infoPassphraseOf}. */
  async saveBackupInfo(stanza: string, info: BackupInfo): Promise<void> {
    const path = this.backupPath(stanza, "backup.info");
    await this.#saveWithCopy(path, renderBackupInfo(info), await this.infoPassphraseOf(stanza, path));
  }

  /** As {@link saveBackupInfo} with the configured passphrase, whichever it has: for `rekey` alone. */
  async rekeyBackupInfo(stanza: string, info: BackupInfo): Promise<void> {
    await this.#saveWithCopy(this.backupPath(stanza, "backup.info"), renderBackupInfo(info), this.infoPassphrase);
  }

  /**
   * The manifest of a backup, or its copy.
   * @param passphrase `cipherPass` of `backup.info`
   * @throws WalferryError `Format` when its label is not the one asked for; otherwise as {@link loadArchiveInfo}
   */
  async loadManifest(stanza: string, label: string, passphrase: string | undefined): Promise<Manifest> {
    const path = this.backupPath(stanza, label, "backup.manifest");
    // The manifest of another backup in its place is no better than a damaged one: the copy is asked.
    const decode = async (content: ByteStream): Promise<Manifest> => {
      const manifest = await readManifest(content);
      if (manifest.label === label) return manifest;
      throw new WalferryError(
        "Format",
        `requested backup '${label}' and manifest label '${manifest.label}' do not match`,
        {
          hint: "this indicates some sort of corruption (at the very least paths have been renamed)",
        },
      );
    };
    return await this.#load(
      path,
      (candidate) => this.readWith(candidate, passphrase, { chunksPass: true }),
      decode,
      "backup manifest file",
    );
  }

  /** Writes `backup.manifest.copy`: from here on the directory is an unfinished backup. @returns SHA-1 of what is stored */
  async saveManifestCopy(stanza: string, manifest: Manifest, passphrase: string | undefined): Promise<string> {
    const path = this.backupPath(stanza, manifest.label, "backup.manifest.copy");
    const meter = new Sha1Meter();
    const bytes = pipeline(textStream(renderManifest(manifest)), ...encryption(passphrase), meter.through);
    await this.storage.write(path, bytes);
    return meter.digestHex();
  }

  /**
   * Makes a backup complete. Order (repository-format §1.2): the copy, then the manifest itself as the same bytes (a crash before it
   * leaves an unfinished backup, behind it a complete one that the next backup adopts), then the history.
   */
  async completeManifest(stanza: string, manifest: Manifest, passphrase: string | undefined): Promise<void> {
    const written = await this.saveManifestCopy(stanza, manifest, passphrase);
    const directory = this.backupPath(stanza, manifest.label);
    // What another run put there in this moment must not become a complete backup: the write fails before it has its name.
    const taken = new WalferryError(
      "LockAcquire",
      `backup ${manifest.label} in ${this.name} was taken over by another run`,
      { hint: "does another host back up this stanza into the same repository?" },
    );
    const stored = async (name: string, chunksPass: boolean) =>
      pipeline(await this.#contentOf(`${directory}/${name}`, chunksPass), expectSha1(written, taken));
    await this.storage.write(
      `${directory}/backup.manifest`,
      await stored("backup.manifest.copy", this.storage.features.chunksPass),
    );
    // Reading what was just written costs less than making its text once more.
    await this.storage.write(
      this.backupPath(stanza, "backup.history", manifest.label.slice(0, 4), `${manifest.label}.manifest.gz`),
      pipeline(
        await stored("backup.manifest", true),
        ...(passphrase === undefined ? [] : [decryptFilter(passphrase, "normal", true)]),
        compressFilter({ type: "gz", level: HISTORY_LEVEL }),
        ...encryption(passphrase),
      ),
    );
  }

  /** @throws WalferryError `FileMissing`; those of the store */
  async #contentOf(path: string, chunksPass: boolean): Promise<ByteStream> {
    const content = await this.storage.read(path, { chunksPass });
    if (content !== undefined) return content;
    throw new WalferryError("FileMissing", `unable to open missing file '${this.display(path)}' for read`);
  }

  async #saveWithCopy(path: string, text: string, passphrase: string | undefined): Promise<void> {
    const stored = await collect(pipeline(textStream([text]), ...encryption(passphrase)), INFO_BYTES_MAX);
    await this.storage.write(path, stored);
    await this.storage.write(`${path}.copy`, stored);
  }

  /** Tries the file, then its copy where the store answers. */
  async #load<T>(
    path: string,
    read: (path: string) => Promise<ByteStream | undefined>,
    decode: (content: ByteStream) => Promise<T>,
    what: string,
    hint?: string,
    signal?: AbortSignal,
  ): Promise<T> {
    const failures: WalferryError[] = [];
    for (const candidate of [path, `${path}.copy`]) {
      try {
        const stream = await read(candidate);
        if (stream === undefined) {
          throw new WalferryError("FileMissing", `unable to open missing file '${this.display(candidate)}' for read`);
        }
        return await decode(stream);
      } catch (error) {
        signal?.throwIfAborted();
        const failure = toWalferryError(error);
        failures.push(failure);
        // A store that does not answer was waited for as long as it may take: PostgreSQL (a promotion, too) would wait for it once more.
        if (failure.kind === "HostConnect") throw this.#loadError(path, what, failures, undefined);
      }
    }
    throw this.#loadError(path, what, failures, hint);
  }

  #loadError(path: string, what: string, failures: readonly WalferryError[], hint: string | undefined): WalferryError {
    const present = failures.filter((failure) => failure.kind !== "FileMissing");
    const kinds = new Set(present.map(({ kind }) => kind));
    const kind = kinds.size === 0 ? "FileMissing" : kinds.size === 1 ? present[0]!.kind : "FileOpen";
    const lines = failures.map((failure) => `${failure.name}: ${failure.text}`);
    return new WalferryError(
      kind,
      `unable to load ${what} '${this.display(path)}' or '${this.display(path)}.copy':\n${lines.join("\n")}`,
      { cause: failures[0], hint },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.storage[Symbol.asyncDispose]();
  }
}

/** Encrypting step of a pipeline, or none. */
export function encryption(passphrase: string | undefined): Filter[] {
  return passphrase === undefined ? [] : [encryptFilter(passphrase)];
}

/** Text pieces as bytes, gathered to chunks. */
async function* textStream(pieces: Iterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const piece of pieces) {
    yield encoder.encode(piece);
    // The text, the bytes, and what they were put together from.
    letGo(piece.length * 8);
  }
}
