/** What `info` tells beyond pgBackRest's: between which moments can be recovered, gaps and why they are there, verification, pins. */
import { lostLabels } from "../../src/repository/backup_catalog.ts";
import { DebtLedger } from "../../src/repository/debts.ts";
import { DroppedWal } from "../../src/repository/dropped_wal.ts";
import { renderInfoJson } from "../../src/repository/info_json.ts";
import { renderInfoText } from "../../src/repository/info_text.ts";
import type { StanzaInfo } from "../../src/repository/info_data.ts";
import { Repository } from "../../src/repository/repository.ts";
import { saveVerification, type VerificationMode } from "../../src/repository/verification_results.ts";
import { missingForBackups } from "../../src/repository/wal_sight.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { fullBackup, OutlookStanza, segmentAt, STORED_SECONDS, SYSTEM_ID } from "../support/outlook_stanza.ts";
import { STANZA } from "../support/stanza_files.ts";

const LABEL = "20261118-080000F";

// deno-lint-ignore no-explicit-any -- read as a script reads it
const own = (info: StanzaInfo) => (JSON.parse(renderInfoJson([info], "full")) as any)[0].walferry;
const text = (info: StanzaInfo) => renderInfoText([info], "full", STORED_SECONDS * 1000);

Deno.test("info tells between which moments can be recovered, and nothing of gaps where there are none", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 250, 251)]);
  stanza.store(1, 248, 260);
  const info = await stanza.info();
  assertEquals(own(info).gap, []);
  assertEquals(own(info).recoverable, [{
    backup: LABEL,
    id: "15-1",
    max: segmentAt(1, 260),
    min: segmentAt(1, 251),
    "repo-key": 1,
    timeline: 1,
    timestamp: { start: STORED_SECONDS - 3600, stop: STORED_SECONDS },
  }]);
  const shown = text(info);
  assert(
    new RegExp(`repo1: recoverable on timeline 1: .* \\(${LABEL}\\) to .* \\(WAL ${segmentAt(1, 260)}\\)`).test(shown),
  );
  assert(!shown.includes("gap") && !shown.includes("verified") && !shown.includes("pinned"), shown);
  // What pgBackRest tells stays as it is.
  assertIncludes(shown, `        wal archive min/max (15): ${segmentAt(1, 248)}/${segmentAt(1, 260)}\n`);
  const without = await stanza.info({ sight: undefined });
  assertEquals(own(without), undefined);
  const [a, b] = [info, without].map((one) => JSON.parse(renderInfoJson([one], "full"))[0]);
  delete a.walferry;
  assertEquals(a, b);
});

Deno.test("a segment that a backup needs is deleted: info says so", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 5, 7)]);
  stanza.store(1, 1, 20);
  Deno.removeSync(stanza.pathOf(segmentAt(1, 6)));
  const info = await stanza.info();
  assertIncludes(
    text(info),
    `repo1: WAL segment ${segmentAt(1, 6)} is missing: backup ${LABEL} needs it to become consistent\n`,
  );
  assertEquals(own(info).recoverable, []);
  const [{ backup, min, max, count, size, reason }] = own(info).gap;
  assertEquals([backup, min, max, count, size, reason], [
    LABEL,
    segmentAt(1, 6),
    segmentAt(1, 6),
    1,
    16 << 20,
    "missing",
  ]);
  // The original's part of the answer stays the original's.
  assertEquals(info.status.code, 0);
});

