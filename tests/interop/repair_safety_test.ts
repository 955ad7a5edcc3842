/** `verify --repair` where it cannot help: what is sound stays so, and nothing is called repaired that is not. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertHealthy, filesOf, verifyReport } from "../support/verify_stanza.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];
const DAMAGED = 10;
const SEGMENT = /^archive\/.*\/[0-9A-F]{24}-/;

testWith(NEEDS, "what the other repository cannot give takes nothing from what is sound", async (test) => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{ cipherPass: "one" }, { cipherPass: "two", options: { bundle: "y" } }, {
      options: { role: "wal" },
    }],
    global: { "compress-type": "zst", "log-level-console": "warn", "process-max": "2" },
  });
  const [here, there] = stanza.repositories as [string, string, string];
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  for (const type of ["full", "incr"]) {
    await stanza.must("walferry", [`--type=${type}`, "--repo=1,2", "backup"]);
    await grow(cluster);
  }
  const dump = normalized(await cluster.dump());
  await cluster.stop();
  await assertHealthy(stanza, "--repo=1");
  const labels = (await verifyReport(stanza, "--repo=1", "--quick")).report.backup.map(({ label }) => label);
  const [full, incr] = labels as [string, string];
  const manifests = ["backup.manifest", "backup.manifest.copy"].map((name) => `${here}/backup/main/${full}/${name}`);

  await test.step("a lost manifest, while the other repository's backup is damaged", async () => {
    for (const path of manifests) await Deno.remove(path);
    const bundles = (await filesOf(there)).filter((path) => path.startsWith(`backup/main/${full}/bundle/`));
    const originals = new Map<string, Uint8Array>();
    for (const path of bundles) {
      const bytes = await Deno.readFile(`${there}/${path}`);
      originals.set(path, bytes);
      await Deno.writeFile(`${there}/${path}`, bytes.subarray(0, bytes.length >> 1));
    }
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair");
    assertEquals(code, DAMAGED);
    const open = report.finding.filter(({ severity, repaired }) => severity === "damage" && repaired === undefined);
    assertEquals([...new Set(open.map(({ backup }) => backup))], [full]);
    assertEquals(report.backup.find(({ label }) => label === incr)!.status, "valid");
    assertEquals(await restoredDump(folder, stanza, "walferry", ["--repo=1"]), dump);
    for (const [path, bytes] of originals) await Deno.writeFile(`${there}/${path}`, bytes);
  });

  await test.step("it is given back when the other one is whole again", async () => {
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair");
    assertEquals([code, report.status], [0, "ok"], JSON.stringify(report.finding));
    const again = await verifyReport(stanza, "--repo=1");
    assertEquals([again.code, again.report.finding.filter(({ severity }) => severity === "damage")], [0, []]);
    assertEquals(await restoredDump(folder, stanza, "walferry", ["--repo=1"]), dump);
  });

  await test.step("a repository that fails does not keep the next one from being asked", async () => {
    const path = (await filesOf(here)).filter((path) => SEGMENT.test(path)).at(-2)!;
    await Deno.remove(`${here}/${path}`);
    await Deno.rename(`${there}/archive/main`, `${there}/archive/gone`);
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair", "--quick");
    assertEquals([code, report.status], [0, "ok"], JSON.stringify(report.finding));
    assertEquals(report.finding.flatMap(({ repaired }) => repaired ?? []), ["repo3"]);
    await Deno.rename(`${there}/archive/gone`, `${there}/archive/main`);
  });

  await test.step("a segment with two contents that the other repository has too", async () => {
    const added: string[] = [];
    for (const root of stanza.repositories) {
      const path = (await filesOf(root)).filter((path) => SEGMENT.test(path)).at(-2)!;
      const other = `${root}/${path.replace(/-[0-9a-f]{40}/, `-${"f".repeat(40)}`)}`;
      await runAs(["cp", `${root}/${path}`, other]);
      added.push(other);
    }
    // Repairs and verifications are written down there.
    const wal = async () => (await filesOf(here)).filter((path) => path.startsWith("archive/"));
    const before = await wal();
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair", "--quick");
    assertEquals(code, DAMAGED);
    const [duplicate] = report.finding.filter(({ kind }) => kind === "duplicate");
    assert(duplicate !== undefined && duplicate.repaired === undefined, JSON.stringify(report.finding));
    assertEquals(await wal(), before);
    await Deno.remove(added[1]!);
    await Deno.remove(added[2]!);
    const settled = await verifyReport(stanza, "--repo=1", "--repair", "--quick");
    assertEquals([settled.code, settled.report.status], [0, "ok"], JSON.stringify(settled.report.finding));
    assertEquals((await wal()).includes(added[0]!.slice(here.length + 1)), false);
  });
});
