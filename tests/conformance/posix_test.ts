import { PosixStorage } from "../../backends/posix.ts";
import type { WalferryError } from "../../src/errors.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { storageSuite } from "./storage_suite.ts";

async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "wft-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

for (const type of ["posix", "cifs"] as const) {
  storageSuite(type, async () => {
    const place = await folder();
    return {
      storage: new PosixStorage({ type, path: `${place.path}/made/repo` }),
      [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
    };
  });
}

const bytes = new TextEncoder().encode("content");

Deno.test("posix: files are 0640 and directories 0750 with a neutral umask", async () => {
  await using place = await folder();
  const before = Deno.umask(0);
  try {
    await new PosixStorage({ type: "posix", path: `${place.path}/repo` }).write("a/b/f", bytes);
    assertEquals((await Deno.stat(`${place.path}/repo/a/b/f`)).mode! & 0o777, 0o640);
    for (const path of ["repo", "repo/a", "repo/a/b"]) {
      assertEquals((await Deno.stat(`${place.path}/${path}`)).mode! & 0o777, 0o750);
    }
  } finally {
    Deno.umask(before);
  }
});

Deno.test("posix: a repository path that is a file gives one clear error", async () => {
  await using place = await folder();
  await Deno.writeTextFile(`${place.path}/file`, "x");
  const storage = new PosixStorage({ type: "posix", path: `${place.path}/file` });
  const error = await assertThrows<WalferryError>(() => storage.write("a/f", bytes));
  assertEquals(error.kind, "PathCreate");
  assertIncludes(error.text, `${place.path}/file`);
  assertEquals(await Deno.readTextFile(`${place.path}/file`), "x");
});

Deno.test("posix: leftovers of other writers are neither listed nor in the way", async () => {
  await using place = await folder();
  const storage = new PosixStorage({ type: "posix", path: place.path });
  await Deno.writeTextFile(`${place.path}/f.pgbackrest.tmp`, "left behind");
  await storage.write("f", bytes);
  const names = [];
  for await (const { name } of storage.list("")) names.push(name);
  assertEquals(names, ["f"]);
  const all = [];
  for await (const { name } of storage.list("", { unfinished: true })) all.push(name);
  assertEquals(all.sort(), ["f", "f.pgbackrest.tmp"]);
});

Deno.test("posix: links are listed as links and trees are removed without following them", async () => {
  await using place = await folder();
  await Deno.mkdir(`${place.path}/outside`);
  await Deno.writeTextFile(`${place.path}/outside/precious`, "x");
  const storage = new PosixStorage({ type: "posix", path: `${place.path}/repo` });
  await storage.write("t/f", bytes);
  await storage.symlink("t/link", "../../outside");
  const types = new Map<string, string>();
  for await (const { name, type } of storage.list("t", { recurse: true })) types.set(name, type);
  assertEquals(types, new Map([["f", "file"], ["link", "link"]]));
  await storage.removeTree("t");
  assertEquals(await Deno.readTextFile(`${place.path}/outside/precious`), "x");
});

Deno.test("posix: reading leaves no file open", async () => {
  await using place = await folder();
  const storage = new PosixStorage({ type: "posix", path: place.path });
  await storage.write("f", new Uint8Array(2_000_000));
  const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = open();
  for (let round = 0; round < 30; round++) {
    for await (const _chunk of (await storage.read("f"))!) if (round % 2 === 0) break;
  }
  assert(open() <= before + 1, `${open()} files open, ${before} before`);
});
