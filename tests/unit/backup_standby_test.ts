/** What a backup reads from a standby, what it believes of one that did, and how long it waits for it. */
import { catchUp } from "../../src/backup/standby.ts";
import { type JobTurns, orderJobs } from "../../src/backup/copy_jobs.ts";
import { isFromStandby, planBackup, type PlanSettings } from "../../src/backup/planner.ts";
import type { WalferryError } from "../../src/errors.ts";
import type { Manifest, ManifestFile } from "../../src/format/manifest.ts";
import { parseManifest } from "../../src/format/manifest_codec.ts";
import type { FoundCluster } from "../../src/postgres/cluster_group.ts";
import { readControlFile } from "../../src/postgres/control_file.ts";
import type { Clock } from "../../src/process/clock.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { makeClusterFiles, temporaryDirectory } from "../support/cluster_files.ts";
import { MANIFEST } from "../support/info_samples.ts";
import { offlineBackupOptions, testContext } from "../support/stanza_files.ts";

const NAME = "pg_data/base/5/16384";
const BIG = 5_000_000;
const START = 1000;

const SOURCES: [name: string, fromStandby: boolean][] = [
  [NAME, true],
  ["pg_data/base/5/PG_VERSION", true],
  ["pg_data/global/1262", true],
  ["pg_data/global/pg_control", false],
  ["pg_data/pg_xact/0000", true],
  ["pg_data/pg_multixact/members/0000", true],
  ["pg_tblspc/16400/PG_15_202209061/5/16401", true],
  ["pg_data/PG_VERSION", false],
  ["pg_data/postgresql.conf", false],
  ["pg_data/pg_commit_ts/0000", false],
  ["pg_data/pg_logical/replorigin_checkpoint", false],
  ["pg_data/base.conf", false],
  ["pg_data/other/base/5/1", false],
];
for (const [name, expected] of SOURCES) {
  Deno.test(`a backup with a standby reads ${name} from the ${expected ? "standby" : "primary"}`, () => {
    assertEquals(isFromStandby(name), expected);
  });
}

function file(name: string, sizeBytes: number, timestamp: number): ManifestFile {
  return { name, sizeBytes, repoSizeBytes: sizeBytes, timestamp, mode: 0o600, user: false, group: false };
}

function planned(now: ManifestFile, settings: Partial<PlanSettings>) {
  return planBackup([now], new Map([[1, { checksumPage: false, delta: false, prior: undefined, ...settings }]]));
}

function priorFrom(standby: boolean, before: ManifestFile): Manifest {
  const manifest = parseManifest(MANIFEST);
  return {
    ...manifest,
    bundle: false,
    timestampStart: START,
    options: { ...manifest.options, backupStandby: standby },
    files: [{ ...before, checksum: "a".repeat(40) }],
  };
}

const BELIEFS: [what: string, name: string, timestamp: number, standby: boolean, expected: string][] = [
  ["written before that backup", NAME, START - 1, true, "reference"],
  ["written while that backup went on", NAME, START, true, "compare"],
  ["written while that backup went on, read from the primary", NAME, START, false, "reference"],
  ["written while that backup went on, not read from the standby", "pg_data/postgresql.conf", START, true, "reference"],
];
for (const [what, name, timestamp, standby, expected] of BELIEFS) {
  Deno.test(`an unchanged time on top of a backup from a standby: ${what}`, () => {
    const now = file(name, BIG, timestamp);
    const plan = planned(now, { prior: priorFrom(standby, now) });
    const target = plan.copies.at(0)?.targets.get(1);
    assertEquals(target === undefined ? "reference" : target.unchanged === undefined ? "copy" : "compare", expected);
  });
}

Deno.test("what an interrupted backup read from a standby is compared before it is used again", () => {
  const now = file(NAME, BIG, START);
  const resumed = new Map([[NAME, { ...now, checksum: "a".repeat(40) }]]);
  const decided = (resumedDoubts?: typeof isFromStandby, delta = false) => {
    const { copies, entries } = planned(now, { resumed, resumedDoubts, delta });
    // What has to be compared first is not listed as stored.
    return [copies.at(0)!.targets.get(1)!.resumed!.compare, entries.get(1)!.at(0)!.checksum !== undefined];
  };
  assertEquals(decided(), [false, true]);
  assertEquals(decided(isFromStandby), [true, false]);
  assertEquals(decided(() => false), [false, true]);
  assertEquals(decided(undefined, true), [true, false]);
});

