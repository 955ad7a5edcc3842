/** The worked examples of retention (behaviour spec §6.5) and the rules around them. */
import type { BackupInfoEntry } from "../../src/format/backup_info.ts";
import type { RetentionConfig } from "../../src/repository/config.ts";
import { describeArchivePlan, planBackups } from "../../src/repository/expire_plan.ts";
import { keptBeyond, PIN, sparedLabels, withNeeds } from "../../src/repository/keep.ts";
import {
  archiveRetention,
  decideArchive,
  expireDiff,
  expireFull,
  expireSet,
  isKept,
  overlaps,
  recoversFrom,
} from "../../src/repository/retention.ts";
import { ONLINE } from "../support/backup_options.ts";
import { assert, assertEquals } from "../support/assert.ts";

const DAY = 86400;
const segment = (number: number, timeline = 1) =>
  `${String(timeline).padStart(8, "0")}00000000${number.toString(16).toUpperCase().padStart(8, "0")}`;

/** A backup by a short word: type, day and WAL range; diffs and incrs name what they need. */
function backup(
  label: string,
  start: number,
  stop: number,
  options: Partial<BackupInfoEntry> & { day?: number } = {},
): BackupInfoEntry {
  const type = label.endsWith("F") ? "full" : label.endsWith("D") ? "diff" : "incr";
  return {
    label,
    type,
    backrestFormat: 5,
    backrestVersion: "2.45",
    archiveStart: segment(start),
    archiveStop: segment(stop),
    repoSizeBytes: 1,
    repoSizeDeltaBytes: 1,
    sizeBytes: 1,
    sizeDeltaBytes: 1,
    timestampStart: (options.day ?? 0) * DAY,
    timestampStop: (options.day ?? 0) * DAY + 60,
    historyId: 1,
    options: ONLINE,
    ...options,
  };
}

const F = (day: number) => `202601${String(day).padStart(2, "0")}-000000F`;
const on = (full: string, day: number, kind: "D" | "I") =>
  `${full}_202601${String(day).padStart(2, "0")}-120000${kind}`;
const retention = (config: Partial<RetentionConfig>): RetentionConfig => ({
  fullType: "count",
  archiveType: "full",
  keep: {},
  ...config,
});
const keptOf = (decision: ReturnType<typeof decideArchive>, numbers: number[]) =>
  decision.kind === "keep ranges"
    ? numbers.filter((number) => isKept(segment(number), decision.ranges))
    : decision.kind;

Deno.test("a) count: the oldest full goes, WAL from the oldest kept backup on stays", () => {
  const all = [backup(F(1), 2, 3), backup(F(2), 10, 11), backup(F(3), 20, 21)];
  assertEquals(expireFull(all, retention({ full: 2 }), 0).labels, [F(1)]);
  const decision = decideArchive(all.slice(1), "full", 2, 1, true);
  assertEquals(keptOf(decision, [1, 2, 9, 10, 11, 12, 30]), [10, 11, 12, 30]);
});

Deno.test("b) archive shorter than backups: older backups keep what makes them consistent", () => {
  const all = [backup(F(1), 2, 3), backup(F(2), 10, 11), backup(F(3), 20, 21)];
  assertEquals(expireFull(all, retention({ full: 3 }), 0).labels, []);
  const decision = decideArchive(all, "full", 1, 1, true);
  assertEquals(keptOf(decision, Array.from({ length: 25 }, (_, index) => index + 1)), [
    2,
    3,
    10,
    11,
    20,
    21,
    22,
    23,
    24,
    25,
  ]);
});

Deno.test("c) diff retention counts fulls and takes incrementals along", () => {
  const all = [
    backup(F(1), 1, 1),
    backup(on(F(1), 2, "D"), 2, 2, { prior: F(1) }),
    backup(on(F(1), 3, "I"), 3, 3, { prior: on(F(1), 2, "D"), references: [F(1), on(F(1), 2, "D")] }),
    backup(on(F(1), 4, "D"), 4, 4, { prior: F(1) }),
    backup(F(5), 5, 5),
  ];
  assertEquals(expireFull(all, retention({ full: 2 }), 0).labels, []);
  assertEquals(expireDiff(all, retention({ diff: 1 })).labels, [on(F(1), 2, "D"), on(F(1), 3, "I"), on(F(1), 4, "D")]);
});

