/** Which labels a new backup gets (commands-and-behaviour §4.8): the local time of its start, later than every label that is known. */
import { WalferryError } from "../errors.ts";
import { type BackupLabel, formatLabel, parseLabel } from "../format/label.ts";
import type { Clock } from "../process/clock.ts";
import type { Repository } from "../repository/repository.ts";

const HISTORY_SUFFIX = ".manifest.gz";

/** Labels that a new one must not repeat: the directories that are there, and the newest year of the history. */
export async function knownLabels(repository: Repository, stanza: string): Promise<string[]> {
  const labels: string[] = [];
  for await (const { name } of repository.storage.list(repository.backupPath(stanza))) labels.push(name);
  const history = repository.backupPath(stanza, "backup.history");
  let newestYear = "";
  for await (const { name } of repository.storage.list(history)) {
    if (/^\d{4}$/.test(name) && name > newestYear) newestYear = name;
  }
  if (newestYear !== "") {
    for await (const { name } of repository.storage.list(`${history}/${newestYear}`)) {
      if (name.endsWith(HISTORY_SUFFIX)) labels.push(name.slice(0, -HISTORY_SUFFIX.length));
    }
  }
  return labels.filter((label) => parseLabel(label) !== undefined);
}

/** What the labels depend on. */
export interface LabelRequest {
  /** Start of the backup, seconds since the epoch. */
  readonly startSeconds: number;
  /** What the backup is in each repository, by key: its type, and for diff and incr the label of the full backup of its set. */
  readonly backups: ReadonlyMap<number, { readonly type: BackupLabel["type"]; readonly full?: string }>;
  /** Labels of every repository that the backup goes to. */
  readonly known: readonly string[];
}

/**
 * The labels of a new backup by key of the repository: one moment for all, so that repositories with the same past give it the same name.
 * When that second is taken in one of them, the next one is waited for and used.
 *
 * @throws WalferryError `Clock` when that is not later than the known labels either: the clock went back, or the time zone changed
 */
export async function chooseLabels(
  request: LabelRequest,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, string>> {
  const first = labelsAt(request, request.startSeconds);
  if (findCollision(request, first) === undefined) return first;
  await clock.sleep(1000 - (clock.nowMs() % 1000), signal);
  const second = labelsAt(request, request.startSeconds + 1);
  const collision = findCollision(request, second);
  if (collision === undefined) return second;
  throw new WalferryError(
    "Clock",
    `new backup label '${collision.label}' is not later than latest backup label '${collision.latest}'`,
    { hint: "has the timezone changed?\nis there clock skew?" },
  );
}

function labelsAt({ backups }: LabelRequest, seconds: number): Map<number, string> {
  return new Map([...backups].map(([key, { type, full }]) => [key, formatLabel(type, seconds, full)]));
}

/** A label that does not sort behind all known ones: behind those of its own set, for a backup that depends on others. */
function findCollision(
  { backups, known }: LabelRequest,
  labels: ReadonlyMap<number, string>,
): { readonly label: string; readonly latest: string } | undefined {
  for (const [key, label] of labels) {
    const { full } = backups.get(key)!;
    const latest = known
      .filter((other) => full === undefined || parseLabel(other)?.full === full)
      .reduce((newest, other) => (other > newest ? other : newest), "");
    if (label <= latest) return { label, latest };
  }
  return undefined;
}
