/**
 * What every store promises. A store knows bytes under names; it knows nothing of PostgreSQL, stanzas or encryption.
 * One conformance suite (tests/conformance) holds every implementation to these words.
 *
 * Names. A path is relative to the root that the store was opened with, segments are joined by `/`, and `""` is the root
 * itself. A path with a leading or trailing `/`, an empty segment, `.`, `..`, a NUL or a line feed is refused with an
 * `Assert` error before the store is touched, so that no caller can leave the root by a name that it read somewhere.
 *
 * Unknown is not absent. `undefined` (and a missing name in a listing) says that the store answered: it is not there.
 * A store that could not answer throws.
 *
 * Errors. A driver maps whatever its library throws at its own door to `WalferryError`: `FileMissing`, `FileOpen`, `FileRead`,
 * `FileWrite`, `FileRemove`, `PathMissing`, `PathOpen`, `PathCreate`, `Access` (permission, credentials), `HostConnect`,
 * `Service` (the store failed and a later try may succeed), `Protocol` (the store answered nonsense). Callers never look at
 * status codes or errno. The message names the store's location and the path, never a secret.
 */
import type { ByteStream } from "../src/stream/byte_stream.ts";

/** Which store an implementation speaks to; the values of the option `repo-type`, plus `memory` for tests and simulation. */
export type StorageType = "posix" | "cifs" | "s3" | "azure" | "gcs" | "sftp" | "memory";

/** What stands under a name. `special` is a socket, fifo or device. Object stores know `file` and (as prefixes) `path` only. */
export type EntryType = "file" | "path" | "link" | "special";

/** One entry of a listing. */
export interface StorageEntry {
  /** Path relative to the path that was listed (only the last segment unless the listing recursed). */
  readonly name: string;
  readonly type: EntryType;
  /** Bytes of a file; 0 for everything else. */
  readonly sizeBytes: number;
  /** Last modification, seconds since the epoch (fraction kept where the store has one); 0 for a prefix. */
  readonly modifiedTime: number;
  /** Text of a symbolic link, only for `link`. */
  readonly destination?: string;
}

/** Whether there may be files below: a directory, or a link, as an administrator leaves it who moved the directory to another disk. */
export function mayHoldFiles({ type }: Pick<StorageEntry, "type">): boolean {
  return type === "path" || type === "link";
}

/** What a store can do beyond the minimum. Callers ask here instead of asking for the type. */
export interface StorageFeatures {
  /** Directories exist by themselves (can be empty, can be synced). False for object stores. */
  readonly directories: boolean;
  /** `symlink` works. */
  readonly symlinks: boolean;
  /** `hardlink` works. */
  readonly hardlinks: boolean;
  /** `WriteOptions.ifAbsent` is honoured atomically, also against other writers. */
  readonly conditionalWrite: boolean;
  /** Largest number of names that one removal request takes; 1 where the store has no batches. */
  readonly removeBatch: number;
  /** `write` is done with each chunk of its source before it asks for the next: the next one may be in the same memory. */
  readonly chunksPass: boolean;
}

export interface ListOptions {
  /** Descend into paths below. Default false. */
  readonly recurse?: boolean;
  /** Only entries whose name (relative to the listed path) begins with this text; a hint that lets object stores list less. */
  readonly prefix?: string;
  /**
   * Also temporary files of unfinished writes (`*.pgbackrest.tmp`), which a crash left: so that whoever owns a path can remove them. Some may
   * belong to a writer that is at work. Default false.
   */
  readonly unfinished?: boolean;
  readonly signal?: AbortSignal;
}

export interface ReadOptions {
  /** The reader is done with each chunk before it asks for the next: a store may put the next one into the same memory. */
  readonly chunksPass?: boolean;
  /** First byte wanted. Default 0. An offset at or behind the end gives an empty stream. */
  readonly offsetBytes?: number;
  /** Bytes wanted at most. Default: to the end. */
  readonly lengthBytes?: number;
  readonly signal?: AbortSignal;
}