Deno.test("a backup that holds a copy of its WAL lacks nothing; a recovery that would have to cross the hole does", async () => {
  const copying = { options: { ...fullBackup(LABEL, 5, 7).options, archiveCopy: true } };
  const withHole = async (...labelled: Parameters<typeof fullBackup>[]) => {
    using stanza = new OutlookStanza();
    await stanza.make(labelled.map((args) => fullBackup(...args)));
    stanza.store(1, 1, 20);
    for (const place of [6, 7]) Deno.removeSync(stanza.pathOf(segmentAt(1, place)));
    const told = own(await stanza.info());
    return {
      gaps: told.gap.map(({ min, backup }: Record<string, unknown>) => [min, backup]),
      ranges: told.recoverable.map(({ min, max, backup }: Record<string, unknown>) => [min, max, backup]),
    };
  };
  const behind = [segmentAt(1, 8), segmentAt(1, 20)];
  assertEquals(await withHole([LABEL, 5, 7, copying]), { gaps: [], ranges: [[...behind, LABEL]] });
  assertEquals(await withHole(["20261118-070000F", 2, 3], [LABEL, 5, 7, copying]), {
    gaps: [[segmentAt(1, 6), null]],
    ranges: [[segmentAt(1, 3), segmentAt(1, 5), "20261118-070000F"], [...behind, LABEL]],
  });
  // Nobody else's need is hidden by it.
  assertEquals((await withHole([LABEL, 5, 7, copying], ["20261118-090000F", 5, 8])).gaps, [
    [segmentAt(1, 6), "20261118-090000F"],
  ]);
});

Deno.test("what was dropped of the cluster that the stanza was upgraded from is no hole of the one behind it", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 5, 6)]);
  const dropped = new DroppedWal(stanza.spoolPath, STANZA);
  dropped.record(segmentAt(1, 200), 1n);
  dropped.record(segmentAt(1, 300), SYSTEM_ID);
  // By a version that did not note it, or without pg1-path.
  dropped.record(segmentAt(1, 301));
  const { holes } = (await stanza.info()).archive;
  assertEquals(holes, [{ first: segmentAt(1, 300), last: segmentAt(1, 301), count: 2 }]);
});

Deno.test("each gap is told with its size and why it is there", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 5, 6)]);
  stanza.store(1, 5, 9);
  stanza.store(1, 20, 25);
  stanza.store(1, 27, 28, STORED_SECONDS + 3590);
  for (const place of [12, 13, 14]) new DroppedWal(stanza.spoolPath, STANZA).record(segmentAt(1, place));
  const ledger = new DebtLedger(stanza.spoolPath, STANZA);
  for (const place of [18, 19]) {
    ledger.record(1, {
      walName: segmentAt(1, place),
      checksum: "b".repeat(40),
      sizeBytes: 16 << 20,
      sinceMs: STORED_SECONDS * 1000,
      reason: "away",
    });
  }
  const info = await stanza.info();
  assertEquals(
    own(info).gap.map(({ min, max, count, reason, backup }: Record<string, unknown>) => [
      min,
      max,
      count,
      reason,
      backup,
    ]),
    [
      [segmentAt(1, 10), segmentAt(1, 11), 2, "missing", null],
      [segmentAt(1, 12), segmentAt(1, 14), 3, "dropped", null],
      [segmentAt(1, 15), segmentAt(1, 17), 3, "missing", null],
      [segmentAt(1, 18), segmentAt(1, 19), 2, "owed", null],
      [segmentAt(1, 26), segmentAt(1, 26), 1, "arriving", null],
    ],
  );
  const shown = text(info);
  assertIncludes(
    shown,
    `repo1: gap in the WAL: 3 segments (48MB) ${segmentAt(1, 12)} to ${
      segmentAt(1, 14)
    } were dropped (archive-push-queue-max): no recovery crosses it\n`,
  );
  assertEquals(own(info).recoverable.length, 1);
  assertEquals(own(info).recoverable[0].max, segmentAt(1, 9));
});

Deno.test("WAL before the first backup and what expire left between backups is no gap", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 50, 51), fullBackup("20261118-090000F", 80, 81)]);
  stanza.store(1, 10, 12);
  stanza.store(1, 50, 51);
  stanza.store(1, 80, 90);
  const retention = { fullType: "count", archiveType: "full", archive: 1, keep: {} } as const;
  const info = await stanza.info({ repositories: [{ ...stanza.config, retention }] });
  assertEquals(own(info).gap, []);
  assertEquals(own(info).recoverable.map(({ min, max }: Record<string, string>) => [min, max]), [
    [segmentAt(1, 51), segmentAt(1, 51)],
    [segmentAt(1, 81), segmentAt(1, 90)],
  ]);
});

