/** Whether a segment is in a repository already: asked for each, or, of a store that is asked over a network, known from a recent listing. */
import { isDistant } from "../../backends/config.ts";
import { WalferryError } from "../errors.ts";
import { walDirectory } from "../format/wal_name.ts";
import type { Clock } from "../process/clock.ts";
import { type ArchivedSegment, archivedSegments, findSegments } from "../repository/wal_archive.ts";
import type { PushTarget } from "./push_targets.ts";

/** How long a listing of one directory (256 segments) is believed to be complete, in milliseconds (docs/decisions/0008). */
const LISTING_MS = 10_000;
/** Directories that are remembered. */
const LISTINGS_MAX = 8;

/** Looks for the stored forms of a segment. */
export type FindStored = (target: PushTarget, walName: string, signal: AbortSignal) => Promise<ArchivedSegment[]>;

/** Asks the store each time. */
export function askForStored(stanza: string): FindStored {
  return async ({ repository, archiveId }, walName, signal) =>
    await findSegments(repository, stanza, archiveId, walName, signal);
}

/** One directory as it was listed, and what was stored since. */
interface Listing {
  readonly checksums: Map<string, string>;
  readonly stored: Map<string, string>;
  readMs: number;
}

/** Remembers listings. What somebody else stores meanwhile is noticed with the next one. */
export class StoredSegments {
  readonly #stanza: string;
  readonly #clock: Clock;
  readonly #listings = new Map<string, Listing>();

  constructor(stanza: string, clock: Clock) {
    this.#stanza = stanza;
    this.#clock = clock;
  }

  readonly find: FindStored = async (target, walName, signal) => {
    const { repository, archiveId } = target;
    if (!isDistant(repository.config.storage)) {
      return await findSegments(repository, this.#stanza, archiveId, walName, signal);
    }
    const listing = await this.#listing(target, walName, signal);
    if (!listing.checksums.has(walName) && !listing.stored.has(walName)) return [];
    // What is there is about to be acknowledged without being written: the store itself says so.
    return await findSegments(repository, this.#stanza, archiveId, walName, signal);
  };

  /** A segment was stored by this process. */
  stored(target: PushTarget, walName: string, checksum: string): void {
    this.#listings.get(nameOf(target, walName))?.stored.set(walName, checksum);
  }

  async #listing(target: PushTarget, walName: string, signal: AbortSignal): Promise<Listing> {
    const name = nameOf(target, walName);
    const known = this.#listings.get(name);
    if (known !== undefined && this.#clock.monotonicMs() - known.readMs < LISTING_MS) return known;
    const readMs = this.#clock.monotonicMs();
    const checksums = new Map<string, string>();
    for await (
      const segment of archivedSegments(
        target.repository,
        this.#stanza,
        target.archiveId,
        walDirectory(walName),
        signal,
      )
    ) {
      const stored = known?.stored.get(segment.walName);
      if (stored !== undefined && stored !== segment.checksum) {
        throw new WalferryError(
          "ArchiveDuplicate",
          `WAL file '${segment.walName}' was archived to ${target.repository.name} a second time with a different checksum`,
          { hint: "are multiple primaries archiving to this stanza?" },
        );
      }
      checksums.set(segment.walName, segment.checksum);
    }
    const listing: Listing = { checksums, stored: known?.stored ?? new Map(), readMs };
    this.#listings.delete(name);
    this.#listings.set(name, listing);
    if (this.#listings.size > LISTINGS_MAX) this.#listings.delete(this.#listings.keys().next().value!);
    return listing;
  }
}

function nameOf({ repository, archiveId }: PushTarget, walName: string): string {
  return `${repository.key} ${archiveId} ${walDirectory(walName)}`;
}
