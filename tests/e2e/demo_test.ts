/** The demo: what a newcomer runs first. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute } from "../support/accounts.ts";
import { walferryPath } from "../support/programs.ts";
import { testAsRoot, testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", walferryPath];
const EQUAL = /restored: 200000 rows, equal to those before the disaster \([0-9a-f]{32}\)/;

async function demoFolders(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/tmp")) if (name.startsWith("walferry-demo-")) found.push(`/tmp/${name}`);
  return found;
}

testWith(NEEDS, "the demo of an ordinary user ends with equal rows and leaves nothing behind", async () => {
  const before = await demoFolders();
  const result = await execute([walferryPath, "demo"]);
  assertEquals(result.code, 0, result.stdout + result.stderr);
  assertIncludes(result.stdout, EQUAL);
  assertEquals(await demoFolders(), before);
});

testAsRoot(NEEDS, "the demo of root runs PostgreSQL as another account; --keep keeps everything", async () => {
  const result = await execute([walferryPath, "--keep", "demo"], { asSelf: true });
  assertEquals(result.code, 0, result.stdout + result.stderr);
  assertIncludes(result.stdout, EQUAL);
  const kept = /kept: (\/tmp\/walferry-demo-\S+)/.exec(result.stdout)![1]!;
  try {
    assert((await Deno.stat(`${kept}/pg/PG_VERSION`)).uid !== 0);
    assert((await Deno.stat(`${kept}/repo2/backup/demo/backup.info`)).isFile);
  } finally {
    await Deno.remove(kept, { recursive: true });
  }
});

testWith(NEEDS, "a demo that is interrupted stops its server and removes its folder", async () => {
  const before = await demoFolders();
  const result = await execute(["timeout", "--preserve-status", "-s", "INT", "2", walferryPath, "demo"]);
  assertEquals(result.code, 63, result.stdout + result.stderr);
  assertEquals(await demoFolders(), before);
});

testWith(NEEDS, "a demo without PostgreSQL where it was told to look says so", async () => {
  const result = await execute([walferryPath, "--pg-bin=/nowhere", "demo"]);
  assertEquals(result.code, 55);
  assertIncludes(result.stdout, "'/nowhere' does not hold initdb, pg_ctl and postgres");
});
