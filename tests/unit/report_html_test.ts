/** The page for people: whole by itself, with every name in its place, whatever the names are; what is urgent first. */
import { DrillRecords } from "../../src/repository/drill_record.ts";
import { renderReportHtml } from "../../src/repository/report_html.ts";
import { attentionsOf } from "../../src/repository/report_attention.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";
import { readPage } from "../support/html_page.ts";
import {
  calmStanza,
  emptyStanza,
  REPORT_NOW,
  sampleBackup,
  sampleRepository,
  sampleStanza,
  troubledStanza,
} from "../support/report_samples.ts";

function hostileStanza(name: string) {
  const broken = { status: { code: 99, message: '<b>bold</b>\n"second" line' }, outlook: undefined };
  const backups = [
    sampleBackup("20260601-000000F", "full", 9),
    sampleBackup("20260601-000000F_20260605-000000D", "diff", 5, { annotations: new Map([["<k>", "<v>"]]) }),
  ];
  return sampleStanza(name, [sampleRepository(1, { backups }), sampleRepository(2, { more: broken })], {
    archive: {
      debts: [],
      outages: [{
        key: 2,
        outage: { failures: 3, sinceMs: REPORT_NOW - 3_600_000, nextTryMs: REPORT_NOW, reason: "<script>" },
      }],
      holes: [],
    },
  });
}

Deno.test("the report is a whole page with nothing from outside, and every link leads somewhere", () => {
  const stanzas = [hostileStanza('a"<b>&ä %20/'), troubledStanza("main")];
  const page = renderReportHtml(stanzas, "db<1>", REPORT_NOW);
  const text = readPage(page);
  for (
    const part of [
      "a&quot;&lt;b&gt;&amp;ä %20/",
      "&lt;b&gt;bold&lt;/b&gt; &quot;second&quot; line",
      "&lt;script&gt;",
      "&lt;k&gt;: &lt;v&gt;",
      "db&lt;1&gt;",
      "hole in the archive",
      "1207 WAL files, 18.9GB",
      "41 WAL file(s) (656MB) wait to be archived, the oldest since 17 min",
      "page checksum errors",
      "aes-256-cbc",
      "no moment",
      "recovery to any moment from",
      "no recovery to moments between",
      "4 missing or damaged",
    ]
  ) assertIncludes(text, part);
  const backups = stanzas.flatMap(({ info }) => info.repositories.flatMap((repository) => repository.backups));
  for (const { entry } of backups) assertIncludes(text, entry.label);
  assert(page.includes("prefers-color-scheme: dark"));
  assertIncludes(page, "default-src 'none'");
});

Deno.test("the report of nothing is a page too, and so is that of years", () => {
  assertIncludes(readPage(renderReportHtml([], "db1", REPORT_NOW)), "No stanzas exist");
  assertIncludes(readPage(renderReportHtml([emptyStanza()], "db1", REPORT_NOW)), "There are no backups.");
  const years = readPage(renderReportHtml([calmStanza("ledger", 1100)], "db1", REPORT_NOW));
  assertIncludes(years, "Nothing needs attention");
  assertIncludes(years, "1142 older backups");
  assert(!years.includes("not looked for"));
  const unseen = sampleRepository(1, {
    backups: [sampleBackup("20260601-000000F", "full", 9)],
    more: { outlook: { verified: [], unknown: [] } },
  });
  assertIncludes(
    readPage(renderReportHtml([sampleStanza("main", [unseen])], "db1", REPORT_NOW)),
    "not looked for (--gaps)",
  );
});

Deno.test("attention: what is being lost comes first, what a newer backup left behind last, nothing twice", () => {
  const attentions = attentionsOf(troubledStanza(), REPORT_NOW);
  assertEquals(
    attentions.map(({ level, key, text }) => [level, key, text.slice(0, 20)]),
    [
      ["bad", 2, "repo2: [HostConnectE"],
      ["bad", undefined, "41 WAL file(s) (656M"],
      ["bad", undefined, "repo2: 1207 WAL file"],
      ["bad", undefined, "hole in the archive:"],
      ["bad", 1, "repo1: WAL 5 segment"],
      ["bad", 1, "repo1: the verificat"],
      ["bad", 1, "repo1: backup 202606"],
      ["bad", undefined, "the drill of backup "],
      ["warn", 1, "repo1: gap in the WA"],
      ["warn", 1, "repo1: gap in the WA"],
    ],
  );
  assertEquals(attentionsOf(calmStanza(), REPORT_NOW), []);
});

Deno.test("attention: a drill that was not passed says why, and blames the backup only for what it did", () => {
  using directory = temporaryDirectory();
  const records = new DrillRecords(directory.path, "main");
  const told = (why?: string, label?: string) => {
    records.record({ isGood: false, atMs: REPORT_NOW - 60_000, label, why });
    return attentionsOf({ ...calmStanza(), drills: records.history() }, REPORT_NOW).map(({ text }) => text).join();
  };
  assertIncludes(told("archive, query", "20260601-120000F"), / at 2026-.* was not passed: archive, query$/);
  assertIncludes(told("there is no room", "20260601-120000F"), "the drill of backup 20260601-120000F at ");
  assertIncludes(told("there is no room"), /^the drill at 2026-.* was not passed: there is no room$/);
  // As versions before kept it.
  assertIncludes(told(undefined, "20260601-120000F"), /was not passed$/);
});

Deno.test("attention: WAL that waits a moment is on its way; backups that need no WAL are well without", () => {
  const lag = { files: 3, sizeBytes: 3 * 1024 ** 2, segmentBytes: 1024 ** 2 };
  const attentions = (oldestMs: number) => attentionsOf({ ...calmStanza(), lag: { ...lag, oldestMs } }, REPORT_NOW);
  assertEquals(attentions(REPORT_NOW - 120_000), []);
  assertEquals(attentions(REPORT_NOW - 600_000).map(({ level }) => level), ["bad"]);

  const online = sampleBackup("20260601-000000F", "full", 9);
  const alone = (backup: typeof online) =>
    attentionsOf(sampleStanza("main", [sampleRepository(1, { backups: [backup] })]), REPORT_NOW);
  assertEquals(alone(online).map(({ text }) => text), [
    "repo1: there is no WAL to make its backups consistent: no moment can be recovered to",
  ]);
  assertEquals(alone({ ...online, options: { ...online.options, archiveCopy: true } }), []);
  assertEquals(alone({ ...online, archiveStart: undefined, archiveStop: undefined }), []);
});

Deno.test("attention: a backup whose manifest is lost is told", () => {
  const sample = sampleRepository(1, {
    backups: [sampleBackup("20260601-000000F", "full", 9, { archiveStart: undefined, archiveStop: undefined })],
  });
  const told = (isLost: boolean) => {
    const repository = { ...sample, backups: sample.backups.map((row) => ({ ...row, isLost })) };
    return attentionsOf(sampleStanza("main", [repository]), REPORT_NOW).map(({ level, text }) => `${level}: ${text}`);
  };
  assertEquals(told(false), []);
  assertEquals(told(true), [
    "bad: repo1: backup 20260601-000000F cannot be restored, its manifest is lost: verify --repair mends what another copy has",
  ]);
});
