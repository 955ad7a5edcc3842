/** The rule for names that every store shares: nothing that could lead out of the root (contract.ts, "Names"). */
import { WalferryError } from "../src/errors.ts";

/** Ending of files that a write has not finished; never listed. The name is pgBackRest's, which ignores them too. */
export const TEMP_SUFFIX = ".pgbackrest.tmp";

/** @throws WalferryError `Assert` for a path that is not plain segments joined by `/`; `""` is the root. */
export function checkPath(path: string): void {
  if (path === "") return;
  const plain = !path.includes("\0") && !path.includes("\n") &&
    path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
  if (!plain) {
    throw new WalferryError("Assert", `'${path.replaceAll(/[\0\n]/g, "?")}' is not a path inside the repository`);
  }
}

/** As {@link checkPath}, and the root itself is refused. */
export function checkFilePath(path: string): void {
  if (path === "") throw new WalferryError("Assert", "the root of the repository is not a file");
  checkPath(path);
}

/** Last segment of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Path above, `""` for a name at the root. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
