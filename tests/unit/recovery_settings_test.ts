/** Recovery options as they stand in `postgresql.auto.conf`. */
import type { WalferryError } from "../../src/errors.ts";
import { backUp, sceneOf } from "../support/backup_scene.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { restoreTo } from "../support/restore_scene.ts";

Deno.test("values are escaped, but for those whose quotes are doubled already, as pgBackRest needs them", async () => {
  using scene = await sceneOf(undefined);
  await backUp(scene);
  const written: ReadonlyArray<readonly [value: string, line: string]> = [
    ["host=db", "'host=db'"],
    [String.raw`C:\wal`, String.raw`'C:\\wal'`],
    ["password='p w'", "'password=''p w'''"],
    ["password=''p w''", "'password=''p w'''"],
    ["name=''é'' host=a", "'name=''é'' host=a'"],
    [String.raw`password=''a\\b''`, String.raw`'password=''a\\b'''`],
    // One quote that is not doubled: nothing was.
    ["it's ''so''", "'it''s ''''so'''''"],
    // The backslash would take the quote behind it.
    [String.raw`\''x''`, String.raw`'\\''''x'''''`],
    ["''x''\\", String.raw`'''''x''''\\'`],
    [String.raw`''x''\\`, String.raw`'''x''\\'`],
  ];
  const to = `${scene.base}/to`;
  for (const [value, line] of written) {
    const recoveryOptions = new Map([["primary_conninfo", value]]);
    await restoreTo(scene, to, { type: "immediate", typeChosen: true, delta: true, recoveryOptions });
    const lines = Deno.readTextFileSync(`${to}/postgresql.auto.conf`).split("\n");
    assertEquals(lines.findLast((one) => one.startsWith("primary_conninfo")), `primary_conninfo = ${line}`, value);
  }
  const recoveryOptions = new Map([["primary_conninfo", "''a''\n"]]);
  const broken = () => restoreTo(scene, to, { type: "immediate", typeChosen: true, delta: true, recoveryOptions });
  assertEquals((await assertThrows<WalferryError>(broken)).kind, "OptionInvalidValue");
});
