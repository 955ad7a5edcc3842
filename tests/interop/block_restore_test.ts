/** Block incremental backups of pgbackrest, restored by walferry: every compression with and without encryption, each link of a chain, and delta. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { accountOwn, runAs, TestFolder } from "../support/accounts.ts";
import { testWithBlocks } from "../support/block_judge.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];
const COMPRESS_TYPES = ["none", "gz", "lz4", "zst", "bz2"] as const;
const CIPHERS = [undefined, "correct horse battery staple"] as const;
const IMMEDIATE = ["--type=immediate", "--target-action=promote"];

/** A relation of many super blocks, of which later backups store a few blocks each. */
async function addLarge(cluster: TestCluster): Promise<void> {
  await cluster.sql("create table large as select g id, repeat(md5(g::text), 8) v from generate_series(1, 40000) g");
  await cluster.sql("create table medium as select g id, repeat(md5(g::text), 8) v from generate_series(1, 1500) g");
  // Nothing but the changes of the test changes its pages from now on.
  await cluster.sql("vacuum (freeze) large");
  await cluster.sql("vacuum (freeze) medium");
}

/** Stored bytes of the files of a backup that stand alone, in blocks. */
async function aloneBytes(repository: string, label: string): Promise<number> {
  return Number(
    await runAs(["sh", "-c", `cat $(find ${repository}/backup/main/${label}/ -name '*.pgbi') /dev/null | wc -c`]),
  );
}

async function changeSome(cluster: TestCluster, round: number): Promise<void> {
  await cluster.sql(`update large set v = md5(v || ${round}) where id % 9001 = ${round};
    update medium set v = md5(v) where id = ${round * 7};
    insert into large select g, repeat(md5(g::text), 8) from generate_series(1, ${round * 500}) g;`);
  await grow(cluster);
}

for (const compressType of COMPRESS_TYPES) {
  for (const cipherPass of CIPHERS) {
    testWithBlocks(
      NEEDS,
      `block incremental backups of pgbackrest are restored (${compressType}, ${cipherPass ? "encrypted" : "plain"})`,
      async () => {
        await using folder = await TestFolder.make();
        await using cluster = await makeCluster(folder);
        await addLarge(cluster);
        const stanza = await TestStanza.make(folder, cluster, {
          repositories: [{ cipherPass, options: { bundle: "y", block: "y" } }],
          global: { "compress-type": compressType, "process-max": "2" },
        });
        await stanza.must("pgbackrest", ["stanza-create"]);
        await archiveWith(cluster, stanza, "pgbackrest");
        await grow(cluster);
        const dumps: string[] = [];
        for (const [round, type] of ["full", "diff", "incr", "incr"].entries()) {
          await changeSome(cluster, round + 1);
          await stanza.must("pgbackrest", [`--type=${type}`, "backup"]);
          dumps.push(normalized(await cluster.dump()));
        }
        const labels = await labelsIn(stanza.repositories[0]!);
        assertEquals(labels.length, dumps.length);
        const repository = stanza.repositories[0]!;
        const [whole, part] = await Promise.all([labels[0]!, labels[3]!].map((label) => aloneBytes(repository, label)));
        assert(part! > 0 && part! < whole! / 2, `the last backup holds ${part} of ${whole} bytes: it is all its own`);
        for (const at of [1, 3]) {
          const dump = await restoredDump(folder, stanza, "walferry", [`--set=${labels[at]}`, ...IMMEDIATE]);
          assertEquals(dump, dumps[at], labels[at]);
        }
        // Back to the first backup and forth to the last one, over what is there.
        await cluster.stop();
        for (const at of [0, 3]) {
          const detail = ["--log-level-console=detail", "--delta"];
          const output = await stanza.must("walferry", [...detail, `--set=${labels[at]}`, ...IMMEDIATE, "restore"]);
          assertIncludes(output, "exists and matches backup");
          await cluster.start();
          await cluster.untilPrimary();
          assertEquals(normalized(await cluster.dump()), dumps[at], labels[at]);
          await cluster.stop();
        }
      },
    );
  }
}

testWithBlocks(NEEDS, "a damaged super block is told, and another repository has the right one", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  await addLarge(cluster);
  const options = { bundle: "y", block: "y" };
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ options }, { options }],
    global: { "compress-type": "zst", "process-max": "2" },
  });
  await stanza.must("pgbackrest", ["stanza-create"]);
  await archiveWith(cluster, stanza, "pgbackrest");
  await grow(cluster);
  await stanza.must("pgbackrest", ["--repo=1", "--type=full", "backup"]);
  await changeSome(cluster, 1);
  await stanza.must("pgbackrest", ["--repo=1", "--type=incr", "backup"]);
  const [first, second] = stanza.repositories;
  await runAs(["sh", "-c", `rm -rf ${second}/backup && cp -a ${first}/backup ${second}/backup`]);
  const dump = normalized(await cluster.dump());
  const [full, label] = await labelsIn(first!);
  const stored = (await runAs(["sh", "-c", `ls ${first}/backup/main/${full}/pg_data/base/*/*.pgbi`])).trim().split(
    "\n",
  );
  assert(stored.length > 0);
  for (const path of stored) {
    const bytes = await Deno.readFile(path);
    bytes.fill(0x55, 100, 2000);
    await Deno.writeFile(path, bytes);
    await accountOwn(path);
  }
  assert(await aloneBytes(first!, label!) < await aloneBytes(first!, full!) / 2);
  assertEquals(await restoredDump(folder, stanza, "walferry", IMMEDIATE), dump);
  const target = await folder.directory("alone", 0o700);
  const tablespaces = await folder.directory("alone-ts", 0o700);
  const alone = await stanza.walferry([
    "--repo=1",
    `--pg1-path=${target}`,
    `--tablespace-map-all=${tablespaces}`,
    "restore",
  ]);
  const place =
    `error restoring '${target}/base/\\S+' (from|by the block map in) '${first}/backup/main/${full}\\S*/pg_data/base/\\S+\\.pgbi' at offset \\d+`;
  assertIncludes(alone.stdout, new RegExp(`ERROR: \\[0(26|29)\\]: .*${place}: \\S`));
});
