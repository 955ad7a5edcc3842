/** Passphrases that are not in the configuration, and a new one for a repository that is in use: no step leaves it closed. */
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza, walferryPath } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "pgbackrest"],
  "a passphrase from a file, a command and systemd; a new one while archiving goes on; the original opens the result",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'false'",
      initdb: ["--wal-segsize=1"],
    });
    await cluster.start();
    const secret = "an old passphrase";
    const fresh = "a new passphrase";
    await folder.file("old", `${secret}\n`);
    await folder.file("new", `${fresh}\n`);
    const stanzaWith = async (name: string, options: Readonly<Record<string, string>>) => {
      const stanza = await TestStanza.make(folder, cluster, {
        name,
        repositories: [{ path: `${folder.path}/repo`, options: { "cipher-type": "aes-256-cbc", ...options } }],
      });
      return stanza;
    };
    await runAs(["mkdir", `${folder.path}/repo`]);
    const byFile = await stanzaWith("file", { "cipher-pass-file": `${folder.path}/old` });
    await byFile.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, byFile, "walferry");
    await cluster.archiveSegment();
    await byFile.must("walferry", ["--type=full", "backup"]);
    const byCommand = await stanzaWith("command", { "cipher-pass-command": `cat '${folder.path}/old'` });
    await byCommand.must("walferry", ["check"]);
    const byCredential = await stanzaWith("credential", { "cipher-pass-credential": "old" });
    await byCredential.must("walferry", ["info"], { env: { CREDENTIALS_DIRECTORY: folder.path } });
    const without = await byCredential.walferry(["check"]);
    assertEquals(without.code, 31);
    assertIncludes(without.stdout + without.stderr, "systemd handed over no credentials");

    // Hosts change over one after the other: first all know both, then the repository changes.
    const both = await stanzaWith("both", {
      "cipher-pass-file": `${folder.path}/new`,
      "cipher-pass-previous-file": `${folder.path}/old`,
    });
    await archiveWith(cluster, both, "walferry");
    await cluster.archiveSegment();
    const early = await both.walferry(["--confirm", "rekey"]);
    assertEquals(early.code, 95, early.stdout);
    await both.must("walferry", ["rekey"]);
    await cluster.archiveSegment();
    await both.must("walferry", ["--confirm", "rekey"]);
    await both.must("walferry", ["--type=incr", "backup"]);

    const onlyNew = await stanzaWith("onlynew", { "cipher-pass": fresh });
    await onlyNew.must("walferry", ["check"]);
    await onlyNew.must("walferry", ["verify"]);
    assertIncludes(await onlyNew.must("pgbackrest", ["info"]), "incr backup");
    await onlyNew.must("pgbackrest", ["--type=incr", "backup"]);
    const onlyOld = await byFile.walferry(["check"]);
    assertEquals(onlyOld.code === 0, false);
    for (const text of [secret, fresh]) {
      assertEquals((onlyOld.stdout + onlyOld.stderr + early.stdout + without.stdout).includes(text), false);
    }

    const plain = await TestStanza.make(folder, cluster, { name: "plain" });
    const refused = await plain.walferry(["rekey"]);
    assertEquals(refused.code, 31);
    const twice = await stanzaWith("twice", { "cipher-pass": "x", "cipher-pass-file": `${folder.path}/new` });
    assertIncludes(
      (await twice.walferry(["info"])).stderr + (await twice.walferry(["info"])).stdout,
      "cannot be used together",
    );
  },
);

/** Hosts before, in and behind the change of a passphrase, with one repository; nothing of it needs a server. */
async function hostsOf(folder: TestFolder, cluster: TestCluster) {
  await runAs(["mkdir", `${folder.path}/repo`]);
  const host = async (name: string, options: Readonly<Record<string, string>>) =>
    await TestStanza.make(folder, cluster, {
      name,
      repositories: [{ path: `${folder.path}/repo`, options: { "cipher-type": "aes-256-cbc", ...options } }],
    });
  return {
    old: await host("old", { "cipher-pass": "before" }),
    both: await host("both", { "cipher-pass": "after", "cipher-pass-previous": "before" }),
    onlyNew: await host("new", { "cipher-pass": "after" }),
  };
}

