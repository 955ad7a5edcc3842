/**
 * `demo`: the whole story on a throw-away cluster, told by the program itself. Every step runs the executable as an administrator would;
 * nothing is left behind unless it is asked for.
 */
import { WalferryError } from "../errors.ts";
import type { CommandContext } from "../process/command_context.ts";
import { formatDuration, formatSize } from "../report/units.ts";
import { type DemoPlace, makeDemoPlace } from "./demo_place.ts";
import { obtainPostgres } from "./demo_postgres.ts";

export interface DemoOptions {
  /** Leave the directory behind. */
  readonly keep: boolean;
  /** Directory of PostgreSQL's programs; absent = look for them. */
  readonly pgBin?: string;
  /** Directories that the caller finds programs in, as in `PATH`. */
  readonly searchPath: string;
}

/** Rows loaded before the backup, and again behind it. */
const ROWS = 100_000;

/** A step of the story as it stands in the report. */
interface Step {
  readonly title: string;
  readonly ms: number;
  readonly detail: string;
}

/** Runs the story. @throws WalferryError `Execute` naming the step that failed, `Runtime` when the restored rows are not equal */
export async function demo(options: DemoOptions, context: CommandContext): Promise<number> {
  const steps: Step[] = [];
  const say = (text: string) => context.output(`${text}\n`);
  say("walferry demo: archive to two repositories, back up, lose the cluster, restore to a point in time\n");
  await using place = await makeDemoPlace(options.keep, context);
  const step = async (title: string, action: () => Promise<string>) => {
    context.signal.throwIfAborted();
    const startMs = context.clock.monotonicMs();
    say(`  ${title} ...`);
    const detail = await action().catch((error) => {
      // What runs may have been told to end as well: its end is not the news then.
      context.signal.throwIfAborted();
      throw error;
    });
    steps.push({ title, ms: context.clock.monotonicMs() - startMs, detail });
  };

  await place.prepareProgram();
  const postgres = await obtainPostgres(options.pgBin, options.searchPath, place, say);
  await step("make a cluster", () => place.initCluster(postgres));
  await step("create the stanza in both repositories", async () => {
    await place.walferry("stanza-create");
    return "repo1: zst; repo2: zst, encrypted";
  });
  await step("check that WAL reaches both", async () => {
    await place.walferry("check");
    return "a segment was archived to each";
  });
  await step(`load ${ROWS} rows`, async () => {
    await place.sql(`create table ferry (id bigint primary key, cargo text, at timestamptz default now());
      insert into ferry select g, md5(g::text) || repeat('.', (g % 50)::int) from generate_series(1, ${ROWS}) g;`);
    return "";
  });
  await step("full backup, one read for both repositories", async () => {
    await place.walferry("--type=full", "--repo=all", "--start-fast", "backup");
    return await backupSizes(place);
  });
  await step(`load ${ROWS} rows more`, async () => {
    await place.sql(`insert into ferry select g, md5(g::text) from generate_series(${ROWS + 1}, ${2 * ROWS}) g;`);
    return "";
  });
  // Backups are chosen by whole seconds: the moment must lie in a later second than the end of the backup.
  await context.clock.sleep(1100, context.signal);
  const before = await place.fingerprint();
  const moment = await place.sql("select clock_timestamp()");
  await step("the disaster: rows deleted, then the data directory and repository 1 lost", async () => {
    await place.sql("delete from ferry where id % 2 = 0; select pg_switch_wal();");
    await place.waitForArchive();
    await place.loseCluster();
    return `${(await place.lost()).length} directories gone`;
  });
  await step("restore to the moment before, from what is left", async () => {
    // Repository 1 must be left out by name: it cannot say what it had, and an unknown answer stops recovery.
    await place.walferry("--repo=2", "--type=time", `--target=${moment}`, "--target-action=promote", "restore");
    return `to ${moment}`;
  });
  await step("start the restored cluster and recover", () => place.startRestored());
  const after = await place.fingerprint();

  say("");
  const width = Math.max(...steps.map(({ title }) => title.length));
  for (const { title, ms, detail } of steps) {
    say(`  ${title.padEnd(width)}  ${formatDuration(ms).padStart(9)}  ${detail}`.trimEnd());
  }
  say("");
  if (before !== after) throw new WalferryError("Runtime", `the restored rows differ: ${after} instead of ${before}`);
  const [rows, hash] = after.split(" ");
  say(`restored: ${rows} rows, equal to those before the disaster (${hash})`);
  if (options.keep) say(`kept: ${place.path}`);
  return 0;
}

/** Sizes told by `info`, per repository. */
async function backupSizes(place: DemoPlace): Promise<string> {
  const info = JSON.parse(await place.walferry("--output=json", "info")) as Array<{
    backup: Array<{ info: { size: number; repository: { size: number } }; database: { "repo-key": number } }>;
  }>;
  const backups = info[0]?.backup ?? [];
  const stored = backups.map(({ database, info: { repository } }) =>
    `repo${database["repo-key"]} ${formatSize(repository.size)}`
  );
  return `${formatSize(backups[0]?.info.size ?? 0)} read once; stored: ${stored.join(", ")}`;
}
