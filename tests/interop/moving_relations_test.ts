/**
 * Relations that are truncated, extended, dropped and made between the list of files and their copying: the backup stands still at that moment,
 * in every format at once, so that it is no matter of chance. Recovery puts right what was copied, whoever restores.
 */
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { hasFinalBlocks } from "../support/block_judge.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { addOrders } from "../support/order_rows.ts";
import { labelsIn, type TestRepository, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertAmcheckClean } from "../support/restored_indexes.ts";
import { assertHealthy, assertPeerFindsNothing } from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/pg_amcheck"];
/** The repositories: files, bundles, blocks. */
const REPOSITORIES: readonly TestRepository[] = [{}, { options: { bundle: "y" } }, {
  options: { bundle: "y", block: "y" },
}];
const TABLES = ["cut", "extended", "dropped", "refilled"] as const;

testWith(NEEDS, "relations that are cut, extended, dropped and refilled behind the back of a backup", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  await cluster.sql("alter system set autovacuum = off");
  await cluster.reload();
  // The largest is copied first: when that is told, the others are still to come.
  await addOrders(cluster, 1, 30_000, "largest");
  for (const table of TABLES) await addOrders(cluster, 1, 600, table);
  await cluster.sql("create index on cut (id); create index on extended (customer)");
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: REPOSITORIES,
    global: { "compress-type": "zst", "process-max": "1", "log-level-console": "detail", "archive-timeout": "120s" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  for (const [round, type] of ["full", "incr"].entries()) {
    await addOrders(cluster, 1, 600, "cut");
    await cluster.sql(`update largest set note = reverse(note) where id % 100 = ${round};
      update cut set note = reverse(note) where id < 100;
      update extended set note = reverse(note) where id < 100;
      update refilled set note = reverse(note) where id < 100`);
    await grow(cluster);
    await cluster.sql("checkpoint");
    const paths = await Promise.all(TABLES.map((table) => cluster.sql(`select pg_relation_filepath('${table}')`)));
    const sizes = paths.map((path) => Deno.statSync(`${cluster.path}/${path}`).size);
    const psql = `${cluster.bin}/psql -X -q -v ON_ERROR_STOP=1 -h ${folder.path} -p ${cluster.port} -U postgres`;
    // Vacuum gives the end back without a new name; truncate gives a new name, the old one goes at the next checkpoint.
    const changes = [
      "delete from cut where (ctid::text::point)[0] > 4",
      "vacuum cut",
      "insert into extended select * from largest where id between 20000 and 24000",
      "drop table dropped",
      "create table dropped as select * from largest limit 500",
      "truncate refilled",
      "insert into refilled select * from largest limit 700",
      "checkpoint",
    ].map((sql) => `-c "${sql}"`).join(" ");
    const script = `set -e
      exec 3< <(exec ${stanza.commandLine("walferry", "--repo=all", `--type=${type}`, "backup")} 2>&1); child=$!
      while read -r line <&3; do echo "$line"; case $line in *"backup file"*) break;; esac; done
      kill -STOP $child; trap 'kill -CONT $child' EXIT
      ${psql} ${changes} postgres > ${folder.path}/psql.out
      kill -CONT $child; trap - EXIT; cat <&3; wait $child`;
    assertIncludes(await runAs(["bash", "-c", script]), `${type} backup size = `);
    for (const repository of stanza.repositories) {
      const label = (await labelsIn(repository)).at(-1)!;
      const manifest = parseManifest(await runAs(["cat", `${repository}/backup/main/${label}/backup.manifest`]));
      const stored = paths.map((path) => [...manifest.files].find(({ name }) => name === `pg_data/${path}`)?.sizeBytes);
      const [cut, extended, dropped, refilled] = stored;
      assert(cut !== undefined && cut < sizes[0]! / 2, `${label}: ${stored}`);
      assertEquals(extended, sizes[1], "what was added later is in the WAL");
      assertEquals([dropped, refilled], [undefined, undefined]);
    }
  }
  await grow(cluster);
  const dump = normalized(await cluster.dump());
  for (const [at, repository] of stanza.repositories.entries()) {
    const repo = `--repo=${at + 1}`;
    await assertHealthy(stanza, repo);
    const isAlone = at === 2 && !hasFinalBlocks();
    if (!isAlone) await assertPeerFindsNothing(stanza, repo);
    for (const [index, label] of (await labelsIn(repository)).entries()) {
      const program = isAlone || (index + at) % 2 === 0 ? "walferry" : "pgbackrest";
      const restored = await restoredDump(folder, stanza, program, [repo, `--set=${label}`], assertAmcheckClean);
      assert(restored === dump, `${label} of repo${at + 1} restored by ${program}`);
    }
  }
});
