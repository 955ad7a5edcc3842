/**
 * Differential and incremental backups in turns: each program builds on what the other left, both restore every link of the chain, and the
 * original finds nothing wrong in it.
 */
import { parseBackupInfo, renderBackupInfo } from "../../src/format/backup_info.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { hasFinalBlocks } from "../support/block_judge.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump, sameInfo } from "../support/interop_story.ts";
import { labelsIn, manifestOf, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertPeerFindsNothing } from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"];

/** `bundle`: who stores small files together. `every`: each link of the chain is restored, not only the end. */
const VARIANTS = [
  { compressType: "gz", cipherPass: undefined, bundle: "nobody", every: true },
  { compressType: "none", cipherPass: undefined, bundle: "both", every: false },
  { compressType: "zst", cipherPass: "correct horse battery staple", bundle: "both", every: true },
  { compressType: "lz4", cipherPass: "correct horse battery staple", bundle: "pgbackrest", every: false },
] as const;

for (const { compressType, cipherPass, bundle, every } of VARIANTS) {
  const name = `${compressType}, ${cipherPass === undefined ? "plain" : "encrypted"}`;
  testWith(
    NEEDS,
    `a chain of backups made by both in turns (${name}, bundles: ${bundle})`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{ cipherPass }],
        global: { "compress-type": compressType, "process-max": "2" },
      });
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      const steps = [
        ["walferry", "full"],
        ["walferry", "incr"],
        ["walferry", "diff"],
        ["walferry", "incr"],
        ["pgbackrest", "incr"],
        ["walferry", "incr"],
        ["pgbackrest", "diff"],
        ["walferry", "incr"],
        ["pgbackrest", "full"],
        ["walferry", "diff"],
        ["walferry", "incr"],
        ["pgbackrest", "incr"],
      ] as const;
      const dumps: string[] = [];
      for (const [program, type] of steps) {
        // Data that no dump could be equal without.
        await grow(cluster);
        const bundles = bundle === "both" || bundle === program ? ["--repo1-bundle=y"] : [];
        const output = await stanza.must(program, [`--type=${type}`, ...bundles, "backup"]);
        assertEquals(output.includes("enabling delta"), false, output);
        assertIncludes(output, `${type} backup size = `);
        dumps.push(normalized(await cluster.dump()));
      }
      await grow(cluster);
      await sameInfo(stanza);
      await assertPeerFindsNothing(stanza);
      const labels = await labelsIn(stanza.repositories[0]!);
      assertEquals(labels.length, steps.length);
      for (const [index, label] of (every ? labels : []).entries()) {
        const [program] = steps[index]!;
        const other = program === "walferry" ? "pgbackrest" : "walferry";
        const immediate = [`--set=${label}`, "--type=immediate", "--target-action=promote"];
        assertEquals(await restoredDump(folder, stanza, other, immediate), dumps[index], `${label} by ${other}`);
      }
      for (const program of ["walferry", "pgbackrest"] as const) {
        assertEquals(await restoredDump(folder, stanza, program), normalized(await cluster.dump()), program);
      }
    },
  );
}

testWith(NEEDS, "what did not change is referred to, exactly as the original does it", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "gz" } });
  const repository = stanza.repositories[0]!;
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  await grow(cluster);
  await stanza.must("walferry", ["--type=full", "backup"]);
  await cluster.sql("create table more as select g from generate_series(1, 100) g; checkpoint");
  await stanza.must("walferry", ["--type=incr", "backup"]);
  // The same change again, judged by the other.
  await stanza.must("pgbackrest", ["--type=diff", "backup"]);
  const [full, incremental, differential] = await labelsIn(repository);
  const ours = await manifestOf(repository, incremental!);
  const theirs = await manifestOf(repository, differential!);
  assertEquals([ours.type, ours.prior, ours.references], ["incr", full, [full!, incremental!]]);
  assertEquals([theirs.type, theirs.prior], ["diff", full]);
  const own = [...ours.files].filter(({ reference }) => reference === undefined).map(({ name }) => name);
  const relation = await cluster.sql("select pg_relation_filepath('more')");
  assert(own.includes(`pg_data/${relation}`), own.join("\n"));
  assert(own.length < 40, `${own.length} of ${ours.files.length} files were copied:\n${own.join("\n")}`);
  const referred = [...ours.files].filter(({ reference }) => reference !== undefined);
  assertEquals(new Set(referred.map(({ reference }) => reference)), new Set([full]));
  const theirFiles = new Map([...theirs.files].map((file) => [file.name, file]));
  for (const file of referred) {
    const other = theirFiles.get(file.name);
    if (other?.reference === undefined) continue;
    // Each checkpoint writes some files again with the content that they have: newer releases compare it and take over the time.
    const isWrittenSince = other.timestamp >= ours.timestampCopyStart;
    assertEquals(other, isWrittenSince ? { ...file, timestamp: other.timestamp } : file);
  }
});

