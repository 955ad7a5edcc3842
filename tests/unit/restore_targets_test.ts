/** What a restore does to the places that it writes to: what goes, what stays, where links lead, what is refused. */
import { assertEquals } from "../support/assert.ts";
import { backUp, change, sceneOf } from "../support/backup_scene.ts";
import { writeFile } from "../support/cluster_files.ts";
import { restoreTo } from "../support/restore_scene.ts";

/** Whether anything has this name; links are not followed. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("a tablespace map found in the data directory goes, although the backup has one: it would be obeyed", async () => {
  using scene = await sceneOf(undefined);
  change(scene, "tablespace_map", "16384 /of/this/cluster\n");
  await backUp(scene);
  const to = `${scene.base}/to`;
  await restoreTo(scene, to);
  assertEquals(isThere(`${to}/tablespace_map`), false);
  for (const options of [{ delta: true }, { force: true }]) {
    writeFile(`${to}/tablespace_map`, "16384 /of/another/cluster\n");
    await restoreTo(scene, to, options);
    assertEquals(isThere(`${to}/tablespace_map`), false);
  }
});

Deno.test("preserve keeps the recovery settings that it finds, whether the backup has such files or not", async () => {
  using scene = await sceneOf(undefined);
  change(scene, "postgresql.auto.conf", "of = backup\n");
  await backUp(scene);
  const to = `${scene.base}/to`;
  await restoreTo(scene, to);
  for (const name of ["postgresql.auto.conf", "standby.signal"]) writeFile(`${to}/${name}`, "found\n");
  await restoreTo(scene, to, { delta: true, type: "preserve", typeChosen: true });
  for (const name of ["postgresql.auto.conf", "standby.signal"]) {
    assertEquals(Deno.readTextFileSync(`${to}/${name}`), "found\n");
  }
});
