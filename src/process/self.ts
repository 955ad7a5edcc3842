/** The one place that knows how this program was built and how it starts itself again. */

/** How the running program was made: from sources, by `deno compile`, or packed into the runtime's own executable (build/). */
export type BuildKind = "deno run" | "deno compile" | "elf";

/** Replaced by the bundler: file name of the worker entry beside the chunk that holds this module. */
declare const WALFERRY_WORKER_ENTRY: string;

/** The packed executable serves its chunks from memory files under this address. */
const MEMORY_FILES = "file:///proc/self/fd/";

/** How this program was built. */
export function howBuilt(): BuildKind {
  if (import.meta.url.startsWith(MEMORY_FILES)) return "elf";
  return Deno.build.standalone ? "deno compile" : "deno run";
}

/** Program and leading arguments that start this program again; a command and its options follow them. */
export function selfCommand(): { readonly path: string; readonly args: readonly string[] } {
  if (howBuilt() !== "deno run") return { path: Deno.execPath(), args: [] };
  return { path: Deno.execPath(), args: ["run", "-A", "--quiet", new URL(Deno.mainModule).pathname] };
}

/** Module that a worker thread starts with. */
export function workerUrl(): URL {
  const entry = typeof WALFERRY_WORKER_ENTRY === "undefined" ? "../worker.ts" : WALFERRY_WORKER_ENTRY;
  return new URL(entry, import.meta.url);
}
