/** How a command ended, for programs: the JSON line, and the hooks that get it. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];

interface Scene extends AsyncDisposable {
  readonly folder: TestFolder;
  readonly stanza: TestStanza;
  /** What a hook wrote, or `undefined` when none ran. */
  told(name: string): string | undefined;
}

async function scene(global: (folder: string) => Record<string, string> = () => ({})): Promise<Scene> {
  const folder = await TestFolder.make();
  const cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, { cipherPass: "the second passphrase" }],
    global: { "log-level-console": "warn", ...global(folder.path) },
  });
  await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  return {
    folder,
    stanza,
    told(name) {
      try {
        return Deno.readTextFileSync(`${folder.path}/${name}`);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The last line of an output as JSON. */
// deno-lint-ignore no-explicit-any
function lastLine(text: string): any {
  return JSON.parse(text.trimEnd().split("\n").at(-1)!);
}

testWith(NEEDS, "--result=json: one line behind everything else, with what came of each repository", async () => {
  await using place = await scene();
  const { stanza } = place;
  const good = await stanza.walferry(["--result=json", "--type=full", "--repo=all", "backup"]);
  assertEquals(good.code, 0, good.stdout + good.stderr);
  const result = lastLine(good.stdout);
  assertEquals([result.command, result.stanza, result.result, result.code, result.error], [
    "backup",
    "main",
    "success",
    0,
    null,
  ]);
  assertEquals(result.repo, [
    { "repo-key": 1, result: "ok", error: null },
    { "repo-key": 2, result: "ok", error: null },
  ]);
  assert(result["duration-ms"] > 0 && Math.abs(result.start - Date.now() / 1000) < 60);
  const first = lastLine((await stanza.walferry(["--result=json", "--type=full", "backup"])).stdout);
  assertEquals(first.repo.length, 1);

  // What a command had nothing to do with is not called good.
  const results = async (...args: string[]): Promise<Array<[key: number, result: string]>> => {
    const { repo } = lastLine(await stanza.must("walferry", ["--result=json", ...args]));
    return repo.map((one: { "repo-key": number; result: string }) => [one["repo-key"], one.result]);
  };
  const [, onlyFirst] = await labelsIn(stanza.repositories[0]!);
  assertEquals(await results(`--set=${onlyFirst}`, "verify"), [[1, "ok"], [2, "unknown"]]);
  assertEquals(await results(`--set=${onlyFirst}`, "--annotation=a=b", "annotate"), [[1, "ok"], [2, "unknown"]]);
  const target = await place.folder.directory("target", 0o700);
  assertEquals(await results(`--pg1-path=${target}`, "restore"), [[1, "ok"], [2, "unknown"]]);
  assertEquals(await results("--repo1-role=wal", "--type=full", "backup"), [[2, "ok"]]);

  // The second repository has lost what it knew.
  const away = stanza.repositories[1]!;
  await runAs(["mv", away, `${away}.away`]);
  const some = await stanza.walferry(["--result=json", "--type=full", "--repo=all", "--no-archive-check", "backup"]);
  assertEquals(some.code, 104, some.stdout);
  const partial = lastLine(some.stdout);
  assertEquals([partial.result, partial.code, partial.error.name], ["failure", 104, "CommandError"]);
  assertEquals([partial.repo[0].result, partial.repo[1].result], ["ok", "failed"]);
  assertIncludes(partial.repo[1].error, "[FileMissingError] ");

  // Commands that only show something have a result too, behind their answer.
  const info = await stanza.walferry(["--result=json", "--output=json", "info"]);
  assertEquals(info.stdout.trimEnd().split("\n").length, 2);
  assertEquals(lastLine(info.stdout).command, "info");

  const wrong = await stanza.walferry(["--result=json", "--type=wrong", "backup"]);
  assertEquals(wrong.code, 32);
  assertEquals([lastLine(wrong.stdout).command, lastLine(wrong.stdout).error.code], ["backup", 32]);
  const unknown = await execute([walferryPath, "--result=json", "--nonsense", "backup"]);
  assertEquals([unknown.code, lastLine(unknown.stdout).error.name], [31, "OptionInvalidError"]);

  // What PostgreSQL will run tells nobody.
  const restored = await place.folder.directory("restored", 0o700);
  await stanza.must("walferry", ["--result=json", "--repo=1", `--pg1-path=${restored}`, "restore"]);
  const settings = await Deno.readTextFile(`${restored}/postgresql.auto.conf`);
  assertIncludes(settings, "archive-get");
  assert(!settings.includes("--result"), settings);
});

testWith(NEEDS, "a hook gets the result on its standard input, and no secret reaches it", async () => {
  await using place = await scene((path) => ({
    "hook-success": `cat >>${path}/success; env >${path}/environment; echo said by the hook`,
    "hook-failure": `cat >${path}/failure`,
  }));
  const { stanza, told } = place;
  const stanzaCreate = lastLine(told("success")!);
  assertEquals([stanzaCreate.command, stanzaCreate.result], ["stanza-create", "success"]);
  const environment = { WALFERRY_REPO2_CIPHER_PASS: "the second passphrase", WALFERRY_COMPRESS_TYPE: "lz4", OWN: "1" };
  const backup = await stanza.walferry(["--type=full", "--result=json", "backup"], { env: environment });
  assertEquals(backup.code, 0, backup.stdout + backup.stderr);
  assertEquals(lastLine(told("success")!), lastLine(backup.stdout));
  assertIncludes(backup.stderr, "said by the hook");
  assert(!backup.stdout.includes("said by the hook"));
  const seen = told("environment")!;
  assertIncludes(seen, "OWN=1");
  assertIncludes(seen, "WALFERRY_COMPRESS_TYPE=lz4");
  assert(!seen.includes("passphrase"), seen);
  assertEquals(told("failure"), undefined);

  // A message that quotes the secret all the same.
  const quoted = await stanza.walferry(["--set=the second passphrase", "--repo=2", "expire"]);
  assert(quoted.code !== 0, quoted.stdout);
  const failure = lastLine(told("failure")!);
  assertEquals([failure.command, failure.code], ["expire", quoted.code]);
  assert(!told("failure")!.includes("second passphrase"), told("failure"));
  assertIncludes(told("failure")!, "<redacted>");
  // Nothing is told for each segment.
  assert(!told("success")!.includes("archive-push"));
});

testWith(NEEDS, "a hook that fails, does not listen or does not end changes nothing but a warning", async () => {
  await using place = await scene((path) => ({
    "hook-success": `sh -c 'trap "" TERM; echo $$ >${path}/pid; while :; do sleep 0.1; done'`,
    "hook-failure": "exec <&-; exit 7",
    "hook-timeout": "500ms",
  }));
  const { stanza, told } = place;
  const startMs = Date.now();
  const late = await stanza.walferry(["--type=full", "backup"]);
  assertEquals(late.code, 0, late.stdout + late.stderr);
  assertIncludes(late.stdout, "hook-success was ended: it took longer than hook-timeout");
  assert(Date.now() - startMs < 60_000);
  // Where nobody collects them the dead still have an entry.
  const left = await execute(["ps", "-o", "stat=", "-p", told("pid")!.trim()]);
  assert(/^Z|^$/.test(left.stdout.trim()), "the hook still runs");
  const failed = await stanza.walferry(["--set=20200101-000000F", "restore"]);
  assert(failed.code !== 0);
  assertIncludes(failed.stdout, "hook-failure ended with 7");
});
