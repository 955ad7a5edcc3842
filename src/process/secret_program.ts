/**
 * A program that prints a secret: credentials, a passphrase. It may hang, print without end, or leave somebody behind who holds its
 * output: none of them holds up or fills this process.
 */

/** Longest output that is read, in bytes: more is no secret. */
export const SECRET_BYTES_MAX = 64 * 1024;
/** What it said before it ended is in the pipe. So long is waited for the end of that, in milliseconds. */
const LAST_WORDS_MS = 500;

export interface ProgramAnswer {
  readonly code: number;
  /** Its output, or the beginning of it: then the program was ended, and this is longer than {@link SECRET_BYTES_MAX}. */
  readonly text: string;
}

/**
 * Runs it to its end.
 * @param stderr where its messages go: they are for a person, and may hold what nobody should see in a log
 * @returns `undefined` when it took longer than that: then it was killed, and what it had started with it
 * @throws Deno's own error when it cannot be started
 */
export async function answerOfProgram(
  command: readonly string[],
  timeoutMs: number,
  stderr: "null" | "inherit" = "null",
): Promise<ProgramAnswer | undefined> {
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr,
    // A group of its own, so that whatever it starts can be ended with it.
    detached: true,
  }).spawn();
  let isLate = false;
  const end = () => {
    try {
      // By force: it may not hear anything else.
      Deno.kill(-child.pid, "SIGKILL");
    } catch (error) {
      // It has ended by itself in this moment.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  const limit = setTimeout(() => {
    isLate = true;
    end();
  }, timeoutMs);
  const output = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const heard = (async () => {
    let sizeBytes = 0;
    for (let next = await output.read(); !next.done; next = await output.read()) {
      sizeBytes += next.value.length;
      text += decoder.decode(next.value, { stream: true });
      if (sizeBytes > SECRET_BYTES_MAX) return end();
    }
    text += decoder.decode();
  })();
  let lastWords: ReturnType<typeof setTimeout> | undefined;
  try {
    const { code } = await child.status;
    clearTimeout(limit);
    await Promise.race([heard, new Promise<void>((resolve) => lastWords = setTimeout(resolve, LAST_WORDS_MS))]);
    return isLate ? undefined : { code, text };
  } finally {
    clearTimeout(limit);
    clearTimeout(lastWords);
    await output.cancel();
    await heard;
  }
}
