/**
 * As much of an ELF file as it takes to give a dynamically linked x86-64 Linux executable one more segment to begin with: its headers, its
 * segments, and the places that the dynamic linker fills with the address of a symbol. Source: System V ABI and its AMD64 supplement;
 * the numbers are those of <elf.h>.
 */

/** A segment (program header). Sizes and offsets in bytes. */
export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly align: number;
}

export const SEGMENT_LOAD = 1;
const SEGMENT_DYNAMIC = 2;
export const SEGMENT_INTERPRETER = 3;
export const SEGMENT_NOTE = 4;
export const FLAG_EXECUTE = 1;
export const FLAG_WRITE = 2;
export const FLAG_READ = 4;

const TYPE_SHARED_OBJECT = 3;
const MACHINE_X86_64 = 62;
const SEGMENT_BYTES = 56;
const DYNAMIC_STRINGS = 5;
const DYNAMIC_SYMBOLS = 6;
const DYNAMIC_RELOCATIONS = 7;
const DYNAMIC_RELOCATION_BYTES = 8;
const SYMBOL_BYTES = 24;
const RELOCATION_BYTES = 24;
/** The dynamic linker stores the symbol's address: R_X86_64_GLOB_DAT. */
const RELOCATION_ADDRESS_OF_SYMBOL = 6;

/** Reads and changes the headers of a position-independent x86-64 executable held in memory. */
export class ElfFile {
  readonly #view: DataView;

  /** @throws Error when the bytes are not a dynamically linked, position-independent x86-64 executable */
  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 64 || this.#view.getUint32(0) !== 0x7f454c46) throw new Error("not an ELF file");
    // 64 bits, little-endian
    if (bytes[4] !== 2 || bytes[5] !== 1 || this.#u16(18) !== MACHINE_X86_64) throw new Error("not an x86-64 ELF file");
    if (this.#u16(16) !== TYPE_SHARED_OBJECT || this.#u16(54) !== SEGMENT_BYTES) {
      throw new Error("not a position-independent ELF executable");
    }
    if (!this.segments().some(({ type }) => type === SEGMENT_INTERPRETER)) {
      throw new Error("not a dynamically linked ELF executable");
    }
  }

  /** Virtual address of the first instruction. */
  get entry(): number {
    return this.#u64(24);
  }

  set entry(address: number) {
    this.#view.setBigUint64(24, BigInt(address), true);
  }

  segments(): Segment[] {
    return Array.from({ length: this.#u16(56) }, (_, index) => {
      const at = this.#segmentAt(index);
      return {
        type: this.#u32(at),
        flags: this.#u32(at + 4),
        offset: this.#u64(at + 8),
        address: this.#u64(at + 16),
        fileBytes: this.#u64(at + 32),
        memoryBytes: this.#u64(at + 40),
        align: this.#u64(at + 48),
      };
    });
  }

  /** Puts another segment in the place of an existing header; its physical address is its virtual one. */
  replaceSegment(index: number, segment: Segment): void {
    const at = this.#segmentAt(index);
    this.#view.setUint32(at, segment.type, true);
    this.#view.setUint32(at + 4, segment.flags, true);
    const words = [
      segment.offset,
      segment.address,
      segment.address,
      segment.fileBytes,
      segment.memoryBytes,
      segment.align,
    ];
    for (const [word, value] of words.entries()) this.#view.setBigUint64(at + 8 + 8 * word, BigInt(value), true);
  }

  /** Virtual address where the dynamic linker stores the address of a symbol, or `undefined` when the executable has no such place. */
  addressSlot(symbol: string): number | undefined {
    const dynamic = this.#dynamicSection();
    const [strings, symbols, relocations, bytes] = [
      DYNAMIC_STRINGS,
      DYNAMIC_SYMBOLS,
      DYNAMIC_RELOCATIONS,
      DYNAMIC_RELOCATION_BYTES,
    ].map((tag) => dynamic.get(tag));
    if (strings === undefined || symbols === undefined || relocations === undefined || bytes === undefined) return;
    const stringsAt = this.#offsetOf(strings);
    const symbolsAt = this.#offsetOf(symbols);
    const first = this.#offsetOf(relocations);
    for (let at = first; at < first + bytes; at += RELOCATION_BYTES) {
      if (this.#u32(at + 8) !== RELOCATION_ADDRESS_OF_SYMBOL) continue;
      const name = this.#text(stringsAt + this.#u32(symbolsAt + SYMBOL_BYTES * this.#u32(at + 12)));
      if (name === symbol) return this.#u64(at);
    }
    return undefined;
  }

  #dynamicSection(): Map<number, number> {
    const entries = new Map<number, number>();
    const segment = this.segments().find(({ type }) => type === SEGMENT_DYNAMIC);
    if (segment === undefined) return entries;
    for (let at = segment.offset; at < segment.offset + segment.fileBytes; at += 16) {
      const tag = this.#u64(at);
      if (tag === 0) break;
      entries.set(tag, this.#u64(at + 8));
    }
    return entries;
  }

  /** Where in the file the byte of a virtual address is. */
  #offsetOf(address: number): number {
    for (const { type, offset, address: start, fileBytes } of this.segments()) {
      if (type === SEGMENT_LOAD && address >= start && address < start + fileBytes) return address - start + offset;
    }
    throw new Error(`the ELF file holds nothing for address ${address}`);
  }

  #segmentAt(index: number): number {
    return this.#u64(32) + SEGMENT_BYTES * index;
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** Every number read here is an address, an offset or a tag below 2^53. */
  #u64(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  #text(at: number): string {
    let end = at;
    while (this.#view.getUint8(end) !== 0) end++;
    return new TextDecoder().decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, end - at));
  }
}
