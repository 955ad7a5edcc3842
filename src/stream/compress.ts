/** Compression of the repository format (repository-format §8.1) as filters. Codecs are loaded when the first byte needs them. */
import { WalferryError } from "../errors.ts";
import type { ByteStream, Filter } from "./byte_stream.ts";
import type { Framing } from "./framing.ts";
import { BUILT_IN, type Codec } from "./codec.ts";
import type { CompressSetting, CompressType } from "./compress_type.ts";
import { collect, streamOf } from "./sources.ts";

/** Levels used where none is configured (repository-format §8.1). */
export const DEFAULT_LEVELS: Readonly<Record<CompressType, number>> = { none: 0, bz2: 9, gz: 6, lz4: 1, zst: 3 };

/** Compresses a stream; `none` passes it on. Empty input gives the empty stream of the type. */
export function compressFilter(setting: CompressSetting, framing: Framing = "normal"): Filter {
  const level = setting.level ?? DEFAULT_LEVELS[setting.type];
  if (setting.type === "none") return (source) => source;
  return async function* (source: ByteStream) {
    yield* (await loadCodec(setting.type, level)).compress(source, level, framing);
  };
}

/**
 * Decompresses a stream; `none` passes it on.
 * @param chunksPass the reader is done with each chunk before it asks for the next: it may come in the same memory
 * @throws WalferryError `Format` when the content is damaged, ends early or is something else.
 */
export function decompressFilter(type: CompressType, framing: Framing = "normal", chunksPass = false): Filter {
  if (type === "none") return (source) => source;
  return async function* (source: ByteStream) {
    yield* (await loadCodec(type)).decompress(source, framing, chunksPass);
  };
}

/** Who compresses and decompresses this type on this host, in words. */
export async function codecOrigin(type: CompressType): Promise<string> {
  return type === "none" ? BUILT_IN : (await loadCodec(type)).origin;
}

/** Codecs that this thread has in use, by type and level: a library is opened once. */
const loaded = new Map<string, Promise<Codec>>();

/** @param level at which it compresses; absent where it decompresses */
function loadCodec(type: CompressType, level?: number): Promise<Codec> {
  const key = `${type}/${level ?? ""}`;
  const codec = loaded.get(key) ?? openCodec(type, level ?? 0);
  loaded.set(key, codec);
  return codec;
}

/** The host's own library where there is one and it is quicker, else what is built in. */
async function openCodec(type: CompressType, level: number): Promise<Codec> {
  switch (type) {
    case "gz":
      return (await import("./zlib_codecs.ts")).gzCodec;
    case "zst":
      return (await import("./system_zstd.ts")).openSystemZstd(level) ?? (await import("./zlib_codecs.ts")).zstCodec;
    case "lz4":
      return (await import("./system_lz4.ts")).openSystemLz4() ?? (await import("./lz4_codec.ts")).lz4Codec;
    case "bz2":
      return (await import("./bz2_codec.ts")).bz2Codec;
    case "none":
      throw new WalferryError("Assert", "there is no codec for compress-type none");
  }
}

/**
 * Decompresses bytes at hand.
 * @param maxBytes of the content: more is an error
 * @throws WalferryError `Format` when they are damaged or something else, `Format` or `FileRead` when the content is longer
 */
export async function decompressBytes(
  type: CompressType,
  bytes: Uint8Array,
  maxBytes: number,
  framing: Framing = "normal",
): Promise<Uint8Array> {
  if (type === "none") return bytes;
  const codec = await loadCodec(type);
  if (codec.decompressBytes !== undefined) return codec.decompressBytes(bytes, maxBytes, framing);
  return await collect(decompressFilter(type, framing)(streamOf(bytes)), maxBytes);
}

/** Compresses bytes at hand in one go: the way of a WAL segment, and of a small file. */
export async function compressBytes(
  setting: CompressSetting,
  bytes: Uint8Array,
  framing: Framing = "normal",
): Promise<Uint8Array> {
  if (setting.type === "none") return bytes;
  const level = setting.level ?? DEFAULT_LEVELS[setting.type];
  const codec = await loadCodec(setting.type, level);
  if (codec.compressBytes !== undefined) return codec.compressBytes(bytes, level, framing);
  // Incompressible input grows by less than a fiftieth in every one of these formats.
  return await collect(compressFilter(setting, framing)(streamOf(bytes)), bytes.length + bytes.length / 50 + 65536);
}
