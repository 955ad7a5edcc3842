/**
 * Makes the executable. First choice: `deno compile`, which needs Deno's runtime for compiled programs. Where that cannot be had: the bundle
 * packed into the Deno executable that runs this (`elf_pack.ts`). Says which of the two it made, after the result has shown that it works.
 *
 * Usage: deno run -A build/executable.ts [--target <target>] [--kind compile|elf] [--output <path>]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle, stopBundler } from "./bundle.ts";
import { compile, NoRuntime } from "./deno_compile.ts";
import { packElf } from "./elf_pack.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[/\\]$/, "");
const PACKABLE_TARGET = "x86_64-unknown-linux-gnu";
const SMOKE_TEST_MS = 60_000;

const USAGE = "usage: compile.sh [--target <target of deno compile>] [--kind compile|elf] [--output <path>]";

if (import.meta.main) {
  try {
    await make(Deno.args);
  } catch (error) {
    console.error(`compile: ${error instanceof Error ? error.message : error}`);
    Deno.exitCode = 1;
  } finally {
    await stopBundler();
  }
}

async function make(args: readonly string[]): Promise<void> {
  const { target, kind, output } = wishes(args);
  const made = `${output}.${Deno.pid}.new`;
  Deno.mkdirSync(output.replace(/[^/\\]*$/, "") || ".", { recursive: true });
  const how = await makeOneOf(made, target, kind);
  const tested = target === Deno.build.target;
  if (tested) await proveOrRemove(made);
  // Only what works takes the place of what was there.
  Deno.renameSync(made, output);
  console.log(`${output}: ${how}${tested ? "" : `, for ${target}, not tested on this machine`}`);
}

function wishes(args: readonly string[]): { target: string; kind: string | undefined; output: string } {
  const options = { target: { type: "string" }, kind: { type: "string" }, output: { type: "string" } } as const;
  try {
    const { values } = parseArgs({ args: [...args], options });
    const { target = Deno.build.target, kind } = values;
    if (kind !== undefined && kind !== "compile" && kind !== "elf") throw new Error(`there is no kind '${kind}'`);
    const file = target.includes("windows") ? "walferry.exe" : "walferry";
    return { target, kind, output: values.output ?? `${ROOT}/dist/${file}` };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${USAGE}`, { cause: error });
  }
}

/** Makes it, and says how and why so. */
async function makeOneOf(made: string, target: string, kind: string | undefined): Promise<string> {
  let reason = "";
  if (kind !== "elf") {
    try {
      await compile({ chunks: await bundle(ROOT, "deno compile"), target, output: made });
      return "made by deno compile";
    } catch (error) {
      if (!(error instanceof NoRuntime) || kind === "compile") throw error;
      reason = error.message;
    }
  }
  if (target !== PACKABLE_TARGET || Deno.build.target !== PACKABLE_TARGET) {
    throw new Error(`${reason || "--kind elf"}, and the other way works only on and for ${PACKABLE_TARGET}`);
  }
  write(made, await packElf(Deno.readFileSync(Deno.execPath()), await bundle(ROOT, "elf")));
  return `packed into Deno's own executable${reason && `: ${reason}`}`;
}

function write(path: string, pieces: readonly Uint8Array[]): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o755 });
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) at += file.writeSync(piece.subarray(at));
  }
}

async function proveOrRemove(path: string): Promise<void> {
  try {
    await smokeTest(path);
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
}

/** What an installation must be able to do: start without an environment, run worker threads, start itself. */
async function smokeTest(path: string): Promise<void> {
  for (const command of ["version", "self-test"]) {
    const { code, stdout, stderr } = await new Deno.Command(Deno.realPathSync(path), {
      args: [command],
      clearEnv: true,
      cwd: Deno.build.os === "windows" ? undefined : "/",
      stdin: "null",
      signal: AbortSignal.timeout(SMOKE_TEST_MS),
    }).output();
    if (code === 0) continue;
    const words = new TextDecoder().decode(new Uint8Array([...stdout, ...stderr])).trimEnd();
    throw new Error(`what was made does not work: '${command}' ends with ${code}\n${words}`);
  }
}