Deno.test("d) archive by diff: continuous from the oldest diff that counts", () => {
  const all = [
    backup(F(1), 1, 1),
    backup(on(F(1), 3, "D"), 9, 9, { prior: F(1) }),
    backup(on(F(1), 4, "D"), 12, 12, { prior: F(1) }),
  ];
  const before = [all[0]!, backup(on(F(1), 2, "D"), 5, 5, { prior: F(1) }), ...all.slice(1)];
  assertEquals(expireDiff(before, retention({ diff: 2 })).labels, [on(F(1), 2, "D")]);
  assertEquals(archiveRetention(retention({ diff: 2, archiveType: "diff" }), 1, false), { count: 2 });
  assertEquals(keptOf(decideArchive(all, "diff", 2, 1, true), [1, 2, 5, 8, 9, 10, 12, 13]), [1, 9, 10, 12, 13]);
});

Deno.test("e) time: the newest full older than the cutoff covers it and stays", () => {
  const all = [1, 8, 12, 19].map((day) => backup(F(day), day, day, { day }));
  assertEquals(expireFull(all, retention({ fullType: "time", full: 7 }), 20 * DAY), {
    reason: "time-based",
    labels: [F(1), F(8)],
  });
  assertEquals(expireFull(all.slice(3), retention({ fullType: "time", full: 7 }), 20 * DAY).labels, []);
  assertEquals(archiveRetention(retention({ fullType: "time", full: 7 }), 2, true), { count: 2 });
  assertEquals(archiveRetention(retention({ fullType: "time", full: 7 }), 1, false), {
    none: "time-based archive retention not met",
  });
});

Deno.test("f) upgrade: an old archive id without backups goes whole, with one it keeps its range", () => {
  const old = backup(F(1), 2, 3, { historyId: 1 });
  const later = [backup(F(2), 1, 1, { historyId: 2 }), backup(F(3), 5, 5, { historyId: 2 })];
  assertEquals(decideArchive(later, "full", 2, 1, false), { kind: "remove archive id" });
  assertEquals(keptOf(decideArchive([old, ...later], "full", 3, 1, false), [1, 2, 3, 4, 9]), [2, 3, 4, 9]);
  assertEquals(keptOf(decideArchive([old, ...later], "full", 3, 2, true), [1, 4]), [1, 4]);
  assertEquals(decideArchive([old], "full", 1, 2, true).kind, "keep all");
});

Deno.test("g) timelines: WAL of a lower timeline before the oldest backup goes", () => {
  const only = backup(F(1), 8, 9, { archiveStart: segment(8, 2), archiveStop: segment(9, 2) });
  const decision = decideArchive([only], "full", 1, 1, true);
  assert(decision.kind === "keep ranges");
  assertEquals(
    [segment(7, 1), segment(9, 1), segment(7, 2), segment(8, 2), segment(1, 3)].map((name) =>
      isKept(name, decision.ranges)
    ),
    [false, false, false, true, true],
  );
  assertEquals([
    overlaps(segment(0, 1).slice(0, 16), decision.ranges),
    overlaps(segment(0, 2).slice(0, 16), decision.ranges),
  ], [false, true]);
});

