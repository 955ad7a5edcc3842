/** Restores from two repositories that hold the same backup, of which the first is damaged; as an account that modes of files bind. */
import { parseBackupInfo, renderBackupInfo } from "../../src/format/backup_info.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { runAs, type RunResult, testAccount, TestFolder } from "../support/accounts.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];
const KEY = "the private key of the server";

interface Scene extends AsyncDisposable {
  readonly folder: TestFolder;
  readonly stanza: TestStanza;
  /** Of the only backup, in both repositories. */
  readonly label: string;
  /** Directory of the backup in the first repository. */
  readonly backup: string;
  /** Restores into a directory of its own. */
  restore(target: string, ...args: string[]): Promise<RunResult>;
}

/** A cluster with a key of mode 0400, backed up into two repositories. */
async function makeScene(): Promise<Scene> {
  const folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, {}], global: { "compress-type": "gz" } });
  await cluster.configure(`archive_command = '${stanza.commandLine("walferry", "archive-push", "%p")}'`);
  await folder.file("pg/server.key", KEY, 0o400);
  await cluster.start();
  await stanza.must("walferry", ["stanza-create"]);
  await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
  const labels = await Promise.all(stanza.repositories.map(labelsIn));
  const label = labels[0]![0]!;
  assertEquals(labels, [[label], [label]]);
  return {
    folder,
    stanza,
    label,
    backup: `${stanza.repositories[0]}/backup/main/${label}`,
    restore: (target, ...args) => stanza.walferry([`--pg1-path=${target}`, ...args, "restore"]),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Other bytes in the middle of a stored file. */
async function damage(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes.fill(0x55, middle, middle + 20);
  await Deno.writeFile(path, bytes);
}

function ended(result: RunResult, code: number): string {
  const text = `${result.stdout}${result.stderr}`;
  assertEquals(result.code, code, text);
  return text;
}

async function assertKey(target: string): Promise<void> {
  const path = `${target}/server.key`;
  assertEquals(new TextDecoder().decode(await Deno.readFile(path)), KEY);
  assertEquals((await Deno.stat(path)).mode! & 0o7777, 0o400);
}

testWith(NEEDS, "a file that may only be read comes from another repository, and is mended by --delta", async () => {
  await using scene = await makeScene();
  const { folder, backup, restore } = scene;
  const stored = `${backup}/pg_data/server.key.gz`;
  const good = await Deno.readFile(stored);
  await damage(stored);
  const target = await folder.directory("target", 0o700);
  assertIncludes(ended(await restore(target), 0), "WARN: repo1: [");
  await assertKey(target);

  // With the damaged repository alone, and once more when that is mended.
  const other = await folder.directory("other", 0o700);
  ended(await restore(other, "--repo=1"), 29);
  await Deno.writeFile(stored, good);
  ended(await restore(other, "--repo=1", "--delta"), 0);
  await assertKey(other);

  for (const wrong of ["short", `${KEY}, and something behind it`, "x".repeat(KEY.length)]) {
    await folder.file("other/server.key", wrong, 0o600);
    await Deno.chmod(`${other}/server.key`, 0o400);
    ended(await restore(other, "--delta"), 0);
    await assertKey(other);
  }

  // Right content, and a mode that keeps even its owner from looking: it is ours to put right.
  await Deno.chmod(`${other}/server.key`, 0o000);
  ended(await restore(other, "--delta"), 0);
  await assertKey(other);

  if (testAccount === undefined) return;
  // A file of somebody else is left alone, and that is no fault of a repository.
  await Deno.chown(`${other}/server.key`, 0, 0);
  await Deno.chmod(`${other}/server.key`, 0o644);
  await Deno.writeTextFile(`${other}/server.key`, "short");
  const text = ended(await restore(other, "--delta"), 41);
  assertIncludes(text, `unable to open file '${other}/server.key' for write`);
  assert(!text.includes("repo1: ["), text);
});

testWith(
  NEEDS,
  "a manifest or archive.info that is damaged or gone is taken from a repository with the same backup",
  async () => {
    await using scene = await makeScene();
    const { folder, stanza, label, backup, restore } = scene;
    const [repo1, repo2] = stanza.repositories as [string, string];
    const manifests = [`${backup}/backup.manifest`, `${backup}/backup.manifest.copy`];
    const infos = ["archive.info", "archive.info.copy"].map((name) => `${repo1}/archive/main/${name}`);
    const kept = new Map<string, Uint8Array>();
    for (const path of [...manifests, ...infos]) kept.set(path, await Deno.readFile(path));
    const putBack = () => Promise.all([...kept].map(([path, content]) => Deno.writeFile(path, content)));
    const harms: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      ["backup manifest file", () => Promise.all(manifests.map(damage))],
      ["backup manifest file", () => Promise.all(manifests.map((path) => Deno.remove(path)))],
      ["info file", () => Promise.all(infos.map((path) => Deno.remove(path)))],
    ];
    for (const [at, [what, harm]] of harms.entries()) {
      await harm();
      const target = await folder.directory(`target${at}`, 0o700);
      const text = ended(await restore(target), 0);
      assertIncludes(text, new RegExp(`WARN: repo1: \\[\\w+Error\\] unable to load ${what} '${repo1}/`));
      assertIncludes(text, `backup set ${label} is restored from repo2 instead`);
      assertIncludes(text, `repo2: restore backup set ${label}`);
      await assertKey(target);
      await putBack();
    }

    // A drill is the same restore: it proves the copy that would be taken, and says so.
    await Promise.all(manifests.map((path) => Deno.remove(path)));
    const drillPath = `--drill-path=${await folder.directory("drills", 0o700)}`;
    const drilled = ended(await stanza.walferry([drillPath, "--type=immediate", "drill"]), 0);
    assertIncludes(drilled, `drill of stanza main: backup ${label} of repo2 is good`);
    assertEquals(drilled.split("is restored from repo2 instead").length, 2, drilled);
    const alone = await stanza.walferry([drillPath, "--repo=1", "--output=json", "drill"]);
    ended(alone, 55);
    assertEquals(JSON.parse(alone.stdout).backup.label, label);
    await putBack();

    // Another backup that happens to have the label is none.
    await Promise.all(manifests.map((path) => Deno.remove(path)));
    const infoPath = `${repo2}/backup/main/backup.info`;
    const info = parseBackupInfo(await Deno.readTextFile(infoPath));
    const backups = info.backups.map((entry) => ({ ...entry, timestampStop: entry.timestampStop + 1 }));
    await Deno.writeTextFile(infoPath, renderBackupInfo({ ...info, backups }));
    const other = await folder.directory("other", 0o700);
    const text = ended(await restore(other), 55);
    assertIncludes(text, `unable to load backup manifest file '${backup}/backup.manifest'`);
    assert(!text.includes("WARN"), text);
    assertEquals([...Deno.readDirSync(other)], []);
  },
);

