/**
 * One cluster, four repositories in four different stores, at once: archived to all of them, backed up in one read, restored from each,
 * started and compared; and what happens when one of them is gone.
 */
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { TestFolder } from "../support/accounts.ts";
import { Azurite, AZURITE_PROGRAMS } from "../support/azurite.ts";
import { makeCertificates } from "../support/certificates.ts";
import { GcsFake } from "../support/gcs_fake.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, startRgw } from "../support/s3_servers.ts";
import { verifyReport } from "../support/verify_stanza.ts";
import { SSHD_PROGRAMS, SshServer } from "../support/sshd.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres", ...RGW_PROGRAMS, ...AZURITE_PROGRAMS, ...SSHD_PROGRAMS];

for (const transport of ["ssh2", "ssh"] as const) {
  testWith(NEEDS, `four stores at once, SFTP by ${transport}`, async (test) => {
    await using folder = await TestFolder.make();
    const certificates = await makeCertificates(await folder.directory("tls", 0o755));
    await using rgw = await startRgw(certificates);
    await using azurite = await Azurite.start(certificates);
    await using gcs = await GcsFake.start(certificates);
    await using sshd = await SshServer.start();
    await using cluster = await makeCluster(folder);
    const keyFile = await folder.file("gcs.json", await gcs.keyFileText());
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [
        {
          path: "/four",
          options: {
            type: "s3",
            "s3-bucket": await rgw.makeBucket(),
            "s3-endpoint": "https://s3.localhost",
            "s3-region": rgw.region,
            "s3-key": rgw.key,
            "s3-key-secret": rgw.keySecret,
            "storage-host": "localhost",
            "storage-port": String(rgw.tlsPort),
            "storage-ca-file": certificates.caFile,
          },
        },
        {
          path: "/four",
          cipherPass: "a passphrase",
          options: {
            type: "azure",
            "azure-account": azurite.account,
            "azure-key": azurite.key,
            "azure-container": await azurite.makeContainer(),
            "azure-endpoint": `localhost:${azurite.port}`,
            "azure-uri-style": "path",
            "storage-ca-file": certificates.caFile,
          },
        },
        {
          path: "/four",
          options: {
            type: "gcs",
            "gcs-bucket": gcs.makeBucket(),
            "gcs-key": keyFile,
            "gcs-endpoint": `localhost:${gcs.port}`,
            "storage-ca-file": certificates.caFile,
          },
        },
        {
          path: `${sshd.folder.path}/four`,
          cipherPass: "another passphrase",
          options: {
            type: "sftp",
            "sftp-host": "127.0.0.1",
            "sftp-host-port": String(sshd.port),
            "sftp-host-user": sshd.user,
            "sftp-private-key-file": sshd.keys.plain,
            "sftp-known-host": sshd.knownHosts,
            "sftp-transport": transport,
          },
        },
      ],
      global: { "compress-type": "zst", "process-max": "2" },
    });

    await test.step("made, archived to, checked and backed up in one read", async () => {
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      const checked = await stanza.must("walferry", ["check"]);
      for (const key of [1, 2, 3, 4]) {
        assertIncludes(checked, `check repo${key} by writing, reading, listing and removing a file`);
        assertIncludes(checked, new RegExp(`successfully archived to '.*' on repo${key}`));
      }
      await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
      await grow(cluster);
      const info = JSON.parse(await stanza.must("walferry", ["--output=json", "info"])) as Array<
        { backup: Array<{ database: { "repo-key": number } }>; repo: Array<{ key: number; status: { code: number } }> }
      >;
      assertEquals(info[0]!.backup.map(({ database }) => database["repo-key"]).sort(), [1, 2, 3, 4]);
      assertEquals(info[0]!.repo.map(({ status }) => status.code), [0, 0, 0, 0]);
    });

    const expected = normalized(await cluster.dump());
    for (const key of [1, 2, 3, 4]) {
      await test.step(`restored from repository ${key}`, async () => {
        assertEquals(await restoredDump(folder, stanza, "walferry", [`--repo=${key}`]), expected);
      });
    }

    await test.step("verified in each store: nothing is found, and a segment that is lost is", async () => {
      for (const key of [1, 2, 3, 4]) {
        const repo = `--repo=${key}`;
        for (const mode of [[], ["--quick"]]) {
          const { code, report } = await verifyReport(stanza, repo, ...mode);
          assertEquals([code, report.finding], [0, []], `repository ${key}`);
        }
        const names = (await stanza.must("walferry", [repo, "--recurse", "repo-ls", "archive/main"])).split("\n");
        const lost = names.filter((name) => name.endsWith(".zst")).at(-2)!;
        const path = `archive/main/${lost}`;
        const label = JSON.parse(await stanza.must("walferry", [repo, "--output=json", "manifest"])).label;
        assertEquals(
          await stanza.must("walferry", [repo, "repo-get", `backup/main/${label}/backup.manifest`]) !== "",
          true,
        );
        assertEquals((await stanza.walferry([repo, "repo-put", "archive/main/x"], { stdin: "content\n" })).code, 0);
        assertEquals(await stanza.must("walferry", [repo, "repo-get", "archive/main/x"]), "content\n");
        await stanza.must("walferry", [repo, "repo-rm", "archive/main/x"]);
        await stanza.must("walferry", [repo, `--set=${label}`, "--annotation=checked=yes", "annotate"]);
        assertIncludes(await stanza.must("walferry", [repo, `--set=${label}`, "info"]), "checked: yes");
        await stanza.must("walferry", [repo, "repo-rm", path]);
        const { code, report } = await verifyReport(stanza, repo, "--quick");
        assertEquals([code, report.finding[0]!.path], [10, path.slice(0, path.indexOf("-", path.lastIndexOf("/")))]);
      }
    });

    await test.step("expire and repo-gc work on all of them", async () => {
      await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
      for (const key of [1, 2, 3, 4]) {
        const log = await stanza.must("walferry", [`--repo=${key}`, `--repo${key}-retention-full=1`, "expire"]);
        assertIncludes(log, `repo${key}: expire full backup`);
      }
      const log = await stanza.must("walferry", ["--older-than=0", "repo-gc"]);
      assertIncludes(log, "repo1: 0 unfinished uploads aborted");
      assertIncludes(log, "repo2: nothing to do");
    });

    await test.step("a store that is gone is told by name; the others go on", async () => {
      await gcs[Symbol.asyncDispose]();
      const failed = await stanza.walferry(["--io-timeout=2", "--archive-timeout=2", "check", "--no-archive-check"]);
      assert(failed.code !== 0, failed.stdout);
      assertIncludes(failed.stdout, /repo3.*gs:\/\//s);
      assertEquals(await restoredDump(folder, stanza, "walferry", ["--repo=4"]), normalized(await cluster.dump()));
      for (const secret of [rgw.keySecret, azurite.key, "a passphrase", "PRIVATE KEY", "ya29."]) {
        assertEquals(failed.stdout.includes(secret) || failed.stderr.includes(secret), false, "a secret is in the log");
      }
    });
  });
}
