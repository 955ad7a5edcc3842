import type { WalferryError } from "../../src/errors.ts";
import { type ByteStream, pipeline } from "../../src/stream/byte_stream.ts";
import {
  decryptBytes,
  decryptFilter,
  encryptBytes,
  encryptFilter,
  generateCipherPass,
} from "../../src/stream/cipher.ts";
import type { Framing } from "../../src/stream/framing.ts";
import { bz2Codec } from "../../src/stream/bz2_codec.ts";
import type { Codec } from "../../src/stream/codec.ts";
import { codecOrigin, compressFilter, decompressFilter, DEFAULT_LEVELS } from "../../src/stream/compress.ts";
import type { CompressType } from "../../src/stream/compress_type.ts";
import { sha1Hex, Sha1Meter } from "../../src/stream/hash.ts";
import { lz4Codec } from "../../src/stream/lz4_codec.ts";
import { openSystemLibrary } from "../../src/stream/system_library.ts";
import { openSystemLz4 } from "../../src/stream/system_lz4.ts";
import { openSystemZstd } from "../../src/stream/system_zstd.ts";
import { gzCodec, zstCodec } from "../../src/stream/zlib_codecs.ts";
import { collect, drain, streamOf } from "../../src/stream/sources.ts";
import { tee } from "../../src/stream/tee.ts";
import { Xxh32, xxh32 } from "../../src/stream/xxh32.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { testWith, unavailable } from "../support/requirements.ts";

const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const toHex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const text = (value: string) => new TextEncoder().encode(value);
const all = async (stream: ByteStream) => new Uint8Array(await collect(stream, 1e9));

/** Inputs that lead through the corners of the codecs. */
function inputs(): Array<readonly [name: string, bytes: Uint8Array]> {
  const random = new Uint8Array(1_500_000);
  for (let at = 0; at < random.length; at += 65536) crypto.getRandomValues(random.subarray(at, at + 65536));
  const mixed = new Uint8Array(2_500_000);
  for (let at = 0; at < mixed.length; at++) {
    mixed[at] = at % 8192 < 300 ? (at * 31) & 0xff : at % 97 === 0 ? at >> 8 : 0;
  }
  return [
    ["nothing", new Uint8Array(0)],
    ["one byte", text("x")],
    ["three bytes", text("15\n")],
    ["zeros", new Uint8Array(3_000_000)],
    ["runs", text("a".repeat(1000) + "b".repeat(259) + "c".repeat(4) + "abcabc".repeat(3000))],
    ["noise", random],
    ["pages", mixed],
  ];
}

/** Every implementation of a type, and the tool that judges it. Tools for zst and lz4 bring the libraries of the host. */
const CODECS: ReadonlyArray<
  readonly [name: string, CompressType, open: () => Codec | undefined, program: string, args: string[]]
> = [
  ["gz", "gz", () => gzCodec, "gzip", []],
  ["zst, built in", "zst", () => zstCodec, "zstd", ["-q"]],
  ["zst by the host's library", "zst", () => openSystemZstd(3), "zstd", ["-q"]],
  ["lz4, built in", "lz4", () => lz4Codec, "lz4", ["-q"]],
  ["lz4 by the host's library", "lz4", openSystemLz4, "lz4", ["-q"]],
  ["bz2", "bz2", () => bz2Codec, "bzip2", []],
];

