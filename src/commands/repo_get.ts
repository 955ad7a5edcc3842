/** `repo-get` */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { givenPath } from "../repository/given_path.ts";
import type { RepoGetOptions } from "../repository/options.ts";
import { Repository } from "../repository/repository.ts";
import { storedPassphrase } from "../repository/stored_passphrase.ts";

/** Exit code of a missing file with `--ignore-missing`. */
const MISSING = 1;
/** Files that are made of pieces, each encrypted by itself (repository-format §6.4): there is no way to decrypt them as a whole. */
const IN_PIECES = /^backup\/[^/]+\/[^/]+\/(?:bundle\/\d+|.*\.pgbi)$/;

/** Writes a stored file to standard output, decrypted unless it is wanted raw, never decompressed. @throws WalferryError `FileMissing` */
export async function repoGet(options: RepoGetOptions, context: CommandContext): Promise<number> {
  await using repository = await Repository.open(options.repository);
  const path = givenPath(repository, options.path);
  if (path === "") throw new WalferryError("ParamRequired", "source file required");
  const stream = await repository.readWith(path, await passphraseOf(repository, path, options));
  if (stream === undefined) {
    if (options.ignoreMissing) return MISSING;
    throw new WalferryError("FileMissing", `unable to open missing file '${repository.display(path)}' for read`);
  }
  // One chunk behind: a wrong passphrase shows at the end, and of a small file nothing is written then.
  let ready: Uint8Array | undefined;
  for await (const chunk of stream) {
    context.signal.throwIfAborted();
    if (ready !== undefined) context.output(ready);
    ready = chunk;
  }
  if (ready !== undefined) context.output(ready);
  return 0;
}

async function passphraseOf(
  repository: Repository,
  path: string,
  options: RepoGetOptions,
): Promise<string | undefined> {
  if (options.raw || repository.infoPassphrase === undefined) return undefined;
  if (options.cipherPass !== undefined) return options.cipherPass;
  const passphrase = await storedPassphrase(repository, path, options.stanza);
  if (IN_PIECES.test(path)) {
    throw new WalferryError(
      "Crypto",
      `'${repository.display(path)}' is encrypted in pieces that only a manifest tells`,
      {
        hint: "--raw gives it as it is stored.",
      },
    );
  }
  return passphrase;
}
