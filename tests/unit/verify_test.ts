/** The parts of verify that decide: continuity, needs, timelines, reading in parts; and that a long archive is never held in memory. */
import { MemoryStorage } from "../../backends/memory.ts";
import type { ListOptions, StorageEntry } from "../../backends/contract.ts";
import type { WalferryError } from "../../src/errors.ts";
import { type BackupInfo, type BackupInfoEntry } from "../../src/format/backup_info.ts";
import { parseTimelineHistory, type TimelineFork } from "../../src/format/timeline_history.ts";
import { isPossibleSegment, segmentNameOf, segmentNumber } from "../../src/format/wal_name.ts";
import { Repository } from "../../src/repository/repository.ts";
import { ArchiveCheck } from "../../src/verify/archive_check.ts";
import { BackupCheck } from "../../src/verify/backup_check.ts";
import { DamagedObjects } from "../../src/verify/damaged_objects.ts";
import { type Finding, FindingList } from "../../src/verify/finding.ts";
import type { VerifyMode } from "../../src/verify/options.ts";
import { outcomeLines } from "../../src/verify/report_text.ts";
import { PartReader } from "../../src/stream/part_reader.ts";
import { continuousFrom, type NeedFacts, walNeeds } from "../../src/repository/wal_needs.ts";
import {
  loadRecord,
  parseRecord,
  recordPath,
  saveRecord,
  VerifiedRecord,
} from "../../src/repository/verified_record.ts";
import { missingIn, namesOfRun, outside, SpanBuilder } from "../../src/repository/wal_span.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { fullBackup, OutlookStanza } from "../support/outlook_stanza.ts";
import { hurryingClock, repositoryConfig, testContext } from "../support/stanza_files.ts";

const MIB = 1024 * 1024;
const segment = (timeline: number, place: number, bytes = 16 * MIB) => segmentNameOf(timeline, place, bytes);

Deno.test("places and names of segments are each other's inverse, for every segment size", () => {
  for (let bytes = MIB; bytes <= 1024 * MIB; bytes *= 2) {
    for (const place of [0, 1, 255, 256, 4095, 4096, 1_000_000]) {
      const name = segmentNameOf(7, place, bytes);
      assertEquals(segmentNumber(name, bytes), place);
      assert(isPossibleSegment(name, bytes));
    }
  }
  assertEquals(segment(1, 256), "000000010000000100000000");
  assertEquals(isPossibleSegment("0000000100000000000000FF", 16 * MIB), true);
  assertEquals(isPossibleSegment("000000010000000000000100", 16 * MIB), false);
  assertEquals(isPossibleSegment("000000010000000000000FFF", MIB), true);
});

Deno.test("spans end at holes and timelines, and holes are what no span covers", () => {
  const builder = new SpanBuilder(16 * MIB);
  const places: Array<[number, number]> = [[1, 254], [1, 255], [1, 256], [1, 256], [1, 258], [2, 258], [2, 259]];
  for (const [timeline, place] of places) builder.add(segment(timeline, place), 5);
  assertEquals(builder.spans.map(({ timeline, first, last }) => [timeline, first, last]), [
    [1, 254, 256],
    [1, 258, 258],
    [2, 258, 259],
  ]);
  const run = (timeline: number, first: number, last: number) => ({ timeline, first, last });
  assertEquals(missingIn(builder.spans, run(1, 254, 256)), []);
  assertEquals(missingIn(builder.spans, run(1, 250, 260)), [run(1, 250, 253), run(1, 257, 257), run(1, 259, 260)]);
  assertEquals(missingIn(builder.spans, run(1, 257, 257)), [run(1, 257, 257)]);
  assertEquals(missingIn(builder.spans, run(2, 257, 258)), [run(2, 257, 257)]);
  assertEquals(missingIn(builder.spans, run(3, 1, 2)), [run(3, 1, 2)]);
  assertEquals(missingIn([], run(1, 1, 0)), []);
  assertEquals(namesOfRun(run(1, 255, 256), 16 * MIB), {
    start: "0000000100000000000000FF",
    stop: "000000010000000100000000",
  });
  assertEquals(outside(run(1, 1, 9), [run(1, 8, 9), run(1, 3, 4), run(2, 5, 5)]), [run(1, 1, 2), run(1, 5, 7)]);
});