Deno.test("h) the measured run: every setting removes what pgbackrest 2.45 removed", () => {
  const [f1, f2] = [F(1), F(5)];
  const all = [
    backup(f1, 0x2d, 0x2d),
    backup(on(f1, 2, "D"), 0x31, 0x31, { prior: f1 }),
    backup(on(f1, 3, "I"), 0x35, 0x35, { prior: on(f1, 2, "D") }),
    backup(on(f1, 4, "D"), 0x39, 0x39, { prior: f1 }),
    backup(f2, 0x3d, 0x3d),
    backup(on(f2, 6, "D"), 0x41, 0x41, { prior: f2 }),
  ];
  const present = Array.from({ length: 0x43 - 0x2c + 1 }, (_, index) => 0x2c + index);
  const removed = (decision: ReturnType<typeof decideArchive>) =>
    present.filter((number) => decision.kind === "keep ranges" && !isKept(segment(number), decision.ranges));
  assertEquals(expireFull(all, retention({ full: 1 }), 0).labels, all.slice(0, 4).map(({ label }) => label));
  assertEquals(removed(decideArchive(all.slice(4), "full", 1, 1, true)), present.filter((number) => number <= 0x3c));
  const singles = [0x2d, 0x31, 0x35, 0x39];
  const shortArchive = present.filter((number) => number <= 0x3c && !singles.includes(number));
  assertEquals(removed(decideArchive(all, "full", 1, 1, true)), shortArchive);
  assertEquals(removed(decideArchive(all, "diff", 1, 1, true)), [...shortArchive, 0x3e, 0x3f, 0x40]);
  assertEquals(removed(decideArchive(all, "incr", 2, 1, true)), shortArchive);
  assertEquals(expireDiff(all, retention({ diff: 1 })).labels, all.slice(1, 4).map(({ label }) => label));
});

Deno.test("expiring one set takes everything that needs it, and nothing else", () => {
  const all = [
    backup(F(1), 1, 1),
    backup(on(F(1), 2, "D"), 2, 2, { prior: F(1), references: [F(1)] }),
    backup(on(F(1), 3, "I"), 3, 3, { prior: on(F(1), 2, "D"), references: [F(1), on(F(1), 2, "D")] }),
    backup(F(4), 4, 4),
  ];
  assertEquals(expireSet(all, on(F(1), 2, "D")).labels, [on(F(1), 2, "D"), on(F(1), 3, "I")]);
  assertEquals(expireSet(all, F(1)).labels, all.slice(0, 3).map(({ label }) => label));
});

Deno.test("without enough backups, or with an offline one at the edge, no WAL goes", () => {
  const two = [backup(F(1), 1, 1), backup(F(2), 2, 2)];
  assertEquals(decideArchive(two, "full", 3, 1, true).kind, "keep all");
  assertEquals(decideArchive([], "full", 1, 1, true).kind, "keep all");
  assertEquals(decideArchive([backup(F(1), 1, 1, { archiveStart: undefined })], "full", 1, 1, true).kind, "keep all");
});

Deno.test("archive-expire-before keeps from the segment on, even with too few backups", () => {
  const decision = decideArchive([backup(F(1), 10, 11)], "full", 5, 1, true, segment(5));
  assertEquals(keptOf(decision, [3, 4, 5, 9, 10, 20]), [5, 9, 10, 20]);
});

Deno.test("keep rules hold the newest full backup of each of the last periods that have one", () => {
  const at = (text: string) => new Date(text).getTime() / 1000;
  const full = (text: string): BackupInfoEntry => ({
    ...backup(`${text.replaceAll("-", "")}-000000F`, 1, 2),
    timestampStop: at(`${text}T12:00:00`),
  });
  const days = ["2024-12-30", "2025-11-30", "2025-12-28", "2025-12-31", "2026-01-01", "2026-01-04", "2026-01-05"];
  const backups = days.map(full);
  const kept = (keep: RetentionConfig["keep"]) =>
    [...keptBeyond(backups, keep)].map(([label, why]) => `${label.slice(0, 8)} ${why}`);
  assertEquals(kept({}), []);
  assertEquals(kept({ daily: 2 }), ["20260105 daily, 2026-01-05", "20260104 daily, 2026-01-04"]);
  // The 31st, the 1st and the 4th are in one week, the 28th in the one before.
  assertEquals(kept({ weekly: 3 }), [
    "20260105 weekly, 2026-01-05",
    "20260104 weekly, 2025-12-29",
    "20251228 weekly, 2025-12-22",
  ]);
  assertEquals(kept({ monthly: 3 }), [
    "20260105 monthly, 2026-01",
    "20251231 monthly, 2025-12",
    "20251130 monthly, 2025-11",
  ]);
  assertEquals(kept({ yearly: 9 }), ["20260105 yearly, 2026", "20251231 yearly, 2025", "20241230 yearly, 2024"]);
});

