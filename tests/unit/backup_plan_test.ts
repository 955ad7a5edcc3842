/** What is copied and what is referred to, decided from lists alone. */
import { futureFile, olderFile, reasonForDelta } from "../../src/backup/delta.ts";
import { planBackup, type PlanSettings } from "../../src/backup/planner.ts";
import type { Manifest, ManifestFile } from "../../src/format/manifest.ts";
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { assertEquals } from "../support/assert.ts";
import { referencesIn } from "../support/backup_plans.ts";
import { MANIFEST } from "../support/info_samples.ts";

const FULL = "20261121-001653F";
const BIG = 5_000_000;
const CHECKSUM = "a".repeat(40);

function file(name: string, sizeBytes: number, timestamp = 100): ManifestFile {
  return { name, sizeBytes, repoSizeBytes: sizeBytes, timestamp, mode: 0o600, user: "postgres", group: "postgres" };
}

function stored(name: string, sizeBytes: number, other: Partial<ManifestFile> = {}): ManifestFile {
  const checksum = sizeBytes === 0 ? undefined : CHECKSUM;
  return { ...file(name, sizeBytes), repoSizeBytes: 20, checksum, repoChecksum: "b".repeat(40), ...other };
}

function prior(files: ManifestFile[], other: Partial<Manifest> = {}): Manifest {
  return { ...parseManifest(MANIFEST), label: FULL, bundle: false, files, ...other };
}

/** `copy`, `compare` or the reference, for one file of one repository. */
function decision(now: ManifestFile, settings: Partial<PlanSettings>): string | undefined {
  const plan = planBackup([now], new Map([[1, { checksumPage: false, delta: false, prior: undefined, ...settings }]]));
  const [referred] = referencesIn(plan, 1);
  if (referred !== undefined) return referred.reference;
  return plan.copies.at(0)!.targets.get(1)!.unchanged === undefined ? "copy" : "compare";
}

/** Members that have a value. */
function defined(entry: ManifestFile): Partial<ManifestFile> {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
}

const NAME = "pg_data/base/5/16384";
const INCR = `${FULL}_20261121-001900I`;
const CASES: [
  what: string,
  now: ManifestFile,
  before: ManifestFile,
  delta: boolean,
  expected: string,
  bundle?: true,
][] = [
  ["equal size and time", file(NAME, BIG), stored(NAME, BIG), false, FULL],
  ["the backup that holds the bytes is named", file(NAME, BIG), stored(NAME, BIG, { reference: INCR }), false, INCR],
  ["another time", file(NAME, BIG, 101), stored(NAME, BIG), false, "copy"],
  ["another time, small", file(NAME, 8192, 101), stored(NAME, 8192), false, "compare"],
  ["another size", file(NAME, BIG + 8192, 101), stored(NAME, BIG), false, "copy"],
  ["another size under delta", file(NAME, 8192), stored(NAME, 16384), true, "copy"],
  ["equal under delta", file(NAME, BIG), stored(NAME, BIG), true, "compare"],
  [
    "truncated while it was copied",
    file(NAME, BIG),
    stored(NAME, BIG - 8192, { sizeOriginalBytes: BIG }),
    false,
    "copy",
  ],
  ["empty before and now", file(NAME, 0, 101), stored(NAME, 0), false, FULL],
  ["empty under delta", file(NAME, 0, 101), stored(NAME, 0), true, FULL],
  ["empty, in a backup with bundles", file(NAME, 0), stored(NAME, 0), false, "copy", true],
  ["empty, referred to by one with bundles", file(NAME, 0), stored(NAME, 0, { reference: INCR }), false, INCR, true],
  ["no checksum is known", file(NAME, BIG), stored(NAME, BIG, { checksum: undefined }), false, "copy"],
  ["no checksum is known, delta", file(NAME, BIG), stored(NAME, BIG, { checksum: undefined }), true, "copy"],
  ["new", file("pg_data/base/5/16385", BIG), stored(NAME, BIG), false, "copy"],
  [
    "the control file",
    file("pg_data/global/pg_control", 8192),
    stored("pg_data/global/pg_control", 8192),
    true,
    "copy",
  ],
];

for (const [what, now, before, delta, expected, bundle] of CASES) {
  Deno.test(`unchanged or not: ${what}`, () => {
    assertEquals(decision(now, { delta, prior: prior([before], { bundle: bundle ?? false }) }), expected);
  });
}

Deno.test("a reference says where the bytes are, and of the file what is true now", () => {
  const before = stored(NAME, 16384, {
    bundleId: 3,
    bundleOffset: 77,
    checksumPage: false,
    checksumPageErrors: [[1, 1]],
    sizeOriginalBytes: 20000,
    timestamp: 90,
  });
  const now = { ...file(NAME, 16384, 90), mode: 0o640, user: false as const };
  const plan = planBackup([now], new Map([[1, { checksumPage: true, delta: false, prior: prior([before]) }]]));
  assertEquals([...plan.copies], []);
  assertEquals(referencesIn(plan, 1).map(defined), [defined({
    ...before,
    sizeOriginalBytes: undefined,
    mode: 0o640,
    user: false,
    reference: FULL,
  })]);
});

