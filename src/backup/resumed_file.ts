/** Looks whether what an interrupted run stored of a file is whole. */
import type { Storage } from "../../backends/contract.ts";
import { isWalferryError } from "../errors.ts";
import { readBlockMap } from "../repository/block_files.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";
import { decryptFilter } from "../stream/cipher.ts";
import { decompressFilter } from "../stream/compress.ts";
import type { CompressType } from "../stream/compress_type.ts";
import { Sha1Meter } from "../stream/hash.ts";
import { PartReader } from "../stream/part_reader.ts";
import { drain } from "../stream/sources.ts";
import type { StoredPlace } from "./copy_request.ts";

/** The stored bytes of a file that is whole. */
export interface StoredBytes {
  readonly sizeBytes: number;
  /** SHA-1 of the stored bytes. */
  readonly checksum: string;
}

/** What the stored bytes must be. */
export interface ExpectedFile {
  /** SHA-1 of the content. */
  readonly checksum: string;
  /** Bytes of the content. */
  readonly sizeBytes: number;
  readonly compressType: CompressType;
  readonly cipherPass: string | undefined;
}

/** What one job looks at in one repository. Members of a bundle that are asked for in their order are read in one go. */
export class ResumedFiles implements AsyncDisposable {
  readonly #storage: Storage;
  #bundle: { readonly path: string; readonly reader: PartReader; atBytes: number } | undefined;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /**
   * Reads the stored bytes of a file to their end.
   *
   * @returns `undefined` when they are not there, damaged, or something else
   * @throws WalferryError what the store threw
   */
  async read(place: StoredPlace, expected: ExpectedFile): Promise<StoredBytes | undefined> {
    const stored = await this.#open(place);
    if (stored === undefined) return undefined;
    const outer = new Sha1Meter();
    try {
      if (place.blocks === undefined) {
        const inner = new Sha1Meter();
        const plain = [decompressFilter(expected.compressType, place.framing), inner.through];
        const { cipherPass } = expected;
        const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, place.framing)];
        await drain(pipeline(stored, outer.through, ...decrypt, ...plain));
        if (inner.digestHex() !== expected.checksum) return undefined;
      } else {
        await drain(pipeline(stored, outer.through));
        if (outer.digestHex() !== place.blocks.repoChecksum) return undefined;
        // The blocks of earlier backups are theirs to keep; that the map can be read says that it is of this file and this passphrase.
        await readBlockMap(this.#storage, place.blocks.map, expected.cipherPass, expected.sizeBytes);
      }
      return { sizeBytes: outer.sizeBytes, checksum: outer.digestHex() };
    } catch (error) {
      const failure = this.#bundle?.reader.failure;
      if (failure !== undefined) throw failure.error;
      if (isWalferryError(error, "Crypto", "Format")) return undefined;
      throw error;
    } finally {
      if (place.member !== undefined) await this.#bundle?.reader.finishPart();
    }
  }

  /** Path of a stored file as a person would look for it. */
  display({ path }: StoredPlace): string {
    return `${this.#storage.location}/${path}`;
  }

  async #open({ path, member }: StoredPlace): Promise<ByteStream | undefined> {
    if (member === undefined) return await this.#storage.read(path);
    const { offsetBytes, lengthBytes } = member;
    if (this.#bundle?.path !== path || this.#bundle.atBytes > offsetBytes) {
      await this[Symbol.asyncDispose]();
      const stream = await this.#storage.read(path, { offsetBytes });
      if (stream === undefined) return undefined;
      this.#bundle = { path, reader: new PartReader(stream, offsetBytes), atBytes: offsetBytes };
    }
    const bundle = this.#bundle;
    await bundle.reader.skipTo(offsetBytes);
    bundle.atBytes = offsetBytes + lengthBytes;
    return bundle.reader.part(lengthBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const bundle = this.#bundle;
    this.#bundle = undefined;
    await bundle?.reader[Symbol.asyncDispose]();
  }
}
