/** What is needed to open a store, as plain values that can cross a thread boundary. Made once by `src/cli`. */

/** A directory of a file system; `cifs` is the same without links and directory syncs. */
export interface PosixStorageConfig {
  readonly type: "posix" | "cifs";
  /** Absolute path of the repository's root. */
  readonly path: string;
}

/** A store that lives and dies with the process: for tests and simulation. */
export interface MemoryStorageConfig {
  readonly type: "memory";
  /** A name for messages. Every opening makes a store of its own; tests that want to share content construct it themselves. */
  readonly path: string;
}

/** Configuration of any store. A new backend adds its own member here and a branch in `open.ts`. */
export type StorageConfig = PosixStorageConfig | MemoryStorageConfig;
