/**
 * Single requests to S3, through Amazon's own client.
 *
 * Made for stores that only resemble S3, too: every body has a known length and is covered by TLS or by a signed SHA-256 (no trailers,
 * which compatible stores refuse or, worse, store as content); checksums that only Amazon checks are sent only there; nothing relies on
 * ETags of multi-part objects.
 */
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { ErrorKind } from "../../src/errors.ts";
import type { S3StorageConfig } from "../config.ts";
import type {
  GetRequest,
  ListPage,
  ListRequest,
  ObjectContent,
  ObjectDriver,
  ObjectEntry,
  ObjectUpload,
  UploadPage,
  UploadToken,
} from "../object/driver.ts";
import { DirectContent, type DirectRequest } from "../direct_content.ts";
import { directTarget } from "../http_agents.ts";
import { inRange } from "../object/answered_range.ts";
import { RequestFailure } from "../request_failure.ts";
import { NotAnAnswer } from "./answers.ts";
import { hostNameOf, makeClient, makeSigner } from "./client.ts";
import { crc32Base64, md5Base64 } from "./checksums.ts";
import { SigningKeySource } from "./credentials.ts";
import { codeOf, s3Failure, statusOf } from "./errors.ts";

/** What S3 gives and takes at most per request (Amazon S3 API reference). */
const LIST_PAGE = 1000;
const REMOVE_BATCH = 1000;

interface Sendable {
  readonly what: string;
  readonly kind: ErrorKind;
}

export class S3Driver implements ObjectDriver {
  readonly type = "s3";
  readonly location: string;
  readonly conditionalWrite: boolean;
  readonly removeBatch = REMOVE_BATCH;
  readonly parallelParts = 4;
  readonly partUnitBytes = 1;
  readonly #config: S3StorageConfig;
  readonly #client: S3Client;
  /** Signs what goes another way. */
  readonly #sign: (command: GetObjectCommand) => Promise<DirectRequest>;
  readonly #direct: DirectContent;
  readonly #keys: SigningKeySource;
  readonly #bucket: { readonly Bucket: string; readonly RequestPayer?: "requester" };
  readonly #customerKey: Pick<PutObjectCommandInput, "SSECustomerAlgorithm" | "SSECustomerKey">;
  /** Whether the store is Amazon's, which checks the checksums that it is given. */
  readonly #isAmazon: boolean;
  /** The clock was corrected once already: a second complaint about it is not waited out. */
  #clockCorrected = false;
  /** The store wants Content-MD5 (buckets with object lock, of some compatible stores); learnt from its refusal. */
  #wantsMd5 = false;
  /** The store has no request that removes many. */
  #removesSingly = false;

