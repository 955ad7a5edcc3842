/**
 * A file of the cluster as a backup reads it. What WAL brings up to date is read no further than it was listed, since what it grew by later is
 * in the WAL. Other files (settings, state that is written anew under the same name) are read to the end that they have now: a part of them is
 * of no use. The control file is read with care, since its reads can be torn.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import { readControlBytes } from "../postgres/control_file.ts";
import { memoryForReading } from "../stream/aligned_memory.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { openForRead, readFully, streamOf } from "../stream/sources.ts";

/** How a file is read: as it is, or as the control file. */
export type ClusterFileKind = "file" | "control";

/** Which file, and how. */
export interface ClusterFileRequest {
  /** Absolute path in the cluster. */
  readonly path: string;
  readonly source: ClusterFileKind;
  /** Bytes that it had when it was listed. */
  readonly sizeBytes: number;
  /** It is read to its end; absent = to the size that was listed at most. */
  readonly toEnd?: boolean;
}

/** What reading depends on besides the file. */
export interface ClusterFileSettings {
  /** Data directory: where the control file is read from. */
  readonly pgPath: string;
  readonly pgVersionForce: string | undefined;
  /** `buffer-size`: bytes of one read. */
  readonly bufferBytes: number;
}

/** An opened file of the cluster. */
export interface ClusterFile extends Disposable {
  /** Bytes that are read at most. */
  readonly sizeBytes: number;
  /**
   * Its content from the start; each call reads anew, and only one reading goes on at a time.
   * @param chunksPass the reader is done with each chunk before it asks for the next, which is in the same memory
   * @throws WalferryError `FileRead`
   */
  content(chunksPass: boolean): ByteStream;
  /** All of its content at once; for small files. @throws WalferryError `FileRead` */
  whole(): Uint8Array;
  /** A part of it as it is now, beside the reading that goes on; `undefined` when it is gone. */
  reread(offsetBytes: number, lengthBytes: number): Uint8Array | undefined;
}

/** `undefined` when the server removed the file. @throws WalferryError `FileOpen`, `Checksum` (control file) */
export function openClusterFile(settings: ClusterFileSettings, request: ClusterFileRequest): ClusterFile | undefined {
  if (request.source === "control") {
    const bytes = readControlBytes(settings.pgPath, settings.pgVersionForce);
    return {
      sizeBytes: bytes.length,
      content: () => streamOf(bytes),
      whole: () => bytes,
      reread: () => undefined,
      [Symbol.dispose]() {},
    };
  }
  try {
    return new OrdinaryFile(request, settings.bufferBytes);
  } catch (error) {
    if (isWalferryError(error, "FileMissing")) return undefined;
    throw error;
  }
}

class OrdinaryFile implements ClusterFile {
  readonly sizeBytes: number;
  readonly #path: string;
  readonly #bufferBytes: number;
  readonly #file: Deno.FsFile;
  #second: Deno.FsFile | undefined;

  constructor({ path, sizeBytes, toEnd }: ClusterFileRequest, bufferBytes: number) {
    this.#path = path;
    this.#bufferBytes = bufferBytes;
    this.#file = openForRead(path);
    // The end is that of now, so that a file that is written without a pause has one.
    this.sizeBytes = toEnd ? this.#sizeNow() : sizeBytes;
  }

  #sizeNow(): number {
    try {
      return this.#file.statSync().size;
    } catch (error) {
      this.#file.close();
      throw new WalferryError("FileRead", `unable to read '${this.#path}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async *content(chunksPass: boolean): AsyncGenerator<Uint8Array> {
    this.#seek(this.#file, 0);
    const shared = chunksPass ? memoryForReading(Math.min(this.#bufferBytes, this.sizeBytes)) : undefined;
    for (let left = this.sizeBytes; left > 0;) {
      const wantedBytes = Math.min(this.#bufferBytes, left);
      const buffer = shared?.subarray(0, wantedBytes) ?? memoryForReading(wantedBytes);
      const count = readFully(this.#file, buffer, this.#path);
      if (count > 0) yield buffer.subarray(0, count);
      if (count < buffer.length) return;
      left -= count;
    }
  }

  whole(): Uint8Array {
    this.#seek(this.#file, 0);
    const bytes = memoryForReading(this.sizeBytes);
    return bytes.subarray(0, readFully(this.#file, bytes, this.#path));
  }

  /** Reads through a second handle, so that the position of the first stays; `undefined` for a page that is gone. */
  reread(offsetBytes: number, lengthBytes: number): Uint8Array | undefined {
    try {
      this.#second ??= openForRead(this.#path);
    } catch (error) {
      if (isWalferryError(error, "FileMissing")) return undefined;
      throw error;
    }
    this.#seek(this.#second, offsetBytes);
    const page = new Uint8Array(lengthBytes);
    return readFully(this.#second, page, this.#path) === lengthBytes ? page : undefined;
  }

  #seek(file: Deno.FsFile, offsetBytes: number): void {
    try {
      file.seekSync(offsetBytes, Deno.SeekMode.Start);
    } catch (error) {
      throw new WalferryError("FileRead", `unable to read '${this.#path}': ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#second?.close();
  }
}
