/** Timeline history files (`00000002.history`): which timelines a timeline comes from. PostgreSQL source: `readTimeLineHistory`. */
import { WalferryError } from "../errors.ts";
import { parseLsn } from "./wal_name.ts";

/** Where a timeline was left for the next one. */
export interface TimelineFork {
  readonly timeline: number;
  readonly lsn: bigint;
}

/**
 * Forks in the order of the file; the last one is where this timeline begins.
 * @param timeline the one whose file it is
 * @throws WalferryError `Format` for anything that PostgreSQL would refuse, and for a file without a fork
 */
export function parseTimelineHistory(text: string, timeline: number): TimelineFork[] {
  const forks: TimelineFork[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const match = /^\s*(\d{1,10})\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(?:\s|$)/.exec(line);
    if (match === null) throw new WalferryError("Format", `line ${at + 1} is no line of a timeline history`);
    const fork = { timeline: Number(match[1]), lsn: parseLsn(match[2]!) };
    if (fork.timeline <= (forks.at(-1)?.timeline ?? 0) || fork.timeline >= timeline) {
      throw new WalferryError("Format", `timeline ${fork.timeline} at line ${at + 1} is not in order`);
    }
    forks.push(fork);
  }
  if (forks.length === 0) throw new WalferryError("Format", "the timeline history is empty");
  return forks;
}
