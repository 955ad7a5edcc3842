/**
 * Kills a command at a named point without its help: the system calls by which it changes what is on disk are recorded once, and the command is
 * killed just before the one that a point names. Before one call is behind the one before it: with every call named, nothing lies between two
 * points. Syncs are no points, since the death of a process undoes nothing.
 */
import { execute, runAs } from "./accounts.ts";

/** What changes names on disk. */
const CALLS = ["mkdir", "rename", "symlink", "unlink", "unlinkat", "link"] as const;

type Call = typeof CALLS[number];

/** Where a command dies. */
export interface CrashPoint {
  /** `before backup.info is renamed into place`. */
  readonly name: string;
  readonly call: Call;
  /** What the call touches, as strace shows it. */
  readonly touches: RegExp;
  /** Which of the calls that touch it: 1 is the first. */
  readonly which?: number;
  /** It is a worker thread that comes there. */
  readonly byWorker?: boolean;
}

/** The calls of one run, each thread's in order. */
export class RecordedCalls {
  readonly #threads: ReadonlyMap<string, readonly string[]>;
  readonly #main: string;

  private constructor(threads: ReadonlyMap<string, readonly string[]>, main: string) {
    this.#threads = threads;
    this.#main = main;
  }

  /** Runs a command to its end, which must be a good one. */
  static async of(command: readonly string[], trace: string): Promise<RecordedCalls> {
    const options = ["-f", "--seccomp-bpf", "-qq", "-y", "-e", `trace=execve,${CALLS.join(",")}`, "-o", trace];
    await runAs(["strace", ...options, ...command]);
    const threads = new Map<string, string[]>();
    let main: string | undefined;
    for (const line of (await Deno.readTextFile(trace)).split("\n")) {
      const [, thread, call] = /^(\d+) +(\w+\(.*)$/.exec(line) ?? [];
      if (thread === undefined) continue;
      // The first program is the command itself.
      main ??= thread;
      const calls = threads.get(thread);
      if (calls === undefined) threads.set(thread, [call!]);
      else calls.push(call!);
    }
    return new RecordedCalls(threads, main!);
  }

  /**
   * How many calls of this kind a thread makes up to the point.
   * @throws Error when no thread comes there
   */
  ordinalOf({ name, call, touches, which = 1, byWorker = false }: CrashPoint): number {
    const found = [...this.#threads].flatMap(([thread, calls]) => {
      if ((thread !== this.#main) !== byWorker) return [];
      const same = calls.filter((line) => line.startsWith(`${call}(`));
      const at = same.flatMap((line, index) => (touches.test(line) ? [index + 1] : []))[which - 1];
      return at === undefined ? [] : [at];
    });
    if (found[0] === undefined) throw new Error(`no call is ${name}`);
    return found[0];
  }
}

/**
 * Runs a command that dies at a point.
 *
 * @param ordinal number of the call among those of its kind in its thread
 * @throws Error when it came to its end, or died elsewhere
 */
export async function dieAt(
  point: CrashPoint,
  ordinal: number,
  command: readonly string[],
  trace: string,
): Promise<void> {
  const { name, call, touches, byWorker } = point;
  // Each thread counts by itself: only where a worker is meant are they looked at.
  const follow = byWorker ? ["-f"] : [];
  const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${ordinal}`];
  const result = await execute(["strace", ...follow, "-qq", "-y", ...inject, "-o", trace, ...command]);
  const lines = (await Deno.readTextFile(trace)).split("\n").filter((line) => line.includes(`${call}(`));
  const last = lines.findLast((line) => line.includes("= ?") || line.includes("<unfinished")) ?? lines.at(-1) ?? "";
  if (result.code !== 137 || !touches.test(last)) {
    throw new Error(`${name}: it ended with ${result.code} at ${last}\n${result.stdout}${result.stderr}`);
  }
}
