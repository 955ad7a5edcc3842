/**
 * Measuring whole programs in turn with a peer: wall time, processor time, peak memory. Machines differ and are noisy: only ratios travel, and
 * of those the ones of processor time travel best.
 */
import { testAccount } from "../tests/support/accounts.ts";

/** One run of one command. */
export interface Run {
  readonly ms: number;
  /** Processor time of the process and of all that it started and waited for, user and system. The kernel tells it in steps of 10 ms. */
  readonly cpuMs: number;
  /** Of all its processes together, at the worst moment. */
  readonly peakBytes: number;
}

/** The runs of one command, a round each. */
export interface Measured {
  readonly runs: readonly Run[];
}

/** What is run, as the account of the tests. */
export interface Measurable {
  readonly command: readonly string[];
  readonly cwd?: string;
  /** Makes ready for a run; not measured. */
  readonly before?: () => Promise<unknown>;
}

/** Ticks of a second in `/proc`: the same on every Linux that Deno runs on. */
const TICK_MS = 10;
const WATCH_EVERY_MS = 10;

/** Runs one command once; its exit code must be 0. */
async function once({ command, cwd, before }: Measurable): Promise<Run> {
  await before?.();
  const [program, ...args] = command;
  const cpuBeforeMs = childrenCpuMs();
  const startMs = performance.now();
  const child = new Deno.Command(program!, {
    args,
    cwd: cwd ?? "/tmp",
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
    ...testAccount,
  }).spawn();
  let peakBytes = 0;
  // The kernel keeps the high-water mark, so looking now and then misses only what the last moment added.
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, highWaterMark(child.pid));
  }, WATCH_EVERY_MS);
  const { code, stderr } = await child.output();
  const ms = performance.now() - startMs;
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  return { ms, cpuMs: childrenCpuMs() - cpuBeforeMs, peakBytes };
}

/** Processor time of all children of this process that have ended. Source: proc(5), fields 16 and 17 of `stat`. */
function childrenCpuMs(): number {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** Of a process and all below it. */
function highWaterMark(pid: number): number {
  const status = ofProcess(`/proc/${pid}/status`);
  const own = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  const children = ofProcess(`/proc/${pid}/task/${pid}/children`).split(" ").filter((text) => text !== "");
  return children.reduce((sum, child) => sum + highWaterMark(Number(child)), own);
}

/** Empty when the process has ended. */
function ofProcess(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as Error).message.includes("os error 3")) return "";
    throw error;
  }
}

/** Runs commands in turn, round after round, after one round that does not count. */
export async function compare(commands: readonly Measurable[], rounds: number): Promise<Measured[]> {
  const runs: Run[][] = commands.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, command] of commands.entries()) {
      const run = await once(command);
      if (round >= 0) runs[index]!.push(run);
    }
  }
  return runs.map((list) => ({ runs: list }));
}

/** What two commands need, one behind the other. */
export function together(first: Measured, second: Measured): Measured {
  const runs = first.runs.map((run, round): Run => {
    const other = second.runs[round]!;
    return {
      ms: run.ms + other.ms,
      cpuMs: run.cpuMs + other.cpuMs,
      peakBytes: Math.max(run.peakBytes, other.peakBytes),
    };
  });
  return { runs };
}

/** One line of the report: ours beside the peer, and the medians of the ratios of every round. */
export function line(
  what: string,
  ours: Measured,
  peer?: Measured,
  stored?: readonly [ours: number, peer: number],
): string {
  const show = ({ runs }: Measured) => {
    const walls = runs.map(({ ms }) => ms);
    const peak = Math.max(...runs.map(({ peakBytes }) => peakBytes));
    return `${time(median(walls))} (min ${time(Math.min(...walls))}), CPU ${
      time(median(runs.map(({ cpuMs }) => cpuMs)))
    }, peak ${mebibytes(peak)}`;
  };
  const title = what.padEnd(52);
  if (peer === undefined) return `${title} walferry ${show(ours)}`;
  const ratio = (of: (run: Run) => number) =>
    median(ours.runs.map((run, round) => of(run) / of(peer.runs[round]!))).toFixed(2);
  const bytes = stored === undefined
    ? ""
    : `, stored ${mebibytes(stored[0])} : ${mebibytes(stored[1])} = ${(stored[0] / stored[1]).toFixed(3)}`;
  return `${title} wall ${ratio(({ ms }) => ms)} CPU ${ratio(({ cpuMs }) => cpuMs)} | walferry ${
    show(ours)
  } | pgbackrest ${show(peer)}${bytes}`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function time(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 2 : 0)} MiB`;
}