Deno.test("each repository is judged by its own past", () => {
  const files = [file("pg_data/a", BIG), file("pg_data/b", BIG), file("pg_data/c", BIG)];
  const plan = planBackup(
    files,
    new Map([
      [1, { checksumPage: false, delta: false, prior: prior([stored("pg_data/a", BIG), stored("pg_data/b", BIG)]) }],
      [2, { checksumPage: false, delta: false, prior: prior([stored("pg_data/b", BIG)], { label: INCR }) }],
      [3, { checksumPage: false, delta: false, prior: undefined }],
    ]),
  );
  assertEquals([...plan.copies].map((copy) => [copy.file.name, [...copy.targets.keys()]]), [
    ["pg_data/a", [2, 3]],
    ["pg_data/b", [3]],
    ["pg_data/c", [1, 2, 3]],
  ]);
  assertEquals(
    [1, 2, 3].map((key) => referencesIn(plan, key).map(({ name, reference }) => [name, reference])),
    [[["pg_data/a", FULL], ["pg_data/b", FULL]], [["pg_data/b", INCR]], []],
  );
});

const REASONS: [
  what: string,
  files: ManifestFile[],
  prior: Manifest,
  walSegment: string,
  expected: string | undefined,
][] = [
  ["nothing", [file(NAME, BIG, 101)], prior([stored(NAME, BIG)]), "000000010000000000000005", undefined],
  [
    "another timeline",
    [],
    prior([], { archiveStop: "000000010000000000000004" }),
    "000000020000000000000005",
    `a timeline switch has occurred since the ${FULL} backup, enabling delta checksum`,
  ],
  [
    "a time that went back",
    [file("pg_data/PG_VERSION", 3), file(NAME, BIG, 99)],
    prior([stored(NAME, BIG)]),
    "000000010000000000000005",
    "file 'base/5/16384' has timestamp earlier than prior backup (prior 100, current 99), enabling delta checksum",
  ],
  [
    "the same time and another size",
    [file(NAME, 8192)],
    prior([stored(NAME, 16384)]),
    "000000010000000000000005",
    "file 'base/5/16384' has same timestamp (100) as prior but different size (prior 16384, current 8192), enabling delta checksum",
  ],
  [
    "the size that was listed, of a file that shrank while it was copied",
    [file(NAME, 16384)],
    prior([stored(NAME, 8192, { sizeOriginalBytes: 16384 })]),
    "000000010000000000000005",
    undefined,
  ],
];

for (const [what, files, before, walSegment, expected] of REASONS) {
  Deno.test(`reason to compare contents: ${what}`, () => {
    const archived = { archiveStop: "000000010000000000000004", ...before };
    archived.options = { ...archived.options, online: true };
    assertEquals(reasonForDelta(files, archived, { online: true, walSegment, timesOf: undefined }), expected);
  });
}

Deno.test("reason to compare contents: the online option, and files of the future", () => {
  const before = prior([]);
  before.options = { ...before.options, online: true };
  assertEquals(
    reasonForDelta([], before, { online: false, walSegment: undefined, timesOf: undefined }),
    `the online option has changed since the ${FULL} backup, enabling delta checksum`,
  );
  assertEquals(futureFile([file("pg_data/a", 1, 100), file("pg_data/b", 1, 101)], 100)?.name, "pg_data/b");
  assertEquals(futureFile([file("pg_data/a", 1, 100)], 100), undefined);
});

Deno.test("reason to compare contents: times of another host's file system", () => {
  const onStandby = (timesOf: string | undefined): Manifest => {
    const before = prior([], { timesOf });
    return { ...before, options: { ...before.options, online: true } };
  };
  const reason = (prior: string | undefined, now: string | undefined) =>
    reasonForDelta([], onStandby(prior), { online: true, walSegment: undefined, timesOf: now });
  assertEquals(reason("a:/pg", "a:/pg"), undefined);
  assertEquals(
    reason(undefined, "a:/pg"),
    `the times of the ${FULL} backup are those of the primary, enabling delta checksum`,
  );
  for (const now of [undefined, "b:/pg", "a:/pg2"]) {
    assertEquals(reason("a:/pg", now), `the times of the ${FULL} backup are those of a:/pg, enabling delta checksum`);
  }
});

Deno.test("a file that is older than it was at a prior backup; another size at the same time is none", () => {
  const before = prior([stored(NAME, 16384)]);
  assertEquals(olderFile([file("pg_data/PG_VERSION", 3), file(NAME, 16384, 99)], before)?.name, NAME);
  assertEquals(olderFile([file("pg_data/PG_VERSION", 3), file(NAME, 8192)], before), undefined);
});