function entry(label: string, start?: string, stop = start, more: Partial<BackupInfoEntry> = {}): BackupInfoEntry {
  return {
    label,
    type: "full",
    archiveStart: start,
    archiveStop: stop,
    historyId: 1,
    options: { archiveCheck: true },
    ...more,
  } as BackupInfoEntry;
}

/** Facts with these segments on timelines. */
function facts(
  spans: ReadonlyArray<readonly [timeline: number, first: number, last: number]>,
  backups: BackupInfoEntry[],
  more: Partial<NeedFacts> = {},
): NeedFacts {
  return {
    historyId: 1,
    isCurrent: true,
    backupInfo: { backups } as BackupInfo,
    retention: { fullType: "count", archiveType: "full", keep: {} },
    spans: spans.map(([timeline, first, last]) => ({ timeline, first, last, firstStoredTime: 0, lastStoredTime: 0 })),
    forks: new Map(),
    segmentBytes: 16 * MIB,
    nowMs: Date.parse("2026-01-05T00:00:00Z"),
    ...more,
  };
}

const shown = (some: NeedFacts) =>
  walNeeds(some).map(({ run, label }) => `${label ?? "all"}: ${run.timeline}/${run.first}-${run.last}`);

Deno.test("a backup needs its range, and behind the oldest that keeps it WAL must be continuous", () => {
  const backups = [
    entry("20260101-000000F", segment(1, 3), segment(1, 4)),
    entry("20260102-000000F", segment(1, 7), segment(1, 8)),
    entry("20260103-000000F", segment(1, 12)),
  ];
  const some = facts([[1, 1, 20]], backups);
  assertEquals(shown(some), [
    "20260101-000000F: 1/3-4",
    "20260102-000000F: 1/7-8",
    "20260103-000000F: 1/12-12",
    "all: 1/3-20",
  ]);
  const retention = { fullType: "count", archiveType: "full", keep: {}, full: 9, archive: 2 } as const;
  assertEquals(continuousFrom({ ...some, retention }), segment(1, 7));
  assertEquals(shown({ ...some, set: "20260102-000000F" }), ["20260102-000000F: 1/7-8"]);
  // An offline backup needs nothing, and takes nothing from what the others need.
  const offline = facts([[1, 1, 20]], [...backups, entry("20260104-000000F")]);
  assertEquals(continuousFrom({ ...offline, retention: { ...retention, archive: 1 } }), segment(1, 12));
  assertEquals(shown(facts([[1, 1, 20]], [entry("20260104-000000F")])), []);
  // Backups of another cluster say nothing about this archive id.
  assertEquals(shown(facts([[1, 1, 20]], [entry("20260101-000000F", segment(1, 3), undefined, { historyId: 2 })])), []);
  // Nothing was archived behind the backup, or nothing at all.
  assertEquals(shown(facts([], [entry("20260101-000000F", segment(1, 3))])), [
    "20260101-000000F: 1/3-3",
    "all: 1/3-3",
  ]);
});

