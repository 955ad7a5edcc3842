/** Single requests to Azure Blob Storage, through Microsoft's own client. */
import type { Readable } from "node:stream";
import type { BlobDownloadResponseParsed, BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { createHash } from "node:crypto";
import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import type { ErrorKind } from "../../src/errors.ts";
import type { AzureStorageConfig } from "../config.ts";
import type {
  GetRequest,
  ListPage,
  ListRequest,
  ObjectContent,
  ObjectDriver,
  ObjectEntry,
  ObjectUpload,
} from "../object/driver.ts";
import { inRange } from "../object/answered_range.ts";
import { RequestFailure } from "../request_failure.ts";
import { makeClient } from "./client.ts";
import { answerOf, azureFailure } from "./errors.ts";

/** What Azure gives and takes at most per request (Blob service REST API). */
const LIST_PAGE = 5000;
const REMOVE_BATCH = 256;

export class AzureDriver implements ObjectDriver {
  readonly type = "azure";
  readonly location: string;
  readonly conditionalWrite = true;
  readonly removeBatch = REMOVE_BATCH;
  readonly parallelParts = 4;
  readonly partUnitBytes = 1;
  readonly #config: AzureStorageConfig;
  readonly #container: ContainerClient;
  readonly #agent: HttpAgent | HttpsAgent;
  /** Over TLS the transport proves the content; over plain HTTP Azure checks an MD5. */
  readonly #sendsMd5: boolean;

  constructor(config: AzureStorageConfig) {
    this.#config = config;
    // The account counts as a secret (behaviour spec §1.8.13).
    this.location = `azure://${config.container}`;
    const { container, agent } = makeClient(config);
    this.#container = container;
    this.#agent = agent;
    this.#sendsMd5 = config.endpoint.startsWith("http:") || !config.tls.verify;
  }

  async list({ prefix, delimiter, token, maxEntries, signal }: ListRequest): Promise<ListPage> {
    const settings = { maxPageSize: maxEntries ?? LIST_PAGE, continuationToken: token };
    const options = { prefix, abortSignal: signal };
    return await this.#send(`unable to list '${this.location}/${prefix}'`, "PathOpen", async () => {
      const pages = delimiter === undefined
        ? this.#container.listBlobsFlat(options).byPage(settings)
        : this.#container.listBlobsByHierarchy(delimiter, options).byPage(settings);
      const { value: page } = await pages.next();
      const segment = page.segment as { blobItems: AzureItem[]; blobPrefixes?: Array<{ name: string }> };
      return {
        objects: segment.blobItems.map(({ name, properties }) => ({
          key: name,
          sizeBytes: properties.contentLength ?? 0,
          modifiedTime: properties.lastModified.getTime() / 1000,
        })),
        prefixes: (segment.blobPrefixes ?? []).map(({ name }) => name),
        next: page.continuationToken || undefined,
      };
    });
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectEntry | undefined> {
    return await this.#send(`unable to get info for '${this.#name(key)}'`, "FileInfo", async () => {
      try {
        const found = await this.#blob(key).getProperties({ abortSignal: signal });
        if (found.etag === undefined) throw notABlob(`unable to get info for '${this.#name(key)}'`);
        return {
          key,
          sizeBytes: found.contentLength ?? 0,
          modifiedTime: (found.lastModified?.getTime() ?? 0) / 1000,
        };
      } catch (error) {
        if (isMissingBlob(error)) return undefined;
        throw error;
      }
    });
  }

  async get(
    key: string,
    request: GetRequest,
  ): Promise<ObjectContent | undefined> {
    const { offsetBytes, lengthBytes, version, signal } = request;
    if (lengthBytes === 0) {
      return await this.head(key, signal) === undefined ? undefined : { body: undefined, sizeBytes: 0, version };
    }
    const what = `unable to read '${this.#name(key)}'`;
    return await this.#send(what, "FileRead", async () => {
      let answer: BlobDownloadResponseParsed;
      try {
        answer = await this.#blob(key).download(offsetBytes, lengthBytes, {
          abortSignal: signal,
          conditions: version === undefined ? undefined : { ifMatch: version },
          // Reading on after a cut is done by the layer above.
          maxRetryRequests: 0,
        });
      } catch (error) {
        const status = answerOf(error)?.status;
        if (isMissingBlob(error)) return undefined;
        if (status === 416) return { body: undefined, sizeBytes: 0, version };
        if (status === 412) {
          throw new RequestFailure("FileRead", `${what}: it was replaced while it was read`, { transient: false });
        }
        throw error;
      }
      if (answer.readableStreamBody === undefined || answer.contentLength === undefined) {
        throw new RequestFailure("Protocol", `${what}: the answer has no content or no length`, { transient: false });
      }
      return inRange(what, request, answer.contentRange, {
        body: answer.readableStreamBody as Readable,
        sizeBytes: answer.contentLength,
        version: answer.etag,
      });
    });
  }

  async put(
    key: string,
    bytes: Uint8Array,
    { ifAbsent, signal }: { readonly ifAbsent: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    await this.#write(key, () =>
      this.#blob(key).upload(bytes, bytes.length, {
        abortSignal: signal,
        conditions: ifAbsent ? { ifNoneMatch: "*" } : undefined,
        blobHTTPHeaders: this.#sendsMd5 ? { blobContentMD5: md5(bytes) } : undefined,
        tags: this.#tags(),
      }));
  }

  async beginUpload(key: string, { ifAbsent }: { readonly ifAbsent: boolean }): Promise<ObjectUpload> {
    const blob = this.#blob(key);
    // The beginning keeps two uploads of one name apart. Blocks that are never committed are not listed, and vanish by themselves after
    // a week; until then Azure takes only ids of their length under the name. These are as long as pgBackRest's, so that an upload that
    // one program did not finish stands in nobody's way. Every character is one of base64: the id is sent as it is.
    const upload = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    const idOf = (number: number) => `${upload}x${String(number).padStart(7, "0")}`;
    const numbers = new Set<number>();
    return await Promise.resolve({
      part: async (number: number, bytes: Uint8Array, _last: boolean, signal?: AbortSignal) => {
        await this.#write(key, () =>
          blob.stageBlock(idOf(number), bytes, bytes.length, {
            abortSignal: signal,
            transactionalContentMD5: this.#sendsMd5 ? md5(bytes) : undefined,
          }));
        numbers.add(number);
      },
      complete: async (signal?: AbortSignal) => {
        const ids = [...numbers].sort((a, b) => a - b).map(idOf);
        try {
          await this.#write(key, () =>
            blob.commitBlockList(ids, {
              abortSignal: signal,
              conditions: ifAbsent ? { ifNoneMatch: "*" } : undefined,
              tags: this.#tags(),
            }));
        } catch (error) {
          // An earlier try may have succeeded without its answer arriving (the runtime, too, sends a request again when a kept connection
          // breaks): then what exists is made of these very blocks.
          const exists = error instanceof RequestFailure && error.kind === "FileExists";
          if (!exists || !await this.#consistsOf(key, ids, signal)) throw error;
        }
      },
      abort: () => Promise.resolve(),
    });
  }

  async remove(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    if (keys.length === 1) return await this.#removeOne(keys[0]!, signal);
    const what = `unable to remove ${keys.length} blobs in '${this.location}' (the first is '${keys[0]}')`;
    const answer = await this.#send(
      what,
      "FileRemove",
      () =>
        this.#container.getBlobBatchClient().deleteBlobs(keys.map((key) => this.#blob(key)), { abortSignal: signal }),
    );
    // A batch that is refused as a whole is a 202 too, with one part that belongs to no blob, and the client drops such parts: only a blob
    // that has an answer of its own is gone.
    const left = keys.filter((_, index) => {
      const status = answer.subResponses[index]?.status;
      return status !== 202 && status !== 404;
    });
    // Tried once more by itself, a blob tells its own error.
    for (const key of left) await this.#removeOne(key, signal);
  }

  async #removeOne(key: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#send(
      `unable to remove '${this.#name(key)}'`,
      "FileRemove",
      () => this.#blob(key).deleteIfExists({ abortSignal: signal }),
    );
  }

  /** Whether the blob is made of these blocks, which no other upload has. */
  async #consistsOf(key: string, ids: readonly string[], signal: AbortSignal | undefined): Promise<boolean> {
    const { committedBlocks = [] } = await this.#send(
      `unable to get info for '${this.#name(key)}'`,
      "FileInfo",
      () => this.#blob(key).getBlockList("committed", { abortSignal: signal }),
    );
    return committedBlocks.length === ids.length && committedBlocks.every(({ name }, index) => name === ids[index]);
  }

  async #write(key: string, request: () => Promise<unknown>): Promise<void> {
    await this.#send(`unable to write '${this.#name(key)}'`, "FileWrite", async () => {
      try {
        await request();
      } catch (error) {
        const answer = answerOf(error);
        if (answer?.code === "BlobAlreadyExists" || answer?.status === 412) {
          throw new RequestFailure("FileExists", `'${this.#name(key)}' exists already`, { transient: false });
        }
        throw error;
      }
    });
  }

  async #send<T>(what: string, kind: ErrorKind, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw azureFailure(what, kind, error);
    }
  }

  #tags(): Record<string, string> | undefined {
    return this.#config.tags.size === 0 ? undefined : Object.fromEntries(this.#config.tags);
  }

  #blob(key: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(key);
  }

  #name(key: string): string {
    return `${this.location}/${key}`;
  }

  async close(): Promise<void> {
    await Promise.resolve(this.#agent.destroy());
  }
}

interface AzureItem {
  readonly name: string;
  readonly properties: { readonly contentLength?: number; readonly lastModified: Date };
}

/**
 * Azure says that the blob is not there, and the container is. A 404 without Azure's code is somebody else's: absence would not be proved,
 * and a restore would take the WAL for ended.
 */
function isMissingBlob(error: unknown): boolean {
  const answer = answerOf(error);
  return answer?.status === 404 && answer.code === "BlobNotFound";
}

/** A success that Azure does not give. */
function notABlob(what: string): RequestFailure {
  return new RequestFailure("Protocol", `${what}: the answer is no blob (it has no ETag)`, {
    transient: false,
    hint: "is there a proxy or a log-in page in between? check repo-azure-endpoint.",
  });
}

function md5(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("md5").update(bytes).digest());
}
