/** What goes between the main side of copying and its workers: plain values that can cross a thread boundary. */
import type { StorageConfig } from "../../backends/config.ts";
import type { SerializedError } from "../errors.ts";
import type { BlockShape } from "../format/block_map.ts";
import type { PageCheckResult } from "../postgres/page_checksum.ts";
import type { BlockMapPlace } from "../repository/block_files.ts";
import type { Framing } from "../stream/framing.ts";
import type { CompressSetting } from "../stream/compress_type.ts";
import type { ClusterFileRequest, ClusterFileSettings } from "./cluster_file.ts";

/** One repository of a copy. */
export interface CopyTarget {
  readonly key: number;
  readonly storage: StorageConfig;
  /** Directory of the backup in the repository: `backup/<stanza>/<label>`. */
  readonly directory: string;
  readonly compress: CompressSetting;
  /** Passphrase of the backup's files, only in an encrypted repository. */
  readonly cipherPass: string | undefined;
  /** How files in bundles are framed. */
  readonly bundleFraming: Framing;
  /** Index of the backup in its manifest's list of references, by which maps of blocks name it. */
  readonly reference: number;
}

/** What a worker is told once. */
export interface CopySetup extends ClusterFileSettings {
  readonly targets: readonly CopyTarget[];
  readonly pageBytes: number;
  readonly pageHeaderCheck: boolean;
}

/** What is copied in one go: one file, or those of one bundle. */
export interface CopyJobRequest {
  readonly files: readonly CopyRequest[];
  /** Number of the bundle; absent = nothing is bundled. */
  readonly bundleId: number | undefined;
}

/** What became of each file, in the order of the request. */
export interface CopyJobResult {
  readonly files: readonly CopyResult[];
}

/** One file to copy. */
export interface CopyRequest extends ClusterFileRequest {
  /** Manifest name: also the path below the backup's directory. */
  readonly name: string;
  /** Number of the first page through all segments of its relation; absent = pages are not checked. */
  readonly firstBlock: number | undefined;
  /** Repositories that need it. */
  readonly targets: readonly FileTarget[];
}

/** One repository that needs a file. */
export interface FileTarget {
  readonly key: number;
  /** It goes into the bundle of this job. */
  readonly bundled?: boolean;
  /** SHA-1 of the content that an earlier backup there holds: where it is this still, nothing is stored. */
  readonly unchangedChecksum?: string;
  readonly blocks?: BlockTarget;
  /** What an interrupted run stored of it: it stays when it is whole and, with `compare`, the cluster's content is the same. */
  readonly resumed?: ResumedTarget;
}

/** Stored bytes of an interrupted run. */
export interface ResumedTarget {
  /** SHA-1 of the content. */
  readonly checksum: string;
  readonly compare: boolean;
  readonly stored: StoredPlace;
}

/** Where the bytes of one file are. */
export interface StoredPlace {
  /** Path in the repository. */
  readonly path: string;
  /** Absent = it is the whole of what lies there. */
  readonly member?: { readonly offsetBytes: number; readonly lengthBytes: number };
  readonly framing: Framing;
  /** They are blocks, and not the file: what is known of them is the SHA-1 of the bytes, and the map at their end. */
  readonly blocks?: { readonly repoChecksum: string; readonly map: BlockMapPlace };
}

/** A file that is stored in blocks. */
export interface BlockTarget {
  readonly shape: BlockShape;
  readonly superBlockBytes: number;
  /** The file in an earlier backup: where its map is, and what it describes. */
  readonly prior?: { readonly map: BlockMapPlace; readonly sizeBytes: number; readonly checksum: string };
}

/** What became of a file in one repository. */
export type StoredFile =
  | {
    readonly key: number;
    readonly status: "stored";
    readonly sizeBytes: number;
    readonly checksum: string | undefined;
    /** Where it begins in the bundle, bytes; absent = it is stored alone, or has no bytes to store. */
    readonly bundleOffset?: number;
    /** Only of a file in blocks: stored bytes of its map. */
    readonly mapBytes?: number;
    /** Path of what an interrupted run had stored and is not whole; it was replaced. */
    readonly damaged?: string;
  }
  | {
    readonly key: number;
    readonly status: "resumed";
    readonly sizeBytes: number;
    readonly checksum: string | undefined;
  }
  | { readonly key: number; readonly status: "unchanged" }
  | { readonly key: number; readonly status: "failed"; readonly error: SerializedError };

/** What became of a file. */
export type CopyResult =
  | { readonly status: "missing" }
  | {
    readonly status: "copied";
    /** Bytes read: fewer than asked for when the server truncated the file. */
    readonly sizeBytes: number;
    readonly checksum: string;
    readonly pages: PageCheckResult | undefined;
    readonly stored: readonly StoredFile[];
  };