Deno.test("WAL that expire lets go of is not needed: behind pinned backups, and around offline ones", () => {
  const stoppedAt = (day: string) => ({ timestampStop: Date.parse(`${day}T00:00:00Z`) / 1000 });
  const pinned = { ...stoppedAt("2026-01-01"), annotations: new Map([["walferry-pin", "yes"]]) };
  const byAge = { fullType: "time", archiveType: "full", keep: {}, full: 2 } as const;
  const aged = (...first: object[]) => [
    entry("20260101-000000F", segment(1, 3), segment(1, 4), Object.assign({}, ...first)),
    entry("20260102-000000F", segment(1, 7), segment(1, 8), stoppedAt("2026-01-02")),
    entry("20260104-000000F", segment(1, 12), segment(1, 13), stoppedAt("2026-01-04")),
  ];
  const from = (backups: BackupInfoEntry[], retention: NeedFacts["retention"]) =>
    continuousFrom(facts([[1, 1, 20]], backups, { retention }));
  assertEquals(from(aged(pinned), byAge), segment(1, 7));
  assertEquals(from(aged(stoppedAt("2026-01-01")), { ...byAge, keep: { monthly: 9, weekly: 9 } }), segment(1, 3));
  assertEquals(from(aged(stoppedAt("2025-12-31")), { ...byAge, keep: { monthly: 9 } }), segment(1, 7));
  // Nothing expired yet: all are there, and WAL between them.
  assertEquals(from(aged(stoppedAt("2026-01-01")), byAge), segment(1, 3));
  assertEquals(from(aged(pinned), { ...byAge, full: 9 }), segment(1, 3));

  const byNumber = { fullType: "count", archiveType: "full", keep: {}, full: 9, archive: 2 } as const;
  const offline = [...aged(stoppedAt("2026-01-01")).slice(0, 2), entry("20260103-000000F")];
  assertEquals(from(offline, byNumber), segment(1, 7));
});

Deno.test("a timeline begins where its parent was left, and the parent must be whole up to there", () => {
  const backups = [entry("20260101-000000F", segment(1, 3))];
  const fork = (timeline: number, place: number) => ({ timeline, lsn: BigInt(place) * BigInt(16 * MIB) + 100n });
  const needs = (spans: Array<[number, number, number]>, forks: NeedFacts["forks"]) =>
    shown(facts(spans, backups, { forks })).slice(1);
  assertEquals(needs([[1, 3, 5], [2, 5, 9]], new Map([[2, [fork(1, 5)]]])), ["all: 1/3-5", "all: 2/5-9"]);
  assertEquals(needs([[1, 3, 5], [2, 8, 9]], new Map([[2, [fork(1, 7)]]])), ["all: 1/3-6", "all: 2/7-9"]);
  // Nothing of the new timeline is archived yet, but it says how far its parent went.
  assertEquals(needs([[1, 3, 5]], new Map([[2, [fork(1, 9)]]])), ["all: 1/3-8"]);
  // Left before the backup: another branch.
  assertEquals(needs([[1, 3, 5], [2, 2, 4]], new Map([[2, [fork(1, 2)]]])), ["all: 1/3-5", "all: 2/2-4"]);
  // The grandparent is in the history too; only the last fork is where this one begins.
  assertEquals(
    needs([[1, 3, 5], [2, 5, 6], [3, 6, 9]], new Map([[2, [fork(1, 5)]], [3, [fork(1, 5), fork(2, 6)]]])),
    ["all: 1/3-5", "all: 2/5-6", "all: 3/6-9"],
  );
});

Deno.test("a history tells of all timelines on its way: one of which nothing is left is needed, one that has no segment of its own is not", () => {
  const backups = [entry("20260101-000000F", segment(1, 3))];
  const fork = (timeline: number, place: number) => ({ timeline, lsn: BigInt(place) * BigInt(16 * MIB) + 100n });
  const needs = (spans: Array<[number, number, number]>, ...histories: Array<[number, TimelineFork[]]>) =>
    shown(facts(spans, backups, { forks: new Map(histories) })).slice(1);
  const third = [3, [fork(1, 5), fork(2, 8)]] as [number, TimelineFork[]];
  // The middle one is lost, with its history or without.
  assertEquals(needs([[1, 3, 5], [3, 8, 9]], third), ["all: 1/3-5", "all: 2/5-7", "all: 3/8-9"]);
  assertEquals(needs([[1, 3, 5], [3, 9, 9]], [2, [fork(1, 5)]], third), ["all: 1/3-5", "all: 2/5-7", "all: 3/8-9"]);
  // Promoted twice within one segment.
  const twice = [3, [fork(1, 5), fork(2, 5)]] as [number, TimelineFork[]];
  assertEquals(needs([[1, 3, 4], [3, 6, 9]], [2, [fork(1, 5)]], twice), ["all: 1/3-4", "all: 3/5-9"]);
  // The first timeline was left before the backup: nothing asks for what came of it, but what is there has no holes.
  const before = [4, [fork(1, 2), fork(2, 6), fork(3, 8)]] as [number, TimelineFork[]];
  assertEquals(needs([[1, 3, 5], [4, 9, 9]], before), ["all: 1/3-5", "all: 4/9-9"]);
  assertEquals(needs([[1, 3, 5], [3, 7, 7], [4, 9, 9]], before), ["all: 1/3-5", "all: 3/7-7", "all: 4/8-9"]);
});

