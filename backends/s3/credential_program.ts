/**
 * A program that prints credentials. It may hang, print without end, or leave somebody behind who holds its output: none of them holds up or
 * fills this process.
 */

/** Of its output, in bytes: more is not JSON credentials. */
const OUTPUT_MAX = 64 * 1024;
/** What it said before it ended is in the pipe. So long is waited for the end of that, in milliseconds. */
const LAST_WORDS_MS = 500;

export interface ProgramAnswer {
  readonly code: number;
  /** Its output, or the beginning of it. */
  readonly text: string;
}

/**
 * Runs it to its end.
 * @returns `undefined` when it took longer than that
 * @throws Deno's own error when it cannot be started
 */
export async function answerOfProgram(
  command: readonly string[],
  timeoutMs: number,
): Promise<ProgramAnswer | undefined> {
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let isLate = false;
  const end = () => {
    try {
      // By force: it may not hear anything else.
      child.kill("SIGKILL");
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
      if (sizeBytes > OUTPUT_MAX) return end();
    }
  })();
  let lastWords: ReturnType<typeof setTimeout> | undefined;
  try {
    const { code } = await child.status;
    await Promise.race([heard, new Promise<void>((resolve) => lastWords = setTimeout(resolve, LAST_WORDS_MS))]);
    return isLate ? undefined : { code, text };
  } finally {
    clearTimeout(limit);
    clearTimeout(lastWords);
    await output.cancel();
    await heard;
  }
}