for (const [codecName, type, open, program, args] of CODECS) {
  const level = DEFAULT_LEVELS[type];
  const codecOf = () => open() ?? unavailable(`there is no library for ${codecName}`);
  const compressFilter = (framing: Framing = "normal") => (source: ByteStream) =>
    codecOf().compress(source, level, framing);
  const decompressFilter = (framing: Framing = "normal") => (source: ByteStream) =>
    codecOf().decompress(source, framing);
  const compressBytes = async (bytes: Uint8Array, framing: Framing = "normal") =>
    codecOf().compressBytes?.(bytes, level, framing) ?? await all(compressFilter(framing)(streamOf(bytes)));
  const decompressBytes = async (bytes: Uint8Array, maxBytes: number, framing: Framing = "normal") =>
    codecOf().decompressBytes?.(bytes, maxBytes, framing) ??
      await collect(decompressFilter(framing)(streamOf(bytes)), maxBytes);

  testWith(
    [program],
    `${codecName}: what goes in comes out, here and through the command line tool, in both directions`,
    async () => {
      for (const [name, bytes] of inputs()) {
        const compressed = await all(compressFilter()(streamOf(bytes)));
        assertEquals(sha1Hex(await all(decompressFilter()(streamOf(compressed)))), sha1Hex(bytes), name);
        assertEquals(
          sha1Hex(await tool(program, [...args, "-dc"], compressed)),
          sha1Hex(bytes),
          `${program} reads ours: ${name}`,
        );
        const foreign = await tool(program, [...args, "-c"], bytes);
        assertEquals(
          sha1Hex(await all(decompressFilter()(streamOf(foreign)))),
          sha1Hex(bytes),
          `we read ${program}'s: ${name}`,
        );
        const atOnce = await compressBytes(bytes);
        for (
          const [how, content] of [
            ["ours made in one go", all(decompressFilter()(streamOf(atOnce)))],
            [`ours made in one go, by ${program}`, tool(program, [...args, "-dc"], atOnce)],
            ["in one go", decompressBytes(foreign, bytes.length)],
          ] as const
        ) assertEquals(sha1Hex(await content), sha1Hex(bytes), `${how}: ${name}`);
        const raw = await compressBytes(bytes, "raw");
        assertEquals(sha1Hex(await decompressBytes(raw, bytes.length, "raw")), sha1Hex(bytes), `raw: ${name}`);
      }
    },
  );

  testWith([program], `${codecName}: content that is cut off or damaged is an error, never short content`, async () => {
    const bytes = inputs().at(-1)![1];
    const compressed = await all(compressFilter()(streamOf(bytes)));
    // In pieces of a byte a state is left and taken up again at every place there is.
    const bits = compressed.subarray(0, 3000);
    const piecewise = async function* () {
      for (let at = 0; at < bits.length; at++) yield bits.subarray(at, at + 1);
      await Promise.resolve();
      yield new Uint8Array(0);
      yield compressed.subarray(bits.length);
    };
    assertEquals(sha1Hex(await all(decompressFilter()(piecewise()))), sha1Hex(bytes), "in pieces");
    const passing = new Sha1Meter();
    for await (const chunk of passing.through(codecOf().decompress(streamOf(compressed), "normal", true))) {
      // The reader is done with it: what becomes of it now must not come back.
      await Promise.resolve();
      chunk.fill(0xaa);
    }
    assertEquals([passing.digestHex(), passing.sizeBytes], [sha1Hex(bytes), bytes.length], "in passing chunks");
    const twice = async function* () {
      yield* piecewise();
      yield* piecewise();
    };
    assertEquals(
      (await all(decompressFilter()(twice()))).length,
      2 * bytes.length,
      "two streams, one behind the other",
    );
    for (const cut of [0, 1, 5, 20, compressed.length >> 1, compressed.length - 9, compressed.length - 1]) {
      const error = await assertThrows<WalferryError>(() =>
        drain(decompressFilter()(streamOf(compressed.slice(0, cut))))
      );
      assertEquals(error.kind, "Format", `cut at ${cut} of ${compressed.length}: ${error.message}`);
      const atOnce = await assertThrows<WalferryError>(() => decompressBytes(compressed.slice(0, cut), bytes.length));
      assertEquals(atOnce.kind, "Format", `in one go, cut at ${cut} of ${compressed.length}: ${atOnce.message}`);
    }
    const long = await assertThrows<WalferryError>(() => decompressBytes(compressed, bytes.length - 1));
    assert(["Format", "FileRead"].includes(long.kind), long.message);
    for (const at of [0, 1, 30, compressed.length >> 1, compressed.length - 3]) {
      const damaged = compressed.slice();
      damaged[at]! ^= 0x41;
      const atOnce = await decompressBytes(damaged, bytes.length).catch((error: WalferryError) => error.kind);
      const isUnseen = atOnce instanceof Uint8Array && sha1Hex(atOnce) !== sha1Hex(bytes) && type !== "zst" && at !== 1;
      assert(!isUnseen && (atOnce instanceof Uint8Array || ["Format", "FileRead"].includes(atOnce)), String(atOnce));
      try {
        // zstd frames carry no checksum: there damage may pass here, and the SHA-1 behind it finds it.
        const out = await all(decompressFilter()(streamOf(damaged)));
        assert(type === "zst" || at === 1 || sha1Hex(out) === sha1Hex(bytes), `damage at ${at} went unnoticed`);
      } catch (error) {
        assertEquals((error as WalferryError).kind, "Format", String(error));
      }
    }
  });

  testWith([program], `${codecName}: an error of the source comes through as it is`, async () => {
    const failing = async function* () {
      yield new Uint8Array(100_000);
      await Promise.resolve();
      throw new Error("source failed");
    };
    for (const filter of [compressFilter(), decompressFilter()]) {
      const error = await assertThrows(() => drain(filter(failing())));
      assert(/source failed|damaged|lz4|bzip2/.test(error.message), error.message);
    }
  });
}

