/** The packed executable's first instructions and the ELF file around them (build/elf_*.ts). Nothing is started here: tests/e2e/executable_test.ts. */
import { entryCode, entrySegment, type EntryTable } from "../../build/elf_entry.ts";
import { ElfFile, FLAG_EXECUTE, FLAG_WRITE, type Segment, SEGMENT_LOAD, SEGMENT_NOTE } from "../../build/elf_file.ts";
import { packElf } from "../../build/elf_pack.ts";
import { stopBundler } from "../../build/bundle.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { skipTest, testWith } from "../support/requirements.ts";

const PAGE_BYTES = 4096;

/** Registers a test that packs the executable of the runtime that runs it. */
function packTest(name: string, run: (test: Deno.TestContext) => void | Promise<void>): void {
  const { target } = Deno.build;
  if (target === "x86_64-unknown-linux-gnu") Deno.test(name, run);
  else skipTest(name, `the runtime here is for ${target}`);
}

testWith(["as", "objcopy"], "the bytes of the entry code are what its listing assembles to", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (
      const [program, ...args] of [
        ["as", "--64", "-o", `${folder}/entry.o`, "build/elf_entry.s"],
        ["objcopy", "-O", "binary", "-j", ".text", `${folder}/entry.o`, `${folder}/entry.bin`],
      ]
    ) {
      const { success, stderr } = await new Deno.Command(program!, { args }).output();
      assert(success, new TextDecoder().decode(stderr));
    }
    assertEquals(entryCode().toHex(), Deno.readFileSync(`${folder}/entry.bin`).toHex());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const TABLE: EntryTable = {
  address: 0x8000000,
  runtimeEntry: 0x1e04000,
  environSlot: 0x5d68c88,
  spareWord: 0x5dd1cf0,
  arguments: ["run", "--quiet"],
  variables: ["MARK=1", "OTHER=é"],
  drop: ["MARK=", "OTHER="],
  keep: ["OTHER_KEPT="],
};

Deno.test("the table holds distances from its own address and lists that end with a zero byte", () => {
  const segment = entrySegment(TABLE);
  const start = entryCode().length;
  const table = new DataView(segment.buffer, start);
  const tableAddress = TABLE.address + start;
  const distances = [0, 8, 40].map((at) => tableAddress - Number(table.getBigInt64(at, true)));
  assertEquals(distances, [TABLE.runtimeEntry, TABLE.environSlot, TABLE.spareWord]);
  assertEquals([16, 20].map((at) => table.getUint32(at, true)), [2, 2]);
  const texts = [24, 28, 32, 36].map((at) => {
    const bytes = segment.subarray(start + table.getUint32(at, true));
    return new TextDecoder().decode(bytes);
  });
  assert(texts[0]!.startsWith("run\0--quiet\0MARK=1\0OTHER=é\0"), texts[0]);
  assert(texts[1]!.startsWith("MARK=1\0OTHER=é\0OTHER_KEPT=\0"), texts[1]);
  assertEquals(texts[2], "OTHER_KEPT=\0\0MARK=\0OTHER=\0\0");
  assertEquals(texts[3], "MARK=\0OTHER=\0\0");
});

Deno.test("a variable that the environment could hold twice, or a text with a zero byte, is refused", async () => {
  await assertThrows(() => entrySegment({ ...TABLE, variables: ["MARK=1", "MORE=1"] }));
  await assertThrows(() => entrySegment({ ...TABLE, keep: ["OTHER="] }));
  await assertThrows(() => entrySegment({ ...TABLE, arguments: ["a\0b"] }));
});

packTest("a file that is not a position-independent, dynamically linked x86-64 executable is refused", async (test) => {
  const runtime = headOfRuntime();
  new ElfFile(runtime);
  const broken: Record<string, (view: DataView) => void> = {
    "no ELF": (view) => view.setUint8(1, 0),
    "32 bits": (view) => view.setUint8(4, 1),
    "big-endian": (view) => view.setUint8(5, 2),
    "aarch64": (view) => view.setUint16(18, 183, true),
    "fixed address": (view) => view.setUint16(16, 2, true),
    "no segments": (view) => view.setUint16(56, 0, true),
  };
  for (const [name, breakIt] of Object.entries(broken)) {
    await test.step(name, async () => {
      const bytes = runtime.slice();
      breakIt(new DataView(bytes.buffer));
      await assertThrows(() => new ElfFile(bytes));
    });
  }
});

/** Headers and segments' table of the Deno executable that runs this test. */
function headOfRuntime(): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(Deno.execPath());
  const bytes = new Uint8Array(PAGE_BYTES);
  file.readSync(bytes);
  return bytes;
}

