/** Which label a new backup gets (commands-and-behaviour §4.8): the local time of its start, later than every label that is known. */
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

/** What the label depends on. */
export interface LabelRequest {
  readonly type: BackupLabel["type"];
  /** Start of the backup, seconds since the epoch. */
  readonly startSeconds: number;
  /** Label of the full backup of the set, for diff and incr. */
  readonly full?: string;
  /** Labels of every repository that the backup goes to. */
  readonly known: readonly string[];
}

/**
 * The label of a new backup. When its second is taken, the next one is waited for and used.
 *
 * @throws WalferryError `Clock` when that is not later than the known labels either: the clock went back, or the time zone changed
 */
export async function chooseLabel(request: LabelRequest, clock: Clock, signal: AbortSignal): Promise<string> {
  const latest = request.known
    .filter((label) => request.full === undefined || parseLabel(label)?.full === request.full)
    .reduce((newest, label) => (label > newest ? label : newest), "");
  const first = formatLabel(request.type, request.startSeconds, request.full);
  if (first > latest) return first;
  await clock.sleep(1000 - (clock.nowMs() % 1000), signal);
  const second = formatLabel(request.type, request.startSeconds + 1, request.full);
  if (second > latest) return second;
  throw new WalferryError("Clock", `new backup label '${second}' is not later than latest backup label '${latest}'`, {
    hint: "has the timezone changed?\nis there clock skew?",
  });
}
