/** Damaged and hostile small files of repositories and spools: each is understood, told or passed over, whatever is in it. */
import { refusalOf } from "../../backends/gcs/errors.ts";
import { storedOf } from "../../backends/gcs/answers.ts";
import { knownKeys } from "../../backends/sftp/known_hosts.ts";
import { PushSpool } from "../../src/archive/spool.ts";
import { CopiedJournals } from "../../src/backup/copied_journal.ts";
import { parseLabel } from "../../src/format/label.ts";
import { parseTimelineHistory } from "../../src/format/timeline_history.ts";
import { isPossibleSegment, parseLsn, segmentNumber, walDirectory } from "../../src/format/wal_name.ts";
import { holdLockFile, readLockFile } from "../../src/process/locks.ts";
import { DebtLedger } from "../../src/repository/debts.ts";
import { DrillRecords } from "../../src/repository/drill_record.ts";
import { HealthBoard } from "../../src/repository/health.ts";
import { parseRecord } from "../../src/repository/spool_files.ts";
import { parseVerification } from "../../src/repository/verification_results.ts";
import { parseRecord as parseVerified, provedIn } from "../../src/repository/verified_record.ts";
import { TestFolder } from "../support/accounts.ts";
import { assert } from "../support/assert.ts";
import { fuzz, fuzzRounds, mutateText } from "../support/mutations.ts";
import { hurryingClock } from "../support/stanza_files.ts";

const ROUNDS = fuzzRounds(2000);
const SEGMENT = "000000010000000000000003";
const DEBT = JSON.stringify({
  walName: SEGMENT,
  checksum: "a".repeat(40),
  sizeBytes: 16777216,
  sinceMs: 1795220213000,
  reason: "[HostConnectError]",
  systemId: "7575013512345678901",
  notBeforeMs: 1795220213000,
});
const JOURNAL_RUN = {
  repository: "posix /r",
  label: "20261121-120000F",
  systemId: 7575013512345678901n,
  timestampStart: 1795220213,
  timestampCopyStart: 1795220214,
};

/** A parser that reads a file of its own. */
interface FileCase {
  readonly name: string;
  readonly sample: string;
  readonly path: string;
  readonly read: (root: string) => unknown;
}

const FILES: readonly FileCase[] = [
  {
    name: "answers of the spool",
    sample: "103\nunable to push WAL\nHINT: look\n",
    path: `archive/main/out/${SEGMENT}.error`,
    read: (root) => new PushSpool(root, "main").status(SEGMENT),
  },
  {
    name: "good answers of the spool",
    sample: "0\na warning\n",
    path: `archive/main/out/${SEGMENT}.ok`,
    read: (root) => new PushSpool(root, "main").status(SEGMENT),
  },
  {
    name: "identities of the spool",
    sample: "7575013512345678901\n",
    path: "archive/main/system-id",
    read: (root) => new PushSpool(root, "main").belongsTo(7575013512345678901n),
  },
  {
    name: "debts",
    sample: DEBT,
    path: `walferry/main/debt/repo1/${SEGMENT}`,
    read: async (root) => {
      const ledger = new DebtLedger(root, "main");
      ledger.owes(1n, 1, SEGMENT);
      await ledger.hasDue(1, 1795220213000);
      return ledger.get(1, SEGMENT);
    },
  },
  {
    name: "outages",
    sample: '{"failures":3,"sinceMs":1795220213000,"nextTryMs":1795220214000,"reason":"x"}',
    path: "walferry/main/health/push/repo1",
    read: (root) => new HealthBoard(root, "main", hurryingClock(), "push").mayTry(1),
  },
  {
    name: "drills",
    sample: '{"isGood":true,"atMs":1795220213000,"label":"x","restoreMs":1,"recoverMs":2}',
    path: "walferry/main/drill/last",
    read: (root) => new DrillRecords(root, "main").last("last"),
  },
  {
    name: "locks",
    sample: '{"execId":"1-a","pid":77,"sz":100,"szCplt":5}\n',
    path: "main-backup.lock",
    read: (root) => readLockFile(`${root}/main-backup.lock`),
  },
  {
    name: "journals",
    sample: "",
    path: "walferry/main/resume/repo1",
    read: (root) => [
      ...new CopiedJournals(root, "main").read(1, JOURNAL_RUN, { mode: 0o600, user: "a", group: "b" }),
    ],
  },
];

