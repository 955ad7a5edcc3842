/**
 * Packs a bundle into the official Deno executable for Linux: one file that is walferry, with nothing to unpack and nothing needed on the
 * host. The file is, in this order: the runtime as it is but for three headers, the chunks, and one more segment with the code that
 * the program now begins with (`elf_entry.s`). That segment comes last so that a file cut short cannot start at all.
 */
import * as esbuild from "esbuild";
import { RUNTIME_ENDS_MARK } from "../src/process/self.ts";
import type { Chunk } from "./bundle.ts";
import { entrySegment } from "./elf_entry.ts";
import type { Place } from "./elf_loader.ts";
import { V8_FLAGS } from "./runtime_flags.ts";
import { ElfFile, FLAG_EXECUTE, FLAG_READ, FLAG_WRITE, type Segment, SEGMENT_LOAD, SEGMENT_NOTE } from "./elf_file.ts";

const PAGE_BYTES = 4096;

/** The runtime's words between the program's name and the module: nothing from the current directory or the network is looked at. */
const RUNTIME_ARGUMENTS = [
  "run",
  "--allow-all",
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-npm",
  "--no-remote",
  "--no-code-cache",
  `--v8-flags=${V8_FLAGS}`,
];

const RUNTIME_VARIABLES = {
  // The runtime's caches go nowhere: compiled code must not come from a place that another account might write to, a home directory may be
  // full, read-only or on a dead server, and without them a short command starts faster. A path below a file can never be made.
  DENO_DIR: "/proc/self/exe/none",
  // On a terminal the runtime would tell that it has no caches. Its errors are still shown.
  DENO_LOG: "error,deno::cache=off",
  DENO_NO_UPDATE_CHECK: "1",
  // The runtime reads `.npmrc` there and does not start when it is broken. The loader puts the real one back.
  HOME: "/proc/self/ns",
};

/** Variables that would change how the runtime behaves, or make it print, load or send something; certificates are the user's to choose. */
const DROPPED = [
  `${RUNTIME_ENDS_MARK}=`,
  "HOME=",
  "DENO_",
  "NODE_OPTIONS=",
  "NODE_CHANNEL_",
  "NODE_DEBUG",
  "NODE_V8_COVERAGE=",
  "OTEL_DENO",
];
const KEPT = ["DENO_CERT=", "DENO_TLS_CA_STORE="];

/**
 * The packed executable's bytes, in pieces.
 *
 * @param runtime bytes of the `deno` executable; changed in place
 * @throws Error when the executable is of a kind that this way does not know
 */
export async function packElf(runtime: Uint8Array, chunks: readonly Chunk[]): Promise<Uint8Array[]> {
  const elf = new ElfFile(runtime);
  const { note, spareWord, address } = makeRoom(elf);
  const environSlot = elf.addressSlot("environ");
  if (environSlot === undefined) throw new Error("the runtime does not use libc's environment");

  const parts: Uint8Array[] = [runtime];
  let offset = runtime.length;
  const append = (text: string): Place => {
    const bytes = new TextEncoder().encode(text);
    parts.push(bytes);
    offset += bytes.length;
    return [offset - bytes.length, bytes.length];
  };
  const index = append(JSON.stringify(Object.fromEntries(chunks.map(({ name, text }) => [name, append(text)]))));
  // The kernel maps whole pages: address and offset agree below the page size.
  const padding = (PAGE_BYTES - offset % PAGE_BYTES) % PAGE_BYTES;
  parts.push(new Uint8Array(padding));
  offset += padding;

  const segment = entrySegment({
    address,
    runtimeEntry: elf.entry,
    environSlot,
    spareWord,
    arguments: [...RUNTIME_ARGUMENTS, await loaderAddress(index)],
    variables: [
      `${RUNTIME_ENDS_MARK}=1`,
      ...Object.entries(RUNTIME_VARIABLES).map(([name, value]) => `${name}=${value}`),
    ],
    drop: DROPPED,
    keep: KEPT,
  });
  elf.replaceSegment(note, {
    type: SEGMENT_LOAD,
    flags: FLAG_READ | FLAG_EXECUTE,
    offset,
    address,
    fileBytes: segment.length,
    memoryBytes: segment.length,
    align: PAGE_BYTES,
  });
  elf.entry = address;
  return [...parts, segment];
}

/** A header to give away, a word at the end of the writable memory, and an address behind everything. */
function makeRoom(elf: ElfFile): { note: number; spareWord: number; address: number } {
  const segments = elf.segments();
  // Notes tell debuggers the build id; nothing at run time reads them.
  const note = segments.findLastIndex(({ type }) => type === SEGMENT_NOTE);
  const loads = segments.filter(({ type }) => type === SEGMENT_LOAD);
  const last = loads.at(-1);
  if (note < 0 || last === undefined) throw new Error("the runtime has no header to give away");
  // Loadable segments stand in order of their addresses, and the new one has the highest.
  if (segments.findLastIndex(({ type }) => type === SEGMENT_LOAD) > note) {
    throw new Error("the runtime's headers are in another order");
  }
  if ((last.flags & FLAG_WRITE) === 0 || loads.some(({ address }) => address > last.address)) {
    throw new Error("the runtime's last segment is not its writable one");
  }
  const spareWord = roundUp(endOf(last), 8);
  elf.replaceSegment(segments.indexOf(last), { ...last, memoryBytes: spareWord + 8 - last.address });
  return { note, spareWord, address: roundUp(spareWord + 8, PAGE_BYTES) + 16 * PAGE_BYTES };
}

function endOf({ address, memoryBytes }: Segment): number {
  return address + memoryBytes;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** The loader as an address that holds the module itself. */
async function loaderAddress(index: Place): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [`${import.meta.dirname}/elf_loader.ts`],
    bundle: true,
    write: false,
    format: "esm",
    target: "esnext",
    minify: true,
    define: {
      WALFERRY_INDEX: JSON.stringify(index),
      WALFERRY_RUNTIME_VARIABLES: JSON.stringify(Object.keys(RUNTIME_VARIABLES)),
    },
    logLevel: "warning",
  });
  return `data:text/javascript;base64,${new Uint8Array(outputFiles[0]!.contents).toBase64()}`;
}