export interface WriteOptions {
  /**
   * Length of the content where it is known: stores that can then send it in one request. A source that turns out longer
   * or shorter fails the write (`FileWrite`) and leaves nothing behind. Implied by a `Uint8Array` source.
   */
  readonly lengthBytes?: number;
  /**
   * Whether the name must be durable in its directory when the write returns. Default true. False lets a caller that writes
   * many files call {@link Storage.syncPath} once per directory instead. The content is always durable.
   */
  readonly syncDirectory?: boolean;
  /** Nobody will read it soon: a store on this host may keep a long content out of the page cache. */
  readonly uncached?: boolean;
  /** Fail with `FileExists` when the name exists. Only where `features.conditionalWrite`; otherwise an `Assert` error. */
  readonly ifAbsent?: boolean;
  /** Modification time to give to the file, seconds since the epoch; ignored by stores that set their own. */
  readonly modifiedTime?: number;
  readonly signal?: AbortSignal;
}

/** An upload that somebody began and neither completed nor aborted: it is invisible, and costs storage. */
export interface UnfinishedUpload {
  /** Path of the file that it would have become. */
  readonly path: string;
  readonly id: string;
  /** Seconds since the epoch; absent where the store does not tell. */
  readonly startTime?: number;
}

/** Unfinished uploads of a store that does not forget them by itself. */
export interface UnfinishedUploads {
  list(signal?: AbortSignal): AsyncIterable<UnfinishedUpload>;
  /** Gone already is no error. */
  abort(upload: UnfinishedUpload, signal?: AbortSignal): Promise<void>;
}

/**
 * A place where a repository lives. All methods may be called concurrently. A method that takes a `signal` rejects with the
 * signal's reason soon after it aborts, and a write that was aborted leaves nothing visible under its name.
 */
export interface Storage extends AsyncDisposable {
  readonly type: StorageType;
  readonly features: StorageFeatures;
  /** Where this is, for messages: `/var/lib/pgbackrest`, `s3://bucket/prefix`. No secret in it. */
  readonly location: string;
  /** Only where uploads can be left unfinished for ever. */
  readonly unfinishedUploads?: UnfinishedUploads;

  /**
   * Entries directly below a path (or all below it), in no promised order, page by page in bounded memory. A path that does not
   * exist gives no entries. Temporary files of unfinished writes (`*.pgbackrest.tmp`) are listed only when asked for.
   */
  list(path: string, options?: ListOptions): AsyncIterable<StorageEntry>;

  /** What stands under this name (links are not followed), or `undefined` when it is proved absent. `name` is the last segment. */
  info(path: string, signal?: AbortSignal): Promise<StorageEntry | undefined>;

  /**
   * Content of a file, or `undefined` when it is proved absent. The file is opened before the promise resolves; errors behind
   * that come out of the iteration (`FileRead`). A stream that ends early is an error, never a short stream. Leaving the iteration
   * early releases everything.
   */
  read(path: string, options?: ReadOptions): Promise<ByteStream | undefined>;

  /**
   * Writes a file whole: when it resolves the content is durable under the name, before that (and after any failure, of the
   * source too) the name holds what it held before. Missing directories are made. Replaces an existing file.
   *
   * The source is iterated exactly once. Modes are 0640 for files and 0750 for directories where the store has modes.
   *
   * @throws WalferryError `FileWrite`, `Access`, `Service` ...; an error thrown by the source passes through unchanged.
   */
  write(path: string, source: Uint8Array | ByteStream, options?: WriteOptions): Promise<void>;

  /** Removes a file or link. Absent is no error. */
  remove(path: string, signal?: AbortSignal): Promise<void>;

  /** Removes many files or links, in batches where the store has them. Absent is no error. Every name is tried; then the first error is thrown. */
  removeMany(paths: Iterable<string> | AsyncIterable<string>, signal?: AbortSignal): Promise<void>;

  /** Removes a path and everything below it. Absent is no error. Refuses `""`. */
  removeTree(path: string, signal?: AbortSignal): Promise<void>;

  /** Makes a directory and its parents. Does nothing where `features.directories` is false. */
  makePath(path: string): Promise<void>;

  /** Makes the names in a directory durable. Does nothing where `features.directories` is false or when it does not exist. */
  syncPath(path: string): Promise<void>;

  /** Makes (or atomically replaces) a symbolic link with this text. `Assert` error where `features.symlinks` is false. */
  symlink(path: string, destination: string): Promise<void>;

  /** Gives an existing file a second name. `Assert` error where `features.hardlinks` is false. */
  hardlink(existing: string, path: string): Promise<void>;
}
