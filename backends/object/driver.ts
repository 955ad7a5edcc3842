/**
 * What an object store's own driver does: single requests on keys, each tried once. Everything that object stores share (paths, parts,
 * retries, reading on after a cut, batches) is in object_storage.ts.
 *
 * Errors: a driver throws `RequestFailure`, which says whether another try may help; messages name the store, the key, the store's
 * code, message and request id, never a secret. When the signal aborted it may throw anything: the caller throws the reason.
 */
import type { Readable } from "node:stream";
import type { Filter } from "../../src/stream/byte_stream.ts";
import type { StorageType } from "../contract.ts";
import type { DirectBody } from "../direct_content.ts";

export interface ObjectEntry {
  readonly key: string;
  readonly sizeBytes: number;
  /** Seconds since the epoch. */
  readonly modifiedTime: number;
}

export interface ListPage {
  /** In the order of the store, which is that of the keys' bytes. */
  readonly objects: readonly ObjectEntry[];
  /** Common prefixes up to and with the delimiter; empty without one. */
  readonly prefixes: readonly string[];
  /** What asks for the next page; absent on the last one. */
  readonly next?: string;
}

/** What asks for the next page of uploads: the last key and upload of the one before. */
export interface UploadToken {
  readonly key: string;
  readonly id?: string;
}

export interface UploadPage {
  readonly uploads: readonly { readonly key: string; readonly id: string; readonly startTime?: number }[];
  /** Absent on the last page. */
  readonly next?: UploadToken;
}

export interface ListRequest {
  readonly prefix: string;
  readonly delimiter?: "/";
  readonly token?: string;
  /** Entries wanted at most; the store's own page size when absent. */
  readonly maxEntries?: number;
  readonly signal?: AbortSignal;
}

/** An answer whose content is on its way. */
export interface ObjectContent {
  /** Absent where there is nothing to come. */
  readonly body: Readable | DirectBody | undefined;
  /** What the content is led through: it fails where the content is not what the store says. */
  readonly check?: Filter;
  /** Bytes that the body must have. */
  readonly sizeBytes: number;
  /** Names this version of the object: a read that goes on later asks for the same one. */
  readonly version: string | undefined;
}

export interface GetRequest {
  readonly offsetBytes: number;
  /** Bytes wanted at most; to the end when absent. */
  readonly lengthBytes?: number;
  /** Only this version; another one there now is a lasting `FileRead` failure. */
  readonly version?: string;
  readonly signal?: AbortSignal;
}

/** A large object on its way up. Nothing is visible under the key before `complete`. */
export interface ObjectUpload {
  /**
   * Sends a part; numbers begin with 1. May be called again with the same number after a failure.
   * @param last no part comes behind this one
   */
  part(number: number, bytes: Uint8Array, last: boolean, signal?: AbortSignal): Promise<void>;
  /** Makes the object visible. May be called again after a failure. */
  complete(signal?: AbortSignal): Promise<void>;
  /** Forgets everything sent. */
  abort(): Promise<void>;
}

export interface ObjectDriver {
  readonly type: StorageType;
  /** `s3://bucket`, `azure://account/container`: for messages. */
  readonly location: string;
  readonly conditionalWrite: boolean;
  /** Keys that one `remove` takes. */
  readonly removeBatch: number;
  /** Parts of one upload that may be on their way at once. */
  readonly parallelParts: number;
  /** A part's size, but for the last one, is a multiple of this. */
  readonly partUnitBytes: number;

  list(request: ListRequest): Promise<ListPage>;
  /** `undefined` when there is no such object. */
  head(key: string, signal?: AbortSignal): Promise<ObjectEntry | undefined>;
  /** `undefined` when there is no such object; no bytes when the range begins behind its end. */
  get(key: string, request: GetRequest): Promise<ObjectContent | undefined>;
  /** Writes an object whole in one request. @throws RequestFailure `FileExists` with `ifAbsent` when it is there */
  put(
    key: string,
    bytes: Uint8Array,
    options: { readonly ifAbsent: boolean; readonly signal?: AbortSignal },
  ): Promise<void>;
  /** Begins an object that is sent in parts. */
  beginUpload(
    key: string,
    options: { readonly ifAbsent: boolean; readonly lengthBytes?: number; readonly signal?: AbortSignal },
  ): Promise<ObjectUpload>;
  /** Removes up to `removeBatch` objects; absent ones are no error. */
  remove(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Uploads below a prefix that were begun and never ended; `undefined` where the store forgets them by itself. */
  unfinishedUploads?(prefix: string, token?: UploadToken, signal?: AbortSignal): Promise<UploadPage>;
  /** Aborts one of them; gone already is no error. */
  abortUpload?(key: string, id: string, signal?: AbortSignal): Promise<void>;
  /** Closes connections. */
  close(): Promise<void>;
}
