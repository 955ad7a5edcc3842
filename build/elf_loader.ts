/**
 * The first module that runs in a packed executable, in the main thread and in every worker: loads chunks out of the executable's own file,
 * each when it is first asked for. Bundled by itself and handed to the runtime as a `data:` address, so that nothing has to be unpacked
 * and no chunk is read before it is needed.
 */

/** Where a text is in the executable's file. */
export type Place = readonly [offsetBytes: number, sizeBytes: number];

/** Where the list of chunks is; filled in by `elf_pack.ts`. */
declare const WALFERRY_INDEX: Place;
/** Variables whose values are meant for the runtime alone, not for the program and the processes that it starts. */
declare const WALFERRY_RUNTIME_VARIABLES: readonly string[];

/** Also right when the file has been replaced by a newer version since the start. */
const OWN_FILE = "/proc/self/exe";
/** Above 125: PostgreSQL must never take a failure to load for "there is no such segment". */
const CANNOT_LOAD = 126;

interface LoadedModule {
  exports: unknown;
}

const loaded = new Map<string, LoadedModule>();
let places: Readonly<Record<string, Place>>;

function textOf([offsetBytes, sizeBytes]: Place): string {
  using file = Deno.openSync(OWN_FILE);
  file.seekSync(offsetBytes, Deno.SeekMode.Start);
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes;) {
    const count = file.readSync(bytes.subarray(at));
    if (count === null) throw new Error("the executable's file is shorter than it was made");
    at += count;
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function load(name: string): unknown {
  const chunk = name.startsWith("./") ? name.slice(2) : name;
  const known = loaded.get(chunk);
  if (known !== undefined) return known.exports;
  const place = places[chunk];
  if (place === undefined) return builtin(name);
  const module: LoadedModule = { exports: {} };
  loaded.set(chunk, module);
  new Function("require", "module", "exports", `${textOf(place)}\n//# sourceURL=walferry:${chunk}`)(
    load,
    module,
    module.exports,
  );
  return module.exports;
}

function builtin(name: string): unknown {
  const { process } = globalThis as unknown as { process: { getBuiltinModule(name: string): unknown } };
  const found = process.getBuiltinModule(name);
  if (found === undefined) {
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
  }
  return found;
}

/** Takes the runtime's own variables out of the environment; where one was set from outside, it gets that value again. */
function restoreEnvironment(): void {
  const given = Deno.readTextFileSync("/proc/self/environ").split("\0");
  for (const name of WALFERRY_RUNTIME_VARIABLES) {
    const own = given.find((variable) => variable.startsWith(`${name}=`));
    if (own === undefined) Deno.env.delete(name);
    else Deno.env.set(name, own.slice(name.length + 1));
  }
}

if ("WorkerGlobalScope" in globalThis) {
  places = JSON.parse(textOf(WALFERRY_INDEX));
  load("worker.js");
} else {
  try {
    places = JSON.parse(textOf(WALFERRY_INDEX));
    restoreEnvironment();
    load("main.js");
  } catch (error) {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    Deno.stderr.writeSync(new TextEncoder().encode(`walferry: cannot start: ${text}\n`));
    Deno.exit(CANNOT_LOAD);
  }
}
