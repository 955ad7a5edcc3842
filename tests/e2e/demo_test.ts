/** The demo: what a newcomer runs first. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, testAccount } from "../support/accounts.ts";
import { postgresBin } from "../support/postgres.ts";
import { walferryPath } from "../support/programs.ts";
import { testAsRoot, testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", walferryPath];
const EQUAL = /restored: 200000 rows, equal to those before the disaster \([0-9a-f]{32}\)/;

async function demoFolders(): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const { name } of Deno.readDir("/tmp")) if (name.startsWith("walferry-demo-")) found.add(`/tmp/${name}`);
  return found;
}

/** Nothing has come since, and stayed. Somebody else's demo may run at the same time: its folder goes away by itself. */
async function assertNothingLeft(before: ReadonlySet<string>): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const left = (await demoFolders()).difference(before);
    if (left.size === 0) return;
    assert(Date.now() < deadline, `left behind: ${[...left].join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

testWith(NEEDS, "the demo of an ordinary user ends with equal rows and leaves nothing behind", async () => {
  const before = await demoFolders();
  const result = await execute([walferryPath, "demo"]);
  assertEquals(result.code, 0, result.stdout + result.stderr);
  assertIncludes(result.stdout, EQUAL);
  await assertNothingLeft(before);
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

testAsRoot(NEEDS, "the demo of root works where only root may look", async () => {
  const home = await Deno.makeTempDir({ prefix: "wft-" });
  const before = await demoFolders();
  try {
    await Deno.copyFile(walferryPath, `${home}/walferry`);
    const result = await execute([`${home}/walferry`, "demo"], { asSelf: true });
    assertEquals(result.code, 0, result.stdout + result.stderr);
    assertIncludes(result.stdout, EQUAL);
    await assertNothingLeft(before);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

testWith(NEEDS, "the demo takes the PostgreSQL in PATH before any other", async () => {
  const before = await demoFolders();
  const bin = await postgresBin(14);
  const result = await execute([walferryPath, "demo"], { env: { PATH: `${bin}:/usr/bin:/bin` } });
  assertEquals(result.code, 0, result.stdout + result.stderr);
  assertIncludes(result.stdout, /make a cluster .* PostgreSQL 14\./);
  await assertNothingLeft(before);
});

for (
  const title of ["make a cluster", "check that WAL", "full backup", "the disaster", "restore to the", "start the"]
) {
  testWith(
    NEEDS,
    `a demo that is told to end, twice, at '${title}' stops its server and removes its folder`,
    async () => {
      const before = await demoFolders();
      const child = new Deno.Command(walferryPath, {
        args: ["demo"],
        cwd: "/tmp",
        stdin: "null",
        stdout: "piped",
        ...testAccount,
      }).spawn();
      let said = "";
      let told = false;
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        said += text;
        if (told || !said.includes(`  ${title}`)) continue;
        // As `timeout` and a closing terminal do it.
        child.kill("SIGINT");
        child.kill("SIGTERM");
        told = true;
      }
      assertEquals((await child.status).code, 63, said);
      assertIncludes(said, /terminated on signal SIG(INT|TERM)/);
      await assertNothingLeft(before);
    },
  );
}

testWith(NEEDS, "a demo without PostgreSQL where it was told to look says so", async () => {
  const result = await execute([walferryPath, "--pg-bin=/nowhere", "demo"]);
  assertEquals(result.code, 55);
  assertIncludes(result.stdout, "'/nowhere' does not hold initdb, pg_ctl and postgres");
});