Deno.test("a timeline history is read as PostgreSQL reads it", async () => {
  assertEquals(parseTimelineHistory("1\t0/3000000\tno recovery target specified\n", 2), [
    { timeline: 1, lsn: 0x3000000n },
  ]);
  assertEquals(parseTimelineHistory("# c\n1\t0/3000000\tx\n\n2\t1/A0\tbefore 2026\n", 5).at(-1), {
    timeline: 2,
    lsn: 0x1_0000_00a0n,
  });
  for (const text of ["", "\n", "x", "1", "1 0-3", "2\t0/1\tx\n", "1\t0/1\n1\t0/2\n", "0\t0/1\tx\n"]) {
    await assertThrows<WalferryError>(() => parseTimelineHistory(text, 2), ({ kind }) => assertEquals(kind, "Format"));
  }
});

Deno.test("a stream is read in parts, whatever its chunks and whatever readers leave", async () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, at) => at);
  for (const chunk of [1, 7, 33, 100]) {
    const source = (async function* () {
      for (let at = 0; at < bytes.length; at += chunk) yield await Promise.resolve(bytes.subarray(at, at + chunk));
    })();
    await using reader = new PartReader(source, 1000);
    const part = async (length: number) => (await Array.fromAsync(reader.part(length))).flatMap((piece) => [...piece]);
    assertEquals(await part(3), [0, 1, 2]);
    await reader.skipTo(1010);
    let taken = 0;
    for await (const piece of reader.part(20)) {
      assertEquals(piece[0], 10);
      taken = piece.length;
      break;
    }
    assertEquals(taken + await reader.finishPart(), 20);
    assertEquals(await part(2), [30, 31]);
    await reader.skipTo(1095);
    assertEquals(await part(50), [95, 96, 97, 98, 99]);
    assertEquals(await reader.finishPart(), 0);
    assertEquals(await part(5), []);
  }
  const failing = (async function* () {
    yield await Promise.resolve(bytes.subarray(0, 10));
    throw new Error("the store broke off");
  })();
  await using reader = new PartReader(failing, 0);
  await assertThrows(() => Array.fromAsync(reader.part(20)), ({ message }) => assertIncludes(message, "broke off"));
  assert(reader.failure !== undefined);
});

Deno.test("findings beyond the limit are counted, not kept, and notices hide no damage", () => {
  const findings = new FindingList();
  for (const severity of ["notice", "damage"] as const) {
    for (let at = 0; at < 12_000; at++) findings.add({ kind: "missing", severity, path: String(at), message: "" });
  }
  assertEquals([findings.kept.length, findings.omitted, findings.damages], [20_000, 4_000, 12_000]);
  assertEquals(findings.kept.filter(({ severity }) => severity === "damage").length, 10_000);
});

/** A store with a long archive that exists only while it is listed. */
class EndlessArchive extends MemoryStorage {
  readonly #directories: number;
  readonly #lost: ReadonlySet<string>;

  constructor(directories: number, lost: readonly string[]) {
    super({ type: "memory", path: "long" });
    this.#directories = directories;
    this.#lost = new Set(lost);
  }

