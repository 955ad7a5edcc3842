/** Block incremental backups in an object store and in a directory beside it: made by both programs in turns, restored by both, also over what is there. */
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { TestFolder } from "../support/accounts.ts";
import { blockPeer } from "../support/block_judge.ts";
import { makeCertificates } from "../support/certificates.ts";
import { archiveWith, grow, makeCluster, normalized, type Program, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, s3TlsOptions, startRgw } from "../support/s3_servers.ts";
import { assertHealthy, assertPeerFindsNothing } from "../support/verify_stanza.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", ...RGW_PROGRAMS];
const PEER = blockPeer();
const IMMEDIATE = ["--type=immediate", "--target-action=promote"];

testWith(
  NEEDS,
  `block incremental backups in S3 and in a directory, each with a past of its own (peer: ${PEER})`,
  async () => {
    await using folder = await TestFolder.make();
    const certificates = await makeCertificates(await folder.directory("tls", 0o755));
    await using server = await startRgw(certificates);
    await using cluster = await makeCluster(folder);
    const blocks = { bundle: "y", block: "y" };
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [
        {
          path: "/blocks",
          cipherPass: "a passphrase",
          options: {
            ...blocks,
            ...s3TlsOptions(server, await server.makeBucket(), certificates),
          },
        },
        { options: blocks },
      ],
      global: { "compress-type": "zst", "process-max": "2" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    await cluster.sql("create table large as select g id, repeat(md5(g::text), 8) v from generate_series(1, 40000) g");
    await cluster.sql("vacuum (freeze) large");
    await grow(cluster);
    await stanza.must(PEER, ["--repo=1", "--type=full", "backup"]);
    const round = async (at: number) => {
      await cluster.sql(`update large set v = md5(v) where id % 9001 = ${at}`);
      await grow(cluster);
    };
    await round(1);
    // Where nothing is to build on the backup is full.
    assertIncludes(await stanza.must("walferry", ["--repo=all", "--type=incr", "backup"]), "changed to full");
    await round(2);
    await stanza.must(PEER, ["--repo=1", "--type=incr", "backup"]);
    await stanza.must(PEER, ["--repo=2", "--type=incr", "backup"]);
    await round(3);
    await stanza.must("walferry", ["--repo=all", "--type=diff", "backup"]);
    const dump = normalized(await cluster.dump());
    for (const repo of ["1", "2"]) {
      await assertHealthy(stanza, `--repo=${repo}`);
      if (PEER === "pgbackrest") await assertPeerFindsNothing(stanza, `--repo=${repo}`);
      for (const program of new Set<Program>(["walferry", PEER])) {
        assertEquals(await restoredDump(folder, stanza, program, [`--repo=${repo}`, ...IMMEDIATE]), dump, repo);
      }
    }
    await round(4);
    await cluster.sql("checkpoint");
    await cluster.stop();
    // The cluster went on; only what differs is fetched.
    const output = await stanza.must("walferry", ["--repo=1", "--delta", ...IMMEDIATE, "restore"]);
    assertIncludes(output, "restore size = ");
    await cluster.start();
    await cluster.untilPrimary();
    assertEquals(normalized(await cluster.dump()), dump);
  },
);
