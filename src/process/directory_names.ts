/**
 * Names in a directory. Not by the runtime's synchronous call, which leaves out in silence what the kernel cannot read (a bad block, a stale
 * handle of NFS): what a list lacks is taken for absent, by a backup, by a recovery that asks for WAL, by a restore that wants an empty place.
 */
import { WalferryError } from "../errors.ts";

/** Names in a directory, in no order. @throws Deno's own errors */
export async function directoryNames(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(path)) names.push(name);
  return names;
}

/** The same; none of a directory that is not there. @throws WalferryError `PathOpen` */
export async function namesIfThere(path: string): Promise<string[]> {
  try {
    return await directoryNames(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw listFailure(path, error);
  }
}

/** What {@link directoryNames} threw, for whoever needs the names. */
export function listFailure(path: string, error: unknown): WalferryError {
  return new WalferryError("PathOpen", `unable to list path '${path}': ${(error as Error).message}`, { cause: error });
}
