/** The directory of answers of asynchronous archiving where it is not there, or cannot be. */
import type { WalferryError } from "../../src/errors.ts";
import { PushSpool } from "../../src/archive/spool.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { temporaryDirectory, writeFile } from "../support/cluster_files.ts";

Deno.test("whoever waits for the lock needs no spool that is there, and is told about one that cannot be", async () => {
  using directory = temporaryDirectory();
  const spool = new PushSpool(`${directory.path}/spool`, "main");
  spool.want();
  assertEquals(spool.isWanted, true);
  writeFile(`${directory.path}/file`, "");
  const impossible = new PushSpool(`${directory.path}/file/spool`, "main");
  const error = await assertThrows<WalferryError>(() => impossible.want());
  assertEquals(error.kind, "PathCreate");
  assertIncludes(error.hint!, "own the spool path");
});
