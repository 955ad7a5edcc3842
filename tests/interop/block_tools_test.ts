/** Block incremental backups (of pgbackrest, where it makes them) with the rest of walferry: verify, manifest, and repo-sync to another repository. */
import { parseManifest } from "../../src/format/manifest_codec.ts";
import { accountOwn, runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { blockPeer } from "../support/block_judge.ts";
import { archiveWith, grow, makeCluster, normalized, type Program, restoredDump } from "../support/interop_story.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertPeerFindsNothing, verifyReport } from "../support/verify_stanza.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];
const PEER = blockPeer();
const IMMEDIATE = ["--type=immediate", "--target-action=promote"];

for (const cipherPass of [undefined, "secret"]) {
  const name = cipherPass === undefined ? "plain" : "encrypted";
  testWith(
    NEEDS,
    `verify, manifest and repo-sync with block incremental backups of ${PEER} (${name})`,
    async (test) => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      const options = { bundle: "y", block: "y" };
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{ cipherPass, options }, { cipherPass: cipherPass && "another", options }],
        global: { "compress-type": "zst", "process-max": "2" },
      });
      await stanza.must(PEER, ["stanza-create"]);
      const onlyFirst = stanza.commandLine("walferry", "--repo=1", "archive-push", "%p");
      await cluster.sql(`alter system set archive_command = '${onlyFirst}'`);
      await cluster.reload();
      await cluster.sql(
        "create table large as select g id, repeat(md5(g::text), 8) v from generate_series(1, 20000) g",
      );
      await cluster.sql("vacuum (freeze) large");
      await grow(cluster);
      const repository = stanza.repositories[0]!;
      for (const [round, type] of ["full", "diff", "incr"].entries()) {
        await cluster.sql(`update large set v = md5(v) where id % 6000 = ${round}`);
        await stanza.must(PEER, ["--repo=1", `--type=${type}`, "backup"]);
      }
      const dump = normalized(await cluster.dump());
      await grow(cluster);
      const labels = await labelsIn(repository);

      await test.step("verify finds nothing", async () => {
        for (const mode of [["--quick"], []]) {
          const { code, report } = await verifyReport(stanza, "--repo=1", ...mode);
          assertEquals([code, report.finding], [0, []]);
        }
      });
      await test.step("manifest shows the blocks", async () => {
        const shown = await stanza.must("walferry", ["--repo=1", `--set=${labels[2]}`, "manifest"]);
        assertIncludes(shown, "block: size 8KB, map size ");
      });
      await test.step("repo-sync gives another repository the chain, and both restore it from there", async () => {
        await stanza.must("walferry", ["--from=1", "--to=2", "repo-sync"]);
        assertEquals(await labelsIn(stanza.repositories[1]!), labels);
        if (PEER === "pgbackrest") await assertPeerFindsNothing(stanza, "--repo=2");
        await runAs(["mv", repository, `${repository}.away`]);
        for (const program of new Set<Program>([PEER, "walferry"])) {
          assertEquals(await restoredDump(folder, stanza, program, ["--repo=2", ...IMMEDIATE]), dump, program);
        }
        await runAs(["mv", `${repository}.away`, repository]);
        await archiveWith(cluster, stanza, PEER);
        await stanza.must(PEER, ["--repo=2", "--type=incr", "backup"]);
        const { report: ours } = await verifyReport(stanza, "--repo=2");
        assertEquals(ours.finding.filter(({ severity }) => severity === "damage"), []);
      });
      await test.step("verify finds damage in blocks, and tells every backup that needs them", async () => {
        const alone = `ls ${repository}/backup/main/${labels[0]}/pg_data/base/*/*.pgbi`;
        const [victim] = (await runAs(["sh", "-c", alone])).split("\n");
        assert(victim);
        const bytes = await Deno.readFile(victim);
        bytes[bytes.length >> 1]! ^= 1;
        await Deno.writeFile(victim, bytes);
        await accountOwn(victim);
        const { code, report } = await verifyReport(stanza, "--repo=1");
        assert(code !== 0);
        assertEquals(report.finding.map(({ kind }) => kind), ["checksum"]);
        assertEquals(report.backup.map(({ status }) => status), ["invalid", "invalid", "invalid"]);
        if (cipherPass !== undefined) return;
        // Not each backup has these blocks by reference of its manifest: the maps lead to them.
        const last = parseManifest(await runAs(["cat", `${repository}/backup/main/${labels[2]}/backup.manifest`]));
        const file = [...last.files].find(({ name }) => victim.endsWith(`${name.slice("pg_data".length)}.pgbi`))!;
        assertEquals(file.reference, undefined);
      });
    },
  );
}