testWith(
  NEEDS,
  "with repo-hardlink both build on each other, and the linked files are whole",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ options: { hardlink: "y" } }],
      global: { "compress-type": "none", "archive-copy": "y" },
    });
    const repository = stanza.repositories[0]!;
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    for (
      const [program, type] of [["walferry", "full"], ["walferry", "incr"], ["pgbackrest", "incr"], [
        "walferry",
        "incr",
      ]] as const
    ) {
      await grow(cluster);
      await stanza.must(program, [`--type=${type}`, "backup"]);
    }
    const dump = normalized(await cluster.dump());
    await sameInfo(stanza);
    await assertPeerFindsNothing(stanza);
    const label = (await labelsIn(repository)).at(-1)!;
    const tree = `${repository}/backup/main/${label}`;
    const linked = await runAs([
      "sh",
      "-c",
      `cd ${tree} && find . -type f -links +1 | wc -l && find . -type f | wc -l`,
    ]);
    const [several, all] = linked.trim().split("\n").map(Number);
    assert(several! > all! * 0.8, `${several} of ${all} files have a second name`);
    const manifest = await manifestOf(repository, label);
    assertEquals(all, manifest.files.length + 2, "every file of the manifest, and the manifest and its copy");
    for (const program of ["walferry", "pgbackrest"] as const) {
      assertEquals(
        await restoredDump(folder, stanza, program, [`--set=${label}`, "--type=immediate", "--target-action=promote"]),
        dump,
        program,
      );
    }
  },
);

testWith(
  NEEDS,
  "empty files that pgbackrest refers to and nobody stored are no damage, and no obstacle to hard links",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, { repositories: [{ options: { bundle: "y" } }] });
    const repository = stanza.repositories[0]!;
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await grow(cluster);
    await stanza.must("pgbackrest", ["--type=full", "backup"]);
    await stanza.must("pgbackrest", ["--type=incr", "--no-repo1-bundle", "backup"]);
    const [full, incr] = await labelsIn(repository) as [string, string];
    const referred = [...(await manifestOf(repository, incr)).files].filter((file) =>
      file.sizeBytes === 0 && file.reference === full
    );
    assert(referred.length > 100, `${referred.length} empty files are referred to`);
    await stanza.must("walferry", ["verify"]);
    await grow(cluster);
    await stanza.must("walferry", ["--type=incr", "--no-repo1-bundle", "--repo1-hardlink", "backup"]);
    await stanza.must("walferry", ["verify"]);
    const dump = normalized(await cluster.dump());
    for (const program of ["walferry", "pgbackrest"] as const) {
      assertEquals(await restoredDump(folder, stanza, program), dump, program);
    }
  },
);

testWith(
  NEEDS,
  "after a restore on another timeline contents are compared, and the chain goes on",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "zst" } });
    const repository = stanza.repositories[0]!;
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await grow(cluster);
    await stanza.must("walferry", ["--type=full", "backup"]);
    await grow(cluster);
    await cluster.stop();
    await stanza.must("walferry", ["--delta", "--type=immediate", "--target-action=promote", "restore"]);
    await cluster.start();
    await cluster.untilPrimary();
    await grow(cluster);
    for (const [program, others] of [["walferry", "pgbackrest"], ["pgbackrest", "walferry"]] as const) {
      const output = await stanza.must(program, ["--type=diff", "backup"]);
      // 2.45 overlooks it; newer releases say the same words.
      if (program === "walferry") assertIncludes(output, "a timeline switch has occurred since the ");
      await grow(cluster);
      await assertPeerFindsNothing(stanza);
      assertEquals(
        await restoredDump(folder, stanza, others),
        normalized(await cluster.dump()),
      );
    }
    const [, ours, theirs] = await Promise.all(
      (await labelsIn(repository)).map((label) => manifestOf(repository, label)),
    );
    const referred = (manifest: typeof ours) =>
      [...manifest!.files].filter(({ reference }) => reference !== undefined).map(({ name }) => name);
    assertEquals(ours!.options.delta, true);
    const missing = referred(theirs).filter((name) => !referred(ours).includes(name));
    assertEquals(missing, [], "what the original recognises as unchanged is recognised here too");
  },
);

