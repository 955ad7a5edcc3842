/** Which passphrase an info file has, and who changes it; over a store in memory. */
import { MemoryStorage } from "../../backends/memory.ts";
import { rekey } from "../../src/commands/rekey.ts";
import type { WalferryError } from "../../src/errors.ts";
import { assertOnlyNew, rekeyStanza, stanzasOf } from "../../src/repository/rekey.ts";
import { Repository } from "../../src/repository/repository.ts";
import { createStanza, upgradeStanza } from "../../src/repository/stanza.ts";
import { storedPassphrase } from "../../src/repository/stored_passphrase.ts";
import { collect } from "../../src/stream/sources.ts";
import type { Finding } from "../../src/verify/finding.ts";
import { checkInfos } from "../../src/verify/stanza_infos.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { hurryingClock, repositoryConfig, testContext } from "../support/stanza_files.ts";

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

async function storedBytes(storage: MemoryStorage, path: string): Promise<string> {
  const stream = await storage.read(path);
  return stream === undefined ? "absent" : new TextDecoder("latin1").decode(await collect(stream, 1024 * 1024));
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

Deno.test("a stanza that neither passphrase opens whole stays as it is", async () => {
  const { storage, host, old, both } = hosts();
  await createStanza(old, "main", CLUSTER);
  await host("foreign").saveBackupInfo("main", await old.loadBackupInfo("main"));
  const before = await Promise.all(INFOS.map((path) => storedBytes(storage, path)));
  await assertThrows<WalferryError>(() => rekeyStanza(both, "main"), (error) => assertEquals(error.kind, "Crypto"));
  assertEquals(await Promise.all(INFOS.map((path) => storedBytes(storage, path))), before);
  await assertThrows<WalferryError>(() => assertOnlyNew(both, "main"), (error) => assertEquals(error.kind, "Crypto"));
});

Deno.test("a stanza of which there is nothing is no success, and a directory without info files no stanza", async () => {
  const { storage, old, both } = hosts();
  await createStanza(old, "main", CLUSTER);
  await storage.write("archive/leftover/15-1/something", new Uint8Array(1));
  assertEquals(await stanzasOf(both), ["main"]);
  for (const act of [rekeyStanza, assertOnlyNew]) {
    await assertThrows<WalferryError>(() => act(both, "leftover"), (error) => assertEquals(error.kind, "FileMissing"));
  }
});

Deno.test("rekey of all stanzas does those that can be done and tells of the others", async () => {
  const path = await Deno.makeTempDir();
  try {
    const config = (passphrase: string, previous?: string) => {
      const cipher = { type: "aes-256-cbc", passphrase, previous } as const;
      return { ...repositoryConfig(1, `${path}/repo`, passphrase), cipher };
    };
    for (const [stanza, passphrase] of [["aaa", "its own"], ["main", "old"], ["zzz", "old"]] as const) {
      await using repository = await Repository.open(config(passphrase));
      await createStanza(repository, stanza, CLUSTER);
    }
    const context = testContext(hurryingClock());
    const options = (stanza?: string, confirm = false) => {
      return { stanza, confirm, lockPath: `${path}/lock`, repositories: [config("new", "old")] };
    };
    assertEquals(await rekey(options("zzz"), context), 0);
    assertEquals(context.log.lines.some((line) => line.includes("'main'")), false);
    assertEquals(await rekey(options("zzz", true), context), 0);
    for (const confirm of [false, true]) {
      const error = await assertThrows<WalferryError>(() => rekey(options(undefined, confirm), context));
      assertEquals(error.kind, "Crypto");
      assertEquals(error.message.split("\n")[0]!.startsWith("repo1: stanza 'aaa': [CryptoError] "), true);
      assertEquals(/stanza '(?:main|zzz)'/.test(error.message), false);
    }
    await using onlyNew = await Repository.open(config("new"));
    for (const stanza of ["main", "zzz"]) await assertOnlyNew(onlyNew, stanza);
    await using own = await Repository.open(config("its own"));
    await assertOnlyNew(own, "aaa");
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("rekey that is cut off at any write leaves everything readable, is done by the next run, and a further one waits for that", async () => {
  for (let writes = 0; writes < INFOS.length; writes++) {
    const { storage, host, old, both, onlyNew } = hosts();
    await createStanza(old, "main", CLUSTER);
    const infos = [await old.loadArchiveInfo("main"), await old.loadBackupInfo("main")];
    let left = writes;
    const dying = new Proxy(storage, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (name !== "write") return typeof value === "function" ? value.bind(target) : value;
        return (...args: unknown[]) =>
          left-- > 0 ? Reflect.apply(value, target, args) : Promise.reject(new Error("died"));
      },
    });
    await assertThrows<Error>(() => rekeyStanza(Repository.over(both.config, dying), "main"), ({ message }) => {
      assertEquals(message, "died");
    });
    assertEquals(await openedBy(onlyNew), INFOS.slice(0, writes));
    assertEquals([await both.loadArchiveInfo("main"), await both.loadBackupInfo("main")], infos);
    // The passphrase behind the new one: where both forms of a file still have the first, nobody who has these two opens it.
    const next = host("newest", "new");
    if (writes < 3) {
      await assertThrows<WalferryError>(() => rekeyStanza(next, "main"), ({ kind }) => assertEquals(kind, "Crypto"));
      assertEquals(await openedBy(host("newest")), []);
      await rekeyStanza(both, "main");
    }
    await rekeyStanza(next, "main");
    assertEquals(await openedBy(host("newest")), INFOS);
    assertEquals([await next.loadArchiveInfo("main"), await next.loadBackupInfo("main")], infos);
  }
});
