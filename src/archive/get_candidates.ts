/** Where one WAL file is: the stored forms that may be delivered, in one repository. */
import { WalferryError } from "../errors.ts";
import type { ArchiveInfo } from "../format/archive_info.ts";
import { isWalSegmentOrPartialName, walDirectory } from "../format/wal_name.ts";
import type { ControlData } from "../postgres/control_file.ts";
import type { Clock } from "../process/clock.ts";
import type { Repository } from "../repository/repository.ts";
import { type ArchivedSegment, archiveIdsOf, findSegments } from "../repository/wal_archive.ts";
import { WalListings } from "../repository/wal_listing.ts";

/** A stored file that may be delivered. */
export interface Candidate {
  readonly repository: Repository;
  readonly archiveId: string;
  readonly path: string;
  readonly passphrase: string | undefined;
  /** Absent for files without a hash in their name. */
  readonly segment: ArchivedSegment | undefined;
}

/** Looks for a file in one repository. @throws WalferryError `ArchiveMismatch` and those of the store */
export type Locate = (repository: Repository, walName: string, signal: AbortSignal) => Promise<Candidate[]>;

/** Asks the store each time. */
export function askForCandidates(stanza: string, control: ControlData): Locate {
  return async (repository, walName, signal) => {
    const info = await repository.loadArchiveInfo(stanza, signal);
    const find = (archiveId: string) => findSegments(repository, stanza, archiveId, walName, signal);
    return await candidates(repository, stanza, walName, info, control, find, signal);
  };
}

/** How long `archive.info` is believed by a process that gets many files, in milliseconds. */
const INFO_MS = 60_000;

/**
 * Remembers what it was told, for many files one after the other: what is known to be there is taken from where it is, and only for what
 * is not known a store is asked again.
 */
export class RememberedCandidates {
  readonly #stanza: string;
  readonly #control: () => ControlData;
  readonly #clock: Clock;
  readonly #listings: WalListings;
  /** One at a time asks a repository: whoever comes meanwhile finds what it was told. */
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly #infos = new Map<number, { readonly info: ArchiveInfo; readonly readMs: number }>();

  constructor(stanza: string, control: () => ControlData, clock: Clock) {
    this.#stanza = stanza;
    this.#control = control;
    this.#clock = clock;
    this.#listings = new WalListings(stanza, clock);
  }

  readonly locate: Locate = async (repository, walName, signal) => {
    const before = this.#turns.get(repository.key) ?? Promise.resolve();
    const own = before.then(() => this.#locate(repository, walName, signal));
    // Whoever is next has nothing to do with how it ended.
    this.#turns.set(repository.key, own.catch(() => undefined));
    return await own;
  };

  async #locate(repository: Repository, walName: string, signal: AbortSignal): Promise<Candidate[]> {
    const info = await this.#info(repository, signal);
    const find = async (archiveId: string) => {
      const directory = walDirectory(walName);
      const known = await this.#listings.directory(repository, archiveId, directory, Infinity, signal);
      const found = known.segments.get(walName);
      if (found !== undefined) return found;
      // It may have come since.
      return (await this.#listings.directory(repository, archiveId, directory, 0, signal)).segments.get(walName) ?? [];
    };
    return await candidates(repository, this.#stanza, walName, info, this.#control(), find, signal);
  }

  async #info(repository: Repository, signal: AbortSignal): Promise<ArchiveInfo> {
    const known = this.#infos.get(repository.key);
    const readMs = this.#clock.monotonicMs();
    if (known !== undefined && readMs - known.readMs < INFO_MS) return known.info;
    const info = await repository.loadArchiveInfo(this.#stanza, signal);
    this.#infos.set(repository.key, { info, readMs });
    return info;
  }
}

/** Newest archive id first. */
async function candidates(
  repository: Repository,
  stanza: string,
  walName: string,
  info: ArchiveInfo,
  control: ControlData,
  find: (archiveId: string) => Promise<readonly ArchivedSegment[]>,
  signal: AbortSignal,
): Promise<Candidate[]> {
  const archiveIds = archiveIdsOf(info, control.pgVersion, control.systemId);
  if (archiveIds.length === 0) {
    throw new WalferryError(
      "ArchiveMismatch",
      `unable to retrieve the archive id for database version '${control.pgVersion}' and system-id '${control.systemId}'`,
      { hint: "are you restoring from the correct stanza?" },
    );
  }
  const passphrase = info.cipherPass;
  const found: Candidate[] = [];
  for (const archiveId of archiveIds) {
    if (isWalSegmentOrPartialName(walName)) {
      for (const segment of await find(archiveId)) {
        found.push({ repository, archiveId, path: segment.path, passphrase, segment });
      }
      continue;
    }
    const path = repository.archivePath(stanza, archiveId, walDirectory(walName), walName);
    if (await repository.storage.info(path, signal) !== undefined) {
      found.push({ repository, archiveId, path, passphrase, segment: undefined });
    }
  }
  return found;
}