packTest(
  "a packed executable is an ELF file whose loadable segments a kernel and a dynamic linker accept",
  async () => {
    const runtime = Deno.readFileSync(Deno.execPath());
    const before = new ElfFile(runtime.slice());
    const chunks = [{ name: "main.js", text: "main" }, { name: "worker.js", text: "wörker" }];
    const pieces = await packElf(runtime, chunks);
    await stopBundler();
    const packed = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
    const elf = new ElfFile(packed);
    const loads = elf.segments().filter(({ type }) => type === SEGMENT_LOAD);

    assertEquals(loads.length, before.segments().filter(({ type }) => type === SEGMENT_LOAD).length + 1);
    for (const [index, load] of loads.entries()) {
      assertEquals(
        (load.address - load.offset) % PAGE_BYTES,
        0,
        `segment ${index}: address and offset differ within a page`,
      );
      assertEquals(load.align % PAGE_BYTES, 0);
      assert(load.offset + load.fileBytes <= packed.length, `segment ${index} ends behind the file`);
      assert(load.memoryBytes >= load.fileBytes);
      assert((load.flags & (FLAG_EXECUTE | FLAG_WRITE)) !== (FLAG_EXECUTE | FLAG_WRITE), "writable code");
      const next = loads[index + 1];
      if (next !== undefined) assert(pageAfter(load) <= next.address, `segment ${index} reaches into the next`);
    }
    const added = loads.at(-1)!;
    assertEquals(elf.entry, added.address);
    assertEquals(added.flags & FLAG_EXECUTE, FLAG_EXECUTE);
    assertEquals(added.offset + added.fileBytes, packed.length, "a file cut short must lose what it starts with");
    assertEquals(packed.subarray(added.offset, added.offset + entryCode().length).toHex(), entryCode().toHex());

    const table = new DataView(packed.buffer, added.offset + entryCode().length);
    const tableAddress = added.address + entryCode().length;
    const addressAt = (at: number) => tableAddress - Number(table.getBigInt64(at, true));
    assertEquals(addressAt(0), before.entry);
    assertEquals(addressAt(8), before.addressSlot("environ"));
    const writable = loads.findLast(({ flags }) => (flags & FLAG_WRITE) !== 0)!;
    const spareWord = addressAt(40);
    const used = before.segments().find(({ address, type }) => type === SEGMENT_LOAD && address === writable.address)!;
    assert(spareWord >= used.address + used.memoryBytes && spareWord % 8 === 0, "the spare word is in use");
    assert(spareWord + 8 <= writable.address + writable.memoryBytes, "the spare word is not in memory");

    assertEquals(before.segments().filter(({ type }) => type === SEGMENT_NOTE).length, 1);
    assertEquals(
      packed.subarray(PAGE_BYTES, runtime.length).every((byte, index) => byte === runtime[PAGE_BYTES + index]),
      true,
      "more than the headers of the runtime changed",
    );
  },
);

function pageAfter({ address, memoryBytes }: Segment): number {
  return Math.ceil((address + memoryBytes) / PAGE_BYTES) * PAGE_BYTES;
}
