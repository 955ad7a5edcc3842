/** Directories of an archive (256 segments each) as they were listed lately, so that a store on a network is not asked for each segment. */
import type { Clock } from "../process/clock.ts";
import type { Repository } from "./repository.ts";
import { type ArchivedSegment, archivedSegments } from "./wal_archive.ts";

/** Directories that are remembered. */
const LISTINGS_MAX = 16;

/** One directory as it was. */
export interface WalListing {
  /** Stored forms by name of the segment. */
  readonly segments: ReadonlyMap<string, readonly ArchivedSegment[]>;
  /** Monotonic milliseconds when the listing was begun. */
  readonly readMs: number;
}

export class WalListings {
  readonly #stanza: string;
  readonly #clock: Clock;
  readonly #listings = new Map<string, WalListing>();

  constructor(stanza: string, clock: Clock) {
    this.#stanza = stanza;
    this.#clock = clock;
  }

  /**
   * A directory of the archive.
   * @param directory first 16 digits of the names
   * @param maxAgeMs what was listed within this time is given again; 0 = always listed
   */
  async directory(
    repository: Repository,
    archiveId: string,
    directory: string,
    maxAgeMs: number,
    signal?: AbortSignal,
  ): Promise<WalListing> {
    const name = `${repository.key} ${archiveId} ${directory}`;
    const known = this.#listings.get(name);
    const readMs = this.#clock.monotonicMs();
    if (known !== undefined && readMs - known.readMs < maxAgeMs) return known;
    const segments = new Map<string, ArchivedSegment[]>();
    for await (const segment of archivedSegments(repository, this.#stanza, archiveId, directory, signal)) {
      const same = segments.get(segment.walName);
      if (same === undefined) segments.set(segment.walName, [segment]);
      else same.push(segment);
    }
    const listing = { segments, readMs };
    this.#listings.delete(name);
    this.#listings.set(name, listing);
    if (this.#listings.size > LISTINGS_MAX) this.#listings.delete(this.#listings.keys().next().value!);
    return listing;
  }
}
