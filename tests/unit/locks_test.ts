/** Locks that are kept for long, and what keeps somebody from one. */
import { WalferryError } from "../../src/errors.ts";
import { acquireLocks, LockHeld } from "../../src/process/locks.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";

function failureOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

Deno.test("whoever holds a lock sees that its file was removed, and leaves the next holder's alone", () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  const first = acquireLocks(path, "main", "archive", [1], "1-1");
  assertEquals(first.isInPlace, true);
  assert(failureOf(() => acquireLocks(path, "main", "archive", [1], "2-2")) instanceof LockHeld);
  Deno.removeSync(`${path}/main-archive.lock`);
  assertEquals(first.isInPlace, false);
  Deno.removeSync(`${path}/main-archive-1.lock`);
  using second = acquireLocks(path, "main", "archive", [1], "3-3");
  first[Symbol.dispose]();
  assertEquals(second.isInPlace, true);
});

Deno.test("a lock file that cannot be opened is not a lock that somebody holds", () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  Deno.mkdirSync(`${path}/main-archive.lock`);
  const error = failureOf(() => acquireLocks(path, "main", "archive", [1], "1-1"));
  assert(error instanceof WalferryError && !(error instanceof LockHeld), String(error));
  assertEquals(error.kind, "LockAcquire");
});
