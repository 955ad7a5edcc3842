/**
 * Block incremental backups made by walferry: pgbackrest restores them, goes on with them and finds nothing wrong, and the reverse; and the
 * same files are cut in the same way by both.
 */
import type { ManifestFile } from "../../src/format/manifest.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testWithBlocks } from "../support/block_judge.ts";
import {
  archiveWith,
  grow,
  killAfterSaves,
  makeCluster,
  normalized,
  restoredDump,
  sameInfo,
} from "../support/interop_story.ts";
import type { TestCluster } from "../support/postgres.ts";
import { labelsIn, manifestOf, TestStanza } from "../support/programs.ts";
import { assertPeerFindsNothing, verifyReport } from "../support/verify_stanza.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];
const IMMEDIATE = ["--type=immediate", "--target-action=promote"];

async function addLarge(cluster: TestCluster): Promise<void> {
  await cluster.sql(`create table large as select g id, repeat(md5(g::text), 8) v from generate_series(1, 40000) g;
    create table medium as select g id, repeat(md5(g::text), 8) v from generate_series(1, 1500) g`);
  // Nothing but the changes of the test changes their pages from now on.
  for (const table of ["large", "medium"]) await cluster.sql(`vacuum (freeze) ${table}`);
}

/** Changes, grows and now and then shrinks what is stored in blocks. */
async function changeSome(cluster: TestCluster, round: number): Promise<void> {
  await cluster.sql(`update large set v = md5(v || ${round}) where id % 9001 = ${round};
    update medium set v = md5(v) where id = ${round * 7};
    insert into large select g, repeat(md5(g::text), 8) from generate_series(1, 300) g;`);
  if (round % 3 === 0) {
    await cluster.sql("delete from medium where id > 900");
    await cluster.sql("vacuum medium");
    await cluster.sql("insert into medium select g, repeat(md5(g::text), 8) from generate_series(901, 1000) g");
  }
  await grow(cluster);
}

/** Neither program finds anything wrong. */
async function verified(stanza: TestStanza): Promise<void> {
  await assertPeerFindsNothing(stanza);
  const ours = await verifyReport(stanza);
  assertEquals([ours.code, ours.report.finding], [0, []]);
}

const VARIANTS = [
  { compressType: "none", cipherPass: undefined },
  { compressType: "zst", cipherPass: "correct horse battery staple" },
  { compressType: "gz", cipherPass: undefined },
  { compressType: "lz4", cipherPass: "correct horse battery staple" },
  { compressType: "bz2", cipherPass: undefined },
] as const;

for (const { compressType, cipherPass } of VARIANTS) {
  testWithBlocks(
    NEEDS,
    `a chain of block incremental backups made by both in turns (${compressType}, ${
      cipherPass ? "encrypted" : "plain"
    })`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      await addLarge(cluster);
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{ cipherPass, options: { bundle: "y", block: "y" } }],
        global: { "compress-type": compressType, "process-max": "2" },
      });
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      const steps = [
        ["walferry", "full"],
        ["walferry", "incr"],
        ["pgbackrest", "incr"],
        ["walferry", "incr"],
        ["walferry", "diff"],
        ["pgbackrest", "full"],
        ["walferry", "diff"],
        ["pgbackrest", "incr"],
        ["walferry", "incr"],
      ] as const;
      const dumps: string[] = [];
      for (const [round, [program, type]] of steps.entries()) {
        await changeSome(cluster, round + 1);
        await stanza.must(program, [`--type=${type}`, "backup"]);
        dumps.push(normalized(await cluster.dump()));
      }
      await sameInfo(stanza);
      await verified(stanza);
      const repository = stanza.repositories[0]!;
      const labels = await labelsIn(repository);
      assertEquals(labels.length, steps.length);
      if (cipherPass === undefined) {
        const last = await manifestOf(repository, labels.at(-1)!);
        assert(last.blockIncremental && last.bundleRaw);
        const alone = [...last.files].filter(({ blockMapBytes, bundleId, reference }) =>
          blockMapBytes !== undefined && bundleId === undefined && reference === undefined
        );
        assert(alone.length > 0);
        for (const file of alone) {
          assert(file.repoSizeBytes < file.sizeBytes / 2, `${file.name}: ${file.repoSizeBytes}`);
        }
      }
      for (const at of [0, 1, 3, 4, 6, 8]) {
        const set = [`--set=${labels[at]}`, ...IMMEDIATE];
        assertEquals(await restoredDump(folder, stanza, "pgbackrest", set), dumps[at], `${steps[at]}, ${labels[at]}`);
      }
      for (const at of [2, 4, 7, 8]) {
        const set = [`--set=${labels[at]}`, ...IMMEDIATE];
        assertEquals(await restoredDump(folder, stanza, "walferry", set), dumps[at], `${steps[at]}, ${labels[at]}`);
      }
    },
  );
}

const MAPS: ReadonlyArray<Readonly<Record<string, string>>> = [
  {},
  {
    "block-size-map": "8KiB=8KiB",
    "block-age-map": "0=2",
    "block-checksum-size-map": "16KiB=9",
    "block-size-super": "64KiB",
    "block-size-super-full": "128KiB",
  },
];

