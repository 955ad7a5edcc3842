/** `repo-rm` */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { givenPath } from "../repository/given_path.ts";
import type { RepoRmOptions } from "../repository/options.ts";
import { Repository } from "../repository/repository.ts";

/** Removes a file, or a path with everything below it. What does not exist is no error. @throws WalferryError `OptionInvalid` */
export async function repoRm(options: RepoRmOptions, context: CommandContext): Promise<number> {
  await using repository = await Repository.open(options.repository);
  const { storage } = repository;
  const path = givenPath(repository, options.path);
  if (path === "") {
    throw new WalferryError(
      "OptionInvalid",
      options.recurse
        ? "the whole repository is not removed: a path below its root is required"
        : "recurse option must be used to delete non-empty path",
    );
  }
  const found = await storage.info(path, context.signal);
  if (found === undefined) return 0;
  if (found.type !== "path") {
    await storage.remove(path, context.signal);
    return 0;
  }
  if (!options.recurse) {
    for await (const _entry of storage.list(path, { signal: context.signal })) {
      throw new WalferryError("OptionInvalid", "recurse option must be used to delete non-empty path");
    }
  }
  await storage.removeTree(path, context.signal);
  return 0;
}
