/**
 * The journals of a running backup, one for each repository. A host that cannot keep one makes the same backup: only the copy of the manifest
 * then says what need not be copied again.
 */
import { toWalferryError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import type { CommandContext } from "../process/command_context.ts";
import type { Repository } from "../repository/repository.ts";
import { unfinishedManifest } from "./assemble.ts";
import { CopiedJournals, type JournalRun, type JournalWriter } from "./copied_journal.ts";
import type { CopiedFile } from "./copier.ts";
import type { BackupOptions } from "./options.ts";
import type { Participants } from "./participants.ts";
import { factsOf, type Listed } from "./stages.ts";

/** The run that wrote a copy of a manifest. */
export function runOf(repository: Repository, manifest: Manifest): JournalRun {
  const { label, systemId, timestampStart, timestampCopyStart } = manifest;
  return { repository: repository.storage.location, label, systemId, timestampStart, timestampCopyStart };
}

/** Disposing closes the journals and leaves them where they are: the backup is not complete. */
export class RunJournals implements Disposable {
  readonly #journals: CopiedJournals;
  readonly #writers = new Map<number, JournalWriter>();
  readonly #context: CommandContext;

  private constructor(journals: CopiedJournals, context: CommandContext) {
    this.#journals = journals;
    this.#context = context;
  }

  /**
   * Begins them, or removes what is there when nobody is to go on with this backup. Called when the copies of the manifests are saved: they hold
   * what earlier runs had stored, and a crash in between leaves a journal that belongs to no copy and is not read.
   */
  static async begin(
    participants: Participants,
    listed: Listed,
    options: BackupOptions,
    context: CommandContext,
  ): Promise<RunJournals> {
    const journals = new RunJournals(new CopiedJournals(options.spoolPath, options.stanza), context);
    for (const participant of participants.live) {
      const { repository } = participant;
      await journals.#attempt(repository.key, async () => {
        if (!options.resume) return journals.#journals.remove(repository.key);
        const run = runOf(repository, unfinishedManifest(factsOf(listed, participant), participant, []));
        journals.#writers.set(
          repository.key,
          await journals.#journals.begin(repository.key, run, () => context.clock.monotonicMs()),
        );
      });
    }
    return journals;
  }

  /** Takes note of a file that is stored. */
  add({ entries }: CopiedFile): void {
    for (const [key, entry] of entries) this.#writers.get(key)?.add(entry);
  }

  /** Writes what was noted. */
  async flush(): Promise<void> {
    for (const [key, writer] of this.#writers) {
      try {
        await writer.flush();
      } catch (error) {
        this.#giveUp(key, error);
      }
    }
  }

  /** The backup in this repository is complete: nobody will go on with it. */
  async forget(key: number): Promise<void> {
    this.#writers.get(key)?.[Symbol.dispose]();
    this.#writers.delete(key);
    await this.#attempt(key, () => this.#journals.remove(key));
  }

  async #attempt(key: number, action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#giveUp(key, error);
    }
  }

  #giveUp(key: number, error: unknown): void {
    this.#writers.get(key)?.[Symbol.dispose]();
    this.#writers.delete(key);
    this.#context.log.info(
      `repo${key}: no journal of the files that are stored can be kept: ${toWalferryError(error).message}\n` +
        "HINT: an interrupted backup is resumed from the last saved backup.manifest.copy; with a writable spool-path it loses nothing.",
    );
  }

  [Symbol.dispose](): void {
    for (const writer of this.#writers.values()) writer[Symbol.dispose]();
    this.#writers.clear();
  }
}
