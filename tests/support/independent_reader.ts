/**
 * Reads files of a backup with nothing of the product, from the description of the format alone and with the system's programs (openssl, gzip,
 * lz4, zstd, bzip2): so that a writer and a reader that share a mistake are told apart from a right pair.
 */
import { createHash } from "node:crypto";

/** What a manifest says of a file, as it stands there. */
interface Entry {
  readonly name: string;
  readonly size: number;
  readonly "repo-size"?: number;
  readonly checksum?: string;
  readonly rck?: string;
  readonly reference?: string;
  readonly bi?: number;
  readonly bic?: number;
  readonly bim?: number;
  readonly bni?: number;
  readonly bno?: number;
}

/** Where one block of a file is. */
interface Block {
  readonly reference: number;
  readonly bundle: number;
  readonly offset: number;
  readonly stored: number;
  readonly at: number;
}

const EXTENSIONS: Readonly<Record<string, string>> = { none: "", gz: ".gz", lz4: ".lz4", zst: ".zst", bz2: ".bz2" };
const UNPACK: Readonly<Record<string, string>> = { gz: "gzip", lz4: "lz4", zst: "zstd", bz2: "bzip2" };

/** One backup, read from the directory of its stanza's backups. */
export class IndependentBackup {
  readonly entries: readonly Entry[];
  /** Bytes that were read from a super block so far, by where it is. */
  readonly #superBlocks = new Map<string, Uint8Array>();
  readonly #backups: string;
  readonly #label: string;
  readonly #manifest: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly #pass: string | undefined;

  private constructor(backups: string, label: string, manifest: string) {
    this.#backups = backups;
    this.#label = label;
    this.#manifest = sections(manifest);
    this.#pass = this.#value("cipher", "cipher-pass") as string | undefined;
    this.entries = [...this.#manifest.get("target:file") ?? []].map(([name, entry]) => ({ ...entry as Entry, name }));
  }

  /** @param backups directory of a stanza's backups; `pass` is the user's passphrase */
  static async read(backups: string, label: string, pass?: string): Promise<IndependentBackup> {
    const info = sections(text(await decrypt(Deno.readFileSync(`${backups}/backup.info`), pass)));
    const infoPass = info.get("cipher")?.get("cipher-pass") as string | undefined;
    const manifest = await decrypt(Deno.readFileSync(`${backups}/${label}/backup.manifest`), infoPass);
    return new IndependentBackup(backups, label, text(manifest));
  }

  #value(section: string, key: string): unknown {
    return this.#manifest.get(section)?.get(key);
  }

