/** `rekey`: gives repositories the configured passphrase in place of the one before; `--confirm` only looks whether that is done. */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import type { RekeyOptions } from "../repository/options.ts";
import { assertOnlyNew, rekeyStanza, stanzasOf } from "../repository/rekey.ts";
import { RepositorySet } from "../repository/repository_set.ts";

/** @throws WalferryError `OptionInvalid` for a repository that is not encrypted, `Crypto` when neither passphrase opens a file */
export async function rekey(options: RekeyOptions, context: CommandContext): Promise<number> {
  await using set = await RepositorySet.open(options.repositories);
  for (const repository of set.repositories) {
    if (repository.infoPassphrase === undefined) {
      throw new WalferryError("OptionInvalid", `${repository.name} is not encrypted: it has no passphrase to change`, {
        hint: "name the repository with --repo. Encryption is chosen when a stanza is created.",
      });
    }
    for (const stanza of await stanzasOf(repository)) {
      context.signal.throwIfAborted();
      if (options.confirm) await assertOnlyNew(repository, stanza);
      else {
        // Whoever changes backup.info holds this lock.
        using _lock = acquireLocks(options.lockPath, stanza, "backup", [repository.key], context.execId);
        await rekeyStanza(repository, stanza);
      }
      context.log.info(`${repository.name}: stanza '${stanza}' opens with the new passphrase`);
    }
  }
  if (options.confirm) {
    context.log.info("repoN-cipher-pass-previous is no longer needed: remove it from every host's configuration");
  } else {context.log.info(
      "when every host has the new passphrase: walferry --confirm rekey, then remove repoN-cipher-pass-previous",
    );}
  return 0;
}
