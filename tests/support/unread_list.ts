/** A disk (or a server of NFS) that fails while a directory is listed: what of it was read is there, the rest is not. */
import { execute, type RunResult, type TestFolder } from "./accounts.ts";

/** Programs that it needs. */
export const UNREAD_LIST_NEEDS: readonly string[] = ["strace"];

/** Runs a command as the test account while lists of a directory fail with EIO: the first one of each thread, or every one. */
export async function whileListFails(
  folder: TestFolder,
  directory: string,
  command: readonly string[],
  which: "first" | "every" = "first",
): Promise<RunResult> {
  const trace = ["-f", "-qq", "-o", `${folder.path}/trace`, "-P", directory, "-e", "trace=getdents64"];
  // Calls are counted for each thread: a later one than the first may be another thread's first.
  const inject = ["-e", `inject=getdents64:error=EIO:when=${which === "first" ? "1" : "1+"}`];
  return await execute(["strace", ...trace, ...inject, ...command]);
}
