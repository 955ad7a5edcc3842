/** Small pieces of a long answer, written a buffer at a time. */
import type { CommandContext } from "../process/command_context.ts";

/** Characters that are gathered before they are written: a call for each name of a million would cost more than the list. */
const BUFFER_CHARACTERS = 65536;

/** Writes every piece to standard output. @throws WalferryError `FileWrite` */
export async function outputGathered(
  pieces: AsyncIterable<string> | Iterable<string>,
  context: CommandContext,
): Promise<void> {
  let buffer = "";
  for await (const piece of pieces) {
    buffer += piece;
    if (buffer.length < BUFFER_CHARACTERS) continue;
    context.output(buffer);
    buffer = "";
  }
  if (buffer !== "") context.output(buffer);
}
