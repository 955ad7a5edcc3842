/** How much room a file system has. */
import { statfsSync } from "node:fs";
import { WalferryError } from "../errors.ts";

/** Bytes that an ordinary account may still write to the file system of a path. @throws WalferryError `FileInfo` */
export function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch (error) {
    throw new WalferryError("FileInfo", `unable to get the free space of '${path}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}
