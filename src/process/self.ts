/** The one place that knows how this program was built, how it starts itself again and how it ends. */

/** How the running program was made: from sources, by `deno compile`, or packed into the runtime's own executable (build/). */
export type BuildKind = "deno run" | "deno compile" | "elf";

/** Filled in by the bundler. */
declare const WALFERRY_BUILD: BuildKind;

/** Set in a packed executable while an end of the process would be the runtime's doing, not this program's (build/elf_entry.s). */
export const RUNTIME_ENDS_MARK = "_WALFERRY_RUNTIME_ENDS";

/** What the kernel appends to the path of a running program whose file was replaced by a newer one. */
const REPLACED = " (deleted)";

/** How this program was built. */
export function howBuilt(): BuildKind {
  return typeof WALFERRY_BUILD === "undefined" ? "deno run" : WALFERRY_BUILD;
}

/** Program and leading arguments that start this program again; a command and its options follow them. */
export function selfCommand(): { readonly path: string; readonly args: readonly string[] } {
  const path = Deno.execPath();
  if (howBuilt() === "deno run") {
    return { path, args: ["run", "-A", "--quiet", new URL("../main.ts", import.meta.url).href] };
  }
  return { path: path.endsWith(REPLACED) ? path.slice(0, -REPLACED.length) : path, args: [] };
}

/** Module that a worker thread starts with. */
export function workerUrl(): URL {
  // The loader of the packed executable starts the worker's entry when it finds itself in a worker thread.
  if (howBuilt() === "elf") return new URL(Deno.mainModule);
  return new URL(howBuilt() === "deno compile" ? "./worker.js" : "../worker.ts", import.meta.url);
}

/** Ends the process with a code that this program chose. Every end goes through here, so that one that does not is seen as a crash. */
export function exitWith(code: number): never {
  if (howBuilt() === "elf") Deno.env.delete(RUNTIME_ENDS_MARK);
  Deno.exit(code);
}
