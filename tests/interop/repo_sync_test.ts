/**
 * repo-sync: a repository that has nothing is given what another one has, whoever made it and however either is encrypted; the real program
 * verifies and restores what came out, from the copy alone.
 */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith, grow, makeCluster, type Program, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", "pgbackrest"];
const CASES = [
  { from: undefined, to: undefined, bundle: "n", compress: "zst" },
  { from: undefined, to: "target", bundle: "y", compress: "gz" },
  { from: "source", to: "target", bundle: "y", compress: "lz4" },
  { from: "source", to: undefined, bundle: "n", compress: "none" },
] as const;

for (const { from, to, bundle, compress } of CASES) {
  const name = `${from === undefined ? "plain" : "encrypted"} to ${to === undefined ? "plain" : "encrypted"}, ` +
    `${compress}, repo-bundle=${bundle}`;
  testWith(NEEDS, `repo-sync, ${name}: a chain of the original and its WAL`, async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const options = { bundle };
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ cipherPass: from, options }, { cipherPass: to, options }],
      global: { "process-max": "2", "compress-type": compress, "archive-timeout": "20s" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    const onlyFirst = stanza.commandLine("walferry", "--repo=1", "archive-push", "%p");
    await cluster.sql(`alter system set archive_command = '${onlyFirst}'`);
    await cluster.reload();
    await cluster.archiveSegment();
    for (const type of ["full", "diff", "incr"]) {
      await stanza.must("pgbackrest", ["--repo=1", `--type=${type}`, "--no-expire-auto", "backup"]);
      await grow(cluster);
      await cluster.sql(`create table after_${type} as select g from generate_series(1, 100) g; checkpoint`);
      await cluster.archiveSegment();
    }
    const dry = await stanza.must("walferry", ["--from=1", "--to=2", "--dry-run", "repo-sync"]);
    assertIncludes(dry, "would copy backup");
    const files = async (repository: number) =>
      (await runAs(["find", stanza.repositories[repository - 1]!, "-type", "f", "-path", "*0000000*"])).trim();
    assertEquals(await files(2), "");
    const log = await stanza.must("walferry", ["--from=1", "--to=2", "repo-sync"]);
    assert(/copied [0-9]+ WAL file/.test(log), log);
    const info = JSON.parse(await stanza.must("pgbackrest", ["--repo=2", "--output=json", "info"]));
    assertEquals(info[0].status.code, 0);
    assertEquals(info[0].backup.map(({ type }: { type: string }) => type), ["full", "diff", "incr"]);
    // Verify of 2.45 knows one repository only by name, and says what is missing.
    const verified = await stanza.must("pgbackrest", ["--repo=2", "verify"]);
    assertEquals(/missing: [1-9]|checksum invalid: [1-9]|size invalid: [1-9]/.test(verified), false, verified);
    assertIncludes(await stanza.must("walferry", ["--from=1", "--to=2", "repo-sync"]), "copied 0 WAL file(s)");

    const away = stanza.repositories[0]!;
    await runAs(["mv", away, `${away}.away`]);
    const dumps: string[] = [];
    for (const program of ["pgbackrest", "walferry"] as Program[]) {
      dumps.push(await restoredDump(folder, stanza, program, ["--repo=2"]));
    }
    assertEquals(dumps[0], dumps[1]);
    for (const type of ["full", "diff", "incr"]) assertIncludes(dumps[0]!, `after_${type}`);
    // The original goes on with the chain in the copy.
    await runAs(["mv", `${away}.away`, away]);
    await archiveWith(cluster, stanza, "pgbackrest");
    await stanza.must("pgbackrest", ["--repo=2", "--type=incr", "backup"]);
  });
}

testWith(NEEDS, "repo-sync: what is damaged is not copied, and everything else is", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, {}], global: { "compress-type": "gz" } });
  await stanza.must("walferry", ["stanza-create"]);
  await cluster.sql(
    `alter system set archive_command = '${stanza.commandLine("walferry", "--repo=1", "archive-push", "%p")}'`,
  );
  await cluster.reload();
  await cluster.archiveSegment();
  for (let round = 0; round < 2; round++) await stanza.must("walferry", ["--repo=1", "--type=full", "backup"]);
  const labels = (JSON.parse(await stanza.must("walferry", ["--repo=1", "--output=json", "info"]))[0].backup as {
    label: string;
  }[]).map(({ label }) => label);
  const victim = (await runAs(["find", `${stanza.repositories[0]}/backup/main/${labels[0]}`, "-name", "1259.gz"]))
    .split("\n")[0]!;
  await runAs(["sh", "-c", `printf x | dd of='${victim}' bs=1 seek=40 conv=notrunc status=none`]);
  const { code, stdout, stderr } = await stanza.walferry(["--from=1", "--to=2", "repo-sync"]);
  assertEquals(code, 104);
  assertIncludes(stdout + stderr, `backup ${labels[0]}: [ChecksumError]`);
  const copied = JSON.parse(await stanza.must("walferry", ["--repo=2", "--output=json", "info"]))[0].backup;
  assertEquals(copied.map(({ label }: { label: string }) => label), [labels[1]]);
  for (const args of [["--from=1", "--to=1"], ["--from=1", "--to=7"]]) {
    assertEquals((await stanza.walferry([...args, "repo-sync"])).code, 32);
  }
});
