/** What archive-get does with files of this side: the destination that every segment has, and the queue. */
import { MemoryStorage } from "../../backends/memory.ts";
import { fetchVerified } from "../../src/archive/deliver.ts";
import type { Candidate } from "../../src/archive/get_candidates.ts";
import { GetQueue } from "../../src/archive/get_queue.ts";
import { toWalferryError, WalferryError } from "../../src/errors.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { Repository } from "../../src/repository/repository.ts";
import { storedSegmentName } from "../../src/repository/wal_archive.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";

const CONFIG: RepositoryConfig = {
  key: 1,
  role: "all",
  storage: { type: "memory", path: "m" },
  cipher: { type: "none" },
  retention: { fullType: "count", archiveType: "full", keep: {} },
  hardlink: false,
  symlink: false,
};
const NEVER = new AbortController().signal;

/** A stored segment whose second half comes only when it is let go. */
async function slowCandidate(walName: string, content: string): Promise<{ candidate: Candidate; letGo: () => void }> {
  const storage = new MemoryStorage({ type: "memory", path: "m" }, new Map());
  const bytes = new TextEncoder().encode(content);
  const checksum = sha1Hex(bytes);
  const name = storedSegmentName(walName, checksum, "");
  await storage.write(name, bytes);
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = new Proxy(storage, {
    get: (target, property) =>
      property === "read"
        // deno-lint-ignore require-await
        ? async () =>
          (async function* () {
            yield bytes.slice(0, 4);
            await promise;
            yield bytes.slice(4);
          })()
        : Reflect.get(target, property, target),
  });
  const segment = {
    repositoryKey: 1,
    archiveId: "15-1",
    walName,
    path: name,
    name,
    sizeBytes: bytes.length,
    checksum,
    compressType: "none" as const,
  };
  const repository = Repository.over(CONFIG, slow);
  return { candidate: { repository, archiveId: "15-1", path: name, passphrase: undefined, segment }, letGo: resolve };
}

Deno.test("of a store that does not answer the copy of an info file is not asked for, too", async () => {
  const asked: string[] = [];
  const storage = new MemoryStorage({ type: "memory", path: "m" }, new Map());
  const silent = new Proxy(storage, {
    get: (target, property) =>
      property === "read"
        ? (path: string) => {
          asked.push(path);
          return Promise.reject(new WalferryError("HostConnect", "no answer"));
        }
        : Reflect.get(target, property, target),
  });
  const error = await Repository.over(CONFIG, silent).loadArchiveInfo("main").then(() => undefined, toWalferryError);
  assertEquals([error?.kind, asked], ["HostConnect", ["archive/main/archive.info"]]);
  assertEquals(error?.text.includes("stanza-create"), false, "the stanza is not what is missing");
});

Deno.test("a command that outlived its server does not write into what a later one delivers to the same place", async () => {
  using folder = temporaryDirectory();
  const temporary = `${folder.path}/RECOVERYXLOG.pgbackrest.tmp`;
  const destination = `${folder.path}/RECOVERYXLOG`;
  const old = await slowCandidate("000000010000000000000001", "the segment before");
  const oldFetch = fetchVerified(old.candidate, temporary, NEVER);
  // Its first half is written when the event loop comes round.
  await new Promise((resolve) => setTimeout(resolve));
  const next = await slowCandidate("000000010000000000000002", "what is wanted now");
  next.letGo();
  (await fetchVerified(next.candidate, temporary, NEVER)).giveName(destination);
  old.letGo();
  const late = await oldFetch;
  assertEquals(Deno.readTextFileSync(destination), "what is wanted now");
  assertEquals((await assertThrows(() => Promise.resolve(late.giveName(destination)))).name, "FileMoveError");
  assertEquals(Deno.readTextFileSync(destination), "what is wanted now");
});

Deno.test("a command that comes to its end first does not give the other one's half a file its name", async () => {
  using folder = temporaryDirectory();
  const temporary = `${folder.path}/RECOVERYXLOG.pgbackrest.tmp`;
  const destination = `${folder.path}/RECOVERYXLOG`;
  const old = await slowCandidate("000000010000000000000001", "the segment before");
  const oldFetch = fetchVerified(old.candidate, temporary, NEVER);
  await new Promise((resolve) => setTimeout(resolve));
  const next = await slowCandidate("000000010000000000000002", "what is wanted now");
  const nextFetch = fetchVerified(next.candidate, temporary, NEVER);
  old.letGo();
  const late = await oldFetch;
  await assertThrows(() => Promise.resolve(late.giveName(destination)));
  next.letGo();
  (await nextFetch).giveName(destination);
  assertEquals(Deno.readTextFileSync(destination), "what is wanted now");
});

Deno.test("tidying the queue leaves alone what is on its way, and removes what a killed process left", async () => {
  using folder = temporaryDirectory();
  const queue = new GetQueue(folder.path, "main");
  queue.make();
  const [running, killed, kept] = [1, 2, 3].map((number) => `00000001000000000000000${number}`);
  for (const name of [`${running}.pgbackrest.tmp`, `${running}.1.pgbackrest.tmp`, `${killed}.pgbackrest.tmp`, kept!]) {
    Deno.writeTextFileSync(`${queue.path}/${name}`, "x");
  }
  await queue.keepOnly(new Set([running!, killed!, kept!]), new Set([running!]));
  assertEquals([...Deno.readDirSync(queue.path)].map(({ name }) => name).sort(), [
    `${running}.1.pgbackrest.tmp`,
    `${running}.pgbackrest.tmp`,
    kept!,
  ]);
});