testWithBlocks(NEEDS, "both cut the same files in the same way, by the same maps", async () => {
  for (const [at, options] of MAPS.entries()) {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    await addLarge(cluster);
    const relation = await cluster.sql("select pg_relation_filepath('medium')");
    const common = { bundle: "y", block: "y", ...options };
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ options: common }, { options: common }],
      global: { "compress-type": "none", "process-max": "2", "archive-timeout": "60s" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await cluster.sql("checkpoint");
    await cluster.stop();
    const files = (await runAs(["sh", "-c", `cd ${cluster.path}/base/5 && ls`])).trim().split("\n");
    // Of every age that the age map tells apart.
    for (const [index, name] of files.filter((name) => `base/5/${name}` !== relation).entries()) {
      await runAs(["touch", "-d", `${index % 40} days ago`, `${cluster.path}/base/5/${name}`]);
    }
    await cluster.start();
    for (const type of ["full", "incr"]) {
      await stanza.must("walferry", ["--repo=1", `--type=${type}`, "backup"]);
      await stanza.must("pgbackrest", ["--repo=2", `--type=${type}`, "backup"]);
      const manifests = await Promise.all(
        stanza.repositories.map(async (path) => await manifestOf(path, (await labelsIn(path)).at(-1)!)),
      );
      const [ours, theirs] = manifests.map((manifest) => new Map([...manifest.files].map((file) => [file.name, file])));
      const shape = ({ blockSizeBytes, blockChecksumBytes, blockMapBytes }: ManifestFile) =>
        `${blockSizeBytes} ${blockChecksumBytes} ${blockMapBytes !== undefined}`;
      let cut = 0;
      let alone = 0;
      for (const [name, file] of theirs!) {
        const own = ours!.get(name);
        if (own === undefined || own.checksum !== file.checksum || own.sizeBytes !== file.sizeBytes) continue;
        if (name === "pg_data/global/pg_control") continue;
        assertEquals(shape(own), shape(file), `${name} (variant ${at}, ${type})`);
        if (file.blockMapBytes === undefined) continue;
        cut += 1;
        // In a bundle the map says where the bundle has it; alone everything is the same, byte by byte.
        if (file.bundleId !== undefined || file.reference !== undefined) continue;
        alone += 1;
        assertEquals(own.repoChecksum, file.repoChecksum, name);
      }
      assert(cut > 100 && (type === "incr" || alone > 0), `${cut} files in blocks, ${alone} of them alone`);
      // What is cut in both is changed a little for the incremental backups.
      await cluster.sql("update large set v = md5(v) where id % 5000 = 3");
      await cluster.sql("checkpoint");
    }
  }
});

testWithBlocks(
  NEEDS,
  "a chain in blocks, taken while the server writes, shrinks and drops, and killed in the middle",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    await addLarge(cluster);
    const options = { bundle: "y", block: "y", "block-size-super": "64KiB" };
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ options }, { cipherPass: "secret", options }],
      global: { "compress-type": "zst", "process-max": "2", "archive-timeout": "60s" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await cluster.sql("create table busy as select g id, repeat(md5(g::text), 10) v from generate_series(1, 30000) g");
    let isDone = false;
    const load = (async () => {
      for (let round = 0; !isDone; round++) {
        await cluster.sql(`update busy set v = md5(v || ${round}) where id % 7 = ${round % 7};
        create table brief_${round} as select g, md5(g::text) v from generate_series(1, 3000) g;
        drop table if exists "brief_${round - 2}";
        delete from busy where id > 25000; insert into busy select g, md5(g::text) from generate_series(25001, 27000) g;`);
        await cluster.sql("vacuum busy");
        await cluster.sql("checkpoint");
      }
    })();
    try {
      await stanza.must("walferry", ["--repo=all", "--type=full", "backup"]);
      await killAfterSaves(stanza, "incr", 2, ["--repo=all"]);
      for (const type of ["incr", "diff", "incr"]) {
        const delta = type === "diff" ? ["--delta"] : [];
        await stanza.must("walferry", ["--repo=all", `--type=${type}`, ...delta, "backup"]);
      }
    } finally {
      isDone = true;
      await load;
    }
    await grow(cluster);
    await sameInfo(stanza);
    const dump = normalized(await cluster.dump());
    for (const repo of ["1", "2"]) {
      await assertPeerFindsNothing(stanza, `--repo=${repo}`);
      const labels = (JSON.parse(await stanza.must("walferry", [`--repo=${repo}`, "--output=json", "info"])) as [
        { backup: { label: string }[] },
      ])[0].backup.map(({ label }) => label);
      assertEquals(labels.length, 4);
      for (const [at, label] of labels.entries()) {
        const program = (at + Number(repo)) % 2 === 0 ? "walferry" : "pgbackrest";
        assertEquals(await restoredDump(folder, stanza, program, [`--repo=${repo}`, `--set=${label}`]), dump, label);
      }
    }
  },
);