  /** SHA-1 of every file as it is put together, by its name without the target; each is held against its manifest. */
  async contents(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const entry of this.entries) {
      const content = await this.content(entry);
      const digest = sha1(content);
      if (content.length !== entry.size || (entry.size > 0 && digest !== entry.checksum)) {
        throw new Error(`${this.#label}: ${entry.name} is not what its manifest says`);
      }
      found[entry.name.slice("pg_data/".length)] = digest;
    }
    return found;
  }

  /** A whole file. */
  async content(entry: Entry): Promise<Uint8Array> {
    if (entry.size === 0) return new Uint8Array(0);
    const type = this.#value("backup:option", "option-compress-type") as string;
    const holder = entry.reference ?? this.#label;
    const alone = `${entry.name}${entry.bim === undefined ? EXTENSIONS[type] : ".pgbi"}`;
    const path = `${this.#backups}/${holder}/${entry.bni === undefined ? alone : `bundle/${entry.bni}`}`;
    const stored = part(path, entry.bno ?? 0, entry["repo-size"] ?? entry.size);
    if (entry.rck !== undefined && sha1(stored) !== entry.rck) {
      throw new Error(`${path} is not what ${this.#label} says`);
    }
    if (entry.bim !== undefined) return await this.#fromBlocks(entry, stored.subarray(stored.length - entry.bim), type);
    const isRaw = entry.bni !== undefined && this.#value("backup", "backup-bundle-raw") === true;
    return await unpack(await decrypt(stored, this.#pass, isRaw), type, isRaw);
  }

  async #fromBlocks(entry: Entry, storedMap: Uint8Array, type: string): Promise<Uint8Array> {
    const blockBytes = entry.bi! * 8192;
    const blocks = readMap(await decrypt(storedMap, this.#pass, true), blockBytes, entry.bic ?? 6);
    if (blocks.length !== Math.ceil(entry.size / blockBytes)) throw new Error(`${entry.name}: ${blocks.length} blocks`);
    const references = (this.#value("backup", "backup-reference") as string).split(",");
    const file = new Uint8Array(entry.size);
    for (const [index, block] of blocks.entries()) {
      const holder = `${this.#backups}/${references[block.reference]}`;
      const path = block.bundle === 0 ? `${holder}/${entry.name}.pgbi` : `${holder}/bundle/${block.bundle}`;
      const key = `${path} ${block.offset}`;
      let plain = this.#superBlocks.get(key);
      if (plain === undefined) {
        plain = await unpack(await decrypt(part(path, block.offset, block.stored), this.#pass, true), type, true);
        this.#superBlocks.set(key, plain);
      }
      file.set(plain.subarray(block.at * blockBytes, (block.at + 1) * blockBytes), index * blockBytes);
    }
    return file;
  }
}

/** The blocks of a file, in order. The checksums are left out: they matter to the next backup only. */
function readMap(map: Uint8Array, blockBytes: number, checksumBytes: number): Block[] {
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = map[at++];
      if (byte === undefined) throw new Error("the map ends in a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const small = () => Number(number());
  const states = new Map<
    number,
    { bundle: number; offset: number; stored: number; next: number; superBytes: number }
  >();
  const blocks: Block[] = [];
  let storedLast = 0n;
  if (small() !== 0) throw new Error("a map of another version");
  for (let isLastGroup = false; !isLastGroup;) {
    const head = number();
    const reference = Number(head >> 3n);
    isLastGroup = (head & 1n) !== 0n;
    const isKnown = states.has(reference);
    const isContinued = isKnown && (head & 2n) !== 0n;
    const state = states.get(reference) ?? { bundle: 0, offset: 0, stored: 0, next: 0, superBytes: blockBytes };
    states.set(reference, state);
    if (!isKnown) {
      if ((head & 2n) !== 0n) state.bundle = small();
      if ((head & 4n) !== 0n) state.offset = small();
    } else if (!isContinued) {
      state.offset += state.stored;
      if ((head & 4n) !== 0n) state.offset += small();
    }
    let isFirst = true;
    for (let isLast = false; !isLast; isFirst = false) {
      let hasTotal = true;
      if (isFirst && isContinued) isLast = (head & 4n) !== 0n;
      else {
        if (!isFirst) state.offset += state.stored;
        const superHead = number();
        const size = superHead >> 3n;
        const change = size % 2n === 0n ? size / 2n : -(size + 1n) / 2n;
        state.stored = Number(storedLast === 0n ? size : storedLast + change);
        state.next = 0;
        isLast = (superHead & 1n) !== 0n;
        if ((superHead & 2n) !== 0n) {
          const length = number();
          state.superBytes = Number(length >> 1n) * blockBytes + ((length & 1n) !== 0n ? small() : 0);
        }
        hasTotal = (superHead & 4n) !== 0n;
      }
      storedLast = BigInt(state.stored);
      let count = Math.ceil(state.superBytes / blockBytes);
      if (hasTotal) {
        const total = number();
        count = Number(total >> 1n) + 1;
        if ((total & 1n) !== 0n) state.next += small();
      }
      for (let index = 0; index < count; index++) {
        const { bundle, offset, stored, next } = state;
        blocks.push({ reference, bundle, offset, stored, at: next });
        state.next += 1;
        at += checksumBytes;
      }
    }
  }
  if (at !== map.length) throw new Error(`the map has ${map.length} bytes, ${at} were read`);
  return blocks;
}

/** Sections of an ini file whose values are JSON. */
function sections(ini: string): Map<string, Map<string, unknown>> {
  const found = new Map<string, Map<string, unknown>>();
  let section = new Map<string, unknown>();
  for (const line of ini.split("\n")) {
    const name = /^\[(.*)\]$/.exec(line)?.[1];
    if (name !== undefined) found.set(name, section = new Map());
    else {
      // Names may hold the sign too; values never begin with one.
      const at = line.search(/=(?:[{["\d-]|true|false)/);
      if (at >= 0) section.set(line.slice(0, at), JSON.parse(line.slice(at + 1)));
    }
  }
  return found;
}

function part(path: string, offset: number, length: number): Uint8Array {
  const bytes = Deno.readFileSync(path).subarray(offset, offset + length);
  if (bytes.length !== length) throw new Error(`${path} ends before ${offset} + ${length}`);
  return bytes;
}

async function decrypt(bytes: Uint8Array, pass: string | undefined, isRaw = false): Promise<Uint8Array> {
  if (pass === undefined) return bytes;
  const salted = isRaw ? new Uint8Array([...new TextEncoder().encode("Salted__"), ...bytes]) : bytes;
  return await through("openssl", ["enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass", `pass:${pass}`], salted);
}

async function unpack(bytes: Uint8Array, type: string, isRaw: boolean): Promise<Uint8Array> {
  if (type === "none") return bytes;
  if (type === "gz" && isRaw) {
    const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  return await through(UNPACK[type]!, ["-d", "-c"], bytes);
}

/** What a program makes of some bytes. */
async function through(program: string, args: string[], bytes: Uint8Array): Promise<Uint8Array> {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const input = new Blob([bytes as BlobPart]).stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await child.output();
  await input;
  if (!success) throw new Error(`${program}: ${text(stderr)}`);
  return stdout;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function sha1(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
