/** What touches many names on the host: directories with their parents, trees, lists of removals. */
import * as files from "./files.ts";
import { type SftpSession, SftpStatusError } from "./session.ts";

/** Mode of directories in a repository (repository-format §10). */
const PATH_MODE = 0o750;
/** Removals on their way at once. */
const REMOVALS_AT_ONCE = 16;

/** mkdir -p, each new name made durable in the directory above. */
export async function makeDirectories(session: SftpSession, absolute: string): Promise<void> {
  const above = absolute.slice(0, Math.max(1, absolute.lastIndexOf("/")));
  let made: boolean;
  try {
    made = await files.makeDirectory(session, absolute, PATH_MODE);
  } catch (error) {
    if (!files.isMissing(error) || above === absolute) throw error;
    await makeDirectories(session, above);
    made = await files.makeDirectory(session, absolute, PATH_MODE);
  }
  if (made) await syncDirectory(session, above);
}

/** Makes the names in a directory durable, where the server lets a directory be opened as a file, as OpenSSH does. */
export async function syncDirectory(session: SftpSession, absolute: string): Promise<void> {
  if (!session.offers("fsync@openssh.com")) return;
  let handle: files.Handle;
  try {
    handle = await files.openFile(session, absolute, files.OPEN.read);
  } catch (error) {
    if (error instanceof SftpStatusError) return;
    throw error;
  }
  try {
    await files.syncHandle(session, handle);
  } catch (error) {
    // A server that opens a directory and cannot sync it is one that cannot: there is no more to be had.
    if (!(error instanceof SftpStatusError)) throw error;
  } finally {
    await files.abandonHandle(session, handle);
  }
}

/** Removes a directory with everything in it; links are removed, not followed. */
export async function removeBelow(
  session: SftpSession,
  absolute: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const plain: string[] = [];
  for await (const { name, attributes } of files.readDirectory(session, absolute)) {
    signal?.throwIfAborted();
    const inner = `${absolute}/${name}`;
    if (files.isDirectory(attributes)) await removeBelow(session, inner, signal);
    else plain.push(inner);
  }
  await together(plain, signal, (path) => files.removeFile(session, path));
  await files.removeDirectory(session, absolute);
}

/** Does something for many, several at once; every one is tried, then the first error is thrown. */
export async function together(
  paths: Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal | undefined,
  action: (path: string) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const path of paths) {
      if (signal?.aborted) break;
      if (running.size >= REMOVALS_AT_ONCE) await Promise.race(running);
      const one: Promise<void> = action(path).catch((error) => {
        failure ??= { error };
      }).then(() => void running.delete(one));
      running.add(one);
    }
  } finally {
    await Promise.all(running);
  }
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure.error;
}
