/** `deno compile` on a bundle, with a quick and quiet end where its runtime for compiled programs cannot be had. */
import type { Chunk } from "./bundle.ts";
import { V8_FLAGS } from "./runtime_flags.ts";

/** The place that the runtime comes from must answer within this; what it sends may take longer. */
const ANSWER_MS = 5_000;
/** Upper limit of the whole, download included. */
const COMPILE_MS = 900_000;

/** Name of the executable while it is made; the compiler adds `.exe` to any other for Windows. */
const EXECUTABLE = "made.exe";

/** Deno's runtime for compiled programs cannot be had here; the message says why. */
export class NoRuntime extends Error {
  constructor(why: string) {
    super(`Deno's runtime for compiled programs cannot be had (${why})`);
  }
}

/** What to compile, and for which machine. */
export interface Compilation {
  readonly chunks: readonly Chunk[];
  /** One of `deno compile --help`'s targets. */
  readonly target: string;
  /** Path of the executable. */
  readonly output: string;
}

/** @throws NoRuntime when nothing but the runtime was missing; Error with the compiler's words when anything else is wrong */
export async function compile({ chunks, target, output }: Compilation): Promise<void> {
  // Beside the output, which is renamed from here; the compiler leaves its unfinished file behind when it fails.
  const directory = `${output}.parts`;
  remove(directory);
  try {
    Deno.mkdirSync(directory);
    for (const { name, text } of chunks) Deno.writeTextFileSync(`${directory}/${name}`, text);
    await runCompiler(directory, target);
    Deno.renameSync(`${directory}/${EXECUTABLE}`, output);
  } finally {
    remove(directory);
  }
}

async function runCompiler(directory: string, target: string): Promise<void> {
  const runtime = runtimeAtHand(target);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--allow-all",
      "--no-config",
      "--no-lock",
      "--no-npm",
      "--no-remote",
      "--no-check",
      // Its place would be a predictable name in a directory that everyone can write to.
      "--no-code-cache",
      `--v8-flags=${V8_FLAGS}`,
      `--target=${target}`,
      "--include=worker.js",
      `--output=${EXECUTABLE}`,
      "main.js",
    ],
    cwd: directory,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...(runtime === undefined ? {} : { DENORT_BIN: runtime }) },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(COMPILE_MS),
  }).spawn();
  let words = "";
  let unanswered: Promise<string | undefined> | undefined;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    words += text;
    const address = /Download (http\S+)\s/.exec(words)?.[1];
    if (address === undefined || unanswered !== undefined) continue;
    unanswered = whyUnanswered(address).then((why) => {
      if (why !== undefined) stop(child);
      return why;
    });
  }
  const { success } = await child.status;
  if (success) return;
  const why = await unanswered;
  if (why !== undefined) throw new NoRuntime(why);
  throw new Error(`deno compile failed:\n${words.trimEnd()}`);
}

/** A runtime that needs no download: named by the variable that `deno compile` knows, or lying beside `deno`. */
function runtimeAtHand(target: string): string | undefined {
  const named = Deno.env.get("DENORT_BIN");
  if (named !== undefined || target !== Deno.build.target) return named;
  const beside = Deno.execPath().replace(/[^/\\]*$/, Deno.build.os === "windows" ? "denort.exe" : "denort");
  try {
    return Deno.statSync(beside).isFile ? beside : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Why the runtime cannot come from this address, or `undefined` when there is an answer. */
async function whyUnanswered(address: string): Promise<string | undefined> {
  try {
    const answer = await fetch(address, { method: "HEAD", signal: AbortSignal.timeout(ANSWER_MS) });
    await answer.body?.cancel();
    return answer.ok ? undefined : `its download answers ${answer.status}`;
  } catch (error) {
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    return timedOut ? `its download does not answer within ${ANSWER_MS / 1000} s` : "its download cannot be reached";
  }
}

function remove(directory: string): void {
  try {
    Deno.removeSync(directory, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The compiler may have ended by itself at the same moment. */
function stop(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
