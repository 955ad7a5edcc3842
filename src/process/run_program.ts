/** Running another program to its end. */
import { WalferryError } from "../errors.ts";

/** How a program is run. */
export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing of this process's environment. */
  readonly clearEnv?: boolean;
  readonly uid?: number;
  readonly gid?: number;
  /** A process group of its own: Ctrl-C is for this program, which then ends what it runs. */
  readonly detached?: boolean;
  readonly signal?: AbortSignal;
  /** Its standard output goes nowhere, and none is given back. */
  readonly discardOutput?: boolean;
}

/** Lines of what a failed program said that go into the error. */
const SAID_MAX = 8;

/**
 * Runs a program; gives its standard output.
 * @throws WalferryError `Execute` with the end of what it said; the reason of the signal when that ended it
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { discardOutput, ...options }: ProgramOptions,
): Promise<string> {
  options.signal?.throwIfAborted();
  let output: Deno.CommandOutput;
  try {
    // Not `Command.output()`, which leaves the child in this process's group whatever `detached` says.
    output = await new Deno.Command(program, {
      ...options,
      env: options.env === undefined ? undefined : { ...options.env },
      args: [...args],
      stdin: "null",
      stdout: discardOutput ? "null" : "piped",
      stderr: "piped",
    }).spawn().output();
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new WalferryError("Execute", `unable to execute '${program}': ${(error as Error).message}`, { cause: error });
  }
  const decoder = new TextDecoder();
  const stdout = discardOutput ? "" : decoder.decode(output.stdout);
  if (output.success) return stdout;
  // What was ended by the signal did not fail.
  options.signal?.throwIfAborted();
  const said = `${stdout}${decoder.decode(output.stderr)}`.trim().split("\n").slice(-SAID_MAX).join("\n");
  throw new WalferryError("Execute", `'${program} ${args.join(" ")}' ended with ${output.code}: ${said}`);
}
