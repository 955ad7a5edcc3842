/** Reading an object to its last byte although connections break: goes on where the broken one ended, in the same version of the object. */
import type { ByteStream } from "../../src/stream/byte_stream.ts";
import { streamOf } from "../../src/stream/sources.ts";
import type { NetworkLimits } from "../config.ts";
import { DirectBody } from "../direct_content.ts";
import { arrivals } from "./arrivals.ts";
import type { GetRequest, ObjectContent, ObjectDriver } from "./driver.ts";
import { connectionFailure, RequestFailure } from "../request_failure.ts";
import { retrying } from "../retry.ts";

/** How the content of an object is asked for. */
export interface ObjectRange {
  readonly offsetBytes: number;
  readonly lengthBytes?: number;
  /** The reader is done with each chunk before it asks for the next. */
  readonly chunksPass?: boolean;
  readonly signal?: AbortSignal;
}

/** Opens an object; `undefined` when there is none. */
export async function openObject(
  driver: ObjectDriver,
  limits: NetworkLimits,
  key: string,
  range: ObjectRange,
): Promise<ByteStream | undefined> {
  const get = (request: GetRequest) => retrying(limits, range.signal, () => driver.get(key, request));
  const first = await get(range);
  return first === undefined ? undefined : new ResumedRead(driver, limits, key, range, first, get);
}

class ResumedRead implements ByteStream {
  readonly #driver: ObjectDriver;
  readonly #limits: NetworkLimits;
  readonly #key: string;
  readonly #range: ObjectRange;
  readonly #first: ObjectContent;
  readonly #get: (request: GetRequest) => Promise<ObjectContent | undefined>;

  constructor(
    driver: ObjectDriver,
    limits: NetworkLimits,
    key: string,
    range: ObjectRange,
    first: ObjectContent,
    get: (request: GetRequest) => Promise<ObjectContent | undefined>,
  ) {
    this.#driver = driver;
    this.#limits = limits;
    this.#key = key;
    this.#range = range;
    this.#first = first;
    this.#get = get;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { sizeBytes, version } = this.#first;
    let content = this.#first;
    let received = 0;
    /** Bytes received when the last connection broke: one that brought nothing new is not tried for ever. */
    let receivedBefore = -1;
    for (;;) {
      try {
        for await (const chunk of this.#arriving(content, sizeBytes - received)) {
          received += chunk.length;
          if (received > sizeBytes) throw this.#failure(`${received} bytes instead of ${sizeBytes}`, false);
          yield chunk;
        }
        if (received === sizeBytes) return;
        throw this.#failure(`the content ended after ${received} of ${sizeBytes} bytes`, true);
      } catch (error) {
        this.#range.signal?.throwIfAborted();
        const failure = error instanceof RequestFailure ? error : connectionFailure(this.#what, error);
        if (failure === undefined || !failure.transient || received === receivedBefore) {
          throw failure ?? this.#failure(String(error), false, error);
        }
        receivedBefore = received;
      }
      const next = await this.#get({
        offsetBytes: this.#range.offsetBytes + received,
        lengthBytes: sizeBytes - received,
        version,
        signal: this.#range.signal,
      });
      if (next === undefined) throw this.#failure("it was removed while it was read", false);
      content = next;
    }
  }

  #arriving({ body, check }: ObjectContent, sizeBytes: number): ByteStream {
    const { signal, chunksPass = false } = this.#range;
    if (body === undefined) return streamOf(new Uint8Array(0));
    const options = { sizeBytes, silenceMs: this.#limits.ioTimeoutMs, chunksPass, signal };
    const pieces = body instanceof DirectBody ? body.arrivals(options) : arrivals(body, options);
    return check === undefined ? pieces : check(pieces);
  }

  get #what(): string {
    return `unable to read '${this.#driver.location}/${this.#key}'`;
  }

  #failure(reason: string, transient: boolean, cause?: unknown): RequestFailure {
    return new RequestFailure("FileRead", `${this.#what}: ${reason}`, { transient, cause });
  }
}
