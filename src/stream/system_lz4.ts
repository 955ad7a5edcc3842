/**
 * lz4 by the host's liblz4, which PostgreSQL's own packages bring: much quicker than the built-in one. Source: lz4frame.h of 1.8.3 and
 * newer, the functions that it calls stable. Frames are as pgBackRest's: linked blocks of 64 KiB.
 */
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Framing } from "./framing.ts";
import type { Codec } from "./codec.ts";
import {
  type Context,
  decodeBytes,
  type DecodeStep,
  decodeStream,
  openSystemLibrary,
  textAt,
} from "./system_library.ts";

const FILE_NAME = "liblz4.so.1";
/** 1.8.3: the first behind one that could write, at high levels, what cannot be read (its release notes). */
const OLDEST_VERSION = 10803;
/** LZ4F_VERSION. */
const API_VERSION = 100;
/** Bytes of input that one call is given: its output needs room for the worst. */
const INPUT_BYTES = 256 * 1024;
/** The header of a frame is shorter. */
const HEADER_ROOM_BYTES = 64;

const FUNCTIONS = {
  LZ4_versionNumber: { parameters: [], result: "i32" },
  LZ4F_isError: { parameters: ["usize"], result: "u32" },
  LZ4F_getErrorName: { parameters: ["usize"], result: "pointer" },
  LZ4F_compressBound: { parameters: ["usize", "buffer"], result: "usize" },
  LZ4F_compressFrameBound: { parameters: ["usize", "buffer"], result: "usize" },
  LZ4F_compressFrame: { parameters: ["buffer", "usize", "buffer", "usize", "buffer"], result: "usize" },
  LZ4F_createCompressionContext: { parameters: ["buffer", "u32"], result: "usize" },
  LZ4F_freeCompressionContext: { parameters: ["pointer"], result: "usize" },
  LZ4F_compressBegin: { parameters: ["pointer", "buffer", "usize", "buffer"], result: "usize" },
  LZ4F_compressUpdate: { parameters: ["pointer", "buffer", "usize", "buffer", "usize", "pointer"], result: "usize" },
  LZ4F_compressEnd: { parameters: ["pointer", "buffer", "usize", "pointer"], result: "usize" },
  LZ4F_createDecompressionContext: { parameters: ["buffer", "u32"], result: "usize" },
  LZ4F_freeDecompressionContext: { parameters: ["pointer"], result: "usize" },
  LZ4F_decompress: { parameters: ["pointer", "buffer", "buffer", "buffer", "buffer", "pointer"], result: "usize" },
} as const;

type Library = Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"];

/** The codec by the host's library; undefined where there is none that will do. */
export function openSystemLz4(): Codec | undefined {
  const library = openSystemLibrary(FILE_NAME, FUNCTIONS);
  if (library === undefined || library.LZ4_versionNumber() < OLDEST_VERSION) return undefined;
  return {
    origin: `the host's ${FILE_NAME}`,
    compress: (source, level, framing) => compress(library, source, level, framing),
    decompress: (source, _framing, chunksPass = false) => decompress(library, source, chunksPass),
    compressBytes: (bytes, level, framing) => compressBytes(library, bytes, level, framing),
    decompressBytes: (bytes, maxBytes) => {
      const context = makeContext(library.LZ4F_createDecompressionContext);
      try {
        return decodeBytes(bytes, maxBytes, decoder(library, context));
      } finally {
        library.LZ4F_freeDecompressionContext(context);
      }
    },
  };
}

