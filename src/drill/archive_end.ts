/**
 * Whether a recovery to the end of the archive came to that end. PostgreSQL takes the first segment that is missing for the end, whatever is
 * stored behind it: what a restore in earnest would lose is seen in the archive only.
 */
import { mayHoldFiles } from "../../backends/contract.ts";
import { toWalferryError, WalferryError } from "../errors.ts";
import { historyNameOf, isHistoryName, parseLsn, segmentNameOf, timelineOf, walDirectory } from "../format/wal_name.ts";
import { parseTimelineHistory } from "../format/timeline_history.ts";
import type { CommandContext } from "../process/command_context.ts";
import { directoryNames } from "../process/directory_names.ts";
import type { Repository } from "../repository/repository.ts";
import { archivedSegments, archiveIdsOf, findSegments } from "../repository/wal_archive.ts";

/** Segments are pushed several at once: a missing one may be on its way while those behind it are there. So often it is looked for again. */
const LOOKS = 6;
const LOOK_PAUSE_MS = 2000;

/** The recovery that ended. */
export interface EndedRecovery {
  readonly stanza: string;
  readonly pgVersion: string;
  readonly systemId: bigint;
  readonly segmentBytes: number;
  /** Timeline that was followed last. */
  readonly timeline: number;
  /** End of the last record that was replayed. */
  readonly lsn: string;
}

/**
 * The timeline that a server followed until it was promoted.
 * @param walPath its `pg_wal`
 * @param checkpointTimeline of its control file, for a server that began no timeline of its own
 * @throws Deno's own errors
 */
export async function followedTimeline(walPath: string, checkpointTimeline: number): Promise<number> {
  const own = (await directoryNames(walPath)).filter(isHistoryName).map(timelineOf)
    .reduce((newest, timeline) => Math.max(newest, timeline), 0);
  if (own === 0) return checkpointTimeline;
  return parseTimelineHistory(Deno.readTextFileSync(`${walPath}/${historyNameOf(own)}`), own).at(-1)!.timeline;
}

/**
 * Looks for WAL behind the place where recovery ended.
 * @param repositories those that recovery had its WAL from
 * @returns what is right, in one line; `undefined` when no repository could be asked
 * @throws WalferryError `DrillFailed` when a segment is missing and there is WAL behind it
 */
export async function checkArchiveEnd(
  repositories: readonly Repository[],
  ended: EndedRecovery,
  context: CommandContext,
): Promise<string | undefined> {
  const { segmentBytes, timeline, lsn } = ended;
  // A record that ends with its segment needs nothing of the next one, which is the first that was not there.
  const next = segmentNameOf(timeline, Math.ceil(Number(parseLsn(lsn)) / segmentBytes), segmentBytes);
  for (let look = 1;; look++) {
    const seen: WalBehind[] = [];
    for (const repository of repositories) {
      if (repository.config.role === "backup") continue;
      try {
        seen.push(await walBehind(repository, ended, next, context.signal));
      } catch (error) {
        context.signal.throwIfAborted();
        context.log.warn(
          `${repository.name}: the end of its archive is not known: ${toWalferryError(error).message}`,
        );
      }
    }
    if (seen.length === 0) return undefined;
    const last = seen.flatMap((one) => one.last ?? []).sort().at(-1);
    if (last === undefined) return "there is no WAL behind where it ended";
    // It came after the recovery had asked for it.
    if (seen.some(({ hasNext }) => hasNext)) return "more WAL has come since";
    if (look === LOOKS) {
      throw new WalferryError(
        "DrillFailed",
        `WAL segment ${next} is in no repository: no recovery gets to what is behind it, up to ${last}`,
      );
    }
    await context.clock.sleep(LOOK_PAUSE_MS, context.signal);
  }
}

/** What one repository has at and behind a segment. */
interface WalBehind {
  readonly hasNext: boolean;
  /** The last segment behind it, on its timeline. */
  readonly last: string | undefined;
}

async function walBehind(
  repository: Repository,
  { stanza, pgVersion, systemId }: EndedRecovery,
  next: string,
  signal: AbortSignal,
): Promise<WalBehind> {
  const info = await repository.loadArchiveInfo(stanza, signal);
  let hasNext = false;
  let last: string | undefined;
  for (const archiveId of archiveIdsOf(info, pgVersion, systemId)) {
    hasNext ||= (await findSegments(repository, stanza, archiveId, next, signal)).length > 0;
    const found = await lastBehind(repository, stanza, archiveId, next, signal);
    if (found !== undefined && (last === undefined || found > last)) last = found;
  }
  return { hasNext, last };
}

async function lastBehind(
  repository: Repository,
  stanza: string,
  archiveId: string,
  segment: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const from = walDirectory(segment);
  const directories: string[] = [];
  for await (const entry of repository.storage.list(repository.archivePath(stanza, archiveId), { signal })) {
    const { name } = entry;
    if (mayHoldFiles(entry) && name.startsWith(segment.slice(0, 8)) && name >= from) directories.push(name);
  }
  for (const directory of directories.sort().reverse()) {
    let last: string | undefined;
    for await (const { walName } of archivedSegments(repository, stanza, archiveId, directory, signal)) {
      const isBehind = walName > segment && !walName.endsWith(".partial");
      if (isBehind && (last === undefined || walName > last)) last = walName;
    }
    if (last !== undefined) return last;
  }
  return undefined;
}
