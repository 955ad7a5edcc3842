/** What a repository is owed, and whose: names of WAL files come back with the next cluster. */
import { payDebt } from "../../src/archive/pay_job.ts";
import type { ArchivePushOptions } from "../../src/archive/options.ts";
import { Quorum } from "../../src/archive/quorum.ts";
import { readControlFile } from "../../src/postgres/control_file.ts";
import type { Clock } from "../../src/process/clock.ts";
import { type Debt, DebtLedger } from "../../src/repository/debts.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { makeClusterFiles, temporaryDirectory } from "../support/cluster_files.ts";
import { makeStanza, repositoryConfig, STANZA } from "../support/stanza_files.ts";

const HISTORY = "00000002.history";
const OLD = 1n;

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function debtOf(content: string, systemId: bigint | undefined): Debt {
  const checksum = sha1Hex(bytesOf(content));
  return { walName: HISTORY, systemId, checksum, sizeBytes: content.length, sinceMs: 0, reason: "it was away" };
}

/** Two repositories of a cluster that was made anew; `knowsOld` tells which of them remember the one before, as id 1. */
async function place(folder: string, knowsOld: readonly number[]) {
  const pgPath = `${folder}/pg`;
  makeClusterFiles(pgPath);
  Deno.mkdirSync(`${pgPath}/pg_wal`, { recursive: true });
  const configs = [1, 2].map((key) => repositoryConfig(key, `${folder}/repo${key}`));
  for (const config of configs) await makeStanza(config, pgPath);
  const set = await RepositorySet.open(configs);
  for (const repository of set.repositories) {
    if (!knowsOld.includes(repository.key)) continue;
    const info = await repository.loadArchiveInfo(STANZA);
    const [current] = info.history;
    const history = [{ ...current!, systemId: OLD }, { ...current!, id: 2 }];
    await repository.saveArchiveInfo(STANZA, { ...info, currentId: 2, history });
  }
  const options: ArchivePushOptions = {
    stanza: STANZA,
    walPath: "",
    cluster: { key: 1, path: pgPath, port: 5432, database: "postgres" },
    repositories: configs,
    compress: { type: "none" },
    headerCheck: true,
    modeCheck: false,
    timeoutMs: 60_000,
    lockPath: folder,
    spoolPath: `${folder}/spool`,
    quorum: 1,
  };
  const ledger = new DebtLedger(options.spoolPath, STANZA);
  return {
    ledger,
    options,
    systemId: readControlFile(pgPath).systemId,
    store: (key: number, archiveId: string, content: string) =>
      set.repositories[key - 1]!.storage.write(`archive/${STANZA}/${archiveId}/${HISTORY}`, bytesOf(content)),
    stored: async (key: number, archiveId: string) => {
      const stream = await set.repositories[key - 1]!.storage.read(`archive/${STANZA}/${archiveId}/${HISTORY}`);
      return stream === undefined ? undefined : new TextDecoder().decode(await collect(stream, 1000));
    },
    inPgWal: (content: string) => Deno.writeFileSync(`${pgPath}/pg_wal/${HISTORY}`, bytesOf(content)),
    pay: () =>
      payDebt(
        { key: 2, walName: HISTORY, pgWalPath: `${pgPath}/pg_wal` },
        set,
        ledger,
        options,
        new AbortController().signal,
      ),
  };
}

Deno.test("a debt of the cluster before is paid into that one's archive, not into the new one's", async () => {
  using folder = temporaryDirectory();
  const { ledger, store, stored, inPgWal, pay } = await place(folder.path, [1, 2]);
  ledger.record(2, debtOf("branched off", OLD));
  // The same words, but of the cluster that runs now.
  inPgWal("branched off");
  await store(1, "15-2", "branched off");
  assertEquals((await pay()).state, "no source");
  assertEquals([await stored(2, "15-1"), await stored(2, "15-2")], [undefined, undefined]);
  assertEquals(await ledger.names(2), [HISTORY]);

  await store(1, "15-1", "branched off");
  assertEquals(await pay(), { state: "paid", from: "repo1" });
  assertEquals([await stored(2, "15-1"), await stored(2, "15-2")], ["branched off", undefined]);
  assertEquals(await ledger.names(2), []);
});

