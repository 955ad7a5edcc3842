/** `repo-put` */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { givenPath } from "../repository/given_path.ts";
import type { RepoPutOptions } from "../repository/options.ts";
import { encryption, Repository } from "../repository/repository.ts";
import { storedPassphrase } from "../repository/stored_passphrase.ts";
import { type ByteStream, pipeline } from "../stream/byte_stream.ts";

/** Stores what comes from standard input, encrypted unless it is wanted raw. A file that exists is replaced. */
export async function repoPut(options: RepoPutOptions, input: ByteStream, context: CommandContext): Promise<number> {
  await using repository = await Repository.open(options.repository);
  const path = givenPath(repository, options.path);
  if (path === "") throw new WalferryError("ParamRequired", "destination file required");
  const { storage } = repository;
  // On an object store a file may have the name of a path, which no program could read again.
  if ((await storage.info(path, context.signal))?.type === "path") {
    throw new WalferryError("FileOpen", `unable to open '${repository.display(path)}' for write: it is a path`);
  }
  const passphrase = await passphraseOf(repository, path, options);
  await storage.write(path, pipeline(input, ...encryption(passphrase)), { signal: context.signal });
  return 0;
}

/** What `repo-get` will decrypt it with; files of no stanza get the repository's own. */
async function passphraseOf(
  repository: Repository,
  path: string,
  options: RepoPutOptions,
): Promise<string | undefined> {
  if (options.raw || repository.infoPassphrase === undefined) return undefined;
  if (options.cipherPass !== undefined) return options.cipherPass;
  return /^(?:archive|backup)\/[^/]+\/./.test(path)
    ? await storedPassphrase(repository, path, options.stanza)
    : repository.infoPassphrase;
}
