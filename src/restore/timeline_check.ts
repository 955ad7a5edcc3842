/** Whether PostgreSQL could follow the target timeline from the chosen backup, asked before anything is written (behaviour spec §5.3). */
import { WalferryError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import { isHistoryName, parseLsn, timelineOf } from "../format/wal_name.ts";
import type { Repository } from "../repository/repository.ts";
import { collect } from "../stream/sources.ts";
import type { RestoreOptions } from "./options.ts";

/** Largest history file that is read, in bytes. */
const HISTORY_BYTES_MAX = 1024 * 1024;

/** @throws WalferryError `DbMismatch` when the timeline left the backup's history before the backup, `OptionInvalidValue`, `FileMissing` */
export async function checkTimeline(
  repository: Repository,
  manifest: Manifest,
  options: RestoreOptions,
): Promise<void> {
  if (!manifest.options.online || manifest.archiveStart === undefined || manifest.lsnStart === undefined) return;
  const wanted = options.targetTimeline ?? (options.type === "immediate" ? "current" : "latest");
  if (wanted === "current" || ["none", "preserve"].includes(options.type)) return;
  const info = await repository.loadArchiveInfo(options.stanza);
  const root = repository.archivePath(options.stanza, `${manifest.pgVersion}-${manifest.historyId}`);
  const backupTimeline = timelineOf(manifest.archiveStart);
  const target = wanted === "latest" ? await latestTimeline(repository, root, backupTimeline) : parseTimeline(wanted);
  if (target === backupTimeline) return;
  const name = `${target.toString(16).toUpperCase().padStart(8, "0")}.history`;
  const stream = await repository.readWith(`${root}/${name}`, info.cipherPass);
  if (stream === undefined) {
    throw new WalferryError(
      "FileMissing",
      `unable to open missing file '${repository.display(`${root}/${name}`)}' for read`,
      {
        hint: `does timeline ${target} exist?`,
      },
    );
  }
  const text = new TextDecoder().decode(await collect(stream, HISTORY_BYTES_MAX));
  const fork = forkOf(text, backupTimeline);
  const lsn = manifest.lsnStart;
  if (fork === undefined) {
    throw new WalferryError(
      "DbMismatch",
      `backup timeline ${backupTimeline}, lsn ${lsn} is not in the history of target timeline ${target}`,
      {
        hint:
          "was the target timeline created by accidentally promoting a standby?\nuse --set to restore an earlier backup, or --target-timeline=current to stay on that of the backup.",
      },
    );
  }
  if (parseLsn(fork) <= parseLsn(lsn)) {
    throw new WalferryError(
      "DbMismatch",
      `target timeline ${target} forked from backup timeline ${backupTimeline} at ${fork} which is before backup lsn of ${lsn}`,
      {
        hint:
          "was the target timeline created by accidentally promoting a standby?\nuse --set to restore an earlier backup, or --target-timeline=current to stay on that of the backup.",
      },
    );
  }
}

async function latestTimeline(repository: Repository, root: string, from: number): Promise<number> {
  let latest = from;
  for await (const { name } of repository.storage.list(root)) {
    if (isHistoryName(name)) latest = Math.max(latest, timelineOf(name));
  }
  return latest;
}

function parseTimeline(text: string): number {
  if (/^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(text)) return Number(text);
  throw new WalferryError("OptionInvalidValue", `'${text}' is not valid for 'target-timeline' option`, {
    hint: "allowed are current, latest, and a timeline number (decimal, or hexadecimal with 0x).",
  });
}

/** Where a timeline ended according to a history file: lines `<timeline>\t<lsn>\t<reason>`. */
export function forkOf(history: string, timeline: number): string | undefined {
  for (const line of history.split("\n")) {
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    if (match !== null && Number(match[1]) === timeline) return match[2];
  }
  return undefined;
}
