/**
 * Reading what lies close together in one stored file with one request: the members of a bundle, which a restore needs one behind the other,
 * and the blocks and maps in it. Object stores answer few large requests far sooner than many small ones.
 */
import type { ReadOptions, Storage } from "../../backends/contract.ts";
import { toWalferryError } from "../errors.ts";
import { isStoreFailure } from "../repository/store_failure.ts";
import type { ByteStream } from "../stream/byte_stream.ts";
import { collect, streamOf } from "../stream/sources.ts";
import type { StoredSource } from "./write_request.ts";

/** What reading needs of a store. */
export type Readable = Pick<Storage, "read" | "location">;

/** Stored bytes that are held in memory at once. */
export const WINDOW_BYTES = 2 * 1024 * 1024;

/** Bytes that are read and thrown away rather than asking again: what a store sends in the time that one more request takes to be answered. */
export const GAP_BYTES = 256 * 1024;

interface Window {
  readonly path: string;
  readonly from: number;
  to: number;
}

/** The parts of one repository that a job is going to read. Holds one window at a time, so parts are best read in their order. */
export class NearReads implements Readable {
  readonly location: string;
  readonly #storage: Readable;
  readonly #windows: Window[] = [];
  #loaded: { readonly window: Window; readonly content: Promise<Uint8Array | undefined | "elsewhere"> } | undefined;

  /** @param sources in the order in which they are going to be read; those that are not part of a bundle do not count */
  constructor(storage: Readable, sources: readonly StoredSource[]) {
    this.#storage = storage;
    this.location = storage.location;
    let last: Window | undefined;
    for (const { path, extent } of sources) {
      if (extent === undefined) continue;
      const from = extent.offsetBytes;
      const to = from + extent.lengthBytes;
      if (to - from > WINDOW_BYTES) continue;
      const isNear = last?.path === path && from >= last.from && from - last.to <= GAP_BYTES;
      if (isNear && to - last!.from <= WINDOW_BYTES) {
        last!.to = Math.max(last!.to, to);
        continue;
      }
      last = { path, from, to };
      this.#windows.push(last);
    }
  }

  /** As a store reads it: `undefined` when it is not there, fewer bytes when it ends early. @throws what the store throws */
  async read(path: string, options: ReadOptions = {}): Promise<ByteStream | undefined> {
    const bytes = await this.bytes(path, options);
    if (bytes === "elsewhere") return await this.#storage.read(path, options);
    return bytes && streamOf(bytes);
  }

  /** The same from memory; `"elsewhere"` when it is in no window. */
  async bytes(
    path: string,
    { offsetBytes = 0, lengthBytes = Infinity }: ReadOptions,
  ): Promise<Uint8Array | undefined | "elsewhere"> {
    const end = offsetBytes + lengthBytes;
    const isIn = (window: Window) => window.path === path && offsetBytes >= window.from && end <= window.to;
    if (this.#loaded === undefined || !isIn(this.#loaded.window)) {
      const window = this.#windows.find(isIn);
      if (window === undefined) return "elsewhere";
      this.#loaded = { window, content: this.#load(window) };
    }
    const { window, content } = this.#loaded;
    const bytes = await content;
    return bytes instanceof Uint8Array ? bytes.subarray(offsetBytes - window.from, end - window.from) : bytes;
  }

  /** A store that fails is not asked again by everyone; damage may be a matter of some members only, so that each is read by itself. */
  async #load({ path, from, to }: Window): Promise<Uint8Array | undefined | "elsewhere"> {
    const lengthBytes = to - from;
    try {
      const stream = await this.#storage.read(path, { offsetBytes: from, lengthBytes });
      return stream && await collect(stream, lengthBytes);
    } catch (error) {
      if (isStoreFailure(toWalferryError(error))) throw error;
      return "elsewhere";
    }
  }
}
