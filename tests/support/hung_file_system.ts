/**
 * A file system that does not answer, as NFS does when its server is away: FUSE without anybody behind it. Whoever asks it waits until it is
 * killed, or until the file system goes away, which is then an error.
 */
import { runAs } from "./accounts.ts";

/** Keeps the device open: with its last user the connection ends. */
const MOUNT =
  'exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0,allow_other none "$1" && ' +
  "echo mounted && exec sleep 3600";

/** Programs that it needs; and root. */
export const HUNG_FILE_SYSTEM_NEEDS: readonly string[] = ["mount", "umount"];

/** Puts it over a directory, whose content is there again when this is disposed. */
export async function hangFileSystem(path: string): Promise<AsyncDisposable> {
  const child = new Deno.Command("sh", { args: ["-c", MOUNT, "sh", path], stdin: "null", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const said = new TextDecoder().decode(value);
  await reader.cancel();
  if (said !== "mounted\n") throw new Error(`a file system without an answer could not be mounted on ${path}`);
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await runAs(["umount", path], { asSelf: true });
    },
  };
}
