/**
 * Single requests to Google Cloud Storage, by its JSON API over Node's HTTP client. Not through @google-cloud/storage: its uploads are
 * streams that buffer and try again by themselves, so that neither the memory, nor the length of a request, nor the end of a try would be
 * ours to say.
 */
import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import { Crc32c } from "../../src/stream/crc32c.ts";
import type { GcsStorageConfig } from "../config.ts";
import { type DirectAnswer, DirectContent } from "../direct_content.ts";
import { type ConnectTarget, connectTarget, directTarget, makeAgent } from "../http_agents.ts";
import { type HttpAnswer, sendHttpRequest } from "../http_request.ts";
import type {
  GetRequest,
  ListPage,
  ListRequest,
  ObjectContent,
  ObjectDriver,
  ObjectEntry,
  ObjectUpload,
} from "../object/driver.ts";
import { connectionFailure, RequestFailure } from "../request_failure.ts";
import { AccessTokenSource } from "./access_token.ts";
import { jsonOf, notUnderstood, storedOf, textOf } from "./answers.ts";
import { contentOf, rangeHeader, replaced } from "./download.ts";
import { gcsFailure, type GcsRefusal, refusalOf } from "./errors.ts";
import type { ObjectResource } from "./object_resource.ts";
import { ResumableUpload } from "./resumable_upload.ts";

/** What GCS gives and takes at most per request (JSON API reference). */
const LIST_PAGE = 1000;
const REMOVE_BATCH = 100;
/** How GCS says that not the object but its bucket is missing. */
const BUCKET_MISSING = /bucket does not exist/i;
/** Resumable uploads are sent in multiples of this. */
export const UPLOAD_UNIT = 256 * 1024;

