/** A resumable upload (JSON API, "Resumable uploads"): chunks one behind the other, and after trouble the store says how far it is. */
import type { HttpAnswer } from "../http_request.ts";
import type { ObjectUpload } from "../object/driver.ts";
import { RequestFailure } from "../request_failure.ts";
import { Crc32c } from "../../src/stream/crc32c.ts";
import { storedOf, textOf } from "./answers.ts";
import type { ObjectResource } from "./object_resource.ts";
import { gcsFailure, refusalOf } from "./errors.ts";

type SendToSession = (
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | undefined,
  signal: AbortSignal | undefined,
) => Promise<HttpAnswer>;

/** The object that is uploaded, as its driver sees it. */
export interface UploadTarget {
  /** Begins the message of a failure. */
  readonly what: string;
  /** `ifGenerationMatch=0` was asked for. */
  readonly ifAbsent: boolean;
  readonly alreadyThere: () => RequestFailure;
  /** Holds what was stored against what was sent. @throws RequestFailure */
  readonly assertStored: (stored: ObjectResource, sizeBytes: number, crc32c: string) => Promise<void>;
}

/** What the store answered to a chunk or a question. */
type Progress = { readonly stored: number } | { readonly resource: ObjectResource };

export class ResumableUpload implements ObjectUpload {
  readonly #target: UploadTarget;
  readonly #send: SendToSession;
  readonly #crc32c = new Crc32c();
  /** Bytes of the parts that are stored whole. */
  #offset = 0;
  /** A part of which it is not known how much arrived. */
  #doubtful = 0;
  #counted = 0;
  #resource: ObjectResource | undefined;

  constructor(target: UploadTarget, send: SendToSession) {
    this.#target = target;
    this.#send = send;
  }

  async part(number: number, bytes: Uint8Array, last: boolean, signal?: AbortSignal): Promise<void> {
    if (this.#counted < number) {
      this.#crc32c.update(bytes);
      this.#counted = number;
    }
    const total = last ? String(this.#offset + bytes.length) : "*";
    let stored = 0;
    if (this.#doubtful === number) stored = this.#within(await this.#ask(`bytes */${total}`, undefined, signal), bytes);
    this.#doubtful = number;
    while (this.#resource === undefined && (stored < bytes.length || (last && bytes.length === 0))) {
      const [from, end] = [this.#offset + stored, this.#offset + bytes.length];
      const range = bytes.length === 0 ? `bytes */${total}` : `bytes ${from}-${end - 1}/${total}`;
      const before = stored;
      stored = this.#within(await this.#ask(range, bytes.subarray(stored), signal, last), bytes);
      if (this.#resource === undefined && stored === before) {
        throw new RequestFailure("Service", `${this.#target.what}: the store took none of what was sent`, {
          transient: true,
        });
      }
    }
    this.#offset += bytes.length;
    this.#doubtful = 0;
  }

  /** Bytes of the part that are stored. */
  #within(progress: Progress, part: Uint8Array): number {
    if ("resource" in progress) {
      this.#resource = progress.resource;
      return part.length;
    }
    const within = progress.stored - this.#offset;
    if (within >= 0 && within <= part.length) return within;
    throw new RequestFailure(
      "Protocol",
      `${this.#target.what}: the store says that it holds ${progress.stored} bytes`,
      {
        transient: false,
      },
    );
  }

  /** @param last with these bytes the content is complete */
  async #ask(
    range: string,
    body: Uint8Array | undefined,
    signal: AbortSignal | undefined,
    last = false,
  ): Promise<Progress> {
    // The store refuses content that does not have this checksum: nothing wrong ever stands under the name.
    const checksum: Record<string, string> = last ? { "x-goog-hash": `crc32c=${this.#crc32c.base64()}` } : {};
    const answer = await this.#send("PUT", { "content-range": range, ...checksum }, body, signal);
    const text = await textOf(this.#target.what, answer);
    if (answer.status === 308) {
      // Without the header nothing is stored.
      const end = /bytes=0-(\d+)/.exec(String(answer.headers.range ?? ""))?.[1];
      return { stored: end === undefined ? 0 : Number(end) + 1 };
    }
    if (answer.status === 200 || answer.status === 201) return { resource: storedOf(this.#target.what, text) };
    if (answer.status === 412 && this.#target.ifAbsent) throw this.#target.alreadyThere();
    const refusal = refusalOf(answer.status, answer.headers, text);
    if (answer.status === 404 || answer.status === 410) {
      throw new RequestFailure(
        "FileWrite",
        `${this.#target.what}: the upload session has ended (HTTP ${answer.status})`,
        {
          transient: false,
        },
      );
    }
    // The bytes that were sent before are gone from here: what the session holds cannot be made good.
    throw gcsFailure(this.#target.what, "FileWrite", refusal, false);
  }

  async complete(): Promise<void> {
    if (this.#resource === undefined) {
      throw new RequestFailure("Protocol", `${this.#target.what}: the store did not say that the upload is complete`, {
        transient: false,
      });
    }
    await this.#target.assertStored(this.#resource, this.#offset, this.#crc32c.base64());
  }

  async abort(): Promise<void> {
    // 499 is the answer to a session that was given up; one that is unknown is gone as well.
    await textOf(this.#target.what, await this.#send("DELETE", {}, undefined, undefined));
  }
}
