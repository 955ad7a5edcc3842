/** Which passphrase an info file has, and who changes it; over a store in memory. */
import { MemoryStorage } from "../../backends/memory.ts";
import { rekeyStanza } from "../../src/repository/rekey.ts";
import { Repository } from "../../src/repository/repository.ts";
import { createStanza, upgradeStanza } from "../../src/repository/stanza.ts";
import { storedPassphrase } from "../../src/repository/stored_passphrase.ts";
import type { Finding } from "../../src/verify/finding.ts";
import { checkInfos } from "../../src/verify/stanza_infos.ts";
import { assertEquals } from "../support/assert.ts";
import { repositoryConfig } from "../support/stanza_files.ts";

const CLUSTER = { pgVersion: "15", systemId: 7n, catalogVersion: 202209061, controlVersion: 1300 };
const INFOS = ["archive/main/archive.info", "backup/main/backup.info"].flatMap((path) => [path, `${path}.copy`]);

/** Hosts with different configurations in front of one store. */
function hosts() {
  const storage = new MemoryStorage({ type: "memory", path: "" });
  const host = (passphrase: string, previous?: string) => {
    const config = repositoryConfig(1, "/nowhere", passphrase);
    return Repository.over({ ...config, cipher: { type: "aes-256-cbc", passphrase, previous } }, storage);
  };
  return { storage, host, old: host("old"), both: host("new", "old"), onlyNew: host("new") };
}

/** Those of the info files that this host's passphrase opens, without the one before. */
async function openedBy(host: Repository, paths: readonly string[] = INFOS): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await host.opensWithCurrent(path)) found.push(path);
  return found;
}

Deno.test("an info file is saved with the passphrase that opened it: only rekey changes it", async () => {
  const { storage, old, both, onlyNew } = hosts();
  await createStanza(old, "main", CLUSTER);
  await upgradeStanza(both, "main", { ...CLUSTER, pgVersion: "16", systemId: 8n });
  assertEquals(await openedBy(old), INFOS);
  await storage.remove(INFOS[1]!);
  await storage.remove(INFOS[2]!);
  await createStanza(both, "main", { ...CLUSTER, pgVersion: "16", systemId: 8n });
  assertEquals(await openedBy(old), INFOS);
  await rekeyStanza(both, "main");
  assertEquals(await openedBy(onlyNew), INFOS);
  await both.saveBackupInfo("main", await both.loadBackupInfo("main"));
  assertEquals(await openedBy(onlyNew), INFOS);
});

Deno.test("an info file that is new gets the passphrase of the stanza's other one; a stanza that is new, the configured one", async () => {
  const { storage, old, both, onlyNew } = hosts();
  await createStanza(old, "main", CLUSTER);
  const archiveInfo = await both.loadArchiveInfo("main");
  for (const path of INFOS.slice(0, 2)) await storage.remove(path);
  await both.saveArchiveInfo("main", archiveInfo);
  assertEquals(await openedBy(old), INFOS);
  // As it is where rekey was cut off between the two: each stays as it is.
  await both.rekeyArchiveInfo("main", archiveInfo);
  await both.saveBackupInfo("main", await both.loadBackupInfo("main"));
  await both.saveArchiveInfo("main", await both.loadArchiveInfo("main"));
  assertEquals(await openedBy(onlyNew), INFOS.slice(0, 2));
  assertEquals(await openedBy(old), INFOS.slice(2));
  await createStanza(both, "other", CLUSTER);
  const others = INFOS.map((path) => path.replace("/main/", "/other/"));
  assertEquals(await openedBy(onlyNew, others), others);
});

Deno.test("info files are healthy whichever of the two passphrases opens them, and read with the one that does", async () => {
  const { storage, host, old, both } = hosts();
  await createStanza(old, "main", CLUSTER);
  const findings = async (repository: Repository) => {
    const found: Finding[] = [];
    await checkInfos(repository, "main", (finding) => found.push(finding));
    return found.map(({ path, kind }) => `${kind} ${path}`);
  };
  assertEquals(await findings(both), []);
  for (const path of INFOS) assertEquals(await storedPassphrase(both, path, "main"), "old");
  await both.rekeyArchiveInfo("main", await both.loadArchiveInfo("main"));
  assertEquals(await findings(both), []);
  assertEquals(await Promise.all(INFOS.map((path) => storedPassphrase(both, path, "main"))), [
    "new",
    "new",
    "old",
    "old",
  ]);
  // One with the old passphrase beside one with the new says the same.
  await old.saveArchiveInfo("main", await both.loadArchiveInfo("main"));
  const copy = await storage.read(INFOS[1]!);
  await both.rekeyArchiveInfo("main", await both.loadArchiveInfo("main"));
  await storage.write(INFOS[1]!, copy!);
  assertEquals(await findings(both), []);
  assertEquals(await storedPassphrase(both, INFOS[1]!, "main"), "old");
  assertEquals((await findings(host("third", "fourth"))).length, 4);
});