Deno.test("a recovery goes on in a timeline that was left for behind the backup, not in one from before it", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 5, 6)]);
  stanza.store(1, 5, 12);
  stanza.store(2, 9, 15);
  stanza.store(3, 3, 30);
  const root = `${stanza.path}/repo/archive/${STANZA}/15-1`;
  Deno.writeTextFileSync(`${root}/00000002.history`, "1\t0/9800000\tno recovery target specified\n");
  Deno.writeTextFileSync(`${root}/00000003.history`, "1\t0/3000000\tno recovery target specified\n");
  Deno.writeTextFileSync(`${root}/00000004.history`, "cut o");
  const info = await stanza.info();
  assertEquals(own(info).recoverable.map(({ min, max }: Record<string, string>) => [min, max]), [
    [segmentAt(1, 6), segmentAt(1, 12)],
    [segmentAt(2, 9), segmentAt(2, 15)],
  ]);
  assertIncludes(text(info), "repo1: timeline history 00000004.history cannot be used\n");
});

Deno.test("a recovery passes through a timeline that was left within the segment in which it began; a lost timeline is a gap", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 5, 6)]);
  stanza.store(1, 5, 8);
  stanza.store(3, 9, 15);
  const root = `${stanza.path}/repo/archive/${STANZA}/15-1`;
  const tell = (second: string) => {
    const first = "1\t0/9800000\tno recovery target specified\n";
    Deno.writeTextFileSync(`${root}/00000002.history`, first);
    Deno.writeTextFileSync(`${root}/00000003.history`, `${first}2\t${second}\tno recovery target specified\n`);
  };
  const told = async () => {
    const { gap, recoverable } = own(await stanza.info());
    return [gap, recoverable].map((some) => some.map(({ min, max }: Record<string, string>) => [min, max]));
  };
  tell("0/9C00000");
  assertEquals(await told(), [[], [[segmentAt(1, 6), segmentAt(1, 8)], [segmentAt(3, 9), segmentAt(3, 15)]]]);
  tell("0/C800000");
  assertEquals(await told(), [
    [[segmentAt(2, 9), segmentAt(2, 11)]],
    [[segmentAt(1, 6), segmentAt(1, 8)]],
  ]);
});

Deno.test("a note with control characters is valid JSON, and reaches no terminal as such", async () => {
  using stanza = new OutlookStanza();
  const note = "red \x1b[31m\x9b1m \x00\x7f\ttab\nline";
  await stanza.make([fullBackup(LABEL, 5, 6, { annotations: new Map([["walferry-pin", note]]) })]);
  stanza.store(1, 5, 6);
  const info = await stanza.info();
  const json = renderInfoJson([info], "full");
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x1f\x7f-\x9f]/.test(json), json);
  const [{ backup: [{ annotation }], walferry: { pin: [{ reason }] } }] = JSON.parse(json);
  assertEquals([annotation["walferry-pin"], reason], [note, note]);
  assertIncludes(json, "red \\u001b[31m\\u009b1m \\u0000\\u007f\\ttab\\nline");
  assertIncludes(text(info), "pinned: red \\u001b[31m\\u009b1m \\u0000\\u007f\ttab\nline\n");
});

Deno.test("info tells the last verification with its result, and pins", async () => {
  using stanza = new OutlookStanza();
  const annotations = new Map([["walferry-pin", "before the move"]]);
  await stanza.make([fullBackup(LABEL, 5, 6, { annotations })]);
  stanza.store(1, 5, 6);
  await using repository = await Repository.open(stanza.config);
  const keep = (mode: VerificationMode, time: number, damages: number) =>
    saveVerification(repository, STANZA, { mode, time, durationSeconds: 7, damages, repaired: 1, systemId: undefined });
  await keep("quick", STORED_SECONDS - 9, 5);
  await keep("full", STORED_SECONDS - 5, 0);
  assert(/repo1: verified \(full\) 2026-\S+ \S+: ok\n/.test(text(await stanza.info())));
  assert(!text(await stanza.info()).includes("(quick)"), "what a full run found later stands for a quick look");
  await keep("quick", STORED_SECONDS, 3);
  const info = await stanza.info();
  assert(
    /repo1: verified \(full\) 2026-\S+ \S+: ok\n +repo1: verified \(quick\) 2026-\S+ \S+: 3 missing or damaged\n/
      .test(text(info)),
    text(info),
  );
  const common = { duration: 7, "repo-key": 1, repaired: 1 };
  assertEquals(own(info).verified, [
    { ...common, damage: 0, mode: "full", time: STORED_SECONDS - 5 },
    { ...common, damage: 3, mode: "quick", time: STORED_SECONDS },
  ]);
  assertEquals(own(info).pin, [{ label: LABEL, reason: "before the move", "repo-key": 1 }]);
  assertIncludes(text(info), "            pinned: before the move\n");
  // A record that cannot be understood is told, and stands in the way of nothing.
  Deno.writeTextFileSync(`${stanza.path}/repo/walferry/${STANZA}/verified/full.json`, "{}\n");
  const unreadable = await stanza.info();
  assertIncludes(
    text(unreadable),
    "repo1: the last verification (full) is not known: the result is of another format\n",
  );
  assertEquals(own(unreadable).verified.length, 1);
  assertEquals(unreadable.status.code, 0);
});

