/**
 * Repositories in real stores, over TLS with an authority of our own: both programs on one repository, in both directions, and a cluster
 * that archives to several stores at once and is restored from each.
 */
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { TestFolder } from "../support/accounts.ts";
import { Azurite, AZURITE_PROGRAMS } from "../support/azurite.ts";
import { makeCertificates } from "../support/certificates.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump, sameInfo } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, s3TlsOptions, startRgw } from "../support/s3_servers.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"];

testWith([...NEEDS, ...RGW_PROGRAMS], "one S3 repository, both programs, both directions", async () => {
  await using folder = await TestFolder.make();
  const certificates = await makeCertificates(await folder.directory("tls", 0o755));
  await using server = await startRgw(certificates);
  await bothPrograms(folder, s3TlsOptions(server, await server.makeBucket(), certificates));
});

testWith([...NEEDS, ...AZURITE_PROGRAMS], "one Azure repository, both programs, both directions", async () => {
  await using folder = await TestFolder.make();
  const certificates = await makeCertificates(await folder.directory("tls", 0o755));
  await using server = await Azurite.start(certificates);
  await bothPrograms(folder, {
    type: "azure",
    "azure-account": server.account,
    "azure-key": server.key,
    "azure-container": await server.makeContainer(),
    "azure-endpoint": "localhost",
    "azure-uri-style": "path",
    "storage-host": "localhost",
    "storage-port": String(server.port),
    "storage-ca-file": certificates.caFile,
  });
});

/** The story of two programs that take turns on a repository of a store. */
async function bothPrograms(folder: TestFolder, options: Readonly<Record<string, string>>): Promise<void> {
  await using cluster = await makeCluster(folder);
  for (const [first, second] of [["walferry", "pgbackrest"], ["pgbackrest", "walferry"]] as const) {
    const stanza = await TestStanza.make(folder, cluster, {
      name: first,
      repositories: [{ path: `/${first}`, cipherPass: "a passphrase", options }],
      global: { "compress-type": "zst", "process-max": "2" },
    });
    await stanza.must(first, ["stanza-create"]);
    await archiveWith(cluster, stanza, first);
    await stanza.must(first, ["check"]);
    await stanza.must(first, ["--type=full", "backup"]);
    await grow(cluster);
    await sameInfo(stanza);
    assertEquals(await restoredDump(folder, stanza, second), normalized(await cluster.dump()));
    await archiveWith(cluster, stanza, second);
    await stanza.must(second, ["check"]);
    await stanza.must(second, ["--type=full", "backup"]);
    await grow(cluster);
    await sameInfo(stanza);
    assertEquals(await restoredDump(folder, stanza, first), normalized(await cluster.dump()));
    assertIncludes(await stanza.must("pgbackrest", ["--output=text", "--verbose", "verify"]), "status: ok");
    await stanza.must(first, ["--repo1-retention-full=1", "expire"]);
    await sameInfo(stanza);
    assertEquals(await restoredDump(folder, stanza, second), normalized(await cluster.dump()));
  }
}
