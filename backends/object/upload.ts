/**
 * Content on its way to an object store: in one request of known length when it is small or in memory anyway, otherwise in parts, a few
 * at a time. Memory: the part that is filled and the parts on their way, whatever the length of the content or the speed of the store.
 */
import type { ByteStream } from "../../src/stream/byte_stream.ts";
import { WalferryError } from "../../src/errors.ts";
import type { NetworkLimits } from "../config.ts";
import { RequestFailure } from "../request_failure.ts";
import { retrying } from "../retry.ts";
import type { ObjectDriver, ObjectUpload } from "./driver.ts";
import { giveBackPartMemory, takePartMemory } from "./part_memory.ts";

/** Content that is in memory as a whole goes up in one request up to this length: every WAL segment does. */
const ONE_REQUEST_BYTES = 64 * 1024 * 1024;
/** Content of known length that comes as a stream is collected up to this length, to go up in one request. */
const COLLECTED_BYTES = 16 * 1024 * 1024;
/** Parts on their way hold this many bytes at most (but always one part). */
const FLIGHT_BYTES = 20 * 1024 * 1024;
/** After this many parts of one size parts become twice as large, so that the 10,000 parts that S3 allows hold any file. */
const PARTS_PER_SIZE = 1000;

export interface UploadRequest {
  readonly driver: ObjectDriver;
  readonly limits: NetworkLimits;
  readonly key: string;
  /** Size of the first parts. */
  readonly chunkBytes: number;
  readonly lengthBytes?: number;
  readonly ifAbsent: boolean;
  readonly signal?: AbortSignal;
}

/** Sends content that is in memory. */
export async function uploadBytes(request: UploadRequest, bytes: Uint8Array): Promise<void> {
  if (bytes.length > ONE_REQUEST_BYTES) {
    return await uploadStream({ ...request, lengthBytes: bytes.length }, slices(bytes));
  }
  await putWhole(request, bytes);
}

/** Sends a stream. An error of the source passes through unchanged and leaves nothing behind. */
export async function uploadStream(request: UploadRequest, source: ByteStream): Promise<void> {
  const { lengthBytes } = request;
  const collects = lengthBytes !== undefined && lengthBytes <= Math.max(COLLECTED_BYTES, request.chunkBytes);
  const parts = new PartSlicer(source, request, collects ? Math.max(1, lengthBytes) : firstPartBytes(request));
  try {
    const first = await parts.next();
    if (first.last) await putPart(request, first);
    else await uploadParts(request, first, parts);
  } finally {
    await parts.close();
  }
}

/** Gives the number of tries that it took. */
async function putWhole({ driver, limits, key, ifAbsent, signal }: UploadRequest, bytes: Uint8Array): Promise<number> {
  const put = async (attempt: number) => {
    await driver.put(key, bytes, { ifAbsent, signal });
    return attempt;
  };
  // Tried again after a lost answer, a conditional write would meet its own success and call it somebody else's.
  return await (ifAbsent ? put(1) : retrying(limits, signal, put));
}

async function putPart(request: UploadRequest, part: Part): Promise<void> {
  settle(part, await putWhole(request, part.bytes));
}

/** A part of the content. */
interface Part {
  readonly bytes: Uint8Array;
  /** What the bytes are in: it can be used again for parts of the usual size. */
  readonly memory: Uint8Array<ArrayBuffer> | undefined;
  readonly last: boolean;
}

/**
 * The part is stored. Its memory is free when it was sent once: the store has answered, so it has all of it. Of an earlier try something may
 * still be on its way.
 */
function settle({ memory }: Part, attempts: number): void {
  if (memory !== undefined && attempts === 1) giveBackPartMemory(memory);
}

/** Of content whose length is known, all parts are of one size and few enough. */
function firstPartBytes({ chunkBytes, lengthBytes, driver }: UploadRequest): number {
  const needed = Math.ceil((lengthBytes ?? 0) / (9 * PARTS_PER_SIZE));
  const unit = driver.partUnitBytes;
  return Math.ceil(Math.max(chunkBytes, needed) / unit) * unit;
}