testWith(["zstd", "lz4"], "zst and lz4 are done by the host's libraries where they are", async () => {
  assertEquals(await codecOrigin("zst"), "the host's libzstd.so.1");
  assertEquals(await codecOrigin("lz4"), "the host's liblz4.so.1");
  assertEquals(await codecOrigin("gz"), "built in");
});

Deno.test("a library that is not there, or lacks a function, is none", () => {
  assertEquals(openSystemLibrary("libwalferry-no-such.so.1", {}), undefined);
  const functions = { walferry_no_such_function: { parameters: [], result: "u32" } } as const;
  assertEquals(openSystemLibrary("libc.so.6", functions), undefined);
  assert(openSystemLibrary("libc.so.6", { getpid: { parameters: [], result: "i32" } })?.getpid() === Deno.pid, "libc");
});

testWith(
  ["zstd", "lz4"],
  "many streams of one thread have their own state, and one that is left holds up none",
  async () => {
    const [zeros, noise, pages] = [3, 5, 6].map((at) => inputs()[at]![1]) as [Uint8Array, Uint8Array, Uint8Array];
    for (const codec of [openSystemZstd(3)!, openSystemLz4()!]) {
      const left = codec.compress(streamOf(noise), 3, "normal")[Symbol.asyncIterator]();
      await left.next();
      const together = await Promise.all(
        [zeros, noise, pages, noise].map((bytes) =>
          all(codec.decompress(codec.compress(streamOf(bytes), 3, "raw"), "raw"))
        ),
      );
      await left.return?.();
      const again = await all(codec.decompress(codec.compress(streamOf(pages), 3, "normal"), "normal"));
      for (const [at, bytes] of [zeros, noise, pages, noise].entries()) {
        assertEquals(
          sha1Hex(together[at]!),
          sha1Hex(bytes),
        );
      }
      assertEquals(sha1Hex(again), sha1Hex(pages));
    }
  },
);

async function tool(program: string, args: string[], input: Uint8Array): Promise<Uint8Array> {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
  const writer = child.stdin.getWriter();
  const feeding = writer.write(input.slice()).then(() => writer.close());
  const { stdout, success } = await child.output();
  await feeding;
  assert(success, `${program} failed`);
  return stdout;
}

Deno.test("the vectors of the format are read and, where they are fixed, written", async () => {
  const gz = hex("1f8b08000000000000033334e502001d7d0c9803000000");
  const lz4 = hex("04224d1844405e0300008031350a0000000092841dab");
  const zst = hex("28b52ffd005819000031350a");
  for (const [type, stored] of [["gz", gz], ["lz4", lz4], ["zst", zst]] as const) {
    assertEquals(await all(decompressFilter(type)(streamOf(stored))), text("15\n"));
  }
  assertEquals(toHex(await all(compressFilter({ type: "gz" })(streamOf(text("15\n"))))), toHex(gz));
  assertEquals(
    toHex(await all(compressFilter({ type: "gz" }, "raw")(streamOf(text("15\n"))))),
    "789c3334e50200010a0071",
  );
  assertEquals(await all(decompressFilter("gz", "raw")(streamOf(hex("789c3334e50200010a0071")))), text("15\n"));
});

Deno.test("levels change what is stored and nothing else", async () => {
  const bytes = inputs().at(-1)![1];
  for (
    const [type, levels] of [["gz", [1, 9]], ["zst", [-5, 3, 12, 19]], ["lz4", [-5, 1, 12]], ["bz2", [1, 9]]] as const
  ) {
    for (const level of levels) {
      const compressed = await all(compressFilter({ type, level })(streamOf(bytes)));
      assertEquals(
        sha1Hex(await all(decompressFilter(type)(streamOf(compressed)))),
        sha1Hex(bytes),
        `${type} ${level}`,
      );
    }
  }
});

Deno.test("xxHash gives the values of its specification, in one piece and in many", () => {
  for (
    const [input, expected] of [["", 0x02cc5d05], ["a", 0x550d7456], ["abc", 0x32d153ff], [
      "Nobody inspects the spammish repetition",
      0xe2293b2f,
    ]] as const
  ) {
    assertEquals(xxh32(text(input)), expected);
    const pieces = new Xxh32();
    for (const byte of text(input)) pieces.update(Uint8Array.of(byte));
    assertEquals(pieces.digest(), expected);
  }
});

const PASS = "specpassphrase";

