/** `self-test`: shows that this build can do what the commands rely on: worker threads with their libraries, and starting itself. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { howBuilt, selfCommand } from "../process/self.ts";
import { WorkerPool } from "../process/worker_pool.ts";
import type { SelfTestRequest, SelfTestResult } from "./self_test_job.ts";

/** The part that the program asks of itself: say that it runs. */
const ANSWER = "answer";
const TEXT = "abc";
/** Source: FIPS 180-2, appendix A.1. */
const TEXT_SHA1 = "a9993e364706816aba3e25717850c26c9cd0d89d";

/**
 * Prints a line for each thing that works.
 *
 * @param part nothing for all of it, `answer` for what a started copy does
 * @throws WalferryError Execute, when a copy does not answer; Assert, when a worker answers wrong; ParamInvalid
 */
export async function selfTest(part: string | undefined, context: CommandContext): Promise<number> {
  if (part === ANSWER) {
    context.output(`${ANSWER} of ${howBuilt()}\n`);
    return 0;
  }
  if (part !== undefined) throw new WalferryError("ParamInvalid", `self-test has no part '${part}'`);
  const { hash, codecs, cipher } = await testWorker();
  context.output("worker thread: hash, compression and encryption are right\n");
  context.output(`hash sha1: ${hash.origin}\n`);
  for (const { type, origin } of codecs) {
    if (type !== "none") context.output(`compress-type ${type}: ${origin}\n`);
  }
  context.output(`cipher-type aes-256-cbc: ${cipher.origin}\n`);
  await testOwnStart(context.signal);
  context.output("starts itself: answered\n");
  return 0;
}

async function testWorker(): Promise<SelfTestResult> {
  await using pool = new WorkerPool<SelfTestRequest, SelfTestResult>("self-test", undefined, 1);
  const { result } = await pool.run({ text: TEXT });
  if (result.hash.hex !== TEXT_SHA1 || [...result.codecs, result.cipher].some(({ text }) => text !== TEXT)) {
    throw new WalferryError("Assert", `a worker thread computes wrongly: ${JSON.stringify(result)}`);
  }
  return result;
}

async function testOwnStart(signal: AbortSignal): Promise<void> {
  const { path, args } = selfCommand();
  // The account may not be allowed into the current directory (`sudo` from another's home), and this needs nothing there.
  const command = new Deno.Command(path, { args: [...args, "self-test", ANSWER], cwd: "/", stdin: "null", signal });
  const { code, stdout, stderr } = await command.output();
  const answer = new TextDecoder().decode(stdout);
  if (code === 0 && answer === `${ANSWER} of ${howBuilt()}\n`) return;
  throw new WalferryError(
    "Execute",
    `'${path}' does not start this program: it ends with ${code}\n${answer}${new TextDecoder().decode(stderr)}`
      .trimEnd(),
  );
}
