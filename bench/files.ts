/**
 * Memory and time by the number of files: a cluster directory that no server runs on, with very many and very small relations, beside the
 * real pgbackrest. What grows with the bytes of a database is measured in run.ts; here are hardly any, so that what grows is the lists.
 *
 * Arguments: numbers of files, default 100000; `--workers=1,4`; `--steps=full,incr,…`; `--ours` leaves the peer out;
 * `--place` is where the cluster directories are made, best in memory, since a restore waits for the disk with every file.
 */
import { parseArgs } from "node:util";
import { runAs, testAccount, TestFolder } from "../tests/support/accounts.ts";
import { makeClusterFiles } from "../tests/support/cluster_files.ts";
import { TestStanza } from "../tests/support/programs.ts";

/** One of so many relations has a free space map and a visibility map beside it, as small tables that were vacuumed have. */
const FORKED_ONE_OF = 3;
const DATABASES = 8;
const SAMPLE_EVERY_MS = 10;

const STEPS: Readonly<Record<string, readonly string[]>> = {
  full: ["--no-online", "--type=full", "backup"],
  incr: ["--no-online", "--type=incr", "backup"],
  info: ["info", "--output=json", "--set=latest"],
  expire: ["expire"],
  verify: ["verify"],
  restore: ["restore"],
  delta: ["--delta", "restore"],
};

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    workers: { type: "string", default: "1,4" },
    steps: { type: "string", default: "full,incr,expire,verify,restore,delta" },
    ours: { type: "boolean", default: false },
    place: { type: "string", default: "/tmp" },
  },
});
const sizes = positionals.length === 0 ? [100_000] : positionals.map(Number);
const programs = values.ours ? ["walferry"] as const : ["walferry", "pgbackrest"] as const;

for (const files of sizes) await measure(files);

async function measure(files: number): Promise<void> {
  await using folder = await TestFolder.make();
  const place = await Deno.makeTempDir({ dir: values.place, prefix: "walferry-files-" });
  try {
    await measureIn(folder, place, files);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

async function measureIn(folder: TestFolder, place: string, files: number): Promise<void> {
  const path = `${place}/pg`;
  makeClusterFiles(path);
  makeRelations(path, files);
  // Commands do not run as root.
  if (testAccount !== undefined) {
    await runAs(["chown", "-R", `${testAccount.uid}:${testAccount.gid}`, place], { asSelf: true });
  }
  for (const workers of values.workers.split(",")) {
    for (const program of programs) {
      const stanza = await TestStanza.make(folder, { path, port: 5432 }, {
        name: `${program}-${workers}`,
        global: {
          "log-level-console": "error",
          "log-level-file": "off",
          "process-max": workers,
          "repo1-bundle": "y",
          "compress-type": "zst",
        },
      });
      const run = (args: readonly string[]) => peakOf(stanza.commandLine(program, ...args).split(" "));
      await run(["--no-online", "stanza-create"]);
      for (const step of values.steps.split(",")) {
        const restored = `${place}/restored`;
        // The peer makes no backup of a cluster in which nothing has changed.
        if (step === "incr") await Deno.writeTextFile(`${path}/postgresql.conf`, `# ${program} ${workers}\n`);
        const isRestore = step === "restore" || step === "delta";
        const { peakBytes, seconds, cpuSeconds } = await run([
          ...(isRestore ? [`--pg1-path=${restored}`] : []),
          ...STEPS[step]!,
        ]);
        console.log(
          `${files} files, process-max=${workers}, ${step.padEnd(8)} ${program.padEnd(10)} peak ${
            (peakBytes / 1048576).toFixed(0)
          } MiB, ${seconds.toFixed(1)} s, CPU ${cpuSeconds.toFixed(1)} s`,
        );
      }
      await Deno.remove(`${folder.path}/${program}-${workers}`, { recursive: true });
      if (values.steps.includes("restore")) await Deno.remove(`${place}/restored`, { recursive: true });
    }
  }
}

/** Names as PostgreSQL gives them. A main fork has a few bytes of its own, the others none. */
function makeRelations(path: string, files: number): void {
  for (let database = 0; database < DATABASES; database++) Deno.mkdirSync(`${path}/base/${16384 + database}`);
  let made = 0;
  for (let relation = 0; made < files; relation++) {
    const name = `${path}/base/${16384 + relation % DATABASES}/${20000 + relation}`;
    Deno.writeFileSync(name, new TextEncoder().encode(`relation ${relation}`), { mode: 0o600 });
    made++;
    if (relation % FORKED_ONE_OF !== 0) continue;
    for (const fork of ["fsm", "vm"]) Deno.writeFileSync(`${name}_${fork}`, new Uint8Array(), { mode: 0o600 });
    made += 2;
  }
}

interface Cost {
  /** Memory of the process and of those that it started, each at its own peak. */
  readonly peakBytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function peakOf([program, ...args]: readonly string[]): Promise<Cost> {
  const startMs = performance.now();
  const child = new Deno.Command(program!, {
    args,
    cwd: "/tmp",
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...testAccount,
  })
    .spawn();
  const peaks = new Map<number, number>();
  let ticks = 0;
  const watch = setInterval(() => {
    // The kernel keeps the high-water mark, so that looking now and then misses only what the last moment added.
    for (const pid of treeOf(child.pid)) {
      const status = read(`/proc/${pid}/status`);
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
      peaks.set(pid, Math.max(peak, peaks.get(pid) ?? 0));
    }
    // Of itself and of the children that have ended: fields 14 to 17 of the line, in hundredths of a second.
    const fields = read(`/proc/${child.pid}/stat`).split(") ")[1]?.split(" ").slice(11, 15) ?? [];
    ticks = Math.max(ticks, fields.reduce((sum, field) => sum + Number(field), 0));
  }, SAMPLE_EVERY_MS);
  const { code, stdout, stderr } = await child.output();
  clearInterval(watch);
  if (code !== 0) {
    throw new Error(
      `${program} ${args.join(" ")} ended with ${code}: ${new TextDecoder().decode(stdout)}${
        new TextDecoder().decode(stderr)
      }`,
    );
  }
  return {
    peakBytes: [...peaks.values()].reduce((sum, peak) => sum + peak, 0),
    seconds: (performance.now() - startMs) / 1000,
    cpuSeconds: ticks / 100,
  };
}

function treeOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter((word) => word !== "").map(Number);
  return [pid, ...children.flatMap(treeOf)];
}

/** Empty when the process has ended. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as Error).message.includes("os error 3")) return "";
    throw error;
  }
}
