/** Paths in a repository as people type them (behaviour spec §7.9): relative to its root, or absolute below `repoN-path`. */
import { WalferryError } from "../errors.ts";
import type { Repository } from "./repository.ts";

/**
 * The path as a store knows it, `""` for the root.
 * @throws WalferryError `ParamInvalid` for one that is not in the repository
 */
export function givenPath(repository: Repository, text: string): string {
  const refuse = (what: string): never => {
    throw new WalferryError("ParamInvalid", what);
  };
  if (text.includes("//")) return refuse(`path '${text}' cannot contain //`);
  const plain = text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
  let relative = plain;
  if (plain.startsWith("/")) {
    const base = repository.config.storage.path;
    if (plain === base) return "";
    const root = base === "/" ? "/" : `${base}/`;
    if (!plain.startsWith(root)) return refuse(`absolute path '${plain}' is not in base path '${base}'`);
    relative = plain.slice(root.length);
  }
  // Stores refuse these as a mistake of the program; here it is the user's.
  if (/[\0\n]/.test(relative) || relative.split("/").some((segment) => segment === "." || segment === "..")) {
    return refuse(`path '${text.replaceAll(/[\0\n]/g, "?")}' is not a path inside the repository`);
  }
  return relative;
}
