/** Starting the background process of a command, and when one that runs is no longer what would be started. */
import { WalferryError } from "../errors.ts";
import { selfCommand } from "../process/self.ts";
import type { CommandLine } from "./command_line.ts";
import type { Configuration } from "./configuration.ts";
import { type Invocation, readLines } from "./load_configuration.ts";

/** The files are read again after so many milliseconds, however often it is asked. */
const LOOK_EVERY = 500;
/** Options that the background process has its own values for. */
const OWN = new Set(["log-level-console", "log-level-stderr"]);

/**
 * Starts this program detached, with the options of the command line (those of environment and files are read again), and does not wait.
 * @param word command and role: `archive-push:async`
 */
export function startBackground(
  word: string,
  parameters: readonly string[],
  commandLine: CommandLine,
  invocation: Invocation,
): void {
  const self = selfCommand();
  const options = [...commandLine.options.values()].flatMap(({ named: { name }, texts, negated, reset }) => {
    if (OWN.has(name)) return [];
    if (negated) return [`--no-${name}`];
    if (reset) return [`--reset-${name}`];
    // The working directory changes: a relative path would lead somewhere else.
    const values = name === "config"
      ? texts.map((text) => (text.startsWith("/") ? text : `${Deno.cwd()}/${text}`))
      : texts;
    return values.map((text) => `--${name}=${text}`);
  });
  const child = new Deno.Command(selfAs(invocation, self.path), {
    args: [...self.args, ...options, "--log-level-console=off", "--log-level-stderr=off", word, ...parameters],
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    // The server's signals are for its archiver, not for what outlives it.
    detached: true,
  }).spawn();
  child.unref();
}

/** Under its other name the program reads other files by default: it is started by the name it was called by. */
function selfAs({ invokedName }: Invocation, path: string): string {
  if (invokedName === "walferry") return path;
  const word = Deno.readTextFileSync("/proc/self/cmdline").split("\0", 1)[0] ?? path;
  return word.startsWith("/") || !word.includes("/") ? word : `${Deno.cwd()}/${word}`;
}

/**
 * Tells whether the program or what its configuration files say has changed since this configuration was read: also a file that came or went
 * counts, for a repository may have come with it.
 */
export function changeDetector(
  config: Configuration,
  commandLine: CommandLine,
  invocation: Invocation,
): () => Promise<boolean> {
  const program = stamp(Deno.execPath());
  const before = JSON.stringify(config.lines);
  let lookedMs = performance.now();
  let looked = Promise.resolve(false);
  let isChanged = false;
  // Whoever asks while the files are read waits for what they say.
  return async () => {
    if (!isChanged && performance.now() - lookedMs >= LOOK_EVERY) {
      lookedMs = performance.now();
      looked = textNow(commandLine, invocation).then((text) => stamp(Deno.execPath()) !== program || text !== before);
    }
    isChanged ||= await looked;
    return isChanged;
  };
}

async function textNow(commandLine: CommandLine, invocation: Invocation): Promise<string | undefined> {
  try {
    return JSON.stringify(await readLines(commandLine, invocation));
  } catch (error) {
    // What cannot be read is no longer what it was: the next command says what is wrong.
    if (error instanceof WalferryError) return undefined;
    throw error;
  }
}

/** What is another when a file is another. */
function stamp(path: string): string {
  try {
    const { ino, size, mtime } = Deno.statSync(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "missing";
    throw error;
  }
}