testWith(
  NEEDS,
  "several repositories with different pasts: one reading, and each restores by itself with either program",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{}, { cipherPass: "secret" }, {}],
      global: { "compress-type": "zst" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await stanza.must("walferry", ["--repo=1,2", "--type=full", "backup"]);
    await grow(cluster);
    await stanza.must("pgbackrest", ["--repo=2", "--type=full", "backup"]);
    await grow(cluster);
    const output = await stanza.must("walferry", ["--repo=all", "--type=incr", "backup"]);
    assertIncludes(output, "repo3: no prior backup exists, incr backup has been changed to full");
    await grow(cluster);
    await stanza.must("walferry", ["--repo=all", "--type=incr", "backup"]);
    const dump = normalized(await cluster.dump());
    await sameInfo(stanza);
    for (const repo of ["1", "2", "3"]) {
      const report = await stanza.must("pgbackrest", [`--repo=${repo}`, "--output=text", "--verbose", "verify"]);
      assertIncludes(report, "status: ok");
      assertEquals(/(missing|checksum invalid|size invalid|other): [1-9]/.test(report), false, report);
      for (const program of ["walferry", "pgbackrest"] as const) {
        const immediate = [`--repo=${repo}`, "--type=immediate", "--target-action=promote"];
        assertEquals(await restoredDump(folder, stanza, program, immediate), dump, `repo${repo} by ${program}`);
      }
    }
  },
);

testWith(NEEDS, "bundles of a set that the original framed in its own way for blocks are read by it", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ cipherPass: "secret", options: { bundle: "y" } }],
    global: { "compress-type": "gz" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  await stanza.must("pgbackrest", ["--type=full", "--beta", "--repo1-block=y", "backup"]);
  await grow(cluster);
  const output = await stanza.must("walferry", ["--type=incr", "backup"]);
  if (!hasFinalBlocks()) {
    assertIncludes(output, "only pgbackrest can restore it");
    const empty = await folder.directory("refused", 0o700);
    const refused = await stanza.walferry([`--pg1-path=${empty}`, "restore"]);
    assertIncludes(refused.stdout, /ERROR: .* holds block incremental files of version 2\.45, which were a trial/);
    assertEquals([...Deno.readDirSync(empty)], []);
  }
  await sameInfo(stanza);
  await assertPeerFindsNothing(stanza);
  const immediate = ["--type=immediate", "--target-action=promote"];
  assertEquals(await restoredDump(folder, stanza, "pgbackrest", immediate), normalized(await cluster.dump()));
  await grow(cluster);
  await stanza.must("pgbackrest", ["--type=incr", "--beta", "--repo1-block=y", "backup"]);
  await assertPeerFindsNothing(stanza);
  assertEquals(await restoredDump(folder, stanza, "pgbackrest", immediate), normalized(await cluster.dump()));
});

testWith(
  NEEDS,
  "a chain taken while the server writes, shrinks and drops is consistent in every repository",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{}, { cipherPass: "secret", options: { bundle: "y" } }],
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
      for (const type of ["full", "incr", "diff", "incr"]) {
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
      const report = await stanza.must("pgbackrest", [`--repo=${repo}`, "--output=text", "--verbose", "verify"]);
      assertIncludes(report, "status: ok");
      const own = (await stanza.must("pgbackrest", ["--output=json", `--repo=${repo}`, "info"])).match(
        /\d{8}-\d{6}F[_0-9DI-]*/g,
      )!;
      // Recovery from each link to the end of the archive; it begins at pages that were written while they were copied.
      for (const [index, label] of [...new Set(own)].sort().entries()) {
        const program = index % 2 === 0 ? "pgbackrest" : "walferry";
        assertEquals(
          await restoredDump(folder, stanza, program, [`--repo=${repo}`, `--set=${label}`]),
          dump,
          `${label} repo${repo}`,
        );
      }
    }
  },
);

testWith(NEEDS, "what backup.info says of a chain is what the original makes of its manifests", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "gz", "archive-copy": "y" } });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  for (
    const [type, bundle] of [["full", "n"], ["incr", "y"], ["diff", "y"], ["incr", "n"], ["full", "y"], ["incr", "y"]]
  ) {
    await grow(cluster);
    await stanza.must("walferry", [`--type=${type}`, `--repo1-bundle=${bundle}`, "--annotation=made=here", "backup"]);
  }
  const path = `${stanza.repositories[0]}/backup/main/backup.info`;
  const read = async () => parseBackupInfo(await runAs(["cat", path]));
  const ours = await read();
  const forgotten = await folder.file("forgotten", renderBackupInfo({ ...ours, backups: [] }));
  await runAs(["cp", forgotten, path]);
  await runAs(["cp", forgotten, `${path}.copy`]);
  await stanza.must("pgbackrest", ["expire"]);
  const theirs = await read();
  assertEquals(theirs.backups, ours.backups);
});
