/** Removing a stanza from a repository: also what an administrator moved to another disk. */
import { Repository } from "../../src/repository/repository.ts";
import { deleteStanza } from "../../src/repository/stanza.ts";
import { assertEquals } from "../support/assert.ts";
import { temporaryDirectory } from "../support/cluster_files.ts";
import { repositoryConfig } from "../support/stanza_files.ts";

Deno.test("a stanza whose directories are links to another disk leaves nothing behind them, and other stanzas stay", async () => {
  using folder = temporaryDirectory();
  const [root, disk] = [`${folder.path}/repo`, `${folder.path}/disk`];
  const label = "20260101-000000F";
  for (const path of [`${root}/archive`, `${root}/backup`, `${disk}/archive/15-1/0000000100000000`]) {
    await Deno.mkdir(path, { recursive: true });
  }
  await Deno.mkdir(`${disk}/backup/${label}/pg_data`, { recursive: true });
  await Deno.mkdir(`${root}/backup/other`);
  for (const name of [`${label}/pg_data/1`, "backup.info", "backup.info.abc.pgbackrest.tmp"]) {
    await Deno.writeTextFile(`${disk}/backup/${name}`, "x");
  }
  await Deno.writeTextFile(`${disk}/archive/15-1/0000000100000000/000000010000000000000001-x`, "x");
  await Deno.symlink(label, `${disk}/backup/latest`);
  await Deno.symlink("../../disk/archive", `${root}/archive/main`);
  await Deno.symlink(`${disk}/backup`, `${root}/backup/main`);
  await using repository = await Repository.open(repositoryConfig(1, root));
  await deleteStanza(repository, "main");
  const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name);
  assertEquals([names(`${root}/archive`), names(`${root}/backup`)], [[], ["other"]]);
  assertEquals([names(`${disk}/archive`), names(`${disk}/backup`)], [[], []]);
  // A link that leads nowhere goes too.
  await Deno.symlink("nowhere", `${root}/backup/main`);
  await deleteStanza(repository, "main");
  assertEquals(names(`${root}/backup`), ["other"]);
});
