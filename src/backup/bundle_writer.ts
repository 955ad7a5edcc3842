/**
 * One bundle in one repository: small files of a backup, one behind the other in one stored file (repository-format §6). Where each begins is
 * said by the manifest only.
 */
import type { Storage } from "../../backends/contract.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { PushedStream } from "../stream/pushed_stream.ts";

export class BundleWriter {
  readonly #storage: Storage;
  readonly #path: string;
  readonly #stream = new PushedStream();
  #written: Promise<void> | undefined;
  #sizeBytes = 0;

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
  async append(member: ByteStream): Promise<number> {
    const offsetBytes = this.#sizeBytes;
    for await (const chunk of member) {
      this.#written ??= this.#begin();
      await this.#stream.push(chunk);
      this.#sizeBytes += chunk.length;
    }
    return offsetBytes;
  }

  #begin(): Promise<void> {
    // The name becomes durable with its directory, which is synced once for all files before the manifest is written.
    const written = this.#storage.write(this.#path, this.#stream, { syncDirectory: false });
    // Members that are on their way must not wait for a store that has given up.
    written.catch((error: unknown) => this.#stream.close(error));
    return written;
  }

  /** Makes the bundle durable. @throws what the store threw: no member is there then */
  async finish(): Promise<void> {
    if (this.#written === undefined) return;
    await Promise.all([this.#stream.end(), this.#written]);
  }

  /** Gives the bundle up; nothing is left of it. */
  async abandon(reason: unknown): Promise<void> {
    if (this.#written === undefined) return;
    this.#stream.fail(reason);
    // Whatever the store says: the reason is told by the one who gives up.
    await this.#written.catch(() => undefined);
  }
}
