/** What a restore does to the places that it writes to: what goes, what stays, where links lead, what is refused. */
import type { WalferryError } from "../../src/errors.ts";
import { isThere } from "../../src/process/local_file.ts";
import { Repository } from "../../src/repository/repository.ts";
import type { RestoreOptions } from "../../src/restore/options.ts";
import { assertEquals, assertIncludes, assertThrows } from "../support/assert.ts";
import { STANZA } from "../support/stanza_files.ts";
import { backUp, change, type Scene, sceneOf } from "../support/backup_scene.ts";
import { writeFile } from "../support/cluster_files.ts";
import { restoreTo } from "../support/restore_scene.ts";

/** A scene with a backup that has a tablespace, 16384. */
async function tablespaceScene(): Promise<Scene> {
  const scene = await sceneOf(undefined);
  writeFile(`${scene.base}/ts/PG_15_202209061/5/16385`, "");
  Deno.symlinkSync(`${scene.base}/ts`, `${scene.pgPath}/pg_tblspc/16384`);
  await backUp(scene);
  return scene;
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

Deno.test("a relative link counts from the real place of the data directory", async () => {
  using scene = await sceneOf(undefined);
  Deno.renameSync(`${scene.pgPath}/pg_wal`, `${scene.base}/wal`);
  Deno.symlinkSync("../wal", `${scene.pgPath}/pg_wal`);
  writeFile(`${scene.base}/etc/pg_hba.conf`, "moved\n");
  Deno.removeSync(`${scene.pgPath}/pg_hba.conf`);
  Deno.symlinkSync("../etc/pg_hba.conf", `${scene.pgPath}/pg_hba.conf`);
  await backUp(scene);
  const to = `${scene.base}/to`;
  Deno.mkdirSync(`${scene.base}/disk/deep/pg`, { recursive: true });
  Deno.symlinkSync("disk/deep/pg", to);
  for (const delta of [false, true]) {
    await restoreTo(scene, to, { linkAll: true, delta });
    assertEquals(Deno.realPathSync(`${to}/pg_wal`), `${scene.base}/disk/deep/wal`);
    assertEquals(Deno.statSync(`${to}/pg_wal/000000010000000000000001`).size, 1024);
    assertEquals(Deno.readTextFileSync(`${to}/pg_hba.conf`), "moved\n");
    assertEquals(Deno.realPathSync(`${to}/pg_hba.conf`), `${scene.base}/disk/deep/etc/pg_hba.conf`);
  }
});

Deno.test("a link to another file of the data directory is restored as that, wherever the data directory is now", async () => {
  using scene = await sceneOf(undefined);
  writeFile(`${scene.pgPath}/conf.d/real.conf`, "real\n");
  const links: Record<string, string> = {
    "relative.conf": "conf.d/real.conf",
    "base/up.conf": "../conf.d/./real.conf",
    "absolute.conf": `${scene.pgPath}/conf.d/real.conf`,
  };
  for (const [name, destination] of Object.entries(links)) {
    Deno.symlinkSync(destination, `${scene.pgPath}/${name}`);
  }
  await backUp(scene);
  const to = `${scene.base}/to`;
  const assertLinks = () => {
    for (const [name, destination] of Object.entries(links)) {
      assertEquals(Deno.readLinkSync(`${to}/${name}`), destination.replace(scene.pgPath, to), name);
      assertEquals(Deno.readTextFileSync(`${to}/${name}`), "real\n", name);
    }
  };
  await restoreTo(scene, to, { linkAll: true });
  assertLinks();
  // What stands in the place of a link, or where it leads, is put right.
  Deno.removeSync(`${to}/relative.conf`);
  writeFile(`${to}/relative.conf`, "real\n");
  Deno.removeSync(`${to}/absolute.conf`);
  Deno.symlinkSync("elsewhere", `${to}/absolute.conf`);
  Deno.removeSync(`${to}/conf.d/real.conf`);
  await restoreTo(scene, to, { linkAll: true, delta: true });
  assertLinks();
  // And back to files.
  await restoreTo(scene, to, { delta: true });
  for (const name of Object.keys(links)) assertEquals(Deno.lstatSync(`${to}/${name}`).isFile, true, name);
  // A map into the data directory stays refused: the content would be in the way of something else.
  const linkMap = new Map([["relative.conf", "conf.d/new.conf"]]);
  const error = await assertThrows<WalferryError>(() => restoreTo(scene, to, { linkMap, delta: true }));
  assertEquals(error.kind, "LinkDestination");
});

Deno.test("a relative link inside of a linked directory counts from where that one leads to", async () => {
  using scene = await sceneOf(undefined);
  writeFile(`${scene.base}/logs/log`, "log\n");
  writeFile(`${scene.base}/other/inner`, "inner\n");
  Deno.symlinkSync("../other", `${scene.base}/logs/sub`);
  Deno.symlinkSync(`${scene.base}/logs`, `${scene.pgPath}/logs`);
  await backUp(scene);
  const to = `${scene.base}/x/to`;
  await restoreTo(scene, to, { linkAll: true, linkMap: new Map([["logs", `${scene.base}/x/y/logs`]]) });
  assertEquals(Deno.readLinkSync(`${to}/logs/sub`), "../other");
  assertEquals(Deno.readTextFileSync(`${to}/logs/sub/inner`), "inner\n");
  assertEquals(isThere(`${scene.base}/x/y/other/inner`), true);
  const second = `${scene.base}/z/to`;
  const linkMap = new Map([["logs/sub", "../../other"], ["logs", `${scene.base}/z/deep/er/logs`]]);
  await restoreTo(scene, second, { linkMap });
  assertEquals(Deno.readTextFileSync(`${second}/logs/sub/inner`), "inner\n");
  assertEquals(isThere(`${scene.base}/z/deep/other/inner`), true);
  // The outer link goes, and the inner one counts from the directory that comes in its place.
  await restoreTo(scene, second, { linkMap: new Map([["logs/sub", "../../other"]]), delta: true });
  assertEquals(Deno.readTextFileSync(`${second}/logs/sub/inner`), "inner\n");
  assertEquals(isThere(`${scene.base}/z/other/inner`), true);
});

Deno.test("a link that would not lead to what was restored is refused", async () => {
  using scene = await sceneOf(undefined);
  await backUp(scene);
  const linkMap = new Map([["pg_xact", `${scene.base}/nowhere/../xact`]]);
  const error = await assertThrows<WalferryError>(() => restoreTo(scene, `${scene.base}/to`, { linkMap }));
  assertEquals(error.kind, "LinkDestination");
});

Deno.test("a destination that is inside of the data directory only by its real path is refused before anything is changed", async () => {
  using scene = await sceneOf(undefined);
  await backUp(scene);
  const to = `${scene.base}/to`;
  Deno.mkdirSync(`${scene.base}/disk`);
  Deno.symlinkSync("disk", to);
  const linkMap = new Map([["pg_xact", `${scene.base}/disk/xact`]]);
  const error = await assertThrows<WalferryError>(() => restoreTo(scene, to, { linkMap }));
  assertEquals(error.kind, "LinkDestination");
  assertEquals([...Deno.readDirSync(`${scene.base}/disk`)], []);
});

Deno.test("a restore that ended between directories and links can be gone on with, beside files of others it cannot", async () => {
  using scene = await tablespaceScene();
  const to = `${scene.base}/to`;
  await restoreTo(scene, to, { tablespaceMapAll: `${scene.base}/first` });
  const elsewhere = { delta: true, tablespaceMapAll: `${scene.base}/second` };
  const directory = `${scene.base}/second/ts16384/PG_15_202209061`;
  for (const foreign of [`${directory}/5/16385`, `${directory}/5/deep/1`, `${directory}/6/1`]) {
    writeFile(foreign, "another cluster's");
    const error = await assertThrows<WalferryError>(() => restoreTo(scene, to, elsewhere));
    assertEquals(error.kind, "PathNotEmpty");
    assertEquals(Deno.readTextFileSync(foreign), "another cluster's");
    Deno.removeSync(directory, { recursive: true });
  }
  Deno.mkdirSync(`${directory}/5`, { recursive: true });
  await restoreTo(scene, to, elsewhere);
  assertEquals(Deno.realPathSync(`${to}/pg_tblspc/16384`), `${scene.base}/second/ts16384`);
  assertEquals(isThere(`${directory}/5/16385`), true);
});

Deno.test("what has a name that is not UTF-8 goes, too, and nothing else does", async () => {
  using scene = await sceneOf(undefined);
  change(scene, "kept\uFFFD", "kept\n");
  await backUp(scene);
  const to = `${scene.base}/to`;
  await restoreTo(scene, to);
  // Names that strings cannot hold, one of which looks like that of a file of the backup, one with a line feed at its end.
  const script =
    `printf x >"$(printf 'kept\\377')"; mkdir -p "$(printf 'base/5/dir\\377')/deep"; ln -s "$PWD/global" "$(printf 'li nk\\200')"
    n=$(printf 'end\\303\\n.'); printf x >"\${n%.}"; printf x >"$(printf -- '-\\377*')"`;
  assertEquals(new Deno.Command("bash", { args: ["-c", script], cwd: to }).outputSync().code, 0);
  const odd = () =>
    [...Deno.readDirSync(to), ...Deno.readDirSync(`${to}/base/5`)].filter(({ name }) => name.includes("\uFFFD")).map((
      { name },
    ) => name);
  assertEquals(odd().length, 6);
  const before = [...Deno.readDirSync(to)].length;
  await restoreTo(scene, to, { delta: true });
  assertEquals(odd(), ["kept\uFFFD"]);
  assertEquals(Deno.readTextFileSync(`${to}/kept\uFFFD`), "kept\n");
  assertEquals([...Deno.readDirSync(to)].length, before - 4);
});

Deno.test("of a tablespace of which the backup holds nothing, what other releases have there stays", async () => {
  using scene = await tablespaceScene();
  const config = scene.configs[0]!;
  {
    await using repository = await Repository.open(config);
    const { cipherPass, backups } = await repository.loadBackupInfo(STANZA);
    const manifest = await repository.loadManifest(STANZA, backups[0]!.label, cipherPass);
    const isOutside = ({ name }: { readonly name: string }) => !name.startsWith("pg_tblspc/16384/");
    const paths = manifest.paths.filter(isOutside);
    await repository.completeManifest(
      STANZA,
      { ...manifest, paths, files: [...manifest.files].filter(isOutside) },
      cipherPass,
    );
  }
  const to = `${scene.base}/to`;
  const tablespaceMapAll = `${scene.base}/second`;
  await restoreTo(scene, to, { tablespaceMapAll });
  const other = `${tablespaceMapAll}/ts16384/PG_14_202107181/5/16385`;
  const own = `${tablespaceMapAll}/ts16384/PG_15_202209061/5/16385`;
  for (const path of [other, own]) writeFile(path, "x");
  await restoreTo(scene, to, { tablespaceMapAll, delta: true });
  assertEquals([isThere(other), isThere(own)], [true, false]);
});

Deno.test("a tablespace is mapped to an absolute path only", async () => {
  using scene = await tablespaceScene();
  for (const relative of ["elsewhere", "../../elsewhere"]) {
    for (const map of [{ tablespaceMap: new Map([["16384", relative]]) }, { tablespaceMapAll: relative }]) {
      const error = await assertThrows<WalferryError>(() => restoreTo(scene, `${scene.base}/to`, map));
      assertEquals(error.kind, "LinkDestination");
      assertIncludes(error.message, "the path must be absolute");
    }
  }
});

Deno.test("a link to nothing where data directory, tablespace or linked directory should be is named, and nothing is changed", async () => {
  using scene = await tablespaceScene();
  const to = `${scene.base}/to`;
  const tablespaceMapAll = `${scene.base}/second`;
  const refused = async (path: string, options: Partial<RestoreOptions>) => {
    Deno.symlinkSync("gone/far", path);
    const error = await assertThrows<WalferryError>(() => restoreTo(scene, to, { tablespaceMapAll, ...options }));
    assertEquals(error.kind, "PathCreate");
    assertIncludes(error.message, `'${path}': it is a link to 'gone/far'`);
    Deno.removeSync(path);
  };
  await refused(to, {});
  await restoreTo(scene, to, { tablespaceMapAll });
  Deno.removeSync(`${tablespaceMapAll}/ts16384`, { recursive: true });
  await refused(`${tablespaceMapAll}/ts16384`, { delta: true });
  await refused(`${scene.base}/wal`, { delta: true, linkMap: new Map([["pg_wal", `${scene.base}/wal`]]) });
  assertEquals(isThere(`${to}/global/pg_control`), true);
});

Deno.test("missing directories above those of the backup can be passed by every account", async () => {
  using scene = await tablespaceScene();
  const linkMap = new Map([["pg_wal", `${scene.base}/wal/a/b`], ["postgresql.conf", `${scene.base}/etc/c/d/file`]]);
  await restoreTo(scene, `${scene.base}/x/y/pg`, { tablespaceMapAll: `${scene.base}/t/u`, linkMap });
  const modes = (...paths: string[]) => paths.map((path) => Deno.statSync(`${scene.base}/${path}`).mode! & 0o777);
  assertEquals(modes("x", "x/y", "t", "t/u", "wal", "wal/a", "etc", "etc/c"), Array(8).fill(0o755));
  assertEquals(modes("x/y/pg", "t/u/ts16384", "wal/a/b", "etc/c/d"), Array(4).fill(0o700));
});
