/** Damaged and hostile bytes: headers, control files, packets, and everything that is compressed or encrypted. */
import { PacketReader } from "../../backends/sftp/packets.ts";
import { VarintReader } from "../../src/format/varint.ts";
import { invalidateCheckpoint, parseControl } from "../../src/postgres/control_file.ts";
import { readWalHeader } from "../../src/postgres/wal_header.ts";
import { segmentNumber } from "../../src/format/wal_name.ts";
import { pipeline } from "../../src/stream/byte_stream.ts";
import { decryptFilter, encryptFilter } from "../../src/stream/cipher.ts";
import { bz2Codec } from "../../src/stream/bz2_codec.ts";
import type { Codec } from "../../src/stream/codec.ts";
import { lz4Codec } from "../../src/stream/lz4_codec.ts";
import { collect, streamOf } from "../../src/stream/sources.ts";
import { openSystemLz4 } from "../../src/stream/system_lz4.ts";
import { openSystemZstd } from "../../src/stream/system_zstd.ts";
import { gzCodec, zstCodec } from "../../src/stream/zlib_codecs.ts";
import { assert } from "../support/assert.ts";
import { controlFileOf } from "../support/cluster_vectors.ts";
import { fuzz, fuzzRounds, mutateBytes } from "../support/mutations.ts";
import { random } from "../support/random.ts";

const ROUNDS = fuzzRounds(1000);

/** The long header of a segment of PostgreSQL 15. */
function walHeader(): Uint8Array {
  const bytes = new Uint8Array(40);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xd110, true);
  view.setUint16(2, 2, true);
  view.setBigUint64(8, 0x3000000n, true);
  view.setBigUint64(24, 7575013512345678901n, true);
  view.setUint32(32, 16 * 1024 ** 2, true);
  return bytes;
}

const PARSERS: ReadonlyArray<readonly [name: string, sample: Uint8Array, parse: (bytes: Uint8Array) => unknown]> = [
  ["WAL headers", walHeader(), (bytes) => {
    const { segmentBytes, startLsn } = readWalHeader(bytes);
    // What verify makes of it.
    return BigInt(segmentNumber("000000010000000000000003", segmentBytes)) * BigInt(segmentBytes) === startLsn;
  }],
  ["control files", controlFileOf("15"), (bytes) => {
    // What is shorter is refused before it is parsed.
    if (bytes.length < 512) return undefined;
    invalidateCheckpoint(bytes);
    return undefined;
  }],
  [
    "control files whose checksum is right",
    controlFileOf("15"),
    (bytes) => bytes.length < 512 ? 0 : parseControl(bytes),
  ],
  ["numbers of variable length", Uint8Array.of(0x80, 0x01, 5, 0xff, 0xff, 0xff, 0x7f, 0), (bytes) => {
    const reader = new VarintReader(bytes);
    let sum = 0;
    for (let at = 0; at < bytes.length; at++) sum += reader.number();
    return sum;
  }],
  [
    "SFTP packets",
    Uint8Array.of(0, 0, 0, 0x0d, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 1, 0xa4, 0, 0, 0, 1, 0, 0, 0, 2),
    (bytes) => {
      const reader = new PacketReader(bytes);
      const attributes = reader.attributes();
      return [attributes, reader.isAtEnd ? "" : reader.text()];
    },
  ],
];

for (const [name, sample, parse] of PARSERS) {
  Deno.test(`${ROUNDS} mutations of ${name} give a value or an error of ours`, async () => {
    await fuzz(ROUNDS, (next) => mutateBytes(sample, next), parse);
  });
}

const LEVEL = 3;
/** Every implementation of every type; those of the host where it has them. */
const CODECS: ReadonlyArray<readonly [name: string, codec: Codec | undefined]> = [
  ["none", undefined],
  ["gz", gzCodec],
  ["bz2", bz2Codec],
  ["lz4, built in", lz4Codec],
  ["zst, built in", zstCodec],
  ...([["lz4 by the host's library", openSystemLz4()], ["zst by the host's library", openSystemZstd(LEVEL)]] as const)
    .filter(([, codec]) => codec !== undefined),
];

for (const [type, codec] of CODECS) {
  for (const framing of ["normal", "raw"] as const) {
    const cipherPass = framing === "raw" ? "secret" : undefined;
    // Without compression only encryption has a form.
    if (codec === undefined && cipherPass === undefined) continue;
    Deno.test(`${ROUNDS} mutations of ${type}, ${framing}${cipherPass ? ", behind encryption" : ""}, end`, async () => {
      const next = random(5);
      const content = Uint8Array.from({ length: 3000 }, (_, at) => at < 1500 ? next(256) : at % 7);
      // A copy: what the codecs give may be a Buffer, whose slices share its memory.
      const sample = Uint8Array.from(
        await collect(codec?.compress(streamOf(content), LEVEL, framing) ?? streamOf(content), 1e6),
      );
      await fuzz(ROUNDS, (below) => mutateBytes(sample, below), async (bytes) => {
        // Hostile content behind encryption that is right, and now and then encryption that is not.
        const hidden = cipherPass === undefined || bytes.length % 5 === 0
          ? streamOf(bytes)
          : encryptFilter(cipherPass, framing)(streamOf(bytes));
        const decrypt = cipherPass === undefined ? [] : [decryptFilter(cipherPass, framing)];
        const opened = pipeline(hidden, ...decrypt);
        const read = codec?.decompress(opened, framing) ?? opened;
        let sizeBytes = 0;
        for await (const chunk of read) {
          assert(chunk.length <= 16 * 1024 ** 2, `a piece of ${chunk.length} bytes`);
          sizeBytes += chunk.length;
          // A bomb is the reader's to stop: what comes out comes in pieces.
          if (sizeBytes > 64 * 1024 ** 2) break;
        }
      });
    });
  }
}