  constructor(config: S3StorageConfig) {
    this.#config = config;
    this.location = `s3://${config.bucket}`;
    this.conditionalWrite = config.conditionalWrite;
    this.#keys = new SigningKeySource(config.credentials, config.tls, config.network);
    this.#client = makeClient(config, this.#keys);
    this.#sign = makeSigner(this.#client);
    const { network, directFromBytes } = config;
    this.#direct = new DirectContent(
      () => directTarget(config, hostNameOf(config)),
      network.ioTimeoutMs,
      directFromBytes,
    );
    this.#isAmazon = new URL(config.endpoint).hostname.endsWith(".amazonaws.com");
    this.#bucket = { Bucket: config.bucket, ...(config.requesterPays ? { RequestPayer: "requester" } : {}) };
    this.#customerKey = config.sseCustomerKey === undefined ? {} : {
      SSECustomerAlgorithm: "AES256",
      SSECustomerKey: config.sseCustomerKey,
    };
  }

  async list({ prefix, delimiter, token, maxEntries, signal }: ListRequest): Promise<ListPage> {
    const command = new ListObjectsV2Command({
      ...this.#bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      ContinuationToken: token,
      MaxKeys: maxEntries ?? LIST_PAGE,
      // Keys may hold characters that XML cannot; the client decodes them below.
      EncodingType: "url",
    });
    const what = `unable to list '${this.location}/${prefix}'`;
    const answer = await this.#send(
      { what, kind: "PathOpen" },
      () => this.#client.send(command, { abortSignal: signal }),
    );
    // A store that knows only the older way to list says so, and what is behind its first page would look absent.
    if (answer.IsTruncated && !answer.NextContinuationToken) {
      throw new RequestFailure("Protocol", `${what}: the store says that there is more, and not how to go on`, {
        transient: false,
        hint: "does it know version 2 of ListObjects?",
      });
    }
    const decoded = (key: string | undefined) => {
      const plain = key === undefined || answer.EncodingType !== "url" ? key : decodeKey(key);
      if (plain !== undefined) return plain;
      throw new RequestFailure("Protocol", `${what}: a key in the listing cannot be read`, { transient: false });
    };
    return {
      objects: (answer.Contents ?? []).map(({ Key, Size, LastModified }) => ({
        key: decoded(Key),
        sizeBytes: Size ?? 0,
        modifiedTime: (LastModified?.getTime() ?? 0) / 1000,
      })),
      prefixes: (answer.CommonPrefixes ?? []).map(({ Prefix }) => decoded(Prefix)),
      next: answer.IsTruncated ? answer.NextContinuationToken : undefined,
    };
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectEntry | undefined> {
    const command = new HeadObjectCommand({ ...this.#bucket, ...this.#customerKey, Key: key });
    return await this.#send({ what: `unable to get info for '${this.#name(key)}'`, kind: "FileInfo" }, async () => {
      try {
        const answer = await this.#client.send(command, { abortSignal: signal });
        if (answer.ETag === undefined) throw new NotAnAnswer("the answer is no object (it has no ETag)");
        return {
          key,
          sizeBytes: answer.ContentLength ?? 0,
          modifiedTime: (answer.LastModified?.getTime() ?? 0) / 1000,
        };
      } catch (error) {
        // Also the answer when the bucket is missing, which HEAD cannot say: the listing that follows it does.
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
  }

  async get(key: string, request: GetRequest): Promise<ObjectContent | undefined> {
    const { offsetBytes, lengthBytes, version, signal } = request;
    if (lengthBytes === 0) {
      return await this.head(key, signal) === undefined ? undefined : { body: undefined, sizeBytes: 0, version };
    }
    const last = lengthBytes === undefined ? "" : String(offsetBytes + lengthBytes - 1);
    const command = new GetObjectCommand({
      ...this.#bucket,
      ...this.#customerKey,
      Key: key,
      Range: offsetBytes === 0 && lengthBytes === undefined ? undefined : `bytes=${offsetBytes}-${last}`,
      IfMatch: version,
    });
    const what = `unable to read '${this.#name(key)}'`;
    return await this.#send({ what, kind: "FileRead" }, async () => {
      const direct = await this.#direct.get(() => this.#sign(command), signal);
      if (direct !== undefined) {
        const { head: { headers }, ...content } = direct;
        return inRange(what, request, headers.get("content-range"), { ...content, version: headers.get("etag") });
      }
      let answer: GetObjectCommandOutput;
      try {
        answer = await this.#client.send(command, { abortSignal: signal });
      } catch (error) {
        if (codeOf(error) === "NoSuchKey") return undefined;
        if (statusOf(error) === 416) return { body: undefined, sizeBytes: 0, version };
        if (statusOf(error) === 412) {
          throw new RequestFailure("FileRead", `${what}: it was replaced while it was read`, { transient: false });
        }
        throw error;
      }
      if (answer.Body === undefined || answer.ContentLength === undefined) {
        throw new RequestFailure("Protocol", `${what}: the answer has no content or no length`, { transient: false });
      }
      this.#direct.count(answer.ContentLength);
      const content = { body: answer.Body as Readable, sizeBytes: answer.ContentLength, version: answer.ETag };
      return inRange(what, request, answer.ContentRange, content);
    });
  }

  async put(
    key: string,
    bytes: Uint8Array,
    { ifAbsent, signal }: { readonly ifAbsent: boolean; readonly signal?: AbortSignal },
  ): Promise<void> {
    await this.#write(key, "FileWrite", () =>
      this.#client.send(
        new PutObjectCommand({
          ...this.#bucket,
          ...this.#objectSettings(),
          ...this.#checksums(bytes),
          Key: key,
          Body: bytes,
          ContentLength: bytes.length,
          IfNoneMatch: ifAbsent ? "*" : undefined,
        }),
        { abortSignal: signal },
      ));
  }

  async beginUpload(
    key: string,
    { ifAbsent, signal }: { readonly ifAbsent: boolean; readonly signal?: AbortSignal },
  ): Promise<ObjectUpload> {
    const { UploadId } = await this.#write(key, "FileWrite", () =>
      this.#client.send(
        new CreateMultipartUploadCommand({ ...this.#bucket, ...this.#objectSettings(), Key: key }),
        { abortSignal: signal },
      ));
    if (UploadId === undefined) {
      throw new RequestFailure("Protocol", `unable to write '${this.#name(key)}': the store gave no upload id`, {
        transient: false,
      });
    }
    return this.#upload(key, UploadId, ifAbsent);
  }

  #upload(key: string, UploadId: string, ifAbsent: boolean): ObjectUpload {
    const target = { ...this.#bucket, Key: key, UploadId };
    const tags = new Map<number, { ETag?: string; ChecksumCRC32?: string }>();
    let sizeBytes = 0;
    let completions = 0;
    return {
      part: async (PartNumber, bytes, _last, signal) => {
        const { ETag, ChecksumCRC32 } = await this.#write(key, "FileWrite", () =>
          this.#client.send(
            new UploadPartCommand({
              ...target,
              ...this.#customerKey,
              ...this.#checksums(bytes),
              PartNumber,
              Body: bytes,
              ContentLength: bytes.length,
            }),
            { abortSignal: signal },
          ));
        if (!tags.has(PartNumber)) sizeBytes += bytes.length;
        tags.set(PartNumber, { ETag, ChecksumCRC32 });
      },
      complete: async (signal) => {
        completions++;
        const Parts = [...tags].sort(([a], [b]) => a - b).map(([PartNumber, tag]) => ({ PartNumber, ...tag }));
        try {
          await this.#write(key, "FileWrite", () =>
            this.#client.send(
              new CompleteMultipartUploadCommand({
                ...target,
                ...this.#customerKey,
                MultipartUpload: { Parts },
                IfNoneMatch: ifAbsent ? "*" : undefined,
              }),
              { abortSignal: signal },
            ));
        } catch (error) {
          // An earlier try may have succeeded without its answer arriving: then the upload is gone and the object is there.
          const cause = error instanceof RequestFailure ? error.cause : undefined;
          if (completions === 1 || codeOf(cause) !== "NoSuchUpload") throw error;
          if ((await this.head(key, signal))?.sizeBytes !== sizeBytes) throw error;
        }
      },
      abort: () => this.abortUpload(key, UploadId),
    };
  }

  async remove(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    if (keys.length > 1 && !this.#removesSingly) {
      const left = await this.#removeBatch(keys, signal);
      if (left === undefined) return;
      keys = left;
    }
    for (const key of keys) {
      await this.#send(
        { what: `unable to remove '${this.#name(key)}'`, kind: "FileRemove" },
        () => this.#client.send(new DeleteObjectCommand({ ...this.#bucket, Key: key }), { abortSignal: signal }),
      );
    }
  }

  /** Removes many with one request. Gives those that are to be removed singly, where the store cannot do it. */
  async #removeBatch(keys: readonly string[], signal?: AbortSignal): Promise<readonly string[] | undefined> {
    const what = `unable to remove ${keys.length} objects in '${this.location}' (the first is '${keys[0]}')`;
    const command = new DeleteObjectsCommand({
      ...this.#bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
    });
    const answer = await this.#send({ what, kind: "FileRemove" }, async () => {
      try {
        return await this.#client.send(command, { abortSignal: signal });
      } catch (error) {
        if (statusOf(error) !== 501 && codeOf(error) !== "NotImplemented") throw error;
        this.#removesSingly = true;
        return undefined;
      }
    });
    if (answer === undefined) return keys;
    // Tried once more by itself, an object tells its own error.
    return answer.Errors === undefined || answer.Errors.length === 0 ? undefined : answer.Errors.map(({ Key }) => Key!);
  }

  async unfinishedUploads(prefix: string, token?: UploadToken, signal?: AbortSignal): Promise<UploadPage> {
    const command = new ListMultipartUploadsCommand({
      ...this.#bucket,
      Prefix: prefix,
      KeyMarker: token?.key,
      UploadIdMarker: token?.id,
    });
    const answer = await this.#send(
      { what: `unable to list unfinished uploads of '${this.location}/${prefix}'`, kind: "PathOpen" },
      () => this.#client.send(command, { abortSignal: signal }),
    );
    const { NextKeyMarker: key, NextUploadIdMarker: id } = answer;
    return {
      uploads: (answer.Uploads ?? []).map(({ Key, UploadId, Initiated }) => ({
        key: Key!,
        id: UploadId!,
        startTime: Initiated === undefined ? undefined : Initiated.getTime() / 1000,
      })),
      next: answer.IsTruncated && key !== undefined ? { key, id } : undefined,
    };
  }

  async abortUpload(key: string, id: string, signal?: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#bucket, Key: key, UploadId: id });
    await this.#send({ what: `unable to abort the upload of '${this.#name(key)}'`, kind: "FileRemove" }, async () => {
      try {
        await this.#client.send(command, { abortSignal: signal });
      } catch (error) {
        if (codeOf(error) !== "NoSuchUpload") throw error;
      }
    });
  }

  /** What every new object gets. */
  #objectSettings(): Partial<PutObjectCommandInput> {
    const { tags, kmsKeyId } = this.#config;
    return {
      ...this.#customerKey,
      ...(tags.size === 0 ? {} : { Tagging: new URLSearchParams([...tags]).toString() }),
      ...(kmsKeyId === undefined ? {} : { ServerSideEncryption: "aws:kms" as const, SSEKMSKeyId: kmsKeyId }),
    };
  }

  #checksums(bytes: Uint8Array): { ContentMD5?: string; ChecksumCRC32?: string } {
    if (this.#isAmazon) return { ChecksumCRC32: crc32Base64(bytes) };
    return this.#wantsMd5 ? { ContentMD5: md5Base64(bytes) } : {};
  }

  async #write<T>(key: string, kind: ErrorKind, request: () => Promise<T>): Promise<T> {
    return await this.#send({ what: `unable to write '${this.#name(key)}'`, kind }, async () => {
      try {
        return await request();
      } catch (error) {
        if (statusOf(error) === 412) {
          throw new RequestFailure("FileExists", `'${this.#name(key)}' exists already`, {
            transient: false,
            cause: error,
          });
        }
        const wantsMd5 = /content-?md5/i.test(String((error as Error | undefined)?.message));
        if (this.#wantsMd5 || this.#isAmazon || !wantsMd5 || codeOf(error) === "BadDigest") throw error;
        this.#wantsMd5 = true;
        return await request();
      }
    });
  }

  /** Sends a request; whatever is wrong becomes one kind of failure. */
  async #send<T>({ what, kind }: Sendable, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      const failure = s3Failure(what, kind, error);
      const code = codeOf(error);
      // The client has set its idea of the time right by the answer's own; keys that ended are fetched anew.
      const corrected = code === "RequestTimeTooSkewed" && !this.#clockCorrected;
      if (corrected) this.#clockCorrected = true;
      const renewed = (code === "ExpiredToken" || code === "ExpiredTokenException") && this.#keys.renew();
      if (!corrected && !renewed) throw failure;
      throw new RequestFailure(failure.kind, failure.message, { transient: true, hint: failure.hint, cause: error });
    }
  }

  #name(key: string): string {
    return `${this.location}/${key}`;
  }

  async close(): Promise<void> {
    this.#direct[Symbol.dispose]();
    await Promise.resolve(this.#client.destroy());
  }
}

/** Keys in listings are encoded as in a query: a plus sign is a space. `undefined` for what is not encoded so. */
function decodeKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
