/** What repo-sync says is paid: what it copied, not what has the same name. */
import { repoSync } from "../../src/commands/repo_sync.ts";
import { walDirectory } from "../../src/format/wal_name.ts";
import { systemClock } from "../../src/process/clock.ts";
import { DebtLedger } from "../../src/repository/debts.ts";
import { Repository } from "../../src/repository/repository.ts";
import { storedSegmentName } from "../../src/repository/wal_archive.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { makeClusterFiles, temporaryDirectory } from "../support/cluster_files.ts";
import { makeStanza, repositoryConfig, STANZA, testContext } from "../support/stanza_files.ts";

const WAL_NAME = "000000010000000000000005";

/** Two repositories of a stanza that was upgraded: the old cluster is 15-1, the one that runs is 15-2. */
async function place(folder: string) {
  makeClusterFiles(`${folder}/pg`);
  const configs = [1, 2].map((key) => repositoryConfig(key, `${folder}/repo${key}`));
  for (const config of configs) {
    await makeStanza(config, `${folder}/pg`);
    await using repository = await Repository.open(config);
    const info = await repository.loadArchiveInfo(STANZA);
    const [current] = info.history;
    const history = [{ ...current!, systemId: 1n }, { ...current!, id: 2 }];
    await repository.saveArchiveInfo(STANZA, { ...info, currentId: 2, history });
    const backupInfo = await repository.loadBackupInfo(STANZA);
    const [now] = backupInfo.history;
    backupInfo.history = [{ ...now!, systemId: 1n }, { ...now!, id: 2 }];
    await repository.saveBackupInfo(STANZA, { ...backupInfo, currentId: 2 });
  }
  const store = async (key: number, archiveId: string, content: string, stored = content) => {
    await using repository = await Repository.open(configs[key - 1]!);
    const name = storedSegmentName(WAL_NAME, sha1Hex(new TextEncoder().encode(content)), "");
    const path = repository.archivePath(STANZA, archiveId, walDirectory(WAL_NAME), name);
    await repository.storage.write(path, new TextEncoder().encode(stored));
  };
  const owe = (content: string) =>
    ledger.record(2, {
      walName: WAL_NAME,
      checksum: sha1Hex(new TextEncoder().encode(content)),
      sizeBytes: content.length,
      sinceMs: 0,
      reason: "it was away",
    });
  const ledger = new DebtLedger(`${folder}/spool`, STANZA);
  const sync = () =>
    repoSync({
      stanza: STANZA,
      from: configs[0]!,
      to: configs[1]!,
      dryRun: false,
      processMax: 2,
      lockPath: `${folder}/lock`,
      spoolPath: `${folder}/spool`,
    }, testContext(systemClock));
  return { store, owe, sync, ledger };
}

Deno.test("copying the old cluster's segment does not pay what the new one's is owed under the same name", async () => {
  using folder = temporaryDirectory();
  const { store, owe, sync, ledger } = await place(folder.path);
  await store(1, "15-1", "of the old cluster");
  owe("of the new cluster");
  assertEquals(await sync(), 0);
  assertEquals(await ledger.names(2), [WAL_NAME]);
  // When it is there, it is copied and paid.
  await store(1, "15-2", "of the new cluster");
  assertEquals(await sync(), 0);
  assertEquals(await ledger.names(2), []);
});

Deno.test("two contents under one name in the source are a conflict, not a choice", async () => {
  using folder = temporaryDirectory();
  const { store, sync } = await place(folder.path);
  await store(1, "15-2", "one");
  await store(1, "15-2", "another");
  const error = await assertThrows(sync);
  assertIncludes(error.message, `WAL segment ${WAL_NAME} has another checksum`);
});