for (const { name, sample, path, read } of FILES) {
  Deno.test(`${ROUNDS} mutations of ${name} are told or passed over`, async () => {
    await using folder = await TestFolder.make();
    const file = `${folder.path}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    let start = sample;
    // The content of a lock says something only while somebody holds it.
    using _held = name === "locks" ? holdLockFile(file, "1-00000000") : undefined;
    if (name === "journals") {
      const journals = new CopiedJournals(folder.path, "main");
      (await journals.begin(1, JOURNAL_RUN, () => 0))[Symbol.dispose]();
      const head = await Deno.readTextFile(file);
      start = head + head.replace(/\{.*/, '{"name":"pg_data/x","sizeBytes":1,"timestamp":2,"repoSizeBytes":3}');
    }
    await fuzz(ROUNDS, (next) => mutateText(start, next), (text) => {
      Deno.writeTextFileSync(file, text);
      return read(folder.path);
    });
    const entries = [...Deno.readDirSync(folder.path)].map((entry) => entry.name);
    assert(entries.length === 1, `nothing else is written: ${entries}`);
  });
}

const GCS_ERROR = '{"error":{"code":403,"message":"denied","errors":[{"reason":"forbidden","domain":"global"}]}}';
const TEXTS: ReadonlyArray<readonly [name: string, sample: string, parse: (text: string) => unknown]> = [
  [
    "timeline histories",
    "1\t0/9800000\tno recovery target specified\n2\t1/A000028\tbefore 2026-11-21 12:00:00+00\n",
    (text) => parseTimelineHistory(text, 3),
  ],
  [
    "records of verify",
    '{"backup":{"20261121-120000F":5},"format":2,"wal":{"15-1":{"directory":{"0000000100000000":"da39a3ee5e6b4b0d3255bfef95601890afd80709"},"run":[[1,2,9]],"segment-size":16777216,"system-id":"7575013512345678901"}}}\n',
    (
      text,
    ) => provedIn(parseVerified(text).walOf("15-1", 7575013512345678901n), SEGMENT.slice(0, 16), [])(SEGMENT),
  ],
  [
    "results of verify",
    '{"damage":0,"duration":7,"format":1,"repaired":0,"system-id":"7575013512345678901","time":1795220213}\n',
    (text) => parseVerification("full", text),
  ],
  ["records of the spool", DEBT, parseRecord],
  ["labels", "20261121-120000F_20261122-130000I", parseLabel],
  ["positions in the WAL", "16/B374D848", (text) => parseLsn(text)],
  ["names of WAL", SEGMENT, (text) => {
    walDirectory(text);
    return isPossibleSegment(text, 16 * 1024 ** 2) && segmentNumber(text, 16 * 1024 ** 2);
  }],
  ["answers of GCS", '{"kind":"storage#object","name":"a","size":"5","crc32c":"AAAA"}', (text) => storedOf("x", text)],
  ["refusals of GCS", GCS_ERROR, (text) => refusalOf(403, { "retry-after": text.slice(0, 3) }, text)],
  [
    "known hosts",
    "[127.0.0.1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ\n|1|c2FsdA==|aGFzaA== ssh-rsa AAAA\n@revoked * ssh-rsa AAAA\n",
    (text) => knownKeys(text, "known_hosts", "127.0.0.1", 2222),
  ],
];

for (const [name, sample, parse] of TEXTS) {
  Deno.test(`${ROUNDS} mutations of ${name} give a value or an error of ours`, async () => {
    await fuzz(ROUNDS, (next) => mutateText(sample, next), parse);
  });
}
