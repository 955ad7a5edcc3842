/** A directory that another run took over while this backup went on, in one of several repositories. */
import { runBackup } from "../../src/backup/backup.ts";
import type { WalferryError } from "../../src/errors.ts";
import { Repository } from "../../src/repository/repository.ts";
import { RepositorySet } from "../../src/repository/repository_set.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { type Scene, sceneOf, verifyBackup } from "../support/backup_scene.ts";
import { offlineBackupOptions, STANZA, testContext } from "../support/stanza_files.ts";

/** Makes a full backup; while its files are copied, something happens to the copy of the manifest in the first repository. */
async function backUpWhile(scene: Scene, happens: (path: string) => void) {
  await using repositories = await RepositorySet.open(scene.configs);
  const { storage } = scene.configs[0]!;
  assert(storage.type === "posix");
  let hasHappened = false;
  return await runBackup({
    walSources: RepositorySet.over([]),
    options: offlineBackupOptions(scene.pgPath, scene.configs, { processMax: 1 }),
    repositories,
    context: testContext(scene.clock),
    onProgress: () => {
      if (hasHappened) return;
      hasHappened = true;
      const directory = `${storage.path}/backup/${STANZA}`;
      const label = [...Deno.readDirSync(directory)].find(({ name }) => /^\d{8}-\d{6}F$/.test(name))!.name;
      happens(`${directory}/${label}/backup.manifest.copy`);
    },
  });
}

const LOSSES: [what: string, happens: (path: string) => void, expected: string][] = [
  ["removed", (path) => Deno.removeSync(path), "was removed by another run"],
  ["damaged", (path) => Deno.writeTextFileSync(path, "no manifest"), "was taken over by another run"],
];
for (const [what, happens, expected] of LOSSES) {
  Deno.test(`a backup whose manifest copy was ${what} by somebody else does not become complete there`, async () => {
    using scene = await sceneOf(undefined, undefined);
    const report = await backUpWhile(scene, happens);
    assertEquals(report.failures.map(({ key, error }) => [key, error.kind]), [[1, "LockAcquire"]]);
    assertEquals(report.failures[0]!.error.text.includes(expected), true, report.failures[0]!.error.text);
    await verifyBackup(scene.configs[1]!, report.label);
    await using repository = await Repository.open(scene.configs[0]!);
    assertEquals((await repository.loadBackupInfo(STANZA)).backups, []);
    assertEquals(
      await repository.storage.info(repository.backupPath(STANZA, report.label, "backup.manifest")),
      undefined,
    );
  });
}

Deno.test("a manifest copy that only shows another time is still this backup's", async () => {
  using scene = await sceneOf(undefined);
  const report = await backUpWhile(scene, (path) => Deno.utimeSync(path, 1, 1));
  assertEquals(report.failures, []);
  await verifyBackup(scene.configs[0]!, report.label);
});

Deno.test("the only repository that was taken over ends the backup", async () => {
  using scene = await sceneOf(undefined);
  const error = await assertThrows<WalferryError>(() => backUpWhile(scene, (path) => Deno.removeSync(path)));
  assertEquals(error.kind, "LockAcquire");
});
