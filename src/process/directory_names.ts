/**
 * Names in a directory. Not by the runtime's synchronous call, which leaves out in silence what the kernel cannot read (a bad block, a stale
 * handle of NFS): what a list lacks is taken for absent, by a backup, by a recovery that asks for WAL, by a restore that wants an empty place.
 */

/** Names in a directory, in no order. @throws Deno's own errors */
export async function directoryNames(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(path)) names.push(name);
  return names;
}
