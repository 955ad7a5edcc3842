/** `rekey`: gives repositories the configured passphrase in place of the one before; `--confirm` only looks whether that is done. */
import { toWalferryError, WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { acquireLocks } from "../process/locks.ts";
import type { RekeyOptions } from "../repository/options.ts";
import { assertOnlyNew, rekeyStanza, stanzasOf } from "../repository/rekey.ts";
import type { Repository } from "../repository/repository.ts";
import { RepositorySet } from "../repository/repository_set.ts";

/** A stanza that could not be done. */
interface StanzaFailure {
  readonly repository: string;
  readonly stanza: string;
  readonly error: WalferryError;
}

/**
 * One stanza or all: one that cannot be done, such as one with a passphrase of its own, stays as it is and does not keep the others.
 * @throws WalferryError `OptionInvalid` for a repository that is not encrypted, `Crypto` when neither passphrase opens a file; `Command` when
 * several stanzas could not be done for different reasons
 */
export async function rekey(options: RekeyOptions, context: CommandContext): Promise<number> {
  await using set = await RepositorySet.open(options.repositories);
  const failures: StanzaFailure[] = [];
  for (const repository of set.repositories) {
    if (repository.infoPassphrase === undefined) {
      throw new WalferryError("OptionInvalid", `${repository.name} is not encrypted: it has no passphrase to change`, {
        hint: "name the repository with --repo. Encryption is chosen when a stanza is created.",
      });
    }
    for (const stanza of options.stanza === undefined ? await stanzasOf(repository) : [options.stanza]) {
      context.signal.throwIfAborted();
      try {
        await rekeyOne(repository, stanza, options, context);
        context.log.info(`${repository.name}: stanza '${stanza}' opens with the new passphrase`);
      } catch (error) {
        context.signal.throwIfAborted();
        failures.push({ repository: repository.name, stanza, error: toWalferryError(error) });
      }
    }
  }
  throwFailures(failures, options);
  context.log.info(nextStep(options));
  return 0;
}

async function rekeyOne(
  repository: Repository,
  stanza: string,
  { confirm, lockPath }: RekeyOptions,
  { execId }: CommandContext,
): Promise<void> {
  if (confirm) return await assertOnlyNew(repository, stanza);
  // Whoever changes backup.info holds this lock.
  using _lock = acquireLocks(lockPath, stanza, "backup", [repository.key], execId);
  await rekeyStanza(repository, stanza);
}

function throwFailures(failures: readonly StanzaFailure[], { stanza }: RekeyOptions): void {
  const [first] = failures;
  if (first === undefined) return;
  if (stanza !== undefined) throw first.error;
  const kind = failures.every(({ error }) => error.kind === first.error.kind) ? first.error.kind : "Command";
  const lines = failures.map((one) =>
    `${one.repository}: stanza '${one.stanza}': [${one.error.name}] ${one.error.text}`
  );
  throw new WalferryError(kind, lines.join("\n"), {
    hint: "the stanzas not named here are done. One that has passphrases of its own is done by itself, with --stanza.",
  });
}

function nextStep({ confirm, stanza }: RekeyOptions): string {
  const place = stanza === undefined ? "" : ` for stanza '${stanza}'`;
  if (confirm) {
    return `repoN-cipher-pass-previous is no longer needed${place}: remove it from every host's configuration`;
  }
  const option = stanza === undefined ? "" : `--stanza=${stanza} `;
  return `when every host has the new passphrase: walferry ${option}--confirm rekey, then remove repoN-cipher-pass-previous`;
}