  override async *list(path: string, _options: ListOptions = {}): AsyncGenerator<StorageEntry> {
    const directory = /^archive\/main\/15-1\/([0-9A-F]{16})$/.exec(path)?.[1];
    if (path === "archive/main/15-1") {
      for (let at = 0; at < this.#directories; at++) {
        yield { name: segment(1, at * 256).slice(0, 16), type: "path", sizeBytes: 0, modifiedTime: 0 };
      }
    }
    if (directory === undefined) return;
    for (let at = 0; at < 256; at++) {
      const name = `${directory}${at.toString(16).toUpperCase().padStart(8, "0")}`;
      if (this.#lost.has(name)) continue;
      yield { name: `${name}-${"a".repeat(40)}.zst`, type: "file", sizeBytes: 1000, modifiedTime: 1_700_000_000 };
    }
  }
}

function archiveCheck(repository: Repository, isReadable: boolean, add: (finding: Finding) => void = () => {}) {
  return new ArchiveCheck({
    repository,
    stanza: "main",
    archiveId: "15-1",
    systemId: 1n,
    historyId: 1,
    isCurrent: true,
    cipherPass: undefined,
    isReadable,
    context: testContext(hurryingClock()),
    add,
    damaged: new DamagedObjects(),
  });
}

Deno.test("two million names of WAL are listed in bounded memory, and the one that is missing is found", async () => {
  const directories = 8000;
  const lost = segment(1, 1_234_567);
  const repository = Repository.over(repositoryConfig(1, "/nonexistent"), new EndlessArchive(directories, [lost]));
  const findings: Finding[] = [];
  const check = archiveCheck(repository, false, (finding) => findings.push(finding));
  const before = Deno.memoryUsage().heapUsed;
  let peak = 0;
  const watch = setInterval(() => peak = Math.max(peak, Deno.memoryUsage().heapUsed), 20);
  await check.list(false);
  await check.checkNeeds(
    { backups: [entry("20260101-000000F", segment(1, 3), segment(1, 4))] } as BackupInfo,
    undefined,
  );
  clearInterval(watch);
  peak = Math.max(peak, Deno.memoryUsage().heapUsed);
  assertEquals(findings.map(({ kind, severity, segments }) => [kind, severity, segments?.start]), [
    ["gap", "damage", lost],
  ]);
  assertEquals(check.report.spans.map(({ segments }) => segments), [1_234_567, directories * 256 - 1_234_568]);
  assert(peak - before < 150 * MIB, `${Math.round((peak - before) / MIB)} MiB more`);
});

Deno.test("--since-last passes what was read by stored name and size: what has another name or size now is read again", async () => {
  const storage = new MemoryStorage({ type: "memory", path: "since" });
  const repository = Repository.over(repositoryConfig(1, "/nonexistent"), storage);
  const pathOf = (place: number, hash = "a") =>
    repository.archivePath(
      "main",
      `15-1/${segment(1, place).slice(0, 16)}/${segment(1, place)}-${hash.repeat(40)}.zst`,
    );
  const write = (path: string, sizeBytes = 100) => storage.write(path, new Uint8Array(sizeBytes));
  const context = testContext(hurryingClock());
  /** Places that are read; all is sound but what is given. */
  const read = async (bad: number[] = []) => {
    const record = await loadRecord(repository, "main", context);
    const check = archiveCheck(repository, true);
    await check.list(false);
    const found: number[] = [];
    for await (const { subjects, request } of check.objects(() => true, () => true, record.walOf("15-1", 1n))) {
      const place = segmentNumber(subjects[0]!.segment.name, 16 * MIB);
      found.push(place);
      const verdict = bad.includes(place) ? { kind: "checksum", message: "other content" } as const : undefined;
      check.take(subjects[0]!, verdict, request);
    }
    const wal = new Map([["15-1", { systemId: 1n, ...check.verifiedRuns() }]]);
    await saveRecord(repository, "main", new VerifiedRecord(new Map(), wal));
    return found;
  };
  for (const place of [254, 255, 256, 257]) await write(pathOf(place));
  assertEquals(await read(), [254, 255, 256, 257]);
  assertEquals(await read(), []);
  await write(pathOf(258));
  assertEquals(await read(), [258], "what is new changes nothing for what is not");
  // Cut off; stored under the name of other content; stored twice.
  await write(pathOf(257), 10);
  assertEquals(await read([257]), [256, 257, 258]);
  assertEquals(await read(), [256, 257, 258], "damage is told until it is put right");
  assertEquals(await read(), []);
  await storage.removeMany([pathOf(254)]);
  await write(pathOf(254, "b"));
  assertEquals(await read(), [254, 255]);
  await write(pathOf(256, "b"));
  assertEquals(await read(), [256, 256, 257, 258]);
  // What a version wrote that remembered names only.
  const old = {
    format: 2,
    backup: {},
    wal: { "15-1": { run: [[1, 254, 258]], "segment-size": 16 * MIB, "system-id": "1" } },
  };
  await storage.write(recordPath("main"), new TextEncoder().encode(`${JSON.stringify(old)}\n`));
  assertEquals(await read(), [254, 255, 256, 256, 257, 258]);
  assertEquals(context.log.lines, []);
});

Deno.test("a kept manifest that cannot be used is damage while its backup is there; behind that nothing needs it", async () => {
  using stanza = new OutlookStanza();
  const there = "20261118-080000F";
  const gone = "20251118-080000F";
  await stanza.make([fullBackup(there, 5, 6)]);
  await using repository = await Repository.open(stanza.config);
  for (const label of [there, gone]) {
    const path = repository.backupPath("main", "backup.history", label.slice(0, 4), `${label}.manifest.gz`);
    await repository.storage.write(path, new TextEncoder().encode("no manifest"));
  }
  const findings: Finding[] = [];
  await new BackupCheck({
    repository,
    stanza: "main",
    backupInfo: await repository.loadBackupInfo("main"),
    reader: undefined,
    isKnown: () => false,
    isChosen: () => true,
    context: testContext(hurryingClock()),
    add: (finding) => findings.push(finding),
    damaged: new DamagedObjects(),
  }).checkHistory();
  assertEquals(findings.map(({ severity, path }) => [severity, path.split("/").at(-1)!.slice(0, 16)]).sort(), [
    ["damage", there],
    ["notice", gone],
  ]);
});

Deno.test("what a repair leaves is told: ranges, or the ends of backups that hold their own WAL, or nothing", () => {
  const left = (ownEnds: string[]) =>
    outcomeLines({ lostBackups: ["20260101-000000F"], ranges: [], ownEnds }, 1, { kind: "full" }).at(-1)!;
  assertEquals(left([]), "    no range of moments can be recovered to");
  assertEquals(
    left(["20260102-000000F", "20260103-000000F"]),
    "    only the end of a backup can be recovered to, by the WAL that it holds itself: 20260102-000000F, 20260103-000000F",
  );
  const first = (damages: number, mode: VerifyMode) =>
    outcomeLines({ lostBackups: [], ranges: [], ownEnds: [] }, damages, mode)[0]!;
  assertEquals(first(0, { kind: "full" }), "  after the repair: nothing is missing or damaged");
  assertEquals(first(2, { kind: "quick" }), "  after the repair: 2 missing or damaged (quick: no content was read)");
  assertIncludes(first(0, { kind: "quick" }), "nothing is missing or damaged (quick: no content was read)");
  assertIncludes(first(0, { kind: "sample", percent: 5 }), "(sample: 5% was read)");
  assertIncludes(first(0, { kind: "since-last" }), "(since-last: only what is new was read)");
});

Deno.test("a record of a verification tells how deep a backup was read; one without that word proves less", () => {
  const label = "20260101-000000F";
  const parse = (more: object) => parseRecord(JSON.stringify({ format: 2, backup: { [label]: 5 }, wal: {}, ...more }));
  const deep = parse({ deep: [label] });
  assertEquals([deep.hasBackup(label, 5, true), deep.hasBackup(label, 5, false), deep.hasBackup(label, 6, false)], [
    true,
    true,
    false,
  ]);
  for (const shallow of [parse({}), parse({ deep: [] })]) {
    assertEquals([shallow.hasBackup(label, 5, true), shallow.hasBackup(label, 5, false)], [false, true]);
  }
});
