/** `info --timeline`: what stands where in the drawing, in any width and with any characters. */
import { isUtf8Locale } from "../../src/cli/terminal.ts";
import type { BackupInfoEntry } from "../../src/format/backup_info.ts";
import { INFO_STATUS, type StanzaInfo } from "../../src/repository/info_data.ts";
import type { Recoverable, ReportedStanza } from "../../src/repository/report_data.ts";
import { renderTimelineText } from "../../src/repository/timeline_text.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { fullBackup } from "../support/outlook_stanza.ts";

const HOUR = 3_600_000;
/** Local midnight, so that the words of the axis are the same in every zone. */
const BEGIN = new Date(2026, 5, 10).getTime();

/** A backup that takes no time, so many hours after the beginning. */
function backup(type: BackupInfoEntry["type"], atHours: number): BackupInfoEntry {
  const seconds = (BEGIN + atHours * HOUR) / 1000;
  return fullBackup(`${type}-${atHours}`, 1, 2, { type, timestampStart: seconds, timestampStop: seconds });
}

function range(fromHours: number, toHours: number, timeline?: number): Recoverable {
  return { fromMs: BEGIN + fromHours * HOUR, toMs: BEGIN + toHours * HOUR, timeline };
}

function stanza(backups: BackupInfoEntry[], recoverable: Recoverable[]): ReportedStanza {
  const repository = {
    key: 1,
    role: "all",
    cipher: "none",
    status: INFO_STATUS.ok,
    archives: [],
    databases: [],
    backups: backups.map((entry) => ({ repositoryKey: 1, entry, pgVersion: "15", isCurrent: true })),
  } as const;
  const info: StanzaInfo = {
    name: "main",
    status: INFO_STATUS.ok,
    backupLock: { held: false },
    restoreLock: { held: false },
    repositories: [repository],
    archive: { debts: [], outages: [], holes: [] },
  };
  return { info, repositories: [{ info: repository, recoverable }], lag: undefined };
}

const drawn = (one: ReportedStanza, columns = 80, isUtf8 = false) =>
  renderTimelineText([one], { columns, isUtf8 }, BEGIN + 64 * HOUR).split("\n");

Deno.test("backups stand at their time, WAL from the backup to the gap, and nothing is wider than the terminal", () => {
  const one = stanza([backup("full", 0), backup("incr", 8.1), backup("diff", 32), backup("incr", 32.2)], [
    range(0, 15.5),
    range(32, 64),
  ]);
  const lines = drawn(one);
  assertEquals(lines.slice(1), [
    "    repo1       F       I                       D",
    `    WAL         ${"=".repeat(16)}${".".repeat(16)}${"=".repeat(32)}`,
    "                +---------------+---------------+---------------+---------------",
    "                06-10 00:00     06-10 16:00     06-11 08:00     06-12 00:00",
    "",
    "F full, D diff, I incr backup   == recoverable   .. not",
    "",
  ]);
  for (const columns of [1, 40, 80, 133]) {
    for (const line of drawn(one, columns).slice(1, 5)) assert(line.length <= Math.max(36, columns), line);
  }
  assertIncludes(drawn(one, 80, true).join("\n"), "━".repeat(16) + "·".repeat(16));
  // deno-lint-ignore no-control-regex -- exactly ASCII is meant
  assert(/^[\x00-\x7f]*$/.test(lines.join("\n")), "plain characters only");
});

Deno.test("each timeline has a lane, older ones are counted, and a stanza without backups is said to have none", () => {
  const two = drawn(stanza([backup("full", 0)], [range(0, 31, 1), range(31, 64, 2)]));
  assertIncludes(two[2]!, "    WAL 1       ====");
  assertIncludes(two[3]!, "    WAL 2       ....");
  const many = drawn(stanza([backup("full", 0)], [1, 2, 3, 4, 5, 6, 7].map((timeline) => range(0, 64, timeline))));
  assertIncludes(many.join("\n"), "2 older timelines");
  assertEquals(many.filter((line) => line.startsWith("    WAL")).length, 5);
  assertEquals(drawn(stanza([], [])).slice(0, 2), ["stanza: main", "    no backups"]);
  assertEquals(renderTimelineText([], { columns: 80, isUtf8: true }, 0), "No stanzas exist in the repository.\n");
});

Deno.test("the first locale variable that is set says which characters arrive", () => {
  const locale = (variables: Record<string, string>) => isUtf8Locale((name) => variables[name]);
  assertEquals(locale({}), false);
  assertEquals(locale({ LANG: "C.UTF-8" }), true);
  assertEquals(locale({ LANG: "de_DE.utf8", LC_ALL: "" }), true);
  assertEquals(locale({ LANG: "de_DE.UTF-8", LC_ALL: "C" }), false);
  assertEquals(locale({ LC_CTYPE: "en_US.UTF-8", LANG: "C" }), true);
});