Deno.test("encryption: the vectors of the format decrypt", async () => {
  const stored = "53616c7465645f5f0001020304050607" +
    "5f7051cf8276fd4cc251eafb364f965f71e2fb909715c371739346ff96e94fae";
  assertEquals(await all(decryptFilter(PASS)(streamOf(hex(stored)))), text("hello pgbackrest\n"));
  assertEquals(await all(decryptFilter(PASS, "raw")(streamOf(hex(stored.slice(16))))), text("hello pgbackrest\n"));
  assertEquals(
    (await all(decryptFilter(PASS)(streamOf(hex("53616c7465645f5f00010203040506071990b87aaede9068f4e736ba5cabe76e")))))
      .length,
    0,
  );
  const member = "53616c7465645f5f1e9ac872a407ad18369b63e539b32097f91b6b142c383d1edaef91a3d5076cf83190b000714662e5";
  const memberPass = "2P4DCgxLMGSBa2E8NaCqPQl73AD2Udzn9x67thPBjVycWQspSa3XHbgUR4Ng6wV2";
  assertEquals(
    await all(pipeline(streamOf(hex(member)), decryptFilter(memberPass), decompressFilter("gz"))),
    text("15\n"),
  );
});

testWith(["openssl"], "encryption: openssl reads ours and we read openssl's", async () => {
  const args = ["enc", "-aes-256-cbc", "-md", "sha1", "-pass", `pass:${PASS}`];
  for (const [name, bytes] of inputs()) {
    const ours = await all(encryptFilter(PASS)(streamOf(bytes)));
    assertEquals(ours.length, 16 + bytes.length - (bytes.length % 16) + 16);
    assertEquals(sha1Hex(await tool("openssl", [...args, "-d"], ours)), sha1Hex(bytes), name);
    assertEquals(
      sha1Hex(await all(decryptFilter(PASS)(streamOf(await tool("openssl", args, bytes))))),
      sha1Hex(bytes),
      name,
    );
    for (const framing of ["normal", "raw"] as const) {
      const atOnce = await encryptBytes(PASS, bytes, framing);
      assertEquals(sha1Hex(await all(decryptFilter(PASS, framing)(streamOf(atOnce)))), sha1Hex(bytes), name);
      const stream = await all(encryptFilter(PASS, framing)(streamOf(bytes)));
      assertEquals(sha1Hex(await decryptBytes(PASS, stream, framing)), sha1Hex(bytes), name);
    }
  }
});

Deno.test("encryption: a wrong passphrase, a missing and a foreign header are told", async () => {
  const stored = await all(encryptFilter(PASS)(streamOf(text("secret"))));
  const messageOf = async (bytes: Uint8Array, pass = PASS) => {
    const isCrypto = (error: WalferryError) => assertEquals(error.kind, "Crypto");
    const { message } = await assertThrows<WalferryError>(() => drain(decryptFilter(pass)(streamOf(bytes))), isCrypto);
    const atOnce = await assertThrows<WalferryError>(() => decryptBytes(pass, bytes), isCrypto);
    assertEquals(atOnce.message, message);
    return message;
  };
  assertEquals(await messageOf(new Uint8Array(0)), "cipher header missing");
  assertEquals(await messageOf(stored.slice(0, 12)), "cipher header missing");
  assertEquals(await messageOf(text("plain text that is long enough")), "cipher header invalid");
  assertEquals(await messageOf(stored.slice(0, -1)), "unable to flush");
  assertEquals(await messageOf(stored.slice(0, 16)), "unable to flush");
  assertEquals(generateCipherPass().length, 64);
});

Deno.test("a stream is split into equal copies in step; a reader that leaves does not hold up the others", async () => {
  let made = 0;
  const source = async function* () {
    for (; made < 100; made++) yield Uint8Array.of(made);
  };
  const [slow, leaving, failing] = tee(source(), 3) as [ByteStream, ByteStream, ByteStream & { drop(): void }];
  failing.drop();
  const left = (async () => {
    for await (const chunk of leaving) if (chunk[0] === 10) return made;
  })();
  const whole = await all(slow);
  assertEquals(whole.length, 100);
  assert((await left)! <= 12, "the source ran ahead of its readers");
});

Deno.test("an error of a split source reaches every copy, and the source is closed when all have left", async () => {
  let closed = false;
  const failing = async function* () {
    yield Uint8Array.of(1);
    await Promise.resolve();
    throw new Error("boom");
  };
  const results = await Promise.allSettled(tee(failing(), 2).map((branch) => drain(branch)));
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  const endless = async function* () {
    try {
      for (;;) yield Uint8Array.of(1);
    } finally {
      closed = true;
    }
  };
  await Promise.all(
    tee(endless(), 2).map(async (branch) => {
      for await (const _chunk of branch) return;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert(closed);
});

Deno.test("a meter counts and hashes what passes", async () => {
  const meter = new Sha1Meter();
  await drain(meter.through(streamOf(text("abc"))));
  assertEquals([meter.sizeBytes, meter.digestHex()], [3, "a9993e364706816aba3e25717850c26c9cd0d89d"]);
});
