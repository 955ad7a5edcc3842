/**
 * A second handle on a file that is being written, past the page cache. By the host's C library: the runtime has no such way, and node:fs, which
 * has one, comes with half of node's library in every thread. Source: open(2), pwrite(2), statfs(2); the numbers are those of Linux on
 * x86-64 and arm64.
 */
import { openSystemLibrary } from "./system_library.ts";

const FUNCTIONS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  statfs: { parameters: ["buffer", "buffer"], result: "i32" },
} as const;

type Library = Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"];

const O_WRONLY = 0o1;
const O_DIRECT = Deno.build.arch === "aarch64" ? 0o200_000 : 0o40_000;
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100_000 : 0o400_000;
const O_CLOEXEC = 0o2_000_000;

/** `struct statfs` has 120; the first word is the type. */
const STATFS_BYTES = 256;

/**
 * File systems that databases use this way, by their numbers in statfs(2): ext2 to ext4, XFS. Others copy all the same, or make every single
 * write durable (NFS).
 */
const SUITABLE: ReadonlySet<bigint> = new Set([0xef53n, 0x5846_5342n]);

/** What this thread has in use; `null` where there is none. */
let library: Library | null | undefined;

export class UncachedFile implements Disposable {
  readonly #library: Library;
  #descriptor: number;

  private constructor(library: Library, descriptor: number) {
    this.#library = library;
    this.#descriptor = descriptor;
  }

  /**
   * Opens a file once more; `undefined` where that is not possible or not worth it: its file system does not do it well, another file is at the
   * path by now, or only the first handle may write it.
   * @param first found through the handle that is there
   */
  static open(path: string, first: Deno.FileInfo): UncachedFile | undefined {
    library ??= openSystemLibrary("libc.so.6", FUNCTIONS) ?? null;
    if (library === null) return undefined;
    const name = new TextEncoder().encode(`${path}\0`);
    const fileSystem = new BigInt64Array(STATFS_BYTES / 8);
    if (library.statfs(name, fileSystem) !== 0 || !SUITABLE.has(fileSystem[0]!)) return undefined;
    const descriptor = library.open(name, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) return undefined;
    const opened = new UncachedFile(library, descriptor);
    if (opened.#is(first)) return opened;
    opened[Symbol.dispose]();
    return undefined;
  }

  #is({ dev, ino }: Deno.FileInfo): boolean {
    try {
      const found = Deno.statSync(`/proc/self/fd/${this.#descriptor}`);
      return found.dev === dev && found.ino === ino;
    } catch (error) {
      // Without /proc it cannot be known.
      if (error instanceof Error) return false;
      throw error;
    }
  }

  /**
   * Writes whole pages of memory that begins on a page.
   * @returns how many bytes were written; -1 when the kernel refuses, and the first handle will say why
   */
  write(bytes: Uint8Array, offsetBytes: number): number {
    const count = BigInt(bytes.length);
    return Number(
      this.#library.pwrite(this.#descriptor, bytes as Uint8Array<ArrayBuffer>, count, BigInt(offsetBytes)),
    );
  }

  /** Closes it, once: its number may soon be another file's. */
  [Symbol.dispose](): void {
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    if (descriptor >= 0) this.#library.close(descriptor);
  }
}
