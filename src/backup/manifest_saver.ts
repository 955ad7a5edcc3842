/**
 * The copy of the manifest, saved now and then while files are copied: what it lists with a checksum need not be copied again when the backup
 * is interrupted and resumed (`manifest-save-threshold`), on whatever host. The journal of this host (run_journals.ts) knows what came since.
 */
import { toWalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { unfinishedManifest } from "./assemble.ts";
import type { CopiedFile } from "./copier.ts";
import type { Participant, Participants } from "./participants.ts";
import { factsOf, type Listed, storedIn } from "./stages.ts";

/** Saving so often at most, whatever the threshold: each time the whole list is written. Share of all bytes to copy. */
const SHARE = 1 / 100;

/** Whatever the threshold, it is saved when the last save is so long ago: many small files are slow, and few bytes. Milliseconds. */
const SAVE_EVERY_MS = 60_000;

/** Saving by time takes one part in so many at most. */
const PAUSE_FACTOR = 50;

export class ManifestSaver {
  readonly #participants: Participants;
  readonly #listed: Listed;
  readonly #context: CommandContext;
  readonly #thresholdBytes: number;
  #unsavedBytes = 0;
  #files = 0;
  #savedFiles = 0;
  #dueMs: number;
  #saving: Promise<void> | undefined;
  #isClosed = false;

  /** @param thresholdBytes bytes copied between two saves at least */
  constructor(participants: Participants, listed: Listed, thresholdBytes: number, context: CommandContext) {
    this.#participants = participants;
    this.#listed = listed;
    this.#context = context;
    this.#thresholdBytes = Math.max(thresholdBytes, listed.copies.totalBytes * SHARE);
    this.#dueMs = context.clock.monotonicMs() + SAVE_EVERY_MS;
  }

  /** Takes note of a file that is stored. */
  add({ decision }: CopiedFile): void {
    this.#files += 1;
    this.#unsavedBytes += decision.file.sizeBytes;
  }

  /** Saves when enough is new. Whoever finds a save going on does not wait for it. */
  async saveWhenDue(): Promise<void> {
    const isDue = this.#unsavedBytes >= this.#thresholdBytes || this.#context.clock.monotonicMs() >= this.#dueMs;
    if (!isDue || this.#saving !== undefined) return;
    await this.save();
  }

  /** Saves what is new. A repository that does not take it stays in the backup: only resuming would be the worse for it. */
  async save(): Promise<void> {
    await this.#saving;
    if (this.#savedFiles === this.#files || this.#isClosed) return;
    this.#unsavedBytes = 0;
    this.#savedFiles = this.#files;
    const { clock } = this.#context;
    const startMs = clock.monotonicMs();
    this.#saving = this.#saveAll();
    try {
      await this.#saving;
    } finally {
      this.#saving = undefined;
      const endMs = clock.monotonicMs();
      this.#dueMs = endMs + Math.max(SAVE_EVERY_MS, (endMs - startMs) * PAUSE_FACTOR);
    }
  }

  /** No more saves: from here on the copy of the manifest is that of a complete backup, which must not be replaced. */
  close(): void {
    this.#isClosed = true;
  }

  async #saveAll(): Promise<void> {
    await Promise.all(this.#participants.live.map(async (participant) => {
      try {
        await this.#saveOne(participant);
      } catch (error) {
        this.#participants.tell(participant).warn(
          `unable to save backup.manifest.copy, the files copied last could not be resumed: ${
            toWalferryError(error).message
          }`,
        );
      }
    }));
  }

  async #saveOne(participant: Participant): Promise<void> {
    const { repository, info } = participant;
    const facts = factsOf(this.#listed, participant);
    const stored = storedIn(this.#listed, participant);
    const { count } = stored;
    await this.#listed.held.rewrite(participant, facts, async () => {
      const manifest = unfinishedManifest(facts, participant, stored.sofar);
      await repository.saveManifestCopy(facts.options.stanza, manifest, info.cipherPass);
    });
    this.#context.log.detail(`${repository.name}: backup.manifest.copy saved with ${count} copied files`);
  }
}