async function uploadParts(request: UploadRequest, first: Part, parts: PartSlicer): Promise<void> {
  const { driver, limits, key, ifAbsent, lengthBytes, signal } = request;
  const upload = await retrying(limits, signal, () => driver.beginUpload(key, { ifAbsent, lengthBytes, signal }));
  const flight = new Flight(driver.parallelParts);
  // A part that fails ends the others: nobody waits for bytes that are of no use any more.
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const send = async (number: number, part: Part) => {
    const attempts = await retrying(limits, both, async (attempt) => {
      await upload.part(number, part.bytes, part.last, both);
      return attempt;
    });
    settle(part, attempts);
  };
  try {
    let part = first;
    for (let number = 1;; number++) {
      const [current, now] = [number, part];
      await flight.add(part.bytes.length, () => send(current, now));
      if (part.last) break;
      part = await parts.next();
    }
    await flight.landed();
    await retrying(limits, signal, () => upload.complete(signal));
  } catch (error) {
    stop.abort(error);
    await flight.ended();
    await abandon(upload, limits);
    signal?.throwIfAborted();
    throw error;
  }
}

/** Takes back what was sent. What remains when even that fails is found by `repo-gc`; the failure that led here is the one to tell. */
async function abandon(upload: ObjectUpload, limits: NetworkLimits): Promise<void> {
  try {
    await retrying({ ...limits, retryMs: Math.min(limits.retryMs, 5000) }, undefined, () => upload.abort());
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error;
  }
}

/** Requests on their way, bounded by number and by bytes. */
class Flight {
  readonly #most: number;
  readonly #running = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  /** Starts a request as soon as there is room. @throws the failure of an earlier one */
  async add(bytes: number, start: () => Promise<void>): Promise<void> {
    while (this.#running.size > 0 && (this.#running.size >= this.#most || this.#bytes + bytes > FLIGHT_BYTES)) {
      await Promise.race(this.#running);
    }
    this.#throwFailure();
    this.#bytes += bytes;
    const running: Promise<void> = start().catch((error) => {
      this.#failure ??= { error };
    }).then(() => {
      this.#bytes -= bytes;
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  /** Waits for all of them. @throws the first failure */
  async landed(): Promise<void> {
    await this.ended();
    this.#throwFailure();
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Cuts a stream into parts of the sizes wanted, and knows which one is the last. */
class PartSlicer {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #request: UploadRequest;
  #partBytes: number;
  #rest: Uint8Array = new Uint8Array(0);
  #received = 0;
  #made = 0;
  #ended = false;

  constructor(source: ByteStream, request: UploadRequest, partBytes: number) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#request = request;
    this.#partBytes = partBytes;
  }

  async next(): Promise<Part> {
    const { lengthBytes } = this.#request;
    if (this.#made > 0 && this.#made % PARTS_PER_SIZE === 0 && lengthBytes === undefined) this.#partBytes *= 2;
    this.#made++;
    // Short content of known length has parts of its own size.
    const isUsual = this.#partBytes === firstPartBytes(this.#request);
    const part = isUsual ? takePartMemory(this.#partBytes) : new Uint8Array(this.#partBytes);
    let filled = 0;
    for (;;) {
      const taken = this.#rest.subarray(0, part.length - filled);
      part.set(taken, filled);
      filled += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
      // One chunk is read ahead of a full part: only then is it known whether the part is the last.
      if (this.#rest.length > 0 || this.#ended) break;
      await this.#pull();
    }
    const last = this.#ended && this.#rest.length === 0;
    if (last && lengthBytes !== undefined && this.#received !== lengthBytes) {
      throw this.#wrongLength(`${this.#received} bytes instead of the ${lengthBytes} announced`);
    }
    const bytes = filled === part.length ? part : part.subarray(0, filled);
    return { bytes, memory: isUsual ? part : undefined, last };
  }

  async #pull(): Promise<void> {
    const { lengthBytes, signal } = this.#request;
    const { done, value } = await this.#iterator.next();
    signal?.throwIfAborted();
    if (done) {
      this.#ended = true;
      return;
    }
    this.#rest = value;
    this.#received += value.length;
    if (lengthBytes !== undefined && this.#received > lengthBytes) {
      throw this.#wrongLength(`more than the ${lengthBytes} bytes announced`);
    }
  }

  #wrongLength(reason: string): WalferryError {
    const { driver, key } = this.#request;
    return new WalferryError("FileWrite", `unable to write '${driver.location}/${key}': ${reason}`);
  }

  /** Lets the source release what it holds. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#iterator.return?.();
  }
}

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const step = 1024 * 1024;
  for (let at = 0; at < bytes.length; at += step) yield await Promise.resolve(bytes.subarray(at, at + step));
}
