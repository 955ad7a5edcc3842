/** Parts of the drill that need no server: what is refused, what is written, when it gives up. */
import { assertApart, assertRoom, makeScratch, Scratch } from "../../src/drill/scratch.ts";
import { programEnvironment, serverSettings } from "../../src/drill/server_settings.ts";
import { targetOf } from "../../src/drill/target.ts";
import { type ErrorKind, WalferryError } from "../../src/errors.ts";
import { systemClock } from "../../src/process/clock.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";

const GIB = 1024 ** 3;

async function refused(kind: ErrorKind, action: () => unknown): Promise<string> {
  const error = await assertThrows<WalferryError>(action);
  assertEquals(error.kind, kind, error.text);
  return error.text;
}

Deno.test("the room for a drill: the backup, a tenth, and a gibibyte", async () => {
  assertRoom("/x", 10 * GIB, 12 * GIB);
  assertIncludes(await refused("FileWrite", () => assertRoom("/x", 10 * GIB, 12 * GIB - 1)), "12GB are needed");
  assertRoom("/x", 0, GIB);
});

Deno.test("a drill is given up when its file system is about to be full", async () => {
  using place = temporaryDirectory();
  await using scratch = new Scratch(Deno.makeTempDirSync({ dir: place.path }), false, systemClock);
  using watch = scratch.watchSpace(() => 1024 ** 2);
  await new Promise((resolve) => watch.signal.addEventListener("abort", resolve, { once: true }));
  assertIncludes((watch.signal.reason as WalferryError).text, "has only 1MB of free space left");
});

Deno.test("a scratch directory is new, private, and gone with everything in it", async () => {
  using place = temporaryDirectory();
  Deno.writeTextFileSync(`${place.path}/other`, "stays");
  const neighbours = { clusterPaths: ["/nonexistent/pg"], repositoryPaths: [] };
  const scratch = await makeScratch(place.path, neighbours, 0, false, systemClock);
  assertEquals(Deno.statSync(scratch.path).mode! & 0o777, 0o700);
  Deno.symlinkSync(`${place.path}/other`, `${scratch.dataPath}/link`);
  Deno.writeTextFileSync(`${scratch.tablespacePath}/file`, "x");
  await scratch[Symbol.asyncDispose]();
  assertEquals([...Deno.readDirSync(place.path)].map(({ name }) => name), ["other"]);
});

Deno.test("the socket of a drill far down has a directory of its own, which goes too", async () => {
  using place = temporaryDirectory();
  const deep = `${place.path}/${"d".repeat(80)}`;
  Deno.mkdirSync(deep);
  const scratch = await makeScratch(deep, { clusterPaths: [], repositoryPaths: [] }, 0, false, systemClock);
  assert(!scratch.socketPath.startsWith(place.path) && Deno.statSync(scratch.socketPath).isDirectory);
  assertEquals(Deno.statSync(scratch.socketPath).mode! & 0o777, 0o700);
  await scratch[Symbol.asyncDispose]();
  await assertThrows(() => Deno.statSync(scratch.socketPath));
});

Deno.test("directories of tablespaces are PostgreSQL's too; a name that only begins like a cluster's is not", async () => {
  using place = temporaryDirectory();
  const none = { clusterPaths: [`${place.path}/pg`], repositoryPaths: [] };
  Deno.mkdirSync(`${place.path}/pg`);
  Deno.mkdirSync(`${place.path}/pg-drills`);
  await assertApart(`${place.path}/pg-drills`, none);
  await refused("OptionInvalidValue", () => assertApart(`${place.path}/pg`, none));
  Deno.mkdirSync(`${place.path}/space/PG_15_202209061/5`, { recursive: true });
  await refused("OptionInvalidValue", () => assertApart(`${place.path}/space`, none));
  await refused("OptionInvalidValue", () => assertApart(`${place.path}/space/PG_15_202209061/5`, none));
});

Deno.test("settings: what keeps the copy apart stands last, and cannot be changed under any spelling", async () => {
  using place = temporaryDirectory();
  await using scratch = new Scratch(Deno.makeTempDirSync({ dir: place.path }), false, systemClock);
  const text = serverSettings(scratch, new Map([["shared-preload-libraries", "it's"], ["work_mem", "64MB"]]), "15");
  assertIncludes(text, "shared_preload_libraries = 'it''s'\n");
  assertIncludes(text, "work_mem = '64MB'\n");
  assertEquals([...text.matchAll(/^shared_preload_libraries/gm)].length, 1);
  // A setting that a release does not know would keep it from starting.
  assert(!text.includes("event_triggers"));
  assertIncludes(serverSettings(scratch, new Map(), "17"), "event_triggers = 'off'\n");
  for (
    const name of [
      "LISTEN_addresses",
      "archive-mode",
      "Archive_Library",
      "data_directory",
      "hot_standby",
      "max_logical_replication_workers",
      "port",
      "primary_conninfo",
      "recovery_target_time",
      "restore_command",
      "x' = 'y",
      "include",
      "include_dir",
    ]
  ) {
    await refused("OptionInvalidValue", () => serverSettings(scratch, new Map([[name, "1"]]), "15"));
  }
});

Deno.test("programs get no PG variables, which would lead them to another server", () => {
  const given = { PGHOST: "prod", PGDATA: "/prod", PGBACKREST_REPO1_PATH: "/r", WALFERRY_X: "1", PATH: "/bin" };
  assertEquals(programEnvironment(given), { PGBACKREST_REPO1_PATH: "/r", WALFERRY_X: "1", PATH: "/bin" });
});

Deno.test("a target with a zone stays as it is; other kinds of targets too", () => {
  for (const target of ["2026-01-01 10:00:00+00", "2026-01-01 10:00:00.5-0530", "2026-01-01T10:00:00Z"]) {
    assertEquals(targetOf({ type: "time", target, environment: {} }), target);
  }
  assertEquals(targetOf({ type: "name", target: "2026-01-01 10:00:00", environment: {} }), "2026-01-01 10:00:00");
  assertIncludes(
    targetOf({ type: "time", target: "2026-07-01 10:00:00", environment: {} })!,
    /^2026-07-01 10:00:00[+-]\d\d/,
  );
  const long = { type: "time", target: "2026-07-01 10:00:00.1234567", environment: {} } as const;
  assertIncludes(targetOf(long)!, /\.1234567[+-]\d\d/);
  assertEquals(targetOf({ type: "default", target: undefined, environment: {} }), undefined);
});
