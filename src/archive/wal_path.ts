/** From `%p` to the file that is meant (behaviour spec §2.1). */
import { WalferryError } from "../errors.ts";

/**
 * Absolute path of a WAL file or destination.
 * @param word the parameter: absolute, or relative to the data directory
 * @param pgPath `pg1-path`
 * @throws WalferryError `OptionRequired` when a relative one comes without `pg1-path`, `OptionInvalidValue` when the working directory is
 * not the data directory
 */
export function resolveWalPath(word: string, pgPath: string | undefined, command: string): string {
  if (word.startsWith("/")) return word;
  if (pgPath === undefined) {
    throw new WalferryError("OptionRequired", "option 'pg1-path' must be specified when relative wal paths are used", {
      hint:
        `is %f passed to ${command} instead of %p?\nPostgreSQL may pass relative paths even with %p depending on the environment.`,
    });
  }
  const workingPath = realPath(Deno.cwd());
  if (workingPath !== realPath(pgPath)) {
    throw new WalferryError(
      "OptionInvalidValue",
      `PostgreSQL working directory '${workingPath}' is not the same as option pg1-path '${pgPath}'`,
      { hint: "is the PostgreSQL data_directory configured the same as the pg1-path option?" },
    );
  }
  return `${pgPath}/${word}`;
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw error;
  }
}
