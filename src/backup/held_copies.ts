/**
 * Whether the directories of this backup are still its own. Locks are of a host: another host that backs up the same stanza into the same
 * repository takes a running backup for an interrupted one, removes it or goes on with it (docs/decisions/0009). Both write the copy of the
 * manifest first, so that a copy that is not the one written here says that the directory has another owner.
 */
import { isWalferryError, WalferryError } from "../errors.ts";
import type { RepositoryFailure } from "../repository/repository_set.ts";
import type { BackupFacts } from "./assemble.ts";
import type { Participant } from "./participants.ts";

/** What a store says of a file without reading it. */
interface Seen {
  readonly sizeBytes: number;
  readonly modifiedTime: number;
}

export class HeldCopies {
  /** By key of the repository: as the copy was when it was written last. */
  readonly #seen = new Map<number, Seen | undefined>();
  /** Writes and looks go one behind the other, so that no look falls between a write and the note of it. */
  readonly #turns = new Map<number, Promise<void>>();

  /** Writes the copy of the manifest for the first time: the directory belongs to this backup from here on. */
  async begin(participant: Participant, facts: BackupFacts, write: () => Promise<void>): Promise<void> {
    await this.#inTurn(participant, async () => {
      await write();
      await this.#note(participant, facts);
    });
  }

  /** Writes the copy again. @throws WalferryError as {@link assertHeld}; nothing is written then */
  async rewrite(participant: Participant, facts: BackupFacts, write: () => Promise<void>): Promise<void> {
    await this.#inTurn(participant, async () => {
      await this.#look(participant, facts);
      await write();
      await this.#note(participant, facts);
    });
  }

  /** @throws WalferryError `LockAcquire` when another run removed the directory or goes on with it; what the store throws */
  async assertHeld(participant: Participant, facts: BackupFacts): Promise<void> {
    await this.#inTurn(participant, () => this.#look(participant, facts));
  }

  /** Those of several repositories whose directory has another owner. One that does not answer is none of them: it will be heard of. */
  async lost(
    participants: readonly Participant[],
    factsOf: (participant: Participant) => BackupFacts,
  ): Promise<RepositoryFailure[]> {
    const looks = await Promise.all(participants.map(async (participant): Promise<RepositoryFailure | undefined> => {
      try {
        await this.assertHeld(participant, factsOf(participant));
        return undefined;
      } catch (error) {
        if (!isWalferryError(error)) throw error;
        return error.kind === "LockAcquire" ? { key: participant.repository.key, error } : undefined;
      }
    }));
    return looks.filter((failure) => failure !== undefined);
  }

  async #inTurn({ repository: { key } }: Participant, action: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(action);
    // Whoever comes next waits for this one and does not fail with it.
    this.#turns.set(key, turn.then(() => undefined, () => undefined));
    await turn;
  }

  async #note(participant: Participant, facts: BackupFacts): Promise<void> {
    this.#seen.set(participant.repository.key, await see(participant, facts));
  }

  async #look(participant: Participant, facts: BackupFacts): Promise<void> {
    const seen = await see(participant, facts);
    const expected = this.#seen.get(participant.repository.key);
    if (
      seen !== undefined && expected !== undefined && seen.sizeBytes === expected.sizeBytes &&
      seen.modifiedTime === expected.modifiedTime
    ) return;
    // A store may show another time later (a network file system does): what is written there decides.
    if (seen === undefined || !await isOurs(participant, facts)) {
      throw new WalferryError(
        "LockAcquire",
        `backup ${facts.label} in ${participant.repository.name} was ${
          seen === undefined ? "removed" : "taken over"
        } by another run`,
        { hint: "does another host back up this stanza into the same repository?" },
      );
    }
    this.#seen.set(participant.repository.key, seen);
  }
}

async function see({ repository }: Participant, { label, options }: BackupFacts): Promise<Seen | undefined> {
  return await repository.storage.info(repository.backupPath(options.stanza, label, "backup.manifest.copy"));
}

async function isOurs({ repository, info }: Participant, facts: BackupFacts): Promise<boolean> {
  try {
    const manifest = await repository.loadManifest(facts.options.stanza, facts.label, info.cipherPass);
    return manifest.timestampStart === facts.timestampStart &&
      manifest.timestampCopyStart === facts.timestampCopyStart &&
      manifest.lsnStart === facts.started?.lsn;
  } catch (error) {
    // It went away while it was read, or is of another passphrase.
    if (isWalferryError(error, "FileMissing", "Crypto", "Format", "FileOpen", "Checksum")) return false;
    throw error;
  }
}
