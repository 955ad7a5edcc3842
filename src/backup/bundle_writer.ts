/**
 * One bundle in one repository: small files of a backup, one behind the other in one stored file (repository-format §6). Where each begins is
 * said by the manifest only.
 */
import type { Storage } from "../../backends/contract.ts";
import { type ByteStream, CHUNK_BYTES } from "../stream/byte_stream.ts";
import { PushedStream } from "../stream/pushed_stream.ts";
import { concatenate } from "../stream/sources.ts";

export class BundleWriter {
  readonly #storage: Storage;
  readonly #path: string;
  readonly #stream = new PushedStream();
  #written: Promise<void> | undefined;
  #sizeBytes = 0;
  /** Members that the store has not been given yet: so small that it gets several at once. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  /** Nothing is written before the first member: a bundle without any does not exist. */
  constructor(storage: Storage, path: string) {
    this.#storage = storage;
    this.#path = path;
  }

  /** Where the next member begins. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Adds a member, as it is to be stored. One without bytes needs no bundle.
   *
   * @returns the offset at which it begins, in bytes
   * @throws what the store threw, now or for an earlier member; what the member threw, and then the bundle is of no use
   */
  async append(member: ByteStream | Uint8Array): Promise<number> {
    const offsetBytes = this.#sizeBytes;
    if (member instanceof Uint8Array) await this.#add(member);
    else for await (const chunk of member) await this.#add(chunk);
    return offsetBytes;
  }

  async #add(chunk: Uint8Array): Promise<void> {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    this.#sizeBytes += chunk.length;
    if (this.#pendingBytes >= CHUNK_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const chunk = concatenate(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#written ??= this.#begin();
    await this.#stream.push(chunk);
  }

  #begin(): Promise<void> {
    // The name becomes durable with its directory, which is synced once for all files before the manifest is written.
    const written = this.#storage.write(this.#path, this.#stream, { syncDirectory: false, uncached: true });
    // Members that are on their way must not wait for a store that has given up.
    written.catch((error: unknown) => this.#stream.close(error));
    return written;
  }

  /** Makes the bundle durable. @throws what the store threw: no member is there then */
  async finish(): Promise<void> {
    await this.#flush();
    if (this.#written === undefined) return;
    await Promise.all([this.#stream.end(), this.#written]);
  }

  /** Gives the bundle up; nothing is left of it. */
  async abandon(reason: unknown): Promise<void> {
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#written === undefined) return;
    this.#stream.fail(reason);
    // Whatever the store says: the reason is told by the one who gives up.
    await this.#written.catch(() => undefined);
  }
}
