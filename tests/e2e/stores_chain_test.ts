/** Chains of backups in an object store and over SFTP: bundled here, file by file there, interrupted and gone on with, restored from each. */
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { TestFolder } from "../support/accounts.ts";
import { makeCertificates } from "../support/certificates.ts";
import { GcsFake } from "../support/gcs_fake.ts";
import { archiveWith, grow, killAfterSaves, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { SSHD_PROGRAMS, SshServer } from "../support/sshd.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", ...SSHD_PROGRAMS];

testWith(NEEDS, "a chain in an object store and over SFTP from one reading, killed in the middle", async () => {
  await using folder = await TestFolder.make();
  const certificates = await makeCertificates(await folder.directory("tls", 0o755));
  await using gcs = await GcsFake.start(certificates);
  await using sshd = await SshServer.start();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [
      {
        path: "/two",
        options: {
          type: "gcs",
          bundle: "y",
          "gcs-bucket": gcs.makeBucket(),
          "gcs-key": await folder.file("gcs.json", await gcs.keyFileText()),
          "gcs-endpoint": `localhost:${gcs.port}`,
          "storage-ca-file": certificates.caFile,
        },
      },
      {
        path: `${sshd.folder.path}/two`,
        cipherPass: "a passphrase",
        options: {
          type: "sftp",
          "sftp-host": "127.0.0.1",
          "sftp-host-port": String(sshd.port),
          "sftp-host-user": sshd.user,
          "sftp-private-key-file": sshd.keys.plain,
          "sftp-known-host": sshd.knownHosts,
        },
      },
    ],
    global: { "compress-type": "zst", "process-max": "2" },
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
  await cluster.sql("create table wide as select g, repeat(md5(g::text), 20) v from generate_series(1, 20000) g");
  // Each repository has its list.
  await killAfterSaves(stanza, "incr", 2, ["--repo=all"]);
  await grow(cluster);
  const log = await stanza.must("walferry", ["--type=incr", "--repo=all", "--log-level-console=detail", "backup"]);
  for (const key of [1, 2]) assertIncludes(log, new RegExp(`repo${key}: resumable backup .* of same type exists`));
  assertIncludes(log, "checksum resumed file ");
  await grow(cluster);
  await stanza.must("walferry", ["--type=diff", "--repo=all", "backup"]);
  const info = JSON.parse(await stanza.must("walferry", ["--output=json", "info"])) as [
    { backup: { label: string }[] },
  ];
  const labels = [...new Set(info[0].backup.map(({ label }) => label))].sort();
  assertEquals([labels.length, info[0].backup.length], [3, 6], "the same names in both repositories");
  const dump = normalized(await cluster.dump());
  for (const key of [1, 2]) {
    for (const label of labels) {
      assertEquals(await restoredDump(folder, stanza, "walferry", [`--repo=${key}`, `--set=${label}`]), dump, label);
    }
    const expired = await stanza.must("walferry", [`--repo=${key}`, `--set=${labels[1]}`, "expire"]);
    assertIncludes(expired, `repo${key}: expire adhoc backup `);
    assertEquals(await restoredDump(folder, stanza, "walferry", [`--repo=${key}`]), dump, "the others stand");
  }
});
