/** What repo-sync does with backups that are listed in the target and have lost their manifests there. */
import { repoSync } from "../../src/commands/repo_sync.ts";
import { Repository } from "../../src/repository/repository.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { backUp, type Scene, settledScene, verifyBackup } from "../support/backup_scene.ts";
import { STANZA, testContext } from "../support/stanza_files.ts";

function loseManifests(scene: Scene, label: string): void {
  for (const end of ["", ".copy"]) {
    Deno.removeSync(`${scene.base}/repo1/backup/${STANZA}/${label}/backup.manifest${end}`);
  }
}

async function sync(scene: Scene): Promise<void> {
  const [to, from] = scene.configs;
  await repoSync({
    stanza: STANZA,
    from: from!,
    to: to!,
    dryRun: false,
    processMax: 2,
    lockPath: `${scene.base}/lock`,
    spoolPath: `${scene.base}/spool`,
  }, testContext(scene.clock));
}

async function labels(scene: Scene): Promise<string[]> {
  await using repository = await Repository.open(scene.configs[0]!);
  return (await repository.loadBackupInfo(STANZA)).backups.map(({ label }) => label);
}

Deno.test("a lost backup on which nothing builds is copied, and listed once", async () => {
  using scene = await settledScene(undefined, "two");
  const full = (await backUp(scene)).report.label;
  const incr = (await backUp(scene, { type: "incr" })).report.label;
  loseManifests(scene, incr);
  await sync(scene);
  assertEquals(await labels(scene), [full, incr]);
  assertEquals((await verifyBackup(scene.configs[0]!, incr)).prior, full);
});

Deno.test("a lost backup on which others build is left to verify: they would not fit what is copied", async () => {
  using scene = await settledScene(undefined, "two");
  const full = (await backUp(scene)).report.label;
  const incr = (await backUp(scene, { type: "incr" })).report.label;
  const stored = `${scene.base}/repo1/backup/${STANZA}/${full}/pg_data/base/5/16384`;
  const before = Deno.statSync(stored).ino;
  loseManifests(scene, full);
  await assertThrows<Error>(() => sync(scene), ({ message }) => {
    assertIncludes(message, `backup ${full}: others build on it there, verify --repair brings it back with them`);
    assertIncludes(message, `backup ${incr}: it builds on ${full}, which is not there`);
  });
  assertEquals(await labels(scene), [full, incr]);
  assertEquals(Deno.statSync(stored).ino, before);
});
