/**
 * The first module that runs in a packed executable, in the main thread and in every worker: loads chunks out of the executable's own file,
 * each when it is first asked for. Bundled by itself and handed to the runtime as a `data:` address, so that nothing has to be unpacked
 * and no chunk is read before it is needed.
 */

/** Where each chunk is in the file, in bytes. Filled in by `elf_pack.ts`. */
declare const WALFERRY_CHUNKS: Readonly<Record<string, readonly [offsetBytes: number, sizeBytes: number]>>;
/** Variables that are meant for the runtime alone, not for the processes that this one starts. */
declare const WALFERRY_RUNTIME_VARIABLES: readonly string[];

/** Also right when the file has been replaced by a newer version since the start. */
const OWN_FILE = "/proc/self/exe";
/** Above 125: PostgreSQL must never take a failure to load for "there is no such segment". */
const CANNOT_LOAD = 126;

interface LoadedModule {
  exports: unknown;
}

const loaded = new Map<string, LoadedModule>();

function textOf([offsetBytes, sizeBytes]: readonly [number, number]): string {
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
  const place = WALFERRY_CHUNKS[chunk];
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

if ("WorkerGlobalScope" in globalThis) {
  load("worker.js");
} else {
  try {
    for (const name of WALFERRY_RUNTIME_VARIABLES) Deno.env.delete(name);
    load("main.js");
  } catch (error) {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    Deno.stderr.writeSync(new TextEncoder().encode(`walferry: cannot start: ${text}\n`));
    Deno.exit(CANNOT_LOAD);
  }
}
