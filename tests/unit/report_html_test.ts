/** The page for people: whole by itself, with every name in its place, whatever the names are. */
import { INFO_STATUS, type RepositoryInfo, type StanzaInfo } from "../../src/repository/info_data.ts";
import type { ReportedStanza } from "../../src/repository/report_data.ts";
import { renderReportHtml } from "../../src/repository/report_html.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { readPage } from "../support/html_page.ts";

const NOW = Date.UTC(2026, 5, 10, 12);
const DAY = 86_400;

function repository(
  key: number,
  backups: Array<[label: string, type: "full" | "diff" | "incr", agoDays: number]>,
): RepositoryInfo {
  return {
    key,
    role: "all",
    cipher: key === 2 ? "aes-256-cbc" : "none",
    status: backups.length === 0 ? INFO_STATUS.noBackup : INFO_STATUS.ok,
    archives: [],
    databases: [],
    backups: backups.map(([label, type, agoDays]) => ({
      repositoryKey: key,
      pgVersion: "15",
      isCurrent: true,
      entry: {
        label,
        type,
        backrestFormat: 5,
        backrestVersion: "2.59.1",
        archiveStart: "000000010000000000000002",
        archiveStop: "000000010000000000000003",
        error: type === "incr",
        repoSizeBytes: 1000,
        repoSizeDeltaBytes: 500,
        sizeBytes: 4000,
        sizeDeltaBytes: 2000,
        timestampStart: NOW / 1000 - agoDays * DAY,
        timestampStop: NOW / 1000 - agoDays * DAY + 60,
        historyId: 1,
        options: {
          archiveCheck: true,
          archiveCopy: false,
          backupStandby: false,
          checksumPage: true,
          compress: true,
          hardlink: false,
          online: true,
        },
      },
    })),
  };
}

function stanza(name: string, repositories: RepositoryInfo[]): ReportedStanza {
  const info: StanzaInfo = {
    name,
    status: { code: 99, message: '<b>bold</b>\n"second" line' },
    backupLock: { held: false },
    restoreLock: { held: false },
    repositories,
    archive: {
      debts: [{ key: 2, count: 7, sizeBytes: 7 * 1024 ** 2, oldestMs: NOW - 3_600_000 }],
      outages: [{ key: 2, outage: { failures: 3, sinceMs: NOW - 3_600_000, nextTryMs: NOW, reason: "<script>" } }],
      holes: [{ first: "000000010000000000000001", last: "000000010000000000000002", count: 2 }],
    },
  };
  return {
    info,
    repositories: repositories.map((one) => ({
      info: one,
      recoverable: one.backups.length === 0 ? [] : [{ fromMs: NOW - 9 * DAY * 1000, toMs: NOW - 60_000 }],
    })),
    lag: { files: 3, sizeBytes: 3 * 1024 ** 2, oldestMs: NOW - 120_000, segmentBytes: 1024 ** 2 },
  };
}

Deno.test("the report is a whole page with nothing from outside, and every link leads somewhere", () => {
  const page = renderReportHtml(
    [
      stanza('a"<b>&ä %20/', [
        repository(1, [["20260601-000000F", "full", 9], ["20260601-000000F_20260605-000000D", "diff", 5]]),
        repository(2, []),
      ]),
      stanza("main", [
        repository(1, [["20260601-000000F", "full", 9], ["20260601-000000F_20260609-000000I", "incr", 1]]),
      ]),
    ],
    "db<1>",
    NOW,
  );
  const text = readPage(page);
  for (
    const part of [
      "a&quot;&lt;b&gt;&amp;ä %20/",
      "&lt;b&gt;bold&lt;/b&gt;",
      "db&lt;1&gt;",
      "hole in the archive",
      "7 WAL files, 7MB",
      "3 WAL file(s) (3MB) wait to be archived, the oldest since 2 min 0 s",
      "page checksum errors",
      "repo2, encrypted",
      "no moment",
      "recovery to any moment from",
    ]
  ) assertIncludes(text, part);
  assertEquals([...page.matchAll(/<a role="listitem" href=/g)].length, 4);
  assertEquals([...page.matchAll(/<th scope="row"/g)].length, 3 + 4);
  assert(page.includes("prefers-color-scheme: dark"));
  assertIncludes(page, "default-src 'none'");
});

Deno.test("the report of nothing is a page too", () => {
  assertIncludes(readPage(renderReportHtml([], "db1", NOW)), "No stanzas exist");
  assertIncludes(
    readPage(renderReportHtml([stanza("main", [repository(1, [])])], "db1", NOW)),
    "There are no backups.",
  );
});