/** A page of a listing. */
interface ObjectPage {
  readonly kind?: string;
  readonly items?: readonly ObjectResource[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

interface ApiRequest {
  /** What begins the message of a failure. */
  readonly what: string;
  readonly kind: ErrorKind;
  readonly method: string;
  /** Path with encoded parts, without query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | readonly Uint8Array[];
  readonly signal?: AbortSignal;
}

export class GcsDriver implements ObjectDriver {
  readonly type = "gcs";
  readonly location: string;
  readonly conditionalWrite = true;
  readonly removeBatch = REMOVE_BATCH;
  /** The chunks of a resumable upload follow each other. */
  readonly parallelParts = 1;
  readonly partUnitBytes = UPLOAD_UNIT;
  readonly #config: GcsStorageConfig;
  readonly #tokens: AccessTokenSource;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #target: ConnectTarget;
  /** The quicker way for content, where it may be gone. */
  readonly #direct: DirectContent;
  readonly #host: string;
  /** `/storage/v1/b/<bucket>`. */
  readonly #bucketPath: string;

  constructor(config: GcsStorageConfig) {
    this.#config = config;
    this.location = `gs://${config.bucket}`;
    this.#tokens = new AccessTokenSource(config);
    const { hostname, host } = new URL(config.endpoint);
    this.#agent = makeAgent(config, hostname);
    this.#target = connectTarget(config, hostname);
    const { network, directFromBytes } = config;
    this.#direct = new DirectContent(() => directTarget(config, hostname), network.ioTimeoutMs, directFromBytes);
    this.#host = host;
    this.#bucketPath = `/storage/v1/b/${encodeURIComponent(config.bucket)}`;
  }

  async list({ prefix, delimiter, token, maxEntries, signal }: ListRequest): Promise<ListPage> {
    const what = `unable to list '${this.location}/${prefix}'`;
    const answer = await this.#api({
      what,
      kind: "PathOpen",
      method: "GET",
      path: `${this.#bucketPath}/o`,
      query: {
        prefix,
        delimiter,
        pageToken: token,
        maxResults: String(maxEntries ?? LIST_PAGE),
        fields: "kind,nextPageToken,prefixes,items(name,size,updated)",
      },
      signal,
    });
    const page = await jsonOf<ObjectPage>(what, answer);
    // Something in between that answers 200 to everything would make all that is stored look absent.
    const { items = [] } = page;
    const isListing = page.kind === "storage#objects" && Array.isArray(items) &&
      items.every((item: ObjectResource | null) => typeof item?.name === "string");
    if (!isListing) throw notUnderstood(what, "the answer is no listing");
    return { objects: items.map(entryOf), prefixes: page.prefixes ?? [], next: page.nextPageToken };
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectEntry | undefined> {
    const what = `unable to get info for '${this.#name(key)}'`;
    const request = { what, kind: "FileInfo" as const, method: "GET", path: this.#objectPath(key), signal };
    const answer = await this.#api({ ...request, query: { fields: "name,size,updated" } }, isMissingObject);
    if (answer.status === 404) return undefined;
    const resource = await jsonOf<ObjectResource>(what, answer);
    if (resource.name !== key || typeof resource.size !== "string") {
      throw notUnderstood(what, "the answer is no object");
    }
    return entryOf(resource);
  }

  async get(key: string, request: GetRequest): Promise<ObjectContent | undefined> {
    const { lengthBytes, version, signal } = request;
    if (lengthBytes === 0) {
      return await this.head(key, signal) === undefined ? undefined : { body: undefined, sizeBytes: 0, version };
    }
    const what = `unable to read '${this.#name(key)}'`;
    const asked: ApiRequest = {
      what,
      kind: "FileRead",
      method: "GET",
      path: this.#objectPath(key),
      query: { alt: "media", ifGenerationMatch: version },
      // Otherwise what is stored as gzip is unpacked on the way, without a length and with the checksum of something else.
      headers: { "accept-encoding": "gzip", ...rangeHeader(request) },
      signal,
    };
    const direct = await this.#getDirectly(asked);
    if (direct !== undefined) {
      const { head, body } = direct;
      return contentOf(what, request, { status: head.status, headers: Object.fromEntries(head.headers), body });
    }
    const answer = await this.#api(
      asked,
      (refusal) => isMissingObject(refusal) || refusal.status === 416 || refusal.status === 412,
    );
    if (answer.status === 404 && version === undefined) return undefined;
    if (answer.status === 416) return { body: undefined, sizeBytes: 0, version };
    if (answer.status === 404 || answer.status === 412) throw replaced(what);
    const content = contentOf(what, request, answer);
    this.#direct.count(content.sizeBytes);
    return content;
  }

  /** `undefined`: Node's client is to ask. @throws RequestFailure */
  async #getDirectly({ what, path, query = {}, headers, signal }: ApiRequest): Promise<DirectAnswer | undefined> {
    const sign = async () => {
      const authorization = `Bearer ${await this.#tokens.token(signal)}`;
      return { path: `${path}${this.#queryText(query)}`, headers: { ...headers, host: this.#host, authorization } };
    };
    try {
      return await this.#direct.get(sign, signal);
    } catch (error) {
      throw unanswered(what, error, signal);
    }
  }

  async put(
    key: string,
    bytes: Uint8Array,
    { ifAbsent, signal }: { readonly ifAbsent: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    const what = `unable to write '${this.#name(key)}'`;
    const crc32c = new Crc32c().update(bytes).base64();
    const boundary = `walferry-${crypto.randomUUID()}`;
    const metadata = JSON.stringify({ name: key, crc32c, metadata: this.#tags() });
    const encoder = new TextEncoder();
    const head = encoder.encode(
      `--${boundary}\r\ncontent-type: application/json\r\n\r\n${metadata}\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`,
    );
    const tail = encoder.encode(`\r\n--${boundary}--\r\n`);
    const answer = await this.#api({
      what,
      kind: "FileWrite",
      method: "POST",
      path: `/upload${this.#bucketPath}/o`,
      query: { uploadType: "multipart", ifGenerationMatch: ifAbsent ? "0" : undefined },
      headers: { "content-type": `multipart/related; boundary=${boundary}` },
      body: [head, bytes, tail],
      signal,
    }, (refusal) => ifAbsent && refusal.status === 412);
    if (answer.status === 412) throw this.#alreadyThere(key);
    await this.#assertStored(what, key, storedOf(what, await textOf(what, answer)), bytes.length, crc32c, true);
  }

  /**
   * What was stored is held against what was sent; a wrong object does not stay.
   * @param transient whether the content can be sent again
   * @throws RequestFailure
   */
  async #assertStored(
    what: string,
    key: string,
    stored: ObjectResource,
    sizeBytes: number,
    crc32c: string,
    transient: boolean,
  ): Promise<void> {
    if (Number(stored.size) === sizeBytes && stored.crc32c === crc32c) return;
    // Only that very object: what another writer made meanwhile, or what was there before a write that did not happen, stays.
    if (stored.generation !== undefined) await this.#removeOne(key, undefined, stored.generation);
    throw new RequestFailure("FileWrite", `${what}: the store says that it holds other content than was sent`, {
      transient,
      hint: "the content was damaged on its way: is there a faulty network or proxy?",
    });
  }

  #alreadyThere(key: string): RequestFailure {
    return new RequestFailure("FileExists", `'${this.#name(key)}' exists already`, { transient: false });
  }

  async beginUpload(
    key: string,
    options: { readonly ifAbsent: boolean; readonly lengthBytes?: number; readonly signal?: AbortSignal },
  ): Promise<ObjectUpload> {
    const { ifAbsent, lengthBytes, signal } = options;
    const what = `unable to write '${this.#name(key)}'`;
    const answer = await this.#api({
      what,
      kind: "FileWrite",
      method: "POST",
      path: `/upload${this.#bucketPath}/o`,
      query: { uploadType: "resumable", ifGenerationMatch: ifAbsent ? "0" : undefined },
      headers: {
        "content-type": "application/json; charset=utf-8",
        "x-upload-content-type": "application/octet-stream",
        ...(lengthBytes === undefined ? {} : { "x-upload-content-length": String(lengthBytes) }),
      },
      body: JSON.stringify({ name: key, metadata: this.#tags() }),
      signal,
    }, (refusal) => ifAbsent && refusal.status === 412);
    if (answer.status === 412) throw this.#alreadyThere(key);
    await textOf(what, answer);
    const session = URL.parse(String(answer.headers.location ?? ""));
    if (session === null) throw notUnderstood(what, "the store gave no upload session");
    // The session's address is as good as a token: it is never shown.
    const path = `${session.pathname}${session.search}`;
    const target = {
      what,
      ifAbsent,
      alreadyThere: () => this.#alreadyThere(key),
      assertStored: (stored: ObjectResource, sizeBytes: number, crc32c: string) =>
        this.#assertStored(what, key, stored, sizeBytes, crc32c, false),
    };
    return new ResumableUpload(
      target,
      (method, headers, body, at) =>
        this.#send({ what, kind: "FileWrite", method, path: "", headers, body, signal: at }, path),
    );
  }

  async remove(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    if (keys.length === 1) return await this.#removeOne(keys[0]!, signal);
    const boundary = `walferry-${crypto.randomUUID()}`;
    const calls = keys.map((key, index) =>
      `--${boundary}\r\ncontent-type: application/http\r\ncontent-id: <${index}>\r\n\r\nDELETE ${
        this.#objectPath(key)
      }${this.#queryText({})} HTTP/1.1\r\n\r\n`
    );
    const what = `unable to remove ${keys.length} objects in '${this.location}' (the first is '${keys[0]}')`;
    const answer = await this.#api({
      what,
      kind: "FileRemove",
      method: "POST",
      path: "/batch/storage/v1",
      headers: { "content-type": `multipart/mixed; boundary=${boundary}` },
      body: `${calls.join("")}--${boundary}--`,
      signal,
    });
    const removed = new Set<number>();
    // Each part carries the number of its call and the status line of its answer.
    for (
      const part of (await textOf(what, answer)).split(/content-id:/i).slice(1)
    ) {
      const index = /^\s*<response-(\d+)>/.exec(part)?.[1];
      const status = /HTTP\/1\.1 (\d{3})/.exec(part)?.[1];
      if (index !== undefined && (status === "204" || (status === "404" && !BUCKET_MISSING.test(part)))) {
        removed.add(Number(index));
      }
    }
    // Tried once more by itself, an object tells its own error.
    for (const [index, key] of keys.entries()) if (!removed.has(index)) await this.#removeOne(key, signal);
  }

  /** @param generation only this one; another one stays, and that is no error */
  async #removeOne(key: string, signal: AbortSignal | undefined, generation?: string): Promise<void> {
    const what = `unable to remove '${this.#name(key)}'`;
    const request = { what, kind: "FileRemove" as const, method: "DELETE", path: this.#objectPath(key), signal };
    const answer = await this.#api(
      { ...request, query: { ifGenerationMatch: generation } },
      (refusal) => isMissingObject(refusal) || (generation !== undefined && refusal.status === 412),
    );
    if (answer.status >= 300) return;
    const text = await textOf(what, answer);
    // GCS says nothing, servers for tests say something in JSON, and a page is somebody else's.
    if (/^\s*</.test(text)) throw notUnderstood(what, "the answer is not that of a removal");
  }

  /** Sends a request of the API. An answer that is a refusal is thrown, except where the caller expects it. */
  async #api(request: ApiRequest, expects: (refusal: GcsRefusal) => boolean = () => false): Promise<HttpAnswer> {
    const answer = await this.#send(request, `${request.path}${this.#queryText(request.query ?? {})}`);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const refusal = refusalOf(answer.status, answer.headers, await textOf(request.what, answer));
    if (expects(refusal)) return answer;
    throw gcsFailure(request.what, request.kind, refusal);
  }

  /** Sends with a token; one that is refused is replaced once. */
  async #send(request: ApiRequest, path: string): Promise<HttpAnswer> {
    const { what, method, headers, body, signal } = request;
    for (let attempt = 1;; attempt++) {
      const token = await this.#tokens.token(signal);
      let answer: HttpAnswer;
      try {
        answer = await sendHttpRequest({
          target: this.#target,
          agent: this.#agent,
          method,
          path,
          headers: { ...headers, host: this.#host, authorization: `Bearer ${token}` },
          body,
          silenceMs: this.#config.network.ioTimeoutMs,
          signal,
        });
      } catch (error) {
        throw unanswered(what, error, signal);
      }
      if (answer.status !== 401 || attempt > 1 || !this.#tokens.renew(token)) return answer;
      await textOf(what, answer);
    }
  }

  #queryText(query: Readonly<Record<string, string | undefined>>): string {
    const all = Object.entries({ ...query, userProject: this.#config.userProject })
      .filter((pair): pair is [string, string] => pair[1] !== undefined);
    return all.length === 0 ? "" : `?${new URLSearchParams(all)}`;
  }

  #tags(): Record<string, string> | undefined {
    return this.#config.tags.size === 0 ? undefined : Object.fromEntries(this.#config.tags);
  }

  #objectPath(key: string): string {
    return `${this.#bucketPath}/o/${encodeURIComponent(key)}`;
  }

  #name(key: string): string {
    return `${this.location}/${key}`;
  }

  async close(): Promise<void> {
    this.#tokens.close();
    this.#direct[Symbol.dispose]();
    await Promise.resolve(this.#agent.destroy());
  }
}

/** What kept a request from being answered. @throws the signal's reason */
function unanswered(what: string, error: unknown, signal: AbortSignal | undefined): WalferryError {
  signal?.throwIfAborted();
  if (error instanceof WalferryError) return error;
  return connectionFailure(what, error) ??
    new RequestFailure("Protocol", `${what}: ${(error as Error).message}`, { transient: false, cause: error });
}

function entryOf({ name, size, updated }: ObjectResource): ObjectEntry {
  return { key: name!, sizeBytes: Number(size ?? 0), modifiedTime: Date.parse(updated ?? "") / 1000 || 0 };
}

/**
 * GCS says that the object is not there, and the bucket is (a missing one is named in the message). A download is refused in plain text. A
 * 404 in other words is somebody else's: absence would not be proved.
 */
function isMissingObject({ status, reason, message }: GcsRefusal): boolean {
  const isItsOwn = reason === "notFound" || message.startsWith("No such object");
  return status === 404 && isItsOwn && !BUCKET_MISSING.test(message);
}