Deno.test("a pinned backup keeps what it needs, and the plan says why each one stays or goes", () => {
  const pinned = new Map([[PIN, "audit"]]);
  const backups = [
    backup(F(1), 1, 2),
    backup(on(F(1), 2, "D"), 3, 4, { prior: F(1), references: [F(1)] }),
    backup(on(F(1), 3, "I"), 5, 6, {
      prior: on(F(1), 2, "D"),
      references: [F(1), on(F(1), 2, "D")],
      annotations: pinned,
    }),
    backup(on(F(1), 4, "I"), 7, 8, { prior: on(F(1), 3, "I"), references: [F(1)] }),
    backup(F(5), 9, 10),
    backup(F(6), 11, 12),
  ];
  const config = retention({ full: 2 });
  const needed = withNeeds(backups, keptBeyond(backups, config.keep).keys());
  assertEquals([...needed].sort(), [F(1), on(F(1), 2, "D"), on(F(1), 3, "I")]);
  const all = expireFull(backups, config, 0);
  const expiry = { ...all, labels: all.labels.filter((label) => !needed.has(label)) };
  assertEquals(expiry.labels, [on(F(1), 4, "I")]);
  const plan = planBackups(backups, config, [expiry], needed);
  assertEquals(plan.map(({ stays, reason }) => `${stays ? "keep" : "remove"}: ${reason}`), [
    `keep: needed by ${on(F(1), 2, "D")}`,
    `keep: needed by ${on(F(1), 3, "I")}`,
    "keep: pinned",
    "remove: its full backup stays only for another reason",
    "keep: one of the newest 2 full backups",
    "keep: one of the newest 2 full backups",
  ]);
});

Deno.test("what stays for another reason takes nobody's place where WAL is kept by number", () => {
  const all = [
    backup(F(1), 1, 1),
    backup(on(F(1), 2, "D"), 5, 5, { prior: F(1), annotations: new Map([[PIN, "audit"]]) }),
    backup(on(F(1), 3, "D"), 9, 9, { prior: F(1) }),
  ];
  const config = retention({ full: 2, diff: 1, archiveType: "diff", archive: 2 });
  const spared = sparedLabels(all, config, 0);
  assertEquals([...spared], [on(F(1), 2, "D")]);
  // As it were without the pin: recovery begins with the full backup.
  const decision = decideArchive(all, "diff", 2, 1, true, undefined, spared);
  assertEquals(keptOf(decision, [0, 1, 3, 5, 9]), [1, 3, 5, 9]);
  // Of a cluster that has no other one it keeps the WAL as every last one does.
  const former = all.map((entry) => (entry.label.startsWith(`${F(1)}_`) ? { ...entry, historyId: 2 } : entry));
  const pins = new Set([F(1)]);
  assertEquals(keptOf(decideArchive(former, "diff", 2, 1, false, undefined, pins), [0, 1, 3]), [1, 3]);
});

Deno.test("a newer backup on an older timeline keeps the WAL to its end", () => {
  const all = [
    backup(F(1), 2, 3),
    backup(F(2), 0, 0, { archiveStart: segment(12, 2), archiveStop: segment(13, 2) }),
    backup(F(3), 20, 21),
  ];
  const decision = decideArchive(all, "full", 2, 1, true);
  assertEquals(keptOf(decision, [1, 2, 3, 4, 19, 20, 21, 22, 500]), [2, 3, 20, 21, 22, 500]);
  assert(decision.kind === "keep ranges");
  assert([12, 13, 99].every((number) => isKept(segment(number, 2), decision.ranges)));
  assert(!isKept(segment(11, 2), decision.ranges));
  assertEquals(recoversFrom(decision.ranges), segment(20));
  assertEquals(describeArchivePlan("15-1", decision), [
    `15-1: WAL ${segment(2)} to ${segment(3)} stays: it makes an older backup consistent`,
    `15-1: WAL from ${segment(20)} to the end of its timeline stays: a newer backup began on this timeline`,
    `15-1: WAL from ${segment(12, 2)} on stays: recovery to any moment; everything else goes`,
  ]);
});
