/** Backups that die in the middle: walferry goes on with its own, and the original finds nothing wrong in the result. */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { hasFinalBlocks, hasSameVersion } from "../support/block_judge.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import {
  archiveWith,
  grow,
  inRestoredCopy,
  killAfterLines,
  killAfterSaves,
  makeCluster,
  normalized,
  restoredDump,
  sameInfo,
} from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"];

/** Earlier releases have other blocks. */
const packed: Record<string, string> = {
  bundle: "y",
  "bundle-size": "1MiB",
  ...(hasFinalBlocks() ? { block: "y" } : {}),
};

for (const cipherPass of [undefined, "secret"]) {
  testWith(
    NEEDS,
    `killed backups of each type are gone on with (${cipherPass === undefined ? "plain" : "encrypted, in bundles"})`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{ cipherPass, options: cipherPass === undefined ? {} : packed }],
        global: { "compress-type": "gz", "log-level-console": "detail" },
      });
      const backups = `${stanza.repositories[0]}/backup/main`;
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      for (const type of ["full", "diff", "incr"]) {
        await cluster.sql(
          `create table wide_${type} as select g, repeat(md5(g::text), 20) v from generate_series(1, 20000) g`,
        );
        await killAfterSaves(stanza, type, 2);
        const label = (await runAs(["sh", "-c", `ls -d ${backups}/*F* | sort | tail -n 1 | xargs basename`])).trim();
        assertEquals(
          (await runAs(["sh", "-c", `ls ${backups}/${label} | grep backup.manifest`])).trim(),
          "backup.manifest.copy",
        );
        await grow(cluster);
        const output = await stanza.must("walferry", [`--type=${type}`, "backup"]);
        assertIncludes(output, `resumable backup ${label} of same type exists`);
        assert(/checksum resumed file .*\/base\/\d+\/\d+ /.test(output), output);
        assertIncludes(output, `new backup label = ${label}`);
        await sameInfo(stanza);
        const report = await stanza.must("pgbackrest", ["--output=text", "--verbose", "verify"]);
        assertIncludes(report, "status: ok");
        assertEquals(/(missing|checksum invalid|size invalid|other): [1-9]/.test(report), false, report);
        const left = await runAs(["sh", "-c", `find ${backups} -name '*.pgbackrest.tmp'`]);
        assertEquals(left, "");
        for (const program of ["pgbackrest", "walferry"] as const) {
          assertEquals(
            await restoredDump(folder, stanza, program),
            normalized(await cluster.dump()),
            `${type} ${program}`,
          );
        }
      }
    },
  );
}

testWith(
  NEEDS,
  "a differential backup that one program left half done does not harm the other's next one",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "gz", "process-max": "1" } });
    const backups = `${stanza.repositories[0]}/backup/main`;
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await stanza.must("walferry", ["--type=full", "backup"]);
    await cluster.sql("create table wide as select g, repeat(md5(g::text), 20) v from generate_series(1, 20000) g");
    await killAfterSaves(stanza, "diff", 1);
    await grow(cluster);
    const [abandoned] = await differentials(backups);
    await stanza.must("pgbackrest", ["--type=diff", "backup"]);
    const after = await differentials(backups);
    assertEquals([after.length, after.includes(abandoned!)], [1, false], "the original removes what it cannot use");
    // The original's own, made to look as if it had died before its last steps.
    const script = `cd ${backups} && rm $(ls -d *F_* | tail -n 1)/backup.manifest`;
    await runAs(["sh", "-c", script]);
    await grow(cluster);
    const ours = await stanza.must("walferry", ["--type=diff", "backup"]);
    assertEquals(ours.includes("cannot be resumed"), false, "it is listed: the copy of its manifest counts");
    await sameInfo(stanza);
    for (const program of ["pgbackrest", "walferry"] as const) {
      assertEquals(await restoredDump(folder, stanza, program), normalized(await cluster.dump()), program);
    }
  },
);

for (const type of ["incr", "diff"]) {
  testWith(NEEDS, `what pgbackrest's unfinished ${type} backup lists before it is read is read`, async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await TestStanza.make(folder, cluster, { global: { "compress-type": "gz" } });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await cluster.sql(`create table counted(id int, v int) with (fillfactor = 40);
      insert into counted select g, 0 from generate_series(1, 50000) g`);
    await cluster.sql("vacuum (freeze) counted");
    await stanza.must("walferry", ["--type=full", "backup"]);
    // In place: the size stays, and the WAL of it lies before the backup.
    const size = await cluster.sql("select pg_relation_size('counted')");
    await cluster.sql("update counted set v = 1; checkpoint");
    assertEquals(await cluster.sql("select pg_relation_size('counted')"), size);
    await killAfterLines(stanza, "pgbackrest", [`--type=${type}`, "backup"], "backup file", 1);
    await cluster.archiveSegment();
    const output = await stanza.must("walferry", [`--type=${type}`, "backup"]);
    if (hasSameVersion()) assertIncludes(output, "resumable backup");
    const sum = await inRestoredCopy(folder, stanza, "walferry", [], (copy) => copy.sql("select sum(v) from counted"));
    assertEquals(sum, "50000");
  });
}

for (const [dying, next] of [["walferry", "pgbackrest"], ["pgbackrest", "walferry"]] as const) {
  testWith(NEEDS, `a full backup with bundles that ${dying} left half done does not harm that of ${next}`, async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    // Earlier releases go on with nothing that bundles, leave it to expire, and have other blocks.
    const isCurrent = hasFinalBlocks();
    const block: Record<string, string> = isCurrent ? { block: "y" } : {};
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{ cipherPass: "secret", options: { bundle: "y", "bundle-size": "1MiB", ...block } }],
      global: { "compress-type": "gz", "manifest-save-threshold": "1" },
    });
    const backups = `${stanza.repositories[0]}/backup/main`;
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    // Behind the first bundles, of which there are about twenty.
    await killAfterLines(stanza, dying, ["--type=full", "backup"], "backup file", 500);
    await grow(cluster);
    const output = await stanza.must(next, ["--log-level-console=detail", "--type=full", "backup"]);
    if (isCurrent) assert(/resumable backup \S+ of same type/.test(output), output);
    await grow(cluster);
    await stanza.must(dying, ["--type=incr", "backup"]);
    await stanza.must("walferry", ["expire"]);
    assertEquals((await runAs(["sh", "-c", `ls -d ${backups}/*F | wc -l`])).trim(), "1");
    await sameInfo(stanza);
    const verify = await stanza.walferry(["verify"]);
    assertEquals(verify.code, 0, verify.stdout);
    for (const program of ["pgbackrest", "walferry"] as const) {
      assertEquals(await restoredDump(folder, stanza, program), normalized(await cluster.dump()), program);
    }
  });
}

/** Directories of differential backups, complete or not. */
async function differentials(backups: string): Promise<string[]> {
  return (await runAs(["sh", "-c", `cd ${backups} && ls -d *D`])).trim().split("\n");
}
