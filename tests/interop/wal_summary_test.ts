/** Backups that ask WAL summaries, on top of the original's and under them: the original finds them whole, restores them and builds on them. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { testWithBlocks } from "../support/block_judge.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";

const MAJOR = 17;
const STEPS = [
  ["pgbackrest", "full"],
  ["walferry", "incr"],
  ["pgbackrest", "incr"],
  ["walferry", "incr"],
  ["walferry", "diff"],
] as const;

async function digest(cluster: TestCluster): Promise<string> {
  return await cluster.sql(`select (select count(*) || '/' || sum(hashtext(t::text)::bigint) from still t) || ' ' ||
    (select count(*) || '/' || sum(hashtext(t::text)::bigint) from busy t)`);
}

// The older one that Debian has knows no server with summaries.
testWithBlocks([], "what WAL summaries left unread the original restores and verifies, and builds on", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    major: MAJOR,
    settings: "archive_mode = on\narchive_command = 'false'\nsummarize_wal = on",
  });
  await cluster.start();
  await cluster.sql(`create table still as select g id, md5(g::text) v from generate_series(1, 20000) g;
    create table busy as select g id, md5(g::text) v from generate_series(1, 20000) g`);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ options: { bundle: "y", block: "y" }, cipherPass: "secret" }],
    global: { "compress-type": "zst", "process-max": "2" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  const expected: string[] = [];
  for (const [program, type] of STEPS) {
    await cluster.sql("update busy set v = md5(v) where id % 100 = 1");
    expected.push(await digest(cluster));
    const own = program === "walferry" ? ["--delta", "--wal-summary=y"] : [];
    const output = await stanza.must(program, [`--type=${type}`, ...own, "backup"]);
    if (program === "walferry") assertIncludes(output, /WAL summaries: [1-9]\d* relation files/);
  }
  await cluster.archiveSegment();
  const report = await stanza.must("pgbackrest", ["--output=text", "--verbose", "verify"]);
  assertIncludes(report, "status: ok");
  assertEquals(/(missing|checksum invalid|size invalid|other): [1-9]/.test(report), false, report);
  const labels = await labelsIn(stanza.repositories[0]!);
  for (const at of [3, 4]) {
    const path = await folder.directory(`restored${at}`, 0o700);
    const immediate = ["--type=immediate", "--target-action=promote", `--set=${labels[at]}`];
    await stanza.must("pgbackrest", [`--pg1-path=${path}`, ...immediate, "restore"]);
    await using restored = await TestCluster.over(folder, path, { major: MAJOR, settings: "archive_mode = off" });
    await restored.start();
    await restored.untilPrimary();
    assertEquals(await digest(restored), expected[at], labels[at]);
    await restored.stop();
    await runAs(["rm", "-rf", path]);
  }
});
