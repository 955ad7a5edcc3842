/** `verify` on repositories of both programs: no false alarm on healthy ones, and what pgbackrest overlooks is found. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith, grow, makeCluster } from "../support/interop_story.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import {
  assertHealthy,
  changeTimeline,
  filesOf,
  makeFullStanza,
  runUnder,
  verifyReport,
} from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"];
/** Exit code for something missing or damaged. */
const DAMAGED = 10;

testWith(
  NEEDS,
  "nothing is found in healthy repositories, whatever their compression, encryption and bundling",
  async (test) => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    let at = 0;
    for (const compressType of ["none", "gz", "lz4", "zst", "bz2"]) {
      for (const cipherPass of [undefined, "correct horse"]) {
        const bundle = at++ % 2 === 0 ? "y" : "n";
        await test.step(`${compressType}, ${cipherPass ?? "plain"}, bundle=${bundle}`, async () => {
          const stanza = await makeFullStanza(folder, cluster, `s${at}`, { compressType, cipherPass, bundle });
          const report = await assertHealthy(stanza);
          assertEquals(report.backup.length, 4);
          for (const { label, file } of report.backup) {
            assert(file.checked > 900, label);
            assertEquals(file.valid, file.checked, label);
          }
          // Every file was read once: in the backup that holds it.
          assert(report.backup[0]!.read > 700 && report.backup[3]!.read > 700);
          const [archive] = report.archive;
          assertEquals([archive!.read, archive!.wal.valid], [archive!.wal.checked, archive!.wal.checked]);
          const label = report.backup[2]!.label;
          const one = await verifyReport(stanza, `--set=${label}`);
          assertEquals([one.code, one.report.finding, one.report.backup.map((found) => found.label)], [0, [], [label]]);
        });
      }
    }
  },
);

testWith(NEEDS, "a new timeline, expired WAL, offline backups and backups under way are no damage", async (test) => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await makeFullStanza(folder, cluster, "s", { compressType: "zst" });
  const root = stanza.repositories[0]!;
  await test.step("a promotion", async () => {
    await changeTimeline(cluster);
    await assertHealthy(stanza);
    await stanza.must("walferry", ["--type=full", "backup"]);
    await changeTimeline(cluster);
    const report = await assertHealthy(stanza);
    assertEquals(report.backup.length, 5);
  });
  await test.step("WAL between backups that expire removed", async () => {
    const retention = ["--repo1-retention-archive=1"];
    await stanza.must("pgbackrest", [...retention, "expire"]);
    const config = await Deno.readTextFile(stanza.config);
    await Deno.writeTextFile(stanza.config, config.replace("[main]", "repo1-retention-archive=1\n[main]"));
    const report = await assertHealthy(stanza);
    assert((await verifyReport(stanza, "--quick")).report.archive[0]!.wal.checked === report.archive[0]!.wal.checked);
    await Deno.writeTextFile(stanza.config, config);
    const strict = await verifyReport(stanza, "--quick");
    assertEquals(strict.code, DAMAGED, "with a retention that keeps all WAL the holes are told");
    assert(strict.report.finding.every(({ kind, severity }) => kind === "gap" && severity === "damage"));
    await Deno.writeTextFile(stanza.config, config.replace("[main]", "repo1-retention-archive=1\n[main]"));
  });
  await test.step("an offline backup", async () => {
    await cluster.stop();
    await stanza.must("pgbackrest", ["--no-online", "--type=full", "backup"]);
    await assertHealthy(stanza);
    await cluster.start();
  });
  await test.step("a backup under way is told as such, one that was left behind is noted", async () => {
    const label = (await verifyReport(stanza, "--quick")).report.backup.at(-1)!.label;
    const leave = async (name: string) => {
      await runAs(["mkdir", `${root}/backup/main/${name}`]);
      await runAs(["cp", `${root}/backup/main/${label}/backup.manifest.copy`, `${root}/backup/main/${name}/`]);
    };
    await leave("20991231-000000F");
    const running = await verifyReport(stanza);
    assertEquals([running.code, running.report.finding], [0, []]);
    assertEquals(running.report.backup.at(-1)!.status, "in-progress");
    await leave("20991231-000001F");
    const { code, report } = await verifyReport(stanza);
    assertEquals(code, 0);
    assertEquals(report.finding.map(({ kind, severity, path }) => [kind, severity, path]), [
      ["unfinished", "notice", "backup/main/20991231-000000F"],
    ]);
    for (const name of ["20991231-000000F", "20991231-000001F"]) {
      await runAs(["rm", "-r", `${root}/backup/main/${name}`]);
    }
  });
  await test.step("what does not belong there is named, and is no damage", async () => {
    const label = (await verifyReport(stanza, "--quick")).report.backup[0]!.label;
    const strays = [
      "archive/main/readme",
      "archive/main/15-1/notes.txt",
      "archive/main/15-1/0000000100000000/x",
      "backup/main/y",
      `backup/main/${label}/pg_data/base/extra.zst`,
      `backup/main/${label}/bundle/77`,
    ];
    for (const path of strays) {
      await runAs(["mkdir", "-p", `${root}/${path.slice(0, path.lastIndexOf("/"))}`]);
      await runAs(["touch", `${root}/${path}`]);
    }
    const { code, report } = await verifyReport(stanza);
    assertEquals(code, 0);
    assertEquals(report.finding.map(({ path }) => path).sort(), strays.sort());
    assert(report.finding.every(({ kind, severity }) => kind === "stray" && severity === "notice"));
    for (const path of strays) await runAs(["rm", `${root}/${path}`]);
    await assertHealthy(stanza);
  });
  await test.step("a backup that backup.info does not list", async () => {
    const before = await Deno.readFile(`${root}/backup/main/backup.info`);
    const listed = (await verifyReport(stanza, "--quick")).report.backup.map(({ label }) => label);
    await stanza.must("walferry", ["--type=full", "--no-expire-auto", "backup"]);
    for (const name of ["backup.info", "backup.info.copy"]) await Deno.writeFile(`${root}/backup/main/${name}`, before);
    const { code, report } = await verifyReport(stanza);
    assertEquals([code, report.finding], [0, []]);
    assertEquals(report.backup.filter(({ label }) => !listed.includes(label)).map(({ status }) => status), [
      "in-progress",
    ]);
  });
});