Deno.test("a debt of a cluster that the stanza there no longer knows is struck out, and nothing is stored", async () => {
  using folder = temporaryDirectory();
  const { ledger, store, stored, inPgWal, pay } = await place(folder.path, [1]);
  ledger.record(2, debtOf("branched off", OLD));
  inPgWal("branched off");
  await store(1, "15-1", "branched off");
  const result = await pay();
  assert(result.state === "forgotten", result.state);
  assertIncludes(result.reason, "cluster 1, which the stanza there does not know");
  assertEquals(await stored(2, "15-1"), undefined);
  assertEquals(await ledger.names(2), []);
});

Deno.test("a debt of the cluster that runs, or of one that was not noted, is paid out of pg_wal", async () => {
  using folder = temporaryDirectory();
  const { ledger, stored, inPgWal, pay, systemId } = await place(folder.path, [1, 2]);
  inPgWal("branched off");
  for (const  of of[systemId, undefined]) {
    ledger.record(2, debtOf("branched off", of));
    assertEquals(await pay(), { state: "paid", from: "pg_wal" });
    assertEquals(await stored(2, "15-2"), "branched off");
    assertEquals(await ledger.names(2), []);
  }
});

Deno.test("what this cluster holds or is owed says nothing of the file of that name of the cluster before", async () => {
  using folder = temporaryDirectory();
  const ledger = new DebtLedger(folder.path, STANZA);
  ledger.record(2, debtOf("old", OLD));
  assertEquals([ledger.owes(OLD, 2, HISTORY), ledger.owes(7n, 2, HISTORY)], [true, false]);
  ledger.settleOf(7n, 2, HISTORY);
  ledger.settleContent(7n, 2, HISTORY, sha1Hex(bytesOf("old")));
  assertEquals(ledger.get(2, HISTORY)?.systemId, OLD);
  ledger.settleContent(OLD, 2, HISTORY, sha1Hex(bytesOf("old")));
  assertEquals(await ledger.names(2), []);
  // Of a damaged note nobody can say whose it is: a recovery must not end on it.
  Deno.writeTextFileSync(ledger.pathOf(2, HISTORY), "{");
  assertEquals(ledger.owes(7n, 2, HISTORY), true);
});

Deno.test("a debt is noted also when somebody emptied the spool under a process that goes on", async () => {
  using folder = temporaryDirectory();
  const ledger = new DebtLedger(folder.path, STANZA);
  ledger.record(2, debtOf("content", 7n));
  Deno.removeSync(`${folder.path}/walferry`, { recursive: true });
  ledger.record(2, debtOf("content", 7n));
  assertEquals(await ledger.names(2), [HISTORY]);
});

Deno.test("a debt that nobody can pay is left alone for five minutes by every process, one that is new is not", async () => {
  using folder = temporaryDirectory();
  let nowMs = 1_000_000_000;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
  const quorum = () =>
    new Quorum({
      stanza: STANZA,
      repositories: [1, 2].map((key) => repositoryConfig(key, `/r${key}`)),
      quorum: 1,
      spoolPath: folder.path,
    }, clock);
  const { ledger } = quorum();
  ledger.record(2, debtOf("x", OLD));
  assertEquals(await quorum().isPayable(), true);
  ledger.postpone(2, HISTORY, nowMs);
  assertEquals([await quorum().isPayable(), quorum().ledger.postponedMs(2, HISTORY, nowMs)], [false, 300_000]);
  ledger.record(2, { ...debtOf("y", OLD), walName: "00000003.history" });
  assertEquals(await quorum().isPayable(), true);
  ledger.settle(2, "00000003.history");
  nowMs += 300_000;
  assertEquals(await quorum().isPayable(), true);
  // The clock was set back by a day: nobody waits for it to come round again.
  ledger.postpone(2, HISTORY, nowMs);
  nowMs -= 86_400_000;
  assertEquals(await quorum().isPayable(), true);
});
