/** What a worker thread does for `self-test`: hash, compress and decompress, as backup and restore do. */
import { codecOrigin, compressBytes, decompressBytes } from "../stream/compress.ts";
import { COMPRESS_TYPES, type CompressType } from "../stream/compress_type.ts";
import { sha1Hex } from "../stream/hash.ts";

export interface SelfTestRequest {
  readonly text: string;
}

export interface SelfTestResult {
  readonly sha1: string;
  readonly codecs: readonly CodecResult[];
}

/** What one compression type made of the text. */
export interface CodecResult {
  readonly type: CompressType;
  /** The text again after it was compressed and decompressed. */
  readonly text: string;
  /** Who did it. */
  readonly origin: string;
}

/** Prepares nothing; every request is answered by itself ({@link JobStart} of the worker pool). */
export function start(): (request: SelfTestRequest) => Promise<SelfTestResult> {
  return async ({ text }) => {
    const bytes = new TextEncoder().encode(text);
    const codecs: CodecResult[] = [];
    for (const type of COMPRESS_TYPES) {
      const back = await decompressBytes(type, await compressBytes({ type }, bytes), bytes.length);
      codecs.push({ type, text: new TextDecoder().decode(back), origin: await codecOrigin(type) });
    }
    return { sha1: sha1Hex(bytes), codecs };
  };
}
