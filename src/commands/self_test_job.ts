/** What a worker thread does for `self-test`: hash, compress and decompress, as backup and restore do. */

export interface SelfTestRequest {
  readonly text: string;
}

export interface SelfTestResult {
  readonly sha1: string;
  /** The text again after zstd has compressed and decompressed it. */
  readonly text: string;
}

/** Prepares nothing; every request is answered by itself ({@link JobStart} of the worker pool). */
export async function start(): Promise<(request: SelfTestRequest) => Promise<SelfTestResult>> {
  const { createHash } = await import("node:crypto");
  const { zstdCompressSync, zstdDecompressSync } = await import("node:zlib");
  return ({ text }) =>
    Promise.resolve({
      sha1: createHash("sha1").update(text).digest("hex"),
      text: new TextDecoder().decode(zstdDecompressSync(zstdCompressSync(new TextEncoder().encode(text)))),
    });
}
