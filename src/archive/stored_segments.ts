/** Whether a segment is in a repository already: asked for each, or, of a store that is asked over a network, known from a recent listing. */
import { isDistant } from "../../backends/config.ts";
import { WalferryError } from "../errors.ts";
import { walDirectory } from "../format/wal_name.ts";
import type { Clock } from "../process/clock.ts";
import { type ArchivedSegment, findSegments } from "../repository/wal_archive.ts";
import { WalListings } from "../repository/wal_listing.ts";
import type { PushTarget } from "./push_targets.ts";

/** How long a listing of one directory (256 segments) is believed to be complete, in milliseconds (docs/decisions/0008). */
const LISTING_MS = 10_000;
/** Segments stored by this process that are held against later listings. */
const REMEMBERED_MAX = 1024;

/** Looks for the stored forms of a segment. */
export type FindStored = (target: PushTarget, walName: string, signal: AbortSignal) => Promise<ArchivedSegment[]>;

/** Asks the store each time. */
export function askForStored(stanza: string): FindStored {
  return async ({ repository, archiveId }, walName, signal) =>
    await findSegments(repository, stanza, archiveId, walName, signal);
}

/** Remembers listings. What somebody else stores meanwhile is noticed with the next one. */
export class StoredSegments {
  readonly #stanza: string;
  readonly #listings: WalListings;
  /** Checksums of what was stored from here, by place and name. */
  readonly #stored = new Map<string, string>();

  constructor(stanza: string, clock: Clock) {
    this.#stanza = stanza;
    this.#listings = new WalListings(stanza, clock);
  }

  readonly find: FindStored = async (target, walName, signal) => {
    const { repository, archiveId } = target;
    if (isDistant(repository.config.storage)) {
      const directory = walDirectory(walName);
      const { segments } = await this.#listings.directory(repository, archiveId, directory, LISTING_MS, signal);
      for (const [name, found] of segments) this.#assertMine(target, name, found);
      if (!segments.has(walName) && !this.#stored.has(nameOf(target, walName))) return [];
    }
    // What is there is about to be acknowledged without being written: the store itself says so.
    return await findSegments(repository, this.#stanza, archiveId, walName, signal);
  };

  /** A segment was stored by this process. */
  stored(target: PushTarget, walName: string, checksum: string): void {
    this.#stored.set(nameOf(target, walName), checksum);
    if (this.#stored.size > REMEMBERED_MAX) this.#stored.delete(this.#stored.keys().next().value!);
  }

  /** Two primaries that archive to one stanza at once are told from what the other one stored meanwhile. */
  #assertMine(target: PushTarget, walName: string, found: readonly ArchivedSegment[]): void {
    const mine = this.#stored.get(nameOf(target, walName));
    if (mine === undefined || found.every(({ checksum }) => checksum === mine)) return;
    throw new WalferryError(
      "ArchiveDuplicate",
      `WAL file '${walName}' is in the ${target.repository.name} archive a second time with a different checksum`,
      { hint: "are multiple primaries archiving to this stanza?" },
    );
  }
}

function nameOf({ repository, archiveId }: PushTarget, walName: string): string {
  return `${repository.key} ${archiveId} ${walName}`;
}
