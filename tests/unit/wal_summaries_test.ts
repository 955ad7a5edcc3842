/** What is taken from WAL summaries, and when they are not asked. */
import { planBackup } from "../../src/backup/planner.ts";
import { reasonToRead, type SummaryUse } from "../../src/backup/wal_knowledge.ts";
import type { ManifestFile } from "../../src/format/manifest.ts";
import { parseManifest } from "../../src/format/manifest_codec.ts";
import type { ClusterConnection, Row } from "../../src/postgres/connection.ts";
import { mainForkSegmentOf } from "../../src/postgres/relation_file.ts";
import { ChangedFiles, firstUncovered, waitForSummaries } from "../../src/postgres/wal_summaries.ts";
import { assertEquals } from "../support/assert.ts";
import { MANIFEST } from "../support/info_samples.ts";

const FILES: [name: string, expected: string | undefined][] = [
  ["pg_data/base/5/16384", "1663/5/16384.0"],
  ["pg_data/base/5/16384.12", "1663/5/16384.12"],
  ["pg_data/global/1262", "1664/0/1262.0"],
  ["pg_tblspc/16400/PG_17_202406281/5/16401.2", "16400/5/16401.2"],
  ["pg_data/base/5/16384_vm", undefined],
  ["pg_data/base/5/16384_vm.1", undefined],
  ["pg_data/base/5/16384_fsm", undefined],
  ["pg_data/base/5/16384_init", undefined],
  ["pg_data/base/5/t3_16384", undefined],
  ["pg_data/base/5/PG_VERSION", undefined],
  ["pg_data/base/5/pg_filenode.map", undefined],
  ["pg_data/global/pg_control", undefined],
  ["pg_data/pg_xact/0000", undefined],
  ["pg_data/base/5/016384", undefined],
  ["pg_data/base/16384", undefined],
  ["pg_data/other/base/5/16384", undefined],
  ["pg_data/base/5/16384.0", undefined],
];
for (const [name, expected] of FILES) {
  Deno.test(`the WAL knows ${name} as ${expected ?? "nothing"}`, () => {
    const file = mainForkSegmentOf(name);
    assertEquals(file && `${file.tablespace}/${file.database}/${file.relation}.${file.segment}`, expected);
  });
}

const COVERAGE: [what: string, summaries: [number, number][], gap: number | undefined][] = [
  ["one for all", [[100, 200]], undefined],
  ["more than is asked for", [[50, 300]], undefined],
  ["one behind the other", [[100, 150], [150, 200]], undefined],
  ["some that overlap", [[90, 160], [100, 120], [150, 210]], undefined],
  ["none", [], 100],
  ["a late begin", [[101, 200]], 100],
  ["an early end", [[100, 199]], 199],
  ["a hole", [[100, 150], [151, 200]], 150],
  ["a hole that an earlier one spans", [[100, 180], [110, 120], [170, 200]], undefined],
];
for (const [what, summaries, gap] of COVERAGE) {
  Deno.test(`summaries of a stretch of WAL: ${what}`, () => {
    const stretches = summaries.map(([start, end]) => ({ start: BigInt(start), end: BigInt(end) }));
    assertEquals(firstUncovered(stretches, { start: 100n, end: 200n }), gap === undefined ? undefined : BigInt(gap));
  });
}

Deno.test("a summary tells of the segment of a block, of all behind a cut, and of all in a database that was copied", () => {
  const changes = new ChangedFiles();
  const row = { tablespace: "1663", database: "5", segment: 0, isLimit: false };
  changes.add({ ...row, relation: "100", segment: 1 });
  changes.add({ ...row, relation: "200", segment: 3, isLimit: true });
  changes.add({ ...row, relation: "200", segment: 2, isLimit: true });
  changes.add({ ...row, relation: "200", segment: 3, isLimit: true });
  changes.add({ ...row, relation: "300", isLimit: true });
  changes.add({ ...row, database: "6", relation: "0", isLimit: true });
  changes.add({ ...row, tablespace: "1664", database: "0", relation: "1262" });
  const told = [
    ...["base/5/100", "base/5/100.1", "base/5/100.2", "base/5/200", "base/5/200.1", "base/5/200.2", "base/5/200.9"],
    ...["base/5/300", "base/5/300.1", "base/6/100", "base/7/100", "global/1262", "global/1260", "base/5/100_vm"],
  ].map((name) => `${name} ${changes.of(`pg_data/${name}`)}`);
  assertEquals(told, [
    "base/5/100 unchanged",
    "base/5/100.1 changed",
    "base/5/100.2 unchanged",
    "base/5/200 unchanged",
    "base/5/200.1 unchanged",
    "base/5/200.2 changed",
    "base/5/200.9 changed",
    "base/5/300 changed",
    "base/5/300.1 changed",
    "base/6/100 changed",
    "base/7/100 unchanged",
    "global/1262 changed",
    "global/1260 unchanged",
    "base/5/100_vm undefined",
  ]);
  assertEquals(changes.of("pg_tblspc/16400/PG_17_202406281/6/100"), "unchanged", "another tablespace of that database");
});

const NAME = "pg_data/base/5/16384";
const BIG = 5_000_000;

function file(other: Partial<ManifestFile> = {}): ManifestFile {
  const name = NAME;
  return { name, sizeBytes: BIG, repoSizeBytes: BIG, timestamp: 100, mode: 0o600, user: false, group: false, ...other };
}

