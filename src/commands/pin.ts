/** `pin` and `unpin`: a note on a backup that the retention respects. */
import type { CommandContext } from "../process/command_context.ts";
import { PIN } from "../repository/keep.ts";
import type { PinOptions } from "../repository/options.ts";
import { annotate } from "./annotate.ts";

/** @throws WalferryError as `annotate` */
export async function pin({ reason, ...options }: PinOptions, context: CommandContext): Promise<number> {
  // An empty note is no note.
  return await annotate({ ...options, annotations: new Map([[PIN, reason ?? ""]]) }, context);
}
