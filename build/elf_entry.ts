/**
 * The instructions that a packed executable begins with, and the table they read. What they do, and the layout of the table, is told in
 * `elf_entry.s`; `tests/unit/elf_entry_test.ts` assembles that file and compares. Where they are put is decided in `elf_pack.ts`.
 */

/** Instructions of `elf_entry.s`, padded to a multiple of 8: `as -o x.o build/elf_entry.s && objcopy -O binary -j .text x.o /dev/stdout | xxd -p -c 40`. */
const CODE = [
  "f30f1efa4889e54989d7488d1de7020000488d3df4010000be0000080031d2b8020000000f0585c0",
  "0f88ba01000089c7b8030000000f054881ec001000004889e7be00100000b84f0000000f054889ec",
  "4883f8fe0f84800100004c8b6d004e8d74ed104c89f04883c008488378f80075f54989c44883c010",
  "488378f00075f54829e88b4b10034b14488d44c8084829c44883e4f04889e2488d7508488d056a01",
  "00004d85ed740548ad49ffcd4989f18b4b104d8d6c0d014c892a488942084883c2108b7318e8d800",
  "00004c89ce48ad4889024883c2084885c075f24989d2498b3e4983c6084885ff741d8b7320e8c600",
  "0000720a8b7324e8bc00000072e048893a4883c208ebd78b4b148b731ce89000000048c702000000",
  "004883c208498b0424498b4c24084983c41048890248894a084883c2104885c075e34889d8482b43",
  "08488b004c89104889d8482b43284c8938488d15080000004889d8482b03ffe0488d15910100008b",
  "4a1c4801d14889d0482b4208488b00488b004885c07411488b304883c0084839ce74754885f675ef",
  "4889d0482b4228488b004885c07402ffe0c34801deffc9780e4889324883c208ac84c075fbebeec3",
  "4801de803e0074174889f9ac84c0741048ffc13a41ff74f3ac84c075fbebe4c3f9c3488d35ae0000",
  "00ba63000000eb0c488d352c000000ba74000000bf02000000b8010000000f05bf7e000000b8e700",
  "00000f052f70726f632f73656c662f6578650077616c66657272793a2063616e6e6f742073746172",
  "743a202f70726f632f73656c662f6578652063616e6e6f74206265207265616420286973202f7072",
  "6f63206d6f756e7465642c20616e64206d61792074686973206163636f756e742072656164207468",
  "652065786563757461626c653f290a77616c66657272793a2063616e6e6f742073746172743a2074",
  "68652063757272656e74206469726563746f7279207761732072656d6f7665643a206368616e6765",
  "20746f206f6e652074686174206578697374732c2073756368206173206364202f0a000000000000",
].join("");

/** What the entry code does for one executable. Addresses are virtual ones of the ELF file. */
export interface EntryTable {
  /** Where the code will be loaded. */
  readonly address: number;
  /** The runtime's own first instruction, where the code goes on to. */
  readonly runtimeEntry: number;
  /** Where the dynamic linker stores the address of libc's `environ`. */
  readonly environSlot: number;
  /** Inserted behind the program's name. */
  readonly arguments: readonly string[];
  /** A word of writable memory that nobody else uses. */
  readonly spareWord: number;
  /**
   * Variables added to the environment, as `NAME=value`; names that `drop` covers, so that there is never a second one. A process that ends
   * while the first of them is set ends with 126.
   */
  readonly variables: readonly [mark: string, ...others: string[]];
  /** A variable whose `NAME=value` begins with one of these is taken out of the environment, */
  readonly drop: readonly string[];
  /** unless it begins with one of these. */
  readonly keep: readonly string[];
}

/** Size of the table's fixed part. */
const HEADER_BYTES = 48;

/** The instructions alone. */
export function entryCode(): Uint8Array {
  return Uint8Array.from(CODE.match(/../g)!, (byte) => Number.parseInt(byte, 16));
}

/**
 * Instructions and table, to be loaded readable and executable at `table.address`.
 *
 * @throws Error when `drop` and `keep` leave a variable that is added
 */
export function entrySegment(table: EntryTable): Uint8Array<ArrayBuffer> {
  for (const variable of table.variables) {
    if (
      !table.drop.some((prefix) => variable.startsWith(prefix)) ||
      table.keep.some((prefix) => variable.startsWith(prefix))
    ) {
      throw new Error(`the environment could hold a second '${variable}'`);
    }
  }
  const code = entryCode();
  const lists = [table.arguments, table.variables, [...table.keep, ""], [...table.drop, ""]].map(zeroTerminated);
  const size = lists.reduce((sum, list) => sum + list.length, code.length + HEADER_BYTES);
  const segment = new Uint8Array(size);
  segment.set(code);
  const header = new DataView(segment.buffer, code.length, HEADER_BYTES);
  const tableAddress = table.address + code.length;
  header.setBigInt64(0, BigInt(tableAddress - table.runtimeEntry), true);
  header.setBigInt64(8, BigInt(tableAddress - table.environSlot), true);
  header.setUint32(16, table.arguments.length, true);
  header.setUint32(20, table.variables.length, true);
  header.setBigInt64(40, BigInt(tableAddress - table.spareWord), true);
  let at = HEADER_BYTES;
  for (const [index, list] of lists.entries()) {
    header.setUint32(24 + 4 * index, at, true);
    segment.set(list, code.length + at);
    at += list.length;
  }
  return segment;
}

function zeroTerminated(texts: readonly string[]): Uint8Array {
  if (texts.some((text) => text.includes("\0"))) throw new Error("a text for the entry code holds a zero byte");
  return new TextEncoder().encode(texts.map((text) => text + "\0").join(""));
}
