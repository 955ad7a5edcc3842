/**
 * zst by the host's libzstd, which PostgreSQL's own packages bring: an eighth to a fifth quicker than what is built into the runtime. Source:
 * zstd.h of 1.4.4 and newer, the functions that it calls stable.
 */
import { WalferryError } from "../errors.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Codec } from "./codec.ts";
import {
  addressOf,
  type Context,
  decodeBytes,
  decodeStream,
  openSystemLibrary,
  OUTPUT_BYTES,
  textAt,
} from "./system_library.ts";

const FILE_NAME = "libzstd.so.1";
/** 1.4.4: what the oldest distributions have that are still looked after. */
const OLDEST_VERSION = 10404;
/**
 * Before 1.5.5 the search of the high levels could write, very rarely, what decompresses to something else (its release notes; some distributions
 * have the mend in an older version). For small content these are the levels from 13 on.
 */
const MENDED_VERSION = 10505;
const DOUBTFUL_LEVEL = 13;

/** ZSTD_c_compressionLevel. */
const COMPRESSION_LEVEL = 100;
/** ZSTD_reset_session_and_parameters. */
const RESET_ALL = 3;
/** ZSTD_EndDirective. */
const CONTINUE = 0;
const END = 2;
/** ZSTD_inBuffer without bytes. */
const NOTHING = new Uint8Array(24);

const FUNCTIONS = {
  ZSTD_versionNumber: { parameters: [], result: "u32" },
  ZSTD_isError: { parameters: ["usize"], result: "u32" },
  ZSTD_getErrorName: { parameters: ["usize"], result: "pointer" },
  ZSTD_sizeof_CCtx: { parameters: ["pointer"], result: "usize" },
  ZSTD_sizeof_DCtx: { parameters: ["pointer"], result: "usize" },
  ZSTD_compressBound: { parameters: ["usize"], result: "usize" },
  ZSTD_createCCtx: { parameters: [], result: "pointer" },
  ZSTD_freeCCtx: { parameters: ["pointer"], result: "usize" },
  ZSTD_CCtx_reset: { parameters: ["pointer", "i32"], result: "usize" },
  ZSTD_CCtx_setParameter: { parameters: ["pointer", "i32", "i32"], result: "usize" },
  ZSTD_compress2: { parameters: ["pointer", "buffer", "usize", "buffer", "usize"], result: "usize" },
  ZSTD_compressStream2: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "usize" },
  ZSTD_createDCtx: { parameters: [], result: "pointer" },
  ZSTD_freeDCtx: { parameters: ["pointer"], result: "usize" },
  ZSTD_DCtx_reset: { parameters: ["pointer", "i32"], result: "usize" },
  ZSTD_decompressStream: { parameters: ["pointer", "buffer", "buffer"], result: "usize" },
} as const;

type Library = Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"];

/**
 * The codec by the host's library; undefined where there is none that will do.
 * @param level at which it is to compress; any that is low where it is to decompress
 */
export function openSystemZstd(level: number): Codec | undefined {
  const library = openSystemLibrary(FILE_NAME, FUNCTIONS);
  const version = library?.ZSTD_versionNumber() ?? 0;
  const oldest = level < DOUBTFUL_LEVEL ? OLDEST_VERSION : MENDED_VERSION;
  return library === undefined || version < oldest ? undefined : codecBy(library);
}

function codecBy(library: Library): Codec {
  const encoders = new Contexts(library.ZSTD_createCCtx, library.ZSTD_sizeof_CCtx, library.ZSTD_freeCCtx);
  const decoders = new Contexts(library.ZSTD_createDCtx, library.ZSTD_sizeof_DCtx, library.ZSTD_freeDCtx);
  return {
    origin: `the host's ${FILE_NAME}`,
    compress: (source, level) => encoders.lend((context) => compress(library, context, source, level)),
    decompress: (source, _framing, chunksPass = false) =>
      decoders.lend((context) => {
        library.ZSTD_DCtx_reset(context, RESET_ALL);
        return decodeStream(source, new Decoder(library, context).step, chunksPass);
      }),
    compressBytes: (bytes, level) => encoders.use((context) => compressBytes(library, context, bytes, level)),
    decompressBytes: (bytes, maxBytes) =>
      decoders.use((context) => {
        library.ZSTD_DCtx_reset(context, RESET_ALL);
        return decodeBytes(bytes, maxBytes, new Decoder(library, context).step);
      }),
  };
}

/** A context that takes more is not kept: high levels and large windows need a hundred times as much. Bytes. */
const KEPT_BYTES = 8 * 1024 * 1024;

/** Contexts of one kind. One that is not in use is kept: its tables cost more to make than a small file to compress. */
class Contexts {
  #spare: Context | undefined;
  readonly #create: () => Deno.PointerValue;
  readonly #sizeOf: (context: Deno.PointerValue) => bigint;
  readonly #free: (context: Deno.PointerValue) => bigint;