testWith(
  ["/usr/lib/postgresql/15/bin/postgres"],
  "hosts that know the old passphrase only go on with the stanza, whatever those with both do, until rekey",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder);
    const { old, both, onlyNew } = await hostsOf(folder, cluster);
    const segment = `${cluster.path}/pg_wal/000000010000000000000001`;
    await old.must("walferry", ["--no-online", "stanza-create"]);
    await both.must("walferry", ["--no-online", "--type=full", "backup"]);
    await old.must("walferry", ["archive-push", segment]);
    const [label] = await labelsIn(`${folder.path}/repo`);
    for (
      const command of [
        [`--set=${label}`, "--reason=kept", "pin"],
        [`--set=${label}`, "--annotation=key=value", "annotate"],
        [`--set=${label}`, "unpin"],
        ["expire"],
        ["--no-online", "stanza-upgrade"],
      ]
    ) {
      await both.must("walferry", command);
      await old.must("walferry", ["archive-push", segment]);
      await old.must("walferry", ["verify"]);
    }
    await runAs(["rm", `${folder.path}/repo/backup/main/backup.info.copy`]);
    await both.must("walferry", ["--no-online", "stanza-create"]);
    await old.must("walferry", ["verify"]);

    await both.must("walferry", ["rekey"]);
    const refused = await old.walferry(["archive-push", segment]);
    assertEquals(refused.code, 103, refused.stdout);
    await onlyNew.must("walferry", ["archive-push", segment]);
    await onlyNew.must("walferry", ["--no-online", "--type=incr", "backup"]);
    await both.must("walferry", ["--confirm", "rekey"]);
  },
);

testWith(
  ["/usr/lib/postgresql/15/bin/postgres"],
  "between the configuration of both passphrases and rekey a sound repository is sound, and its info files are shown",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder);
    const { old, both, onlyNew } = await hostsOf(folder, cluster);
    await old.must("walferry", ["--no-online", "stanza-create"]);
    await old.must("walferry", ["--no-online", "--type=full", "backup"]);
    const copy = `${folder.path}/repo/backup/main/backup.info.copy`;
    for (const host of [both, onlyNew]) {
      if (host === onlyNew) await both.must("walferry", ["rekey"]);
      await both.must("walferry", ["verify"]);
      await host.must("walferry", ["verify"]);
      for (const path of ["archive/main/archive.info", "backup/main/backup.info", "backup/main/backup.info.copy"]) {
        assertIncludes(await both.must("walferry", ["repo-get", path]), "[backrest]");
      }
      // A repair keeps the passphrase too.
      await runAs(["sh", "-c", `echo damage > ${copy}`]);
      assertEquals((await both.walferry(["verify"])).code, 10);
      await both.must("walferry", ["--repair", "verify"]);
      await (host === both ? old : onlyNew).must("walferry", ["verify"]);
      // And so does what a person puts there.
      const text = await both.must("walferry", ["repo-get", "backup/main/backup.info"]);
      await both.must("walferry", ["repo-put", "backup/main/backup.info"], { stdin: text });
      await (host === both ? old : onlyNew).must("walferry", ["verify"]);
    }
  },
);

testWith(
  ["/usr/lib/postgresql/15/bin/postgres"],
  "rekey does the stanza that is named; without a name all that it can, and tells of those that have their own passphrase",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder);
    const { old, both, onlyNew } = await hostsOf(folder, cluster);
    const apart = await TestStanza.make(folder, cluster, {
      name: "apart",
      repositories: [{
        path: `${folder.path}/repo`,
        options: { "cipher-type": "aes-256-cbc", "cipher-pass": "its own" },
      }],
    });
    const program = (stanza: TestStanza, ...args: string[]) =>
      execute([walferryPath, `--config=${stanza.config}`, ...args]);
    for (const [host, name] of [[apart, "aaa"], [old, "main"], [old, "zzz"]] as const) {
      const place = [`--stanza=${name}`, `--pg1-path=${cluster.path}`];
      const { code, stdout } = await program(host, ...place, "--no-online", "stanza-create");
      assertEquals(code, 0, stdout);
    }
    await both.must("walferry", ["rekey"]);
    await both.must("walferry", ["--confirm", "rekey"]);
    await onlyNew.must("walferry", ["verify"]);
    assertEquals((await program(old, "--stanza=zzz", "verify")).code, 0);
    const none = await program(both, "--stanza=nowhere", "rekey");
    assertEquals(none.code, 55, none.stdout);
    for (const options of [[], ["--confirm"]]) {
      const { code, stdout, stderr } = await program(both, ...options, "rekey");
      assertEquals(code, 95, stdout);
      assertIncludes(stdout + stderr, "repo1: stanza 'aaa': [CryptoError]");
      assertIncludes(stdout, "repo1: stanza 'zzz' opens with the new passphrase");
    }
    assertEquals((await program(onlyNew, "--stanza=zzz", "verify")).code, 0);
    assertEquals((await program(apart, "--stanza=aaa", "verify")).code, 0);
  },
);