testWith(
  NEEDS,
  "a segment that a backup needs and that is gone is found by verify and --quick; pgbackrest says ok",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await makeFullStanza(folder, cluster, "s", { compressType: "gz", cipherPass: "secret" });
    const root = stanza.repositories[0]!;
    const info = JSON.parse(await stanza.must("walferry", ["--output=json", "info"])) as Array<
      { backup: Array<{ label: string; archive: { start: string; stop: string } }> }
    >;
    const files = await filesOf(root);
    for (const { label, archive } of info[0]!.backup) {
      for (const segment of new Set([archive.start, archive.stop])) {
        const path = files.find((name) => name.includes(`/${segment}-`))!;
        const bytes = await Deno.readFile(`${root}/${path}`);
        await Deno.remove(`${root}/${path}`);
        for (const mode of [[], ["--quick"], ["--sample=1%"], [`--set=${label}`], [`--set=${label}`, "--quick"]]) {
          const { code, report } = await verifyReport(stanza, ...mode);
          assertEquals(code, DAMAGED, mode.join());
          const [finding] = report.finding.filter(({ severity }) => severity === "damage");
          assertEquals(finding!.kind, "missing");
          assertEquals(finding!.path, path.slice(0, path.indexOf("-", path.lastIndexOf("/"))));
          assertEquals(finding!.backup, label);
          assertEquals(finding!.segment, { start: segment, stop: segment });
          assertEquals(report.backup.find((found) => found.label === label)!.status, "invalid");
          assertEquals(report.archive[0]!.wal.missing, 1);
        }
        // The real program counts only what vanishes while it looks.
        const theirs = await stanza.pgbackrest(["--output=text", "--verbose", "verify"]);
        assertEquals(theirs.code, 0);
        assertIncludes(theirs.stdout, "status: ok");
        assertEquals((await stanza.walferry(["--verify-exit=compat", "verify"])).code, 0);
        const words = [`--config=${stanza.config}`, "--stanza=main"];
        assertEquals(await runUnder("pgbackrest", folder, [...words, "verify"]), 0);
        assertEquals(await runUnder("pgbackrest", folder, [...words, "--verify-exit=strict", "verify"]), DAMAGED);
        const text = await stanza.walferry(["verify"]);
        assertEquals(text.code, DAMAGED);
        assertIncludes(text.stdout, `missing: archive/main/15-1/0000000100000000/${segment}: the segment is missing`);
        await Deno.writeFile(`${root}/${path}`, bytes);
      }
    }
    await assertHealthy(stanza);
  },
);