const PRIOR = {
  ...parseManifest(MANIFEST),
  bundle: false,
  timestampStart: 1000,
  timestampStop: 1100,
  lsnStart: "0/2000028",
  archiveStart: "000000010000000000000002",
  archiveStop: "000000010000000000000003",
};
const GOOD: SummaryUse = {
  prior: { ...PRIOR, options: { ...PRIOR.options, online: true, backupStandby: false } },
  settings: { pgVersion: 17, enabled: true, hintsLogged: false, serverStart: 999, segmentPages: 131072 },
  walSegment: "000000010000000000000005",
  timestampStart: 1200,
  pageChecksums: true,
  fromStandby: false,
  oddFile: undefined,
};
const settings = GOOD.settings!;
const { prior } = GOOD;

const REASONS: [what: string, other: Partial<SummaryUse>, expected: string | undefined][] = [
  ["all is well", {}, undefined],
  ["hint bits in the WAL without checksums", {
    pageChecksums: false,
    settings: { ...settings, hintsLogged: true },
  }, undefined],
  ["neither", { pageChecksums: false }, "neither page checksums nor wal_log_hints are on"],
  ["an old release", { settings: undefined }, "the server has none before release 17"],
  ["switched off", { settings: { ...settings, enabled: false } }, "summarize_wal is off"],
  ["started in the second of the prior backup", {
    settings: { ...settings, serverStart: 1000 },
  }, "the server was started since"],
  ["a standby is read", { fromStandby: true }, "a standby is or was read"],
  ["a standby was read", {
    prior: { ...prior, options: { ...prior.options, backupStandby: true } },
  }, "a standby is or was read"],
  ["offline", { prior: { ...prior, options: { ...prior.options, online: false } } }, "it was made offline"],
  ["no LSN", { prior: { ...prior, lsnStart: undefined } }, "it was made offline"],
  ["another timeline", { walSegment: "000000020000000000000005" }, "it was made on another timeline"],
  ["a timeline that is not known", {
    prior: { ...prior, archiveStop: undefined },
  }, "it was made on another timeline"],
  ["a clock that went back", { timestampStart: 1099 }, "the clock went back"],
  ["files with odd times", { oddFile: file() }, "the times of files cannot be believed (base/5/16384)"],
];
for (const [what, other, expected] of REASONS) {
  Deno.test(`whether summaries are asked: ${what}`, () => assertEquals(reasonToRead({ ...GOOD, ...other }), expected));
}

const DECISIONS: [
  what: string,
  inWal: "changed" | "unchanged" | undefined,
  now: Partial<ManifestFile>,
  before: Partial<ManifestFile>,
  delta: boolean,
  expected: string,
][] = [
  ["unchanged, another time", "unchanged", { timestamp: 150 }, {}, false, "reference"],
  ["unchanged, contents are compared", "unchanged", {}, {}, true, "reference"],
  ["unchanged, another size", "unchanged", { sizeBytes: BIG + 8192 }, {}, true, "copy"],
  ["unchanged, its size had changed while it was copied", "unchanged", {}, { sizeOriginalBytes: 1 }, true, "compare"],
  ["unchanged, it had bad pages", "unchanged", {}, { checksumPage: false }, true, "compare"],
  ["unchanged, never stored whole", "unchanged", {}, { checksum: undefined }, true, "copy"],
  ["changed, an equal time", "changed", {}, {}, false, "compare"],
  ["changed, another time", "changed", { timestamp: 150 }, {}, false, "copy"],
  ["changed, contents are compared", "changed", {}, {}, true, "compare"],
  ["nothing is known", undefined, {}, {}, true, "compare"],
  ["nothing is known, an equal time", undefined, {}, {}, false, "reference"],
];
for (const [what, inWal, now, before, delta, expected] of DECISIONS) {
  Deno.test(`a file of which the WAL says: ${what}`, () => {
    const files = [file({ checksum: "a".repeat(40), ...before })];
    const setting = { checksumPage: false, delta, prior: { ...prior, files }, inWal: () => inWal };
    const plan = planBackup([file(now)], new Map([[1, setting]]));
    const target = plan.copies.at(0)?.targets.get(1);
    assertEquals(target === undefined ? "reference" : target.unchanged === undefined ? "copy" : "compare", expected);
  });
}

/** A server whose summarizer stands at these places, one after the other, the last again and again. */
async function waited(states: [pending: string, reached: boolean, pid: string | null][]) {
  let at = 0;
  let nowMs = 0;
  const connection = {
    literal: (text: string) => `'${text}'`,
    queryRow: (): Promise<Row> => {
      const [pending, reached, pid] = states[Math.min(at++, states.length - 1)]!;
      return Promise.resolve({ pending, reached: String(reached), pid });
    },
  } as unknown as ClusterConnection;
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms: number) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const reached = await waitForSummaries(connection, "0/5000028", clock, new AbortController().signal);
  return { reached, seconds: Math.round(nowMs / 1000) };
}

Deno.test("the summarizer is waited for as long as it gets on, within bounds", async () => {
  assertEquals(await waited([["0/1", true, "7"]]), { reached: true, seconds: 0 });
  assertEquals(await waited([["0/1", false, "7"], ["0/2", true, "7"]]), { reached: true, seconds: 0 });
  assertEquals(await waited([["0/1", false, null]]), { reached: false, seconds: 0 });
  assertEquals(await waited([["0/1", false, "7"]]), { reached: false, seconds: 10 });
  const slow = Array.from({ length: 1000 }, (_, at): [string, boolean, string] => [`0/${at}`, false, "7"]);
  assertEquals(await waited(slow), { reached: false, seconds: 60 });
});
