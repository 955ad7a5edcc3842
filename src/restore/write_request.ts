/** What passes between a restore and its workers: plain values that cross a thread boundary. */
import type { StorageConfig } from "../../backends/config.ts";
import type { SerializedError } from "../errors.ts";
import type { BlockShape } from "../format/block_map.ts";
import type { Framing } from "../stream/framing.ts";
import type { CompressType } from "../stream/compress_type.ts";

/** What a worker is told once. */
export interface WriteSetup {
  readonly stores: ReadonlyArray<{ readonly key: number; readonly storage: StorageConfig }>;
}

/** What is known of a block incremental file beside the place of its map. */
export interface BlockSource {
  /** Manifest name. */
  readonly name: string;
  readonly shape: BlockShape;
  /** Directories of the backups, in the order of the manifest's references. */
  readonly directories: readonly string[];
}

/** Where the stored bytes of a file are. */
export interface StoredSource {
  readonly key: number;
  /** Path in the repository. */
  readonly path: string;
  /** Only inside bundles. */
  readonly offsetBytes?: number;
  readonly lengthBytes?: number;
  /** Only inside bundles: all stored bytes of the file, of which what is above may be a part. */
  readonly extent?: { readonly offsetBytes: number; readonly lengthBytes: number };
  readonly compressType: CompressType;
  readonly framing: Framing;
  readonly cipherPass: string | undefined;
  /** The file is block incremental: what is above is its map. */
  readonly blocks?: BlockSource;
}

/** One file to restore. */
export interface WriteRequest {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-1 of the content; absent for empty files and for files of zeros. */
  readonly checksum: string | undefined;
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Modification time, seconds since the epoch; absent for files of zeros, which must not be taken for those of the backup later on. */
  readonly timestamp: number | undefined;
  /** Absent: the file is made of zeros (sparse). */
  readonly source: StoredSource | undefined;
  /** Compare with what is there and keep it when it is equal. */
  readonly delta: boolean;
  /** With `delta`: equal size and time are enough for files older than this (seconds since the epoch). */
  readonly trustBefore: number | undefined;
}

/** Files that one worker restores, one behind the other. */
export interface WriteJobRequest {
  readonly files: readonly WriteRequest[];
}

/** What became of a file. `kept`: what was there is right. */
export type WriteResult =
  | { readonly status: "written" | "kept" | "zeroed" }
  | {
    readonly status: "failed";
    readonly error: SerializedError;
    /** This host failed, and no repository. */
    readonly isLocal: boolean;
  };

/** What became of each file, in the order of the request. */
export interface WriteJobResult {
  readonly files: readonly WriteResult[];
}
