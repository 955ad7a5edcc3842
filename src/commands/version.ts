/** `version`: the first line is what clients parse (design of names: a drop-in under the name pgbackrest). */
import type { CommandContext } from "../process/command_context.ts";
import { howBuilt } from "../process/self.ts";
import { BACKREST_VERSION, WALFERRY_VERSION } from "../version.ts";

/** Prints who this is; as `num` one integer, 2059001 for 2.59.1. */
export function version(output: string, invokedName: string, context: CommandContext): number {
  const [major, minor, patch] = BACKREST_VERSION.split(".").map(Number);
  const first = invokedName === "pgbackrest"
    ? `pgBackRest ${BACKREST_VERSION} (walferry ${WALFERRY_VERSION})`
    : `walferry ${WALFERRY_VERSION}`;
  if (output === "num") context.output(`${major! * 1_000_000 + minor! * 1000 + patch!}\n`);
  else {context.output(
      `${first}\nbuilt with ${howBuilt()}, Deno ${Deno.version.deno}; behaves as pgBackRest ${BACKREST_VERSION}\n`,
    );}
  return 0;
}
