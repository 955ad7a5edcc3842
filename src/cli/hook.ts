/** Telling another program how a command ended: `hook-success`, `hook-failure`. A hook never changes what the command ends with. */
import type { Clock } from "../process/clock.ts";
import type { Log } from "../report/log.ts";
import { optionNamed } from "./option_name.ts";
import { ENVIRONMENT_PREFIXES } from "./configuration.ts";

/** Time for a hook that was told to end until it is killed, in milliseconds. */
const KILL_AFTER_MS = 2000;

/**
 * Runs a shell command with the outcome on its standard input, and waits for it. What it prints goes to standard error. Failures are warnings.
 * @param name option that it comes from, for messages
 */
export async function runHook(
  name: string,
  command: string,
  outcome: string,
  timeoutMs: number,
  environment: Readonly<Record<string, string>>,
  log: Log,
  clock: Clock,
): Promise<void> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("/bin/sh", {
      // Standard output belongs to the command's own answer.
      args: ["-c", 'exec 1>&2; eval "$1"', "sh", command],
      cwd: "/",
      clearEnv: true,
      env: withoutSecrets(environment),
      stdin: "piped",
      stdout: "null",
      stderr: "inherit",
      // A group of its own, so that whatever it starts ends with it.
      detached: true,
    }).spawn();
  } catch (error) {
    log.warn(`unable to run ${name}: ${(error as Error).message}`);
    return;
  }
  const told = tell(child, outcome);
  const patience = new AbortController();
  const ended = child.status.finally(() => patience.abort());
  const isLate = await Promise.race([ended.then(() => false), isOver(timeoutMs, clock, patience.signal)]);
  if (isLate) {
    log.warn(`${name} was ended: it took longer than hook-timeout`);
    killGroup(child.pid, "SIGTERM");
    const rest = new AbortController();
    await Promise.race([ended.finally(() => rest.abort()), isOver(KILL_AFTER_MS, clock, rest.signal)]);
    killGroup(child.pid, "SIGKILL");
  }
  const { success, code } = await ended;
  await told;
  if (!success && !isLate) log.warn(`${name} ended with ${code}`);
}

/** True when the time is over, false when it was not waited for. */
async function isOver(ms: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
}

async function tell(child: Deno.ChildProcess, outcome: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(`${outcome}\n`));
    await writer.close();
  } catch (error) {
    // It may not want to know.
    if (!(error instanceof Error)) throw error;
  }
}

/** The hook and what it started, unless they have ended. */
function killGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof TypeError)) throw error;
  }
}

/** Variables that are options with a secret in them are this program's alone. */
function withoutSecrets(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([variable]) => {
      const prefix = ENVIRONMENT_PREFIXES.find((known) => variable.startsWith(known));
      if (prefix === undefined) return true;
      return !optionNamed(variable.slice(prefix.length).toLowerCase().replaceAll("_", "-"))?.option.secure;
    }),
  );
}