  constructor(
    create: () => Deno.PointerValue,
    sizeOf: (context: Deno.PointerValue) => bigint,
    free: (context: Deno.PointerValue) => bigint,
  ) {
    this.#create = create;
    this.#sizeOf = sizeOf;
    this.#free = free;
  }

  /** Runs something with a context of its own. */
  use<T>(run: (context: Context) => T): T {
    const context = this.#take();
    try {
      return run(context);
    } finally {
      this.#giveBack(context);
    }
  }

  /** A stream that has a context of its own as long as it is read. */
  async *lend(make: (context: Context) => ByteStream): AsyncGenerator<Uint8Array> {
    const context = this.#take();
    try {
      yield* make(context);
    } finally {
      this.#giveBack(context);
    }
  }

  #take(): Context {
    const context = this.#spare ?? this.#create();
    this.#spare = undefined;
    if (context === null) throw new WalferryError("Memory", "zstd: there is no memory for another stream");
    return context;
  }

  #giveBack(context: Context): void {
    if (this.#spare === undefined && this.#sizeOf(context) <= KEPT_BYTES) this.#spare = context;
    else this.#free(context);
  }
}

function begin(library: Library, context: Context, level: number): void {
  checked(library, library.ZSTD_CCtx_reset(context, RESET_ALL));
  checked(library, library.ZSTD_CCtx_setParameter(context, COMPRESSION_LEVEL, level));
}

async function* compress(
  library: Library,
  context: Context,
  source: ByteStream,
  level: number,
): AsyncGenerator<Uint8Array> {
  begin(library, context, level);
  const output = new Uint8Array(OUTPUT_BYTES);
  const to = new Span(output);
  for await (const chunk of source) {
    const from = new Span(chunk);
    while (from.position < chunk.length) {
      checked(library, library.ZSTD_compressStream2(context, to.struct, from.struct, CONTINUE));
      if (to.position < output.length) continue;
      yield output.slice();
      to.position = 0;
    }
  }
  for (let left = 1n; left > 0n;) {
    left = checked(library, library.ZSTD_compressStream2(context, to.struct, NOTHING, END));
    if (to.position > 0) yield output.slice(0, to.position);
    to.position = 0;
  }
}

function compressBytes(library: Library, context: Context, bytes: Uint8Array, level: number): Uint8Array {
  begin(library, context, level);
  const output = new Uint8Array(Number(library.ZSTD_compressBound(BigInt(bytes.length))));
  const size = checked(
    library,
    library.ZSTD_compress2(
      context,
      output,
      BigInt(output.length),
      bytes as Uint8Array<ArrayBuffer>,
      BigInt(bytes.length),
    ),
  );
  return output.slice(0, Number(size));
}

class Decoder {
  readonly #library: Library;
  readonly #context: Context;

  constructor(library: Library, context: Context) {
    this.#library = library;
    this.#context = context;
  }

  readonly step = (input: Uint8Array, output: Uint8Array) => {
    const from = new Span(input);
    const to = new Span(output);
    const left = this.#library.ZSTD_decompressStream(this.#context, to.struct, from.struct);
    if (this.#library.ZSTD_isError(left)) throw failure(this.#library, left, "Format", "compressed data is damaged");
    return { taken: from.position, written: to.position, frameEnded: left === 0n };
  };
}

/** ZSTD_inBuffer or ZSTD_outBuffer: an address, a size, and how far the library came. The bytes must outlive it. */
class Span {
  readonly struct: Uint8Array<ArrayBuffer>;
  readonly #fields: BigUint64Array<ArrayBuffer>;

  constructor(bytes: Uint8Array) {
    this.#fields = BigUint64Array.of(addressOf(bytes), BigInt(bytes.length), 0n);
    this.struct = new Uint8Array(this.#fields.buffer);
  }

  get position(): number {
    return Number(this.#fields[2]);
  }

  set position(value: number) {
    this.#fields[2] = BigInt(value);
  }
}

/** @throws WalferryError `Memory`; `Assert` when a call that cannot fail otherwise did */
function checked(library: Library, result: bigint): bigint {
  if (library.ZSTD_isError(result)) throw failure(library, result, "Assert", "zstd failed to compress");
  return result;
}

/** ZSTD_error_memory_allocation, as results of calls are. */
const NO_MEMORY = BigInt.asUintN(64, -64n);

/** @param kind of the error, when it is not for want of memory */
function failure(library: Library, result: bigint, kind: "Assert" | "Format", what: string): WalferryError {
  const reason = textAt(library.ZSTD_getErrorName(result));
  return result === NO_MEMORY
    ? new WalferryError("Memory", `zstd: ${reason}`)
    : new WalferryError(kind, `${what}: ${reason}`);
}