testWith(NEEDS, "verify runs beside backups, archiving and expire without an alarm", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await makeFullStanza(folder, cluster, "s", { compressType: "gz" });
  await archiveWith(cluster, stanza, "walferry");
  const config = await Deno.readTextFile(stanza.config);
  await Deno.writeTextFile(stanza.config, config.replace("repo1-retention-full=9", "repo1-retention-full=2"));
  let busy = true;
  const work = (async () => {
    for (let round = 0; round < 4; round++) {
      await stanza.must("walferry", ["--type=full", "backup"]);
      await grow(cluster);
    }
    busy = false;
  })();
  let runs = 0;
  while (busy) {
    for (const mode of [[], ["--quick"]]) {
      const { code, report } = await verifyReport(stanza, ...mode);
      assertEquals(report.finding.filter(({ severity }) => severity === "damage"), []);
      assertEquals(code, 0);
      runs += 1;
    }
  }
  await work;
  assert(runs >= 4, `only ${runs} runs`);
  await assertHealthy(stanza);
});

testWith(NEEDS, "verify says which option is wrong, and ends as the store's error when the store fails", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster);
  await stanza.must("walferry", ["stanza-create"]);
  await assertHealthy(stanza);
  const codes: Array<[string[], number]> = [
    [["--sample=0%"], 32],
    [["--sample=101"], 32],
    [["--sample=x"], 32],
    [["--sample=5%", "--quick"], 31],
    [["--deep", "--quick"], 31],
    [["--output=num"], 32],
    [["--set=latest"], 32],
    [["--set=20200101-000000F"], 75],
    [["--repo=2"], 32],
  ];
  for (const [args, code] of codes) {
    const result = await stanza.walferry([...args, "verify"]);
    assertEquals(result.code, code, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
  }
  const words = [`--config=${stanza.config}`, "--stanza=nobody", "verify"];
  assertEquals(await runUnder("other", folder, words), 55, "a stanza that does not exist is no damaged one");
  const encrypted = await TestStanza.make(folder, cluster, { name: "e", repositories: [{ cipherPass: "right" }] });
  await encrypted.must("walferry", ["stanza-create"]);
  const config = await Deno.readTextFile(encrypted.config);
  await Deno.writeTextFile(encrypted.config, config.replace("pass=right", "pass=wrong"));
  assertEquals((await encrypted.walferry(["verify"])).code, 95, "a wrong passphrase is no damage");
  await Deno.writeTextFile(encrypted.config, config.replace(/repo1-cipher.*\n/g, ""));
  assertEquals((await encrypted.walferry(["verify"])).code, 29, "a missing passphrase is no damage");
  await runAs([
    "sh",
    "-c",
    `rm ${stanza.repositories[0]}/*/main/*.info*; touch ${stanza.repositories[0]}/archive/main/x`,
  ]);
  const lost = await verifyReport(stanza);
  assertEquals(lost.code, DAMAGED);
  assertEquals(lost.report.finding.filter(({ kind }) => kind === "missing").length, 4);
  const nowhere = await stanza.walferry([
    "--repo1-type=sftp",
    "--repo1-sftp-host=127.0.0.1",
    "--repo1-sftp-host-port=1",
    "--repo1-sftp-host-user=x",
    "--repo1-sftp-private-key-file=/nonexistent",
    "--io-timeout=1",
    "verify",
  ]);
  assert(nowhere.code >= 25, `a store that cannot be asked is no damaged one: ${nowhere.code}`);
});