async function* compress(
  library: Library,
  source: ByteStream,
  level: number,
  framing: Framing,
): AsyncGenerator<Uint8Array> {
  const preferences = preferencesOf(level, framing);
  const output = new Uint8Array(
    Number(library.LZ4F_compressBound(BigInt(INPUT_BYTES), preferences)) + HEADER_ROOM_BYTES,
  );
  const room = BigInt(output.length);
  const written = (size: bigint) => output.slice(0, checked(library, size));
  const context = makeContext(library.LZ4F_createCompressionContext);
  try {
    yield written(library.LZ4F_compressBegin(context, output, room, preferences));
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; at += INPUT_BYTES) {
        const piece = chunk.subarray(at, at + INPUT_BYTES) as Uint8Array<ArrayBuffer>;
        const bytes = written(
          library.LZ4F_compressUpdate(context, output, room, piece, BigInt(piece.length), null),
        );
        if (bytes.length > 0) yield bytes;
      }
    }
    yield written(library.LZ4F_compressEnd(context, output, room, null));
  } finally {
    library.LZ4F_freeCompressionContext(context);
  }
}

function compressBytes(library: Library, bytes: Uint8Array, level: number, framing: Framing): Uint8Array {
  const preferences = preferencesOf(level, framing);
  const size = BigInt(bytes.length);
  const output = new Uint8Array(Number(library.LZ4F_compressFrameBound(size, preferences)));
  const written = library.LZ4F_compressFrame(
    output,
    BigInt(output.length),
    bytes as Uint8Array<ArrayBuffer>,
    size,
    preferences,
  );
  return output.slice(0, checked(library, written));
}

async function* decompress(library: Library, source: ByteStream, chunksPass: boolean): AsyncGenerator<Uint8Array> {
  const context = makeContext(library.LZ4F_createDecompressionContext);
  try {
    yield* decodeStream(source, decoder(library, context), chunksPass);
  } finally {
    library.LZ4F_freeDecompressionContext(context);
  }
}

function decoder(library: Library, context: Context): DecodeStep {
  const sizes = new BigUint64Array(2);
  const written = new Uint8Array(sizes.buffer, 0, 8);
  const taken = new Uint8Array(sizes.buffer, 8, 8);
  return (input, output) => {
    sizes[0] = BigInt(output.length);
    sizes[1] = BigInt(input.length);
    const left = library.LZ4F_decompress(
      context,
      output as Uint8Array<ArrayBuffer>,
      written,
      input as Uint8Array<ArrayBuffer>,
      taken,
      null,
    );
    if (library.LZ4F_isError(left)) throw failure(library, left, "Format", "compressed data is damaged");
    return { taken: Number(sizes[1]), written: Number(sizes[0]), frameEnded: left === 0n };
  };
}

/** LZ4F_preferences_t: 56 bytes, of which blocks (64 KiB, linked), frame type and the size of the content stay 0. */
function preferencesOf(level: number, framing: Framing): Uint8Array<ArrayBuffer> {
  const fields = new Int32Array(14);
  // frameInfo.contentChecksumFlag
  fields[2] = framing === "normal" ? 1 : 0;
  // compressionLevel
  fields[8] = level;
  return new Uint8Array(fields.buffer);
}

function makeContext(create: (address: Uint8Array<ArrayBuffer>, version: number) => bigint): Context {
  const address = new BigUint64Array(1);
  const failed = create(new Uint8Array(address.buffer), API_VERSION) !== 0n;
  const context = failed ? null : Deno.UnsafePointer.create(address[0]!);
  if (context === null) throw new WalferryError("Memory", "lz4: there is no memory for another stream");
  return context;
}

/** @throws WalferryError `Memory`; `Assert` when a call that cannot fail otherwise did */
function checked(library: Library, result: bigint): number {
  if (library.LZ4F_isError(result)) throw failure(library, result, "Assert", "lz4 failed to compress");
  return Number(result);
}

/** @param kind of the error, when it is not for want of memory */
function failure(library: Library, result: bigint, kind: "Assert" | "Format", what: string): WalferryError {
  const reason = textAt(library.LZ4F_getErrorName(result));
  return reason === "ERROR_allocation_failed"
    ? new WalferryError("Memory", `lz4: ${reason}`)
    : new WalferryError(kind, `${what}: ${reason}`);
}
