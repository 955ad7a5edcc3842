/** Measuring whole programs: wall time over several runs in turn with a peer, and peak memory. Figures are medians; only ratios travel. */

export interface Measured {
  readonly medianMs: number;
  readonly minMs: number;
  readonly peakBytes: number;
}

/** Runs one command once; its exit code must be 0. */
async function once(
  command: readonly string[],
  options: { cwd?: string; before?: () => Promise<void> },
): Promise<{ ms: number; peakBytes: number }> {
  await options.before?.();
  const [program, ...args] = command;
  const startMs = performance.now();
  const child = new Deno.Command(program!, {
    args,
    cwd: options.cwd,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
  }).spawn();
  let peakBytes = 0;
  // The kernel keeps the high-water mark, so looking now and then misses only what the last moment added.
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, highWaterMark(child.pid));
  }, 5);
  const { code, stderr } = await child.output();
  const ms = performance.now() - startMs;
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  return { ms, peakBytes };
}

function highWaterMark(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as Error).message.includes("os error 3")) return 0;
    throw error;
  }
}

/** Runs commands in turn, round after round, after one round that does not count. */
export async function compare(
  commands: ReadonlyArray<
    { readonly command: readonly string[]; readonly cwd?: string; readonly before?: () => Promise<void> }
  >,
  rounds: number,
): Promise<Measured[]> {
  const runs: Array<Array<{ ms: number; peakBytes: number }>> = commands.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, { command, cwd, before }] of commands.entries()) {
      const run = await once(command, { cwd, before });
      if (round >= 0) runs[index]!.push(run);
    }
  }
  return runs.map((list) => {
    const sorted = list.map(({ ms }) => ms).sort((a, b) => a - b);
    return {
      medianMs: sorted[sorted.length >> 1]!,
      minMs: sorted[0]!,
      peakBytes: Math.max(...list.map(({ peakBytes }) => peakBytes)),
    };
  });
}

/** One line of the report: ours beside the peer, and the ratio. */
export function line(what: string, ours: Measured, peer?: Measured): string {
  const show = ({ medianMs, minMs, peakBytes }: Measured) =>
    `${medianMs.toFixed(1)} ms (min ${minMs.toFixed(1)}), peak ${(peakBytes / 1048576).toFixed(0)} MiB`;
  if (peer === undefined) return `${what.padEnd(44)} walferry ${show(ours)}`;
  return `${what.padEnd(44)} walferry ${show(ours)} | pgbackrest ${show(peer)} | ratio ${
    (ours.medianMs / peer.medianMs).toFixed(2)
  }`;
}