testWith(NEEDS, "--since-last reads what is new, and what was damaged until it is put right", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await makeFullStanza(folder, cluster, "s", { compressType: "zst", cipherPass: "secret", bundle: "y" });
  const root = stanza.repositories[0]!;
  const reads = async (expected = 0) => {
    const { code, report } = await verifyReport(stanza, "--since-last");
    assertEquals(code, expected, JSON.stringify(report.finding));
    return [report.archive[0]!.read, ...report.backup.map(({ read }) => read)];
  };
  const first = await reads();
  const whole = await verifyReport(stanza);
  assertEquals(first, [whole.report.archive[0]!.read, ...whole.report.backup.map(({ read }) => read)]);
  assertEquals(await reads(), first.map(() => 0));

  // Whoever asks for more than was read before gets it, once; what was read deeper stays so.
  const deep = async () => (await verifyReport(stanza, "--since-last", "--deep")).report.backup.map(({ read }) => read);
  assertEquals(await deep(), first.slice(1));
  assertEquals(await deep(), first.slice(1).map(() => 0));
  assertEquals(await reads(), first.map(() => 0));
  assertEquals(await deep(), first.slice(1).map(() => 0));

  await stanza.must("pgbackrest", ["--type=incr", "backup"]);
  await grow(cluster);
  const second = await reads();
  const [segments, ...files] = second;
  assert(segments! > 0 && segments! < first[0]!);
  assertEquals(files.slice(0, 4), [0, 0, 0, 0]);
  assert(files[4]! > 0);

  // What is lost is found without reading; what was damaged after it was read is the full run's to find.
  const path = (await filesOf(root)).find((name) => /\/bundle\/1$/.test(name))!;
  const bytes = await Deno.readFile(`${root}/${path}`);
  await Deno.truncate(`${root}/${path}`, 100);
  await reads(DAMAGED);
  const changed = bytes.slice();
  changed[bytes.length >> 1]! ^= 1;
  await Deno.writeFile(`${root}/${path}`, changed);
  // The backup was taken off the record when it was found damaged: it is read again.
  const again = await reads(DAMAGED);
  assert(again[1]! > 0);
  assertEquals(await reads(DAMAGED), again);
  await Deno.writeFile(`${root}/${path}`, bytes);
  assert((await reads())[1]! > 0);
  assertEquals(await reads(), second.map(() => 0));

  await Deno.writeTextFile(`${root}/walferry/main/verified.json`, '{"format":1,"backup":[]}\n');
  const text = await stanza.walferry(["--since-last", "verify"]);
  assertIncludes(text.stdout, "verified.json cannot be used, everything is read");
  assertEquals(await reads(), second.map(() => 0));
  assertEquals((await stanza.walferry(["--since-last", "--quick", "verify"])).code, 31);
});

testWith(NEEDS, "verify looks at every repository, whatever becomes of one of them", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, { cipherPass: "secret" }, {}] });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  await stanza.must("walferry", ["--repo=1,2", "--type=full", "backup"]);
  await stanza.must("walferry", ["--repo=3", "--type=full", "backup"]);
  const quietly = (...args: string[]) => stanza.walferry(["--log-level-console=off", ...args, "verify"]);
  const sound = await quietly("--output=json");
  assertEquals(
    (JSON.parse(sound.stdout) as Array<{ repo: number; status: string }>).map(({ repo, status }) => [repo, status]),
    [[1, "ok"], [2, "ok"], [3, "ok"]],
  );
  assertEquals((JSON.parse((await quietly("--repo=2", "--output=json")).stdout) as { repo: number }).repo, 2);
  // The third one has a backup of its own: one that was asked for by its label is looked at where it is.
  const own = (await labelsIn(stanza.repositories[2]!))[0]!;
  const one = await quietly(`--set=${own}`);
  assertEquals([one.code, one.stdout.match(/^repo: \d$/gm)], [0, ["repo: 3"]]);
  assertEquals((await quietly(`--set=${own}`, "--repo=1,3")).code, 75);

  const [first, second] = stanza.repositories as [string, string];
  await runAs(["mv", first, `${first}.away`]);
  const away = await stanza.walferry(["--quick", "verify"]);
  assertEquals(away.code, 55, away.stdout + away.stderr);
  assertIncludes(away.stdout + away.stderr, "repo1: [FileMissingError]");
  await runAs(["sh", "-c", `rm ${second}/backup/main/*F/pg_data/backup_label*`]);
  const damaged = await quietly("--quick");
  assertEquals(damaged.code, DAMAGED, "damage that is certain counts more than what is not known");
  assertEquals(damaged.stdout.match(/^(repo|status): \w+$/gm), ["repo: 2", "status: error", "repo: 3", "status: ok"]);
  const told = await stanza.walferry(["--quick", "verify"]);
  assertIncludes(told.stdout + told.stderr, "repo1: [FileMissingError]");
  // Monitoring hears of each by itself: one was not asked, one is damaged, one is sound.
  const result = (await quietly("--quick", "--output=none", "--result=json")).stdout.trim();
  const { repo } = JSON.parse(result) as { repo: Array<{ "repo-key": number; result: string }> };
  assertEquals(repo.map((one) => [one["repo-key"], one.result]), [[1, "failed"], [2, "failed"], [3, "ok"]]);
  await runAs(["mv", `${first}.away`, first]);
  // The original looks at the first one.
  assertEquals(await runUnder("pgbackrest", folder, [`--config=${stanza.config}`, "--stanza=main", "verify"]), 0);
});
