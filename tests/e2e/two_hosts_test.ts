/**
 * Two hosts, which share no locks, back up one stanza into one repository at the same moment: the second takes the running backup of the first
 * for an interrupted one. The first must notice, and what the second made must be whole.
 */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";

Deno.test("a running backup ends when another host goes on with it, and leaves the other's backup alone", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  await cluster.start();
  await cluster.sql(`create table large as select g, repeat('x', 500) v from generate_series(1, 20000) g;
    create table small as select g, md5(g::text) v from generate_series(1, 500) g`);
  const global = { "compress-type": "none", "process-max": "1", "log-level-console": "detail" };
  const first = await TestStanza.make(folder, cluster, { name: "first", global });
  const second = await TestStanza.make(folder, cluster, {
    name: "second",
    repositories: [{ path: first.repositories[0]! }],
    global,
  });
  await first.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, first, "walferry");
  const psql = `${cluster.bin}/psql -X -q -h ${folder.path} -p ${cluster.port} -U postgres -d postgres`;
  // The first stands still behind its first file while the second makes a whole backup, and the database goes on behind that.
  const script = `exec 3< <(exec ${first.commandLine("walferry", "--type=full", "backup")} 2>&1); child=$!
    while read -r line <&3; do case $line in *"backup file"*) break;; esac; done
    kill -STOP $child; trap 'kill -CONT $child' EXIT
    ${second.commandLine("walferry", "--type=full", "backup")} > ${folder.path}/second.log 2>&1
    echo "second $?"
    ${psql} -c "update small set v = 'changed'" -c checkpoint
    kill -CONT $child; trap - EXIT; cat <&3; wait $child; echo "first $?"`;
  const output = await runAs(["bash", "-c", script]);
  assertIncludes(output, "second 0");
  assertIncludes(output, /\[050\]: backup \S+ in repo1 was taken over by another run/);
  assertIncludes(output, "does another host back up this stanza into the same repository?");
  assertIncludes(output, "first 50");
  const report = await second.must("walferry", ["verify"]);
  assertIncludes(report, "completed successfully");
  // The next backup finds one chain, and removes what the first still wrote.
  await first.must("walferry", ["--type=incr", "backup"]);
  const labels = await labelsIn(first.repositories[0]!);
  assertEquals(labels.map((label) => label.length > 16), [false, true]);
  await first.must("walferry", ["verify"]);
});

Deno.test("of a backup that completes and another host that is about to take it over one comes to its end, and what it made is whole", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, { settings: "archive_mode = on\narchive_command = 'false'" });
  await cluster.start();
  await cluster.sql("create table large as select g, repeat('x', 500) v from generate_series(1, 20000) g");
  const global = {
    "compress-type": "none",
    "process-max": "1",
    "log-level-console": "detail",
    "archive-timeout": "60s",
  };
  const first = await TestStanza.make(folder, cluster, { name: "first", global });
  const second = await TestStanza.make(folder, cluster, {
    name: "second",
    repositories: [{ path: first.repositories[0]! }],
    global,
  });
  await first.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, first, "walferry");
  const held = `${folder.path}/held`;
  const push = first.commandLine("walferry", "archive-push", "%p");
  await cluster.sql(`alter system set archive_command = 'test ! -e ${held} && ${push}'`);
  await cluster.reload();
  const secondly = (...args: string[]) =>
    second.commandLine("walferry", "--type=full", "--no-archive-check", ...args, "backup");
  // The first waits for its last segment while the second comes to the line at which it is going to remove the directory, or to go on with it.
  for (const [args, line] of [[["--no-resume"], "cannot be resumed"], [[], "resumable backup"]] as const) {
    const script = `exec 4< <(exec ${first.commandLine("walferry", "--type=full", "backup")} 2>&1); one=$!
      while read -r line <&4; do case $line in *"backup file"*) touch ${held};; *"check archive for segment(s)"*) break;; esac; done
      exec 3< <(exec ${secondly(...args)} 2>&1); two=$!
      while read -r line <&3; do case $line in *"${line}"*) kill -STOP $two; break;; esac; done
      trap 'kill -CONT $two' EXIT
      rm ${held}; cat <&4; wait $one; echo "first $?"
      kill -CONT $two; trap - EXIT; cat <&3; wait $two; echo "second $?"`;
    const output = await runAs(["bash", "-c", script]);
    // The second may have been a little further when it was held: then it is the first that finds out.
    const isFirst = output.includes("first 0");
    assertIncludes(output, isFirst ? "second 50" : "first 50");
    assertIncludes(output, /\[050\]: backup \S+ in repo1 was (completed|removed|taken over) by another run/);
    if (!isFirst) assertIncludes(output, "second 0");
    await first.must("walferry", ["verify"]);
  }
  assertEquals((await labelsIn(first.repositories[0]!)).length, 2);
});