testWith(
  NEEDS,
  "where the newest backup has lost its manifest everywhere, the error names the backup to restore instead",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder);
    const stanza = await TestStanza.make(folder, cluster);
    await stanza.must("walferry", ["--no-online", "stanza-create"]);
    for (const _turn of [1, 2]) await stanza.must("walferry", ["--no-online", "--type=full", "backup"]);
    const [first, second] = await labelsIn(stanza.repositories[0]!) as [string, string];
    await runAs(["sh", "-c", `rm ${stanza.repositories[0]}/backup/main/${second}/backup.manifest*`]);
    // It stays listed: verify may mend it.
    await stanza.must("walferry", ["expire"]);
    const copy = await folder.directory("copy", 0o700);
    const restore = (...more: string[]) => stanza.walferry([`--pg1-path=${copy}`, ...more, "restore"]);
    const refused = await restore();
    assertEquals(refused.code, 55, refused.stdout);
    assertIncludes(refused.stdout, `HINT: --set=${first} restores the backup before it`);
    assertEquals([...Deno.readDirSync(copy)], []);
    const followed = await restore(`--set=${first}`);
    assertEquals(followed.code, 0, followed.stdout);
    // Nothing is before the first one.
    await runAs(["sh", "-c", `rm ${stanza.repositories[0]}/backup/main/${first}/backup.manifest*`]);
    const alone = await restore(`--set=${first}`, "--delta");
    assertEquals([alone.code, alone.stdout.includes("HINT: --set=")], [55, false], alone.stdout);
  },
);
