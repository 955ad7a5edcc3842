/** gz and zst by the runtime's own zlib. */
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";
import { BUILT_IN, type Codec, endsEarly, tooLong } from "./codec.ts";
import { assertWholeZstdFrames, wholeZstdFrames } from "./zstd_frames.ts";

/** Size of the codec's output pieces in bytes: decompression runs at half speed with the default of 16 KiB. */
const OUTPUT_BYTES = 256 * 1024;
/** For small content the piece is as small: making it would cost more than the work. The runtime takes no less than 64. */
const OUTPUT_BYTES_MIN = 1024;

/** gz: a single gzip member; raw framing is the zlib wrapper of RFC 1950. */
export const gzCodec: Codec = {
  origin: BUILT_IN,
  compress: (source, level, framing) =>
    through(
      source,
      () =>
        framing === "raw"
          ? zlib.createDeflate({ level, chunkSize: OUTPUT_BYTES })
          : zlib.createGzip({ level, chunkSize: OUTPUT_BYTES }),
    ),
  decompress: (source, framing) =>
    through(
      nonEmpty(source),
      () =>
        framing === "raw"
          ? zlib.createInflate({ chunkSize: OUTPUT_BYTES })
          : zlib.createGunzip({ chunkSize: OUTPUT_BYTES }),
    ),
  compressBytes: (bytes, level, framing) => {
    const options = { level, chunkSize: outputBytesFor(bytes) };
    return framing === "raw" ? zlib.deflateSync(bytes, options) : zlib.gzipSync(bytes, options);
  },
  decompressBytes: (bytes, maxBytes, framing) =>
    whole(
      maxBytes,
      (options) => framing === "raw" ? zlib.inflateSync(bytes, options) : zlib.gunzipSync(bytes, options),
    ),
};

/** zst: one frame with the library's defaults. */
export const zstCodec: Codec = {
  origin: BUILT_IN,
  compress: (source, level) =>
    through(source, () => zlib.createZstdCompress({ ...zstdLevel(level), chunkSize: OUTPUT_BYTES })),
  decompress: (source) =>
    through(wholeZstdFrames(source), () => zlib.createZstdDecompress({ chunkSize: OUTPUT_BYTES })),
  compressBytes: (bytes, level) =>
    zlib.zstdCompressSync(bytes, {
      ...zstdLevel(level),
      chunkSize: outputBytesFor(bytes),
      // Tables as small as the content are made sooner, and the frame says how long it is.
      pledgedSrcSize: bytes.length,
    }),
  decompressBytes: (bytes, maxBytes) => {
    assertWholeZstdFrames(bytes);
    return whole(maxBytes, (options) => zlib.zstdDecompressSync(bytes, options));
  },
};

/** Decompresses at once, into one piece where the content is as long as it should be. */
function whole(
  maxBytes: number,
  decompress: (options: { readonly chunkSize: number; readonly maxOutputLength: number }) => Uint8Array,
): Uint8Array {
  try {
    // The one byte more shows what is too long.
    const maxOutputLength = maxBytes + 1;
    const content = decompress({ chunkSize: Math.max(maxOutputLength, OUTPUT_BYTES_MIN), maxOutputLength });
    if (content.length > maxBytes) throw tooLong(maxBytes);
    return content;
  } catch (error) {
    throw (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? tooLong(maxBytes) : codecError(error);
  }
}

/** One piece is enough for nearly every content. */
function outputBytesFor({ length }: Uint8Array): number {
  return Math.min(Math.max(length + length / 128 | 0, OUTPUT_BYTES_MIN), 4 * OUTPUT_BYTES);
}

function zstdLevel(level: number): { params: Record<number, number> } {
  return { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } };
}

/** An empty file is not an empty compressed stream, but zlib would take it for one. */
async function* nonEmpty(source: ByteStream): AsyncGenerator<Uint8Array> {
  let empty = true;
  for await (const chunk of source) {
    empty &&= chunk.length === 0;
    yield chunk;
  }
  if (empty) throw endsEarly();
}

/** Leads a stream through one of the runtime's transforms, with its back-pressure on both sides. */
async function* through(source: ByteStream, create: () => Transform): AsyncGenerator<Uint8Array> {
  const transform = create();
  // The runtime may report an error again after the reader of the transform has left; without a listener that would end the process.
  transform.on("error", () => undefined);
  let sourceError: { readonly error: unknown } | undefined;
  const feed = async () => {
    try {
      for await (const chunk of source) {
        if (transform.destroyed) return;
        await written(transform, chunk);
      }
      transform.end();
    } catch (error) {
      sourceError = { error };
      transform.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const feeding = feed();
  try {
    for await (const piece of transform) yield piece as Uint8Array;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError.error;
    throw codecError(error);
  } finally {
    transform.destroy();
    await feeding;
  }
  if (sourceError !== undefined) throw sourceError.error;
}

/** Resolves when the transform is done with the chunk, or when it is gone. */
function written(transform: Transform, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      transform.off("close", done);
      resolve();
    };
    transform.on("close", done);
    transform.write(chunk, done);
    if (transform.destroyed) done();
  });
}

function codecError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof WalferryError) return error;
  const truncated = /unexpected end of file|Z_BUF_ERROR|premature/i.test(
    `${error.message} ${(error as { code?: string }).code ?? ""}`,
  );
  return new WalferryError(
    "Format",
    truncated ? "unexpected eof in compressed data" : `compressed data is damaged: ${error.message}`,
    {
      cause: error,
    },
  );
}
