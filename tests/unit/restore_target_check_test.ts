/** What is said of a recovery target before hours are spent on it, and of a restore that ended in the middle. */
import type { WalferryError } from "../../src/errors.ts";
import type { Manifest } from "../../src/format/manifest.ts";
import { isThere } from "../../src/process/local_file.ts";
import type { RestoreOptions } from "../../src/restore/options.ts";
import { warnOfTarget } from "../../src/restore/target_check.ts";
import { assert, assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { backUp, sceneOf } from "../support/backup_scene.ts";
import { writeFile } from "../support/cluster_files.ts";
import { recordingLog } from "../support/recording_log.ts";
import { restoreTo } from "../support/restore_scene.ts";
import { STANZA } from "../support/stanza_files.ts";

const STOP = Date.UTC(2026, 10, 29, 1, 4, 3) / 1000;

/** What is told of a target of an online backup that ends at 0/38000100, at {@link STOP}. */
function told(target: Partial<RestoreOptions>, hasOlder = true): string {
  const log = recordingLog();
  const manifest = {
    label: "20261129-010400F",
    lsnStop: "0/38000100",
    timestampStop: STOP,
    options: { online: true } as Manifest["options"],
  };
  warnOfTarget(manifest, { set: "latest", timeZone: undefined, ...target } as RestoreOptions, hasOlder, log);
  return log.text();
}

Deno.test("a target that PostgreSQL refuses, or never meets, is refused before anything is written", async () => {
  using scene = await sceneOf(undefined);
  await backUp(scene);
  const to = `${scene.base}/to`;
  const refused: [RestoreOptions["type"], string, string][] = [
    ["xid", "abc", "a transaction id is a number"],
    ["xid", "738x", "a transaction id is a number"],
    ["xid", "-1", "a transaction id is a number"],
    ["name", "x".repeat(64), "63 bytes"],
    ["name", "ü".repeat(32), "63 bytes"],
    ["time", "yesterday", "YYYY-MM-DD"],
  ];
  for (const [type, target, says] of refused) {
    for (const set of ["latest", "20200101-000000F"]) {
      const error = await assertThrows<WalferryError>(() => restoreTo(scene, to, { type, target, set }));
      assert(error.kind !== "BackupSetInvalid", error.text);
      assertIncludes(error.text, says);
      assertIncludes(error.text, `'${target}'`);
    }
  }
  assertEquals(isThere(to), false);
  for (const [type, target] of [["xid", "0x2E2"], ["xid", "738"], ["name", "x".repeat(63)]] as const) {
    await restoreTo(scene, to, { type, target, typeChosen: true, delta: true });
  }
});

Deno.test("a target from before the end of the backup is warned of", () => {
  const early = told({ type: "time", target: "2026-11-29 01:04:02+00", set: "20261129-010400F" });
  assertIncludes(early, "is before the end of backup set 20261129-010400F (");
  assertEquals(told({ type: "time", target: "2026-11-29 01:04:03+00", set: "20261129-010400F" }), "");
  assertIncludes(
    told({ type: "time", target: "tonight", set: "20261129-010400F" }),
    "'tonight' is not understood here",
  );
  assertIncludes(told({ type: "lsn", target: "0/38000028", set: "20261129-010400F" }), "(0/38000100)");
  assertEquals(told({ type: "lsn", target: "0/38000100", set: "20261129-010400F" }), "");
});

Deno.test("a transaction or restore point names no backup: whoever lets the newest be taken is told what that means", () => {
  for (const type of ["xid", "name"] as const) {
    const text = told({ type, target: "738" });
    assertIncludes(text, "backup set 20261129-010400F is taken because it is the newest");
    assertIncludes(text, "HINT: use --set");
    assertEquals(told({ type, target: "738" }, false), "");
    assertEquals(told({ type, target: "738", set: "20261129-010400F" }), "");
  }
  assertEquals(told({ type: "immediate" }), "");
  assertEquals(told({ type: "default" }), "");
});

Deno.test("a restore that ends in the middle says what it leaves and how it is gone on with", async () => {
  using scene = await sceneOf(undefined);
  const { report: { label } } = await backUp(scene);
  const to = `${scene.base}/to`;
  const stored = `${scene.base}/repo1/backup/${STANZA}/${label}/pg_data/PG_VERSION`;
  const good = Deno.readFileSync(stored);
  Deno.removeSync(stored);
  const error = await assertThrows<WalferryError>(() => restoreTo(scene, to));
  assertIncludes(error.text, `HINT: the restore to '${to}' is not complete and cannot be started`);
  assertIncludes(error.text, "the same command with --delta goes on with it");
  assertEquals(isThere(`${to}/global/pg_control`), false);
  Deno.writeFileSync(stored, good);
  await restoreTo(scene, to, { delta: true });
  assert(isThere(`${to}/global/pg_control`));
});

Deno.test("whoever gave --delta where it does not count is not told to try it", async () => {
  using scene = await sceneOf(undefined);
  await backUp(scene);
  const to = `${scene.base}/to`;
  writeFile(`${to}/base/5/1259`, "what is left\n");
  const hintOf = async (options: Partial<RestoreOptions>) => {
    const error = await assertThrows<WalferryError>(() => restoreTo(scene, to, options));
    assertEquals(error.kind, "PathNotEmpty");
    return error.hint!;
  };
  assertIncludes(await hintOf({}), "try using --delta");
  for (const options of [{ delta: true }, { force: true }]) {
    const hint = await hintOf(options);
    assert(!hint.includes("try using --delta"), hint);
    assertIncludes(hint, "make an empty file of that name in it");
  }
  // What the hint says works.
  writeFile(`${to}/PG_VERSION`, "");
  await restoreTo(scene, to, { delta: true });
  assert(isThere(`${to}/global/pg_control`));
});

Deno.test("a target from before every backup is told with the oldest one", async () => {
  using scene = await sceneOf(undefined);
  const { report: { label } } = await backUp(scene);
  const target = "2020-01-01 00:00:00+00";
  const error = await assertThrows<WalferryError>(() => restoreTo(scene, `${scene.base}/to`, { type: "time", target }));
  assertEquals(error.kind, "BackupSetInvalid");
  assertIncludes(error.hint!, `the oldest backup, ${label}, ends at 20`);
});

Deno.test("a repository that cannot be asked is told with what it means for the recovery", async () => {
  using scene = await sceneOf(undefined, undefined);
  await backUp(scene);
  Deno.renameSync(`${scene.base}/repo1`, `${scene.base}/gone`);
  const log = await restoreTo(scene, `${scene.base}/to`, { type: "default", typeChosen: true });
  assertIncludes(log.text(), "WARN repo1 cannot be asked: where the others have no more WAL recovery stops");
  assertIncludes(log.text(), "--repo=2 restores and recovers from repo2 alone");
  const alone = await restoreTo({ ...scene, configs: scene.configs.slice(1) }, `${scene.base}/alone`);
  assertEquals(alone.text().includes("cannot be asked"), false);
});
