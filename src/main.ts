/** Where the program begins: the name it was called by and its words go to the command line interface, its answer is the exit code. */
import { run } from "./cli/run.ts";
import { exitWith } from "./process/self.ts";

/** Code of a crash: never 1, which archive-get's caller would take for "there is no such file". */
const CRASH = 125;
/** What a crash of archive-get answers, so that PostgreSQL's recovery stops. */
const CRASH_OF_ARCHIVE_GET = 255;

function crash(error: unknown): never {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  Deno.stderr.writeSync(new TextEncoder().encode(`ERROR: [${CRASH}]: unexpected error: ${text}\n`));
  const getting = Deno.args.includes("archive-get") || Deno.args.includes("get");
  exitWith(getting ? CRASH_OF_ARCHIVE_GET : CRASH);
}

globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  crash(event.error);
});
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  crash(event.reason);
});

/** The runtime resolves links before it tells its own path, so the name comes from the kernel. */
function invokedName(): string {
  try {
    const word = Deno.readTextFileSync("/proc/self/cmdline").split("\0", 1)[0] ?? "";
    return word.slice(word.lastIndexOf("/") + 1) === "pgbackrest" ? "pgbackrest" : "walferry";
  } catch (error) {
    // Without /proc there is no name to be had; the program is itself then.
    if (error instanceof Error) return "walferry";
    throw error;
  }
}

// A run that waits for something that can no longer come is over for the runtime, which would call it a success.
globalThis.addEventListener("beforeunload", () => crash(new Error("the program ended without an answer")));

// Without `await`: a packed executable runs this file as a function (build/bundle.ts).
run({ args: Deno.args, invokedName: invokedName(), environment: Deno.env.toObject() }).then(exitWith);