Deno.test("a backup that expired while the WAL was listed lacks nothing, and only directories with WAL of backups are asked", async () => {
  using stanza = new OutlookStanza();
  await stanza.make([fullBackup(LABEL, 5, 6), fullBackup("20261118-090000F", 1000, 1001)]);
  stanza.store(1, 250, 1500);
  await using repository = await Repository.open(stanza.config);
  const before = await repository.loadBackupInfo(STANZA);
  const listed: string[] = [];
  const storage = new Proxy(repository.storage, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "list") listed.push(String(args[0]));
        return Reflect.apply(value, target, args);
      };
    },
  });
  const look = async () =>
    await missingForBackups({
      repository: Repository.over(stanza.config, storage),
      stanza: STANZA,
      archiveInfo: await repository.loadArchiveInfo(STANZA),
      backupInfo: before,
      losses: { dropped: [], owed: [] },
      nowMs: STORED_SECONDS * 1000,
    });
  assertEquals((await look()).map(({ label, count }) => [label, count]), [[LABEL, 2]]);
  const asked = new Set(listed.filter((path) => /[0-9A-F]{16}$/.test(path)).map((path) => path.slice(-16)));
  // The first one is looked at for the size of segments.
  assertEquals([...asked].sort(), [segmentAt(1, 0).slice(0, 16), segmentAt(1, 1000).slice(0, 16)]);
  await stanza.make(before.backups.filter(({ label }) => label !== LABEL));
  assertEquals(await look(), []);
});

Deno.test("a backup whose manifest is lost is told and not recovered from; what builds on it is", async () => {
  using stanza = new OutlookStanza();
  const [first, full, incr] = [LABEL, "20261119-080000F", "20261119-080000F_20261120-080000I"];
  await stanza.make([
    fullBackup(first, 5, 7),
    fullBackup(full, 15, 16),
    fullBackup(incr, 25, 26, { type: "incr", prior: full, references: [full] }),
  ]);
  stanza.store(1, 1, 30);
  const lost = (info: StanzaInfo) => own(info).lost;
  assertEquals(lost(await stanza.info()), []);
  // The copy is as good.
  Deno.renameSync(`${stanza.backupPath(full)}/backup.manifest`, `${stanza.backupPath(full)}/backup.manifest.copy`);
  assertEquals(lost(await stanza.info()), []);
  Deno.removeSync(`${stanza.backupPath(full)}/backup.manifest.copy`);
  const info = await stanza.info();
  assertEquals(lost(info), [{ label: full, "repo-key": 1 }]);
  assertEquals(text(info).match(/manifest lost, cannot be restored/g)?.length, 1);
  Deno.removeSync(`${stanza.backupPath(first)}/backup.manifest`);
  {
    // One that an expire has taken off the list since it was read is none.
    await using repository = await Repository.open(stanza.config);
    const read = [fullBackup(first, 5, 7), fullBackup("20261101-080000F", 1, 2)];
    assertEquals([...await lostLabels(repository, STANZA, read)], [first]);
  }
  const [later] = own(await stanza.info()).recoverable;
  assertEquals([later.backup, later.max], [incr, segmentAt(1, 30)]);
  assertEquals(own(await stanza.info({ sight: "none" }))?.lost ?? [], []);
});