Deno.test("files of the primary make jobs and bundles of their own beside a standby, and what comes last too", () => {
  const files = [file("pg_data/PG_VERSION", 3, 1), file(NAME, 10, 1), file("pg_data/global/pg_control", 8192, 1)];
  const bundle = { sizeBytes: 1000, limitBytes: 100 };
  const settings = new Map([[1, { checksumPage: false, delta: false, prior: undefined, bundle }]]);
  const { copies } = planBackup(files, settings);
  const jobs = (turns: JobTurns) => {
    const all = orderJobs(copies, 1000, turns);
    return (["any", "primary", "last"] as const).map((turn) =>
      [...all.values(turn)].map((job) => job.copies.map((one) => one.file.name.slice("pg_data/".length)).join(" "))
        .sort()
    );
  };
  assertEquals(jobs({}), [["PG_VERSION base/5/16384", "global/pg_control"], [], []]);
  assertEquals(jobs({ fromStandby: isFromStandby }), [["base/5/16384"], ["PG_VERSION", "global/pg_control"], []]);
  assertEquals(jobs({ last: "pg_data/global/pg_control" }), [["PG_VERSION base/5/16384"], [], ["global/pg_control"]]);
});

/** A standby that answers with these positions, one after the other, the last again and again. `null`: it replays nothing. */
function standbyAt(path: string, replay: (string | null)[], checkpoints: string[] = ["reached"]): FoundCluster {
  const answers = { replay: [...replay], checkpoints: [...checkpoints] };
  const next = <T>(list: T[]): T => (list.length > 1 ? list.shift()! : list[0]!);
  const connection = {
    config: { path },
    literal: (text: string) => `'${text}'`,
    query: () => Promise.resolve([]),
    queryRow: (sql: string) => {
      const lsn = next<string | null>(sql.includes("replay_lsn") ? answers.replay : answers.checkpoints);
      return Promise.resolve({ lsn, reached: String(lsn === "reached") });
    },
  } as unknown as FoundCluster["connection"];
  return { connection, control: readControlFile(path) };
}

/** A clock that only waiting moves. */
function waitingClock(): Clock & { readonly waitedMs: () => number } {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    waitedMs: () => nowMs,
  };
}

const TIMEOUT_MS = 10_000;
const FAR = "FF/0";

async function caughtUp(standby: FoundCluster, lsn: string, timeline: number, clock = waitingClock()) {
  const context = testContext(clock);
  const options = offlineBackupOptions("/nonexistent", [], { archiveTimeoutMs: TIMEOUT_MS });
  await catchUp(standby, lsn, timeline, options, context);
  return context.log.text();
}

const FAILURES: [
  what: string,
  replay: (string | null)[],
  checkpoints: string[],
  lsn: string,
  kind: string,
  text: string,
][] = [
  [
    "gets no further",
    ["0/1"],
    [],
    FAR,
    "ArchiveTimeout",
    "timeout before standby replayed to FF/0 - only reached 0/1",
  ],
  [
    "makes no restart point",
    ["reached"],
    ["0/2"],
    FAR,
    "ArchiveTimeout",
    "timeout before standby checkpoint lsn reached FF/0 - only reached 0/2",
  ],
  ["replays nothing", [null], [], FAR, "ArchiveTimeout", "unable to query replay lsn on the standby using"],
  ["is ahead", ["reached"], ["reached"], "0/1", "DbMismatch", "is ahead of target '0/1'"],
];
for (const [what, replay, checkpoints, lsn, kind, text] of FAILURES) {
  Deno.test(`a standby that ${what} is refused`, async () => {
    using directory = temporaryDirectory();
    makeClusterFiles(`${directory.path}/pg`);
    const standby = standbyAt(`${directory.path}/pg`, replay, checkpoints);
    const error = await assertThrows<WalferryError>(() => caughtUp(standby, lsn, standby.control.timeline));
    assertEquals(error.kind, kind);
    assertIncludes(error.message, text);
  });
}

Deno.test("a standby on another timeline is refused", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(`${directory.path}/pg`);
  const standby = standbyAt(`${directory.path}/pg`, ["reached"]);
  const { timeline } = standby.control;
  const error = await assertThrows<WalferryError>(() => caughtUp(standby, FAR, timeline + 1));
  assertEquals(error.kind, "DbMismatch");
  assertIncludes(error.message, `standby is on timeline ${timeline} but expected ${timeline + 1}`);
});

Deno.test("a slow standby is waited for as long as it gets on", async () => {
  using directory = temporaryDirectory();
  makeClusterFiles(`${directory.path}/pg`);
  const clock = waitingClock();
  const positions = [...Array.from({ length: 60 }, (_, at) => `0/${at}`), "reached"];
  const standby = standbyAt(`${directory.path}/pg`, positions);
  assertIncludes(await caughtUp(standby, FAR, standby.control.timeline, clock), "replay on the standby reached FF/0");
  assertEquals(clock.waitedMs() > 2 * TIMEOUT_MS, true);
});
