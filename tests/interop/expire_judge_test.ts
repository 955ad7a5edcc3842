/**
 * `expire` beside the real program: the same random repositories, settings and requests, and the same backups and WAL are left. Where walferry
 * keeps more on purpose, or removes what was named, that is told here by rule.
 * What walferry alone knows (pins, `repo-retention-keep-*`, the plan) is held against its rules. `WALFERRY_FUZZ` sets the number of cases,
 * `WALFERRY_FUZZ_SEED` the first, `WALFERRY_FUZZ_REPORT` a file for all that differs.
 */
import { parseBackupInfo } from "../../src/format/backup_info.ts";
import { expireRepositories } from "../../src/repository/expire.ts";
import { isPinned, keptBeyond, withNeeds } from "../../src/repository/keep.ts";
import { archiveIdOf } from "../../src/repository/wal_archive.ts";
import { systemClock } from "../../src/process/clock.ts";
import { runAs, testAccount, TestFolder } from "../support/accounts.ts";
import { assertEquals } from "../support/assert.ts";
import { type ExpireCase, expireCase } from "../support/expire_cases.ts";
import { fuzzRounds } from "../support/mutations.ts";
import { pgbackrestPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { repositoryConfig, STANZA, testContext } from "../support/stanza_files.ts";

/** Repositories that are made before the real program runs over them. */
const TOGETHER = 50;

/** What is left: labels that are listed, and every file but the info files. */
interface Left {
  readonly failed: boolean;
  readonly listed: readonly string[];
  readonly files: ReadonlySet<string>;
  readonly log: string;
}

function write({ files }: ExpireCase, path: string): void {
  for (const [name, content] of files) {
    const file = `${path}/${name}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(file, content);
  }
}

/** What is there; the link to the latest backup is not looked at: the original sets it now and then only. */
function left(path: string, failed: boolean, log: string): Left {
  const files = new Set<string>();
  const walk = (at: string): void => {
    for (const entry of Deno.readDirSync(`${path}/${at}`)) {
      const name = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory) walk(name);
      else if (entry.isFile && !/\/(archive|backup)\.info(\.copy)?$/.test(name)) files.add(name);
    }
  };
  walk("");
  const info = parseBackupInfo(Deno.readTextFileSync(`${path}/backup/${STANZA}/backup.info`));
  return { failed, listed: info.backups.map(({ label }) => label), files, log };
}

/** Options of the real program for a case. */
function commandLine({ retention, request }: ExpireCase, path: string): string[] {
  const { full, diff, archive, archiveType, fullType, historyDays } = retention;
  const option = (
    name: string,
    value: string | number | undefined,
  ) => (value === undefined ? [] : [`--${name}=${value}`]);
  return [
    pgbackrestPath,
    "--config=/dev/null",
    `--stanza=${STANZA}`,
    `--repo1-path=${path}`,
    `--lock-path=${path}-lock`,
    "--log-level-file=off",
    "--log-level-console=detail",
    `--repo1-retention-full-type=${fullType}`,
    ...option("repo1-retention-full", full),
    ...option("repo1-retention-diff", diff),
    `--repo1-retention-archive-type=${archiveType}`,
    ...option("repo1-retention-archive", archive),
    ...option("repo1-retention-history", historyDays),
    ...option("set", request.set),
    ...option("archive-expire-before", request.archiveExpireBefore),
    ...(request.oldest ? ["--oldest"] : []),
    "expire",
  ];
}

async function ours(
  one: ExpireCase,
  path: string,
  plan: boolean,
): Promise<{ failed: boolean; log: string; told: string }> {
  const repository = { ...repositoryConfig(1, path), retention: one.retention };
  let told = "";
  const context = { ...testContext(systemClock), output: (text: string | Uint8Array) => void (told += text) };
  let failed = false;
  try {
    await expireRepositories({
      stanza: STANZA,
      repositories: [repository],
      backupSources: [repository],
      ...one.request,
      plan,
      dryRun: plan,
      archiveKeys: [1],
      lockPath: "/nonexistent",
      spoolPath: "/nonexistent",
    }, context);
  } catch (error) {
    failed = true;
    told += String(error);
  }
  return { failed, log: context.log.text(), told };
}

/** Why walferry keeps a file that the original removes; `undefined` where it must not. */
function keptOnPurpose(one: ExpireCase, theirs: Left, mine: Left, file: string): string | undefined {
  const [room, , place] = file.split("/");
  const before = one.request.archiveExpireBefore;
  const name = file.split("/").at(-1)!;
  if (room === "backup") {
    if (place === "backup.history") {
      const label = name.split(".")[0]!;
      return one.lost.has(label) && mine.listed.includes(label) ? "its backup may be mended" : undefined;
    }
    if (one.lost.has(place!)) return "it may be mended";
    const unfinished = !mine.listed.includes(place!) && !mine.files.has(`backup/${STANZA}/${place}/backup.manifest`);
    const labels = [...mine.files].flatMap((other) => /^backup\/[^/]+\/(\d{8}-[^/]+)/.exec(other)?.[1] ?? []);
    return unfinished && place === labels.sort().at(-1) ? "it may be running on another host" : undefined;
  }
  const cluster = one.archiveInfo.history.find((entry) => archiveIdOf(entry) === place);
  if (cluster === undefined) return undefined;
  const starts = one.backupInfo.backups.concat(one.unlisted)
    .filter(({ historyId, label }) => historyId === cluster.id && mine.listed.includes(label))
    .flatMap(({ archiveStart }) => archiveStart ?? []);
  const timeline = name.slice(0, 8);
  const lost = one.backupInfo.backups.filter(({ historyId, label }) =>
    historyId === cluster.id && one.lost.has(label) && mine.listed.includes(label)
  );
  const segment = name.slice(0, 24);
  const isOfLost = lost.some(({ archiveStart: start = "G", archiveStop: stop = "" }) =>
    start <= segment && segment <= stop
  );
  if (isOfLost) return "it makes a backup consistent that may be mended";
  const theirsOfIt = [...theirs.files].some((other) => other.startsWith(`archive/${STANZA}/${place}/`));
  if (lost.some(({ archiveStart }) => archiveStart !== undefined) && !theirsOfIt) {
    return "a backup that may be mended needs it";
  }
  if (before !== undefined) {
    if (cluster.id !== one.archiveInfo.currentId && !theirsOfIt) return "the segment says nothing of a former cluster";
    if (name.endsWith(".history") && timeline >= before.slice(0, 8)) return "its timeline is kept";
  }
  if (!one.wentBack) return undefined;
  const onTimeline = starts.filter((start) => start.slice(0, 8) === timeline);
  if (!name.endsWith(".history")) {
    return onTimeline.some((start) => name.slice(0, 24) >= start)
      ? "a newer backup began on an older timeline"
      : undefined;
  }
  return starts.some((start) => start.slice(0, 8) <= timeline)
    ? "a newer backup began on an older timeline"
    : undefined;
}

/**
 * Without a retention of WAL and without backups the original does nothing with `archive-expire-before`, though its manual has it do just
 * that: the segment decides alone.
 */
function isNamedAway({ request: { archiveExpireBefore } }: ExpireCase, { listed, log }: Left, file: string): boolean {
  const isOff = listed.length === 0 && /archive logs will not be expired/.test(log);
  const segment = /^archive\/.*\/([0-9A-F]{24})[^/]*$/.exec(file)?.[1];
  return isOff && archiveExpireBefore !== undefined && segment !== undefined && segment < archiveExpireBefore;
}

function differences(one: ExpireCase, theirs: Left, mine: Left): string[] {
  const found: string[] = [];
  // A named backup that is pinned, or a pinned one that needs it.
  const isRefused = one.isOwn && mine.failed && / is pinned\b/.test(mine.log);
  if (isRefused || (one.isOwn && one.request.oldest)) return found;
  // It does so over a named backup where no full one is left.
  if (theirs.failed && / ASSERT: /.test(theirs.log)) return found;
  if (theirs.failed !== mine.failed) found.push(`theirs ${theirs.failed ? "failed" : "did not fail"}`);
  // Behind an error the original does not save that it has found a backup.
  const adopted = theirs.failed ? one.unlisted.map(({ label }) => label) : [];
  const usable = mine.listed.filter((label) => !adopted.includes(label) && !one.lost.has(label));
  const inBoth = theirs.listed.filter((label) => !one.lost.has(label));
  const isSame = one.isOwn ? inBoth.every((label) => usable.includes(label)) : `${inBoth}` === `${usable}`;
  if (!isSame) {
    found.push(`listed by theirs: ${theirs.listed}`, `listed by ours: ${mine.listed}`);
  }
  for (const file of one.isOwn ? [] : mine.files) {
    if (!theirs.files.has(file) && keptOnPurpose(one, theirs, mine, file) === undefined) {
      found.push(`ours keeps ${file}`);
    }
  }
  for (const file of theirs.files) {
    // The original forgets what builds on a lost backup only as far as its list tells it, and leaves ends of chains without a beginning.
    const label = /^backup\/[^/]+\/(?:backup\.history\/\d+\/)?(\d{8}-[^/.]+)/.exec(file)?.[1] ?? "";
    const isLost = one.lost.has(label) && !mine.listed.includes(label);
    if (!mine.files.has(file) && !isLost && !isNamedAway(one, theirs, file)) found.push(`ours has removed ${file}`);
  }
  return found;
}

/** What must be true of what is left, whatever was asked for. */
function brokenRules(one: ExpireCase, before: Left, mine: Left): string[] {
  const found: string[] = [];
  const all = [...one.backupInfo.backups, ...one.unlisted].sort((a, b) => (a.label < b.label ? -1 : 1));
  // A pin is a note in backup.info: what is not listed there has none.
  const usable = all.filter(({ label }) => !one.lost.has(label))
    .map((entry) => (one.unlisted.includes(entry) ? { ...entry, annotations: undefined } : entry));
  for (const label of withNeeds(usable, keptBeyond(usable, one.retention.keep).keys())) {
    const isNamed = one.request.set !== undefined && !usable.some((entry) => entry.label === label && isPinned(entry));
    if (!isNamed && !mine.listed.includes(label)) found.push(`kept beyond the retention, and gone: ${label}`);
  }
  for (const { label, prior, references = [], archiveStart: start, archiveStop: stop, historyId } of all) {
    if (!mine.listed.includes(label)) continue;
    for (const needed of [...references, ...(prior === undefined ? [] : [prior])]) {
      if (!mine.listed.includes(needed)) found.push(`${label} is listed without ${needed}`);
    }
    const directory = `backup/${STANZA}/${label}/`;
    const archive = `archive/${STANZA}/${archiveIdOf(one.archiveInfo.history.find(({ id }) => id === historyId)!)}/`;
    for (const file of before.files) {
      const segment = /\/([0-9A-F]{24})[^/]*$/.exec(file)?.[1] ?? "";
      const isOfIt = start !== undefined && file.startsWith(archive) && start <= segment && segment <= stop!;
      if ((isOfIt || file.startsWith(directory)) && !mine.files.has(file)) {
        found.push(`${label} is listed without ${file}`);
      }
    }
  }
  return found;
}

/** What `--plan` said, held against what became of it. */
function brokenPromises({ told }: { told: string }, before: Left, mine: Left): string[] {
  const found: string[] = [];
  const planned = new Map<string, boolean>();
  for (const [, verb, label] of told.matchAll(/^repo1: (keep {2}|remove) backup (\S+):/gm)) {
    planned.set(label!, verb !== "remove");
  }
  for (const [label, stays] of planned) {
    if (stays !== mine.listed.includes(label)) found.push(`the plan says that ${label} ${stays ? "stays" : "goes"}`);
  }
  for (const label of mine.listed) if (!planned.has(label)) found.push(`the plan does not tell of ${label}`);
  if (/^repo1: all WAL stays/m.test(told)) {
    for (const file of before.files) {
      if (file.startsWith("archive/") && !mine.files.has(file)) found.push(`the plan keeps ${file}`);
    }
    return found;
  }
  const ids = new Set([...before.files].flatMap((file) => /^archive\/[^/]+\/([\d.]+-\d+)\//.exec(file)?.[1] ?? []));
  for (const id of ids) {
    const lines = [...told.matchAll(/^repo1: (\S+): (.*)$/gm)].filter((match) => match[1] === id).map((match) =>
      match[2]!
    );
    for (const file of before.files) {
      const name = /\/[0-9A-F]{16}\/([0-9A-F]{24})[^/]*$/.exec(file)?.[1];
      if (name === undefined || !file.startsWith(`archive/${STANZA}/${id}/`)) continue;
      const stays = lines.length === 0 || lines.some((line) => {
        if (line.startsWith("all WAL")) return line.startsWith("all WAL stays");
        const [, start, end] = /^WAL (?:from )?([0-9A-F]{24})(?: to ([0-9A-F]{24}|the end of its timeline))?/.exec(
          line,
        )!;
        if (end === undefined) return name >= start!;
        return name >= start! && (end.startsWith("the") ? name.slice(0, 8) === start!.slice(0, 8) : name <= end);
      });
      if (stays !== mine.files.has(file)) found.push(`the plan ${stays ? "keeps" : "removes"} ${file}`);
    }
  }
  return found;
}

function describe(one: ExpireCase, theirs: Left, mine: Left, found: string[]): string {
  const { seed, retention, request, backupInfo, unlisted } = one;
  const say = (value: unknown) =>
    JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? String(each) : each));
  return [
    `seed ${seed}: ${say(retention)} ${say(request)}`,
    ...backupInfo.backups.map((entry) =>
      `  ${entry.label} db ${entry.historyId} prior ${entry.prior ?? "-"} ${entry.archiveStart ?? "-"} ${
        entry.archiveStop ?? "-"
      }`
    ),
    `  not listed: ${unlisted.map(({ label }) => label)}`,
    ...found.map((line) => `  ${line}`),
    "  --- theirs",
    theirs.log,
    "  --- ours",
    mine.log,
  ].join("\n");
}

/** Runs both programs over the same cases. @returns what differs, a text for each case */
async function judge(cases: readonly ExpireCase[]): Promise<string[]> {
  await using folder = await TestFolder.make();
  const theirPath = ({ seed }: ExpireCase) => `${folder.path}/theirs-${seed}`;
  const ourPath = ({ seed }: ExpireCase) => `${folder.path}/ours-${seed}`;
  for (const one of cases) for (const path of [theirPath(one), ourPath(one)]) write(one, path);
  const script = cases.map((one) => {
    const path = theirPath(one);
    return `${commandLine(one, path).join(" ")} >${path}.log 2>&1; echo $? >${path}.code`;
  });
  await folder.file("judge.sh", script.join("\n"));
  if (testAccount !== undefined) {
    await runAs(["chown", "-R", `${testAccount.uid}:${testAccount.gid}`, folder.path], { asSelf: true });
  }
  await runAs(["sh", `${folder.path}/judge.sh`]);
  const failures: string[] = [];
  for (const one of cases) {
    const path = ourPath(one);
    const hasFailed = Deno.readTextFileSync(`${theirPath(one)}.code`).trim() !== "0";
    const theirs = left(theirPath(one), hasFailed, Deno.readTextFileSync(`${theirPath(one)}.log`));
    const before = left(path, false, "");
    const planned = await ours(one, path, true);
    const unchanged = left(path, false, "");
    const done = await ours(one, path, false);
    const mine = left(path, done.failed, `${planned.told}\n${done.log}\n${done.told}`);
    const isUnchanged = before.files.symmetricDifference(unchanged.files).size === 0 &&
      `${before.listed}` === `${unchanged.listed}`;
    const found = [
      ...differences(one, theirs, mine),
      ...brokenRules(one, before, mine),
      ...(done.failed ? [] : brokenPromises(planned, before, mine)),
      ...(isUnchanged ? [] : ["the plan changed something"]),
    ];
    if (found.length > 0) failures.push(describe(one, theirs, mine, found));
  }
  return failures;
}

/**
 * What releases before 2.59 do not know or do otherwise: they crash over a named backup where there is none, and let no WAL go where the
 * newest full backup alone covers the days.
 */
function isNewer({ request: { oldest, archiveExpireBefore, set }, retention: { fullType } }: ExpireCase): boolean {
  return oldest || archiveExpireBefore !== undefined || set !== undefined || fullType === "time";
}

testWith([pgbackrestPath], "expire leaves the same backups and the same WAL as the real program", async () => {
  const rounds = fuzzRounds(200);
  const firstSeed = Number(Deno.env.get("WALFERRY_FUZZ_SEED") ?? 1);
  const knowsAll = /^pgBackRest 2\.(59|[6-9]\d)/.test(await runAs([pgbackrestPath, "version"]));
  const nowSeconds = Math.floor(Date.now() / 1000);
  const failures: string[] = [];
  for (let from = 0; from < rounds; from += TOGETHER) {
    const count = Math.min(TOGETHER, rounds - from);
    const cases = Array.from({ length: count }, (_, at) => expireCase(firstSeed + from + at, nowSeconds));
    failures.push(...await judge(knowsAll ? cases : cases.filter((one) => !isNewer(one))));
  }
  const report = Deno.env.get("WALFERRY_FUZZ_REPORT");
  if (report !== undefined) Deno.writeTextFileSync(report, failures.join("\n\n"));
  assertEquals(failures.slice(0, 3).join("\n\n"), "", `${failures.length} of ${rounds}`);
});
