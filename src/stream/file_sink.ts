/**
 * Writing a long local file from the front, around the page cache where the file system is known to do that well (docs/decisions/0019): the
 * content is copied once less, and what nobody reads soon does not push out what the database needs.
 */
import { ALIGNED_BYTES, ALIGNMENT_BYTES, giveBackAligned, takeAligned } from "./aligned_memory.ts";
import { UncachedFile } from "./uncached_file.ts";

/** Less than this is not worth a write past the page cache, which the disk answers before it ends. Bytes. */
const DIRECT_MIN_BYTES = 128 * 1024;

/**
 * Writes what it gets behind each other, from the front of a file on. Errors are those of the runtime, with their `code`. Whoever wrote makes
 * it durable through the handle that was given: the sink does not.
 */
export class FileSink implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #path: string;
  /** Second handle, past the page cache. `undefined` = not asked for yet. */
  #direct: UncachedFile | "unsuitable" | undefined;
  /** Gathers what is not written yet. */
  #stage: Uint8Array | undefined;
  #staged = 0;
  /** Where in the file the gathered bytes belong. */
  #position = 0;
  /** Where the cursor of the first handle is. */
  #cursor = 0;

  /**
   * @param file open for writing, its cursor at the front
   * @param path under which it can be opened once more
   * @param uncached whether it may leave the page cache alone
   */
  constructor(file: Deno.FsFile, path: string, uncached: boolean) {
    this.#file = file;
    this.#path = path;
    if (!uncached) this.#direct = "unsuitable";
  }

  /** Takes the bytes; they may change afterwards. */
  write(bytes: Uint8Array): void {
    let rest = bytes;
    const intoPage = this.#position % ALIGNMENT_BYTES;
    if (this.#staged === 0 && intoPage !== 0) {
      const head = Math.min(rest.length, ALIGNMENT_BYTES - intoPage);
      this.#put(rest.subarray(0, head));
      rest = rest.subarray(head);
    }
    while (rest.length > 0) {
      const stage = this.#stage ??= takeAligned();
      const count = Math.min(rest.length, ALIGNED_BYTES - this.#staged);
      stage.set(rest.subarray(0, count), this.#staged);
      this.#staged += count;
      rest = rest.subarray(count);
      if (this.#staged === ALIGNED_BYTES) this.flush();
    }
  }

  /** Leaves a hole. One at the end must be made by giving the file its length. */
  skip(countBytes: number): void {
    this.flush();
    this.#position += countBytes;
  }

  /** Goes on somewhere else; no byte may be written twice. */
  seek(offsetBytes: number): void {
    if (offsetBytes === this.#position + this.#staged) return;
    this.flush();
    this.#position = offsetBytes;
  }

  /** Writes what was gathered. The file may go on behind it. */
  flush(): void {
    if (this.#staged === 0) return;
    const staged = this.#stage!.subarray(0, this.#staged);
    this.#staged = 0;
    const wholeBytes = staged.length - staged.length % ALIGNMENT_BYTES;
    const isLong = staged.length === ALIGNED_BYTES ||
      (this.#direct instanceof UncachedFile && staged.length >= DIRECT_MIN_BYTES);
    const done = isLong ? this.#putDirectly(staged.subarray(0, wholeBytes)) : 0;
    if (done < staged.length) this.#put(staged.subarray(done));
  }

  /** Gives the number of bytes that were written, which may be none: the rest goes the ordinary way, and its errors come from there. */
  #putDirectly(bytes: Uint8Array): number {
    this.#direct ??= UncachedFile.open(this.#path, this.#file.statSync()) ?? "unsuitable";
    if (this.#direct === "unsuitable") return 0;
    const count = this.#direct.write(bytes, this.#position);
    if (count < 0) {
      // The disk has larger sectors, the file system does not do it after all, or something that the other way will tell.
      this.#closeDirect();
      return 0;
    }
    this.#position += count;
    return count;
  }

  #put(bytes: Uint8Array): void {
    if (this.#cursor !== this.#position) this.#file.seekSync(this.#position, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    this.#position += bytes.length;
    this.#cursor = this.#position;
  }

  /** Closes what it opened. What was not flushed is lost. */
  [Symbol.dispose](): void {
    if (this.#stage !== undefined) giveBackAligned(this.#stage);
    this.#stage = undefined;
    this.#staged = 0;
    this.#closeDirect();
  }

  #closeDirect(): void {
    if (this.#direct instanceof UncachedFile) this.#direct[Symbol.dispose]();
    this.#direct = "unsuitable";
  }
}
