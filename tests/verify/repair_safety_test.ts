/** `verify --repair` where it cannot help: what is sound stays so, and nothing is called repaired that is not. */
import { parseArchiveInfo, renderArchiveInfo } from "../../src/format/archive_info.ts";
import { parseManifest, renderManifest } from "../../src/format/manifest_codec.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertHealthy, filesOf, type ReportedFinding, verifyReport } from "../support/verify_stanza.ts";

const NEEDS = ["/usr/lib/postgresql/15/bin/postgres"];
const DAMAGED = 10;
const SEGMENT = /^archive\/.*\/[0-9A-F]{24}-/;

/** What the first repository lacks. */
async function damagesOf(stanza: TestStanza): Promise<ReportedFinding[]> {
  const { report } = await verifyReport(stanza, "--repo=1");
  return report.finding.filter(({ severity }) => severity === "damage");
}

testWith(NEEDS, "what the other repository cannot give takes nothing from what is sound", async (test) => {
  await using folder = await TestFolder.make();
  await using cluster = await makeCluster(folder);
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, { cipherPass: "two", options: { bundle: "y" } }, {
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

  await test.step("expire leaves it where it can be mended", async () => {
    for (let run = 0; run < 2; run++) await stanza.must("walferry", ["--repo=1", "expire"]);
    assertEquals((await damagesOf(stanza)).some(({ backup }) => backup === full), true);
  });

  await test.step("it is given back when the other one is whole again", async () => {
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair");
    assertEquals([code, report.status], [0, "ok"], JSON.stringify(report.finding));
    assertEquals(await damagesOf(stanza), []);
    assertEquals(await restoredDump(folder, stanza, "walferry", ["--repo=1"]), dump);
  });

  await test.step("what the disk does not give back is put right too, and kept as it is under a second name", async () => {
    const files = await filesOf(here);
    const unreadable = [
      files.find((path) => SEGMENT.test(path))!,
      files.find((path) => /^archive\/.*\.backup$/.test(path))!,
      files.find((path) => path.startsWith(`backup/main/${full}/pg_data/base/`))!,
      `backup/main/${full}/backup.manifest`,
      "archive/main/archive.info",
      "backup/main/backup.info.copy",
    ];
    const inodes = new Map<string, number | null>();
    for (const path of unreadable) {
      inodes.set(path, (await Deno.stat(`${here}/${path}`)).ino);
      // As its account finds a file with EIO: it cannot be opened, or not be read.
      await Deno.chmod(`${here}/${path}`, 0);
    }
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair");
    assertEquals([code, report.status], [0, "ok"], JSON.stringify(report.finding));
    assertEquals(await damagesOf(stanza), []);
    const aside = (await filesOf(here)).filter((path) => path.startsWith("walferry/main/damaged/"));
    for (const [path, inode] of inodes) {
      const kept = aside.filter((one) => one.endsWith(`/${path}`)).map((one) => Deno.statSync(`${here}/${one}`).ino);
      assert(kept.includes(inode), `${path} is not aside: ${aside}`);
    }
    assertEquals(await restoredDump(folder, stanza, "walferry", ["--repo=1"]), dump);
  });

  await test.step("two manifests that do not agree on where a file is", async () => {
    const paths = ["backup.manifest", "backup.manifest.copy"].map((name) => `${here}/backup/main/${incr}/${name}`);
    const text = await runAs(["cat", paths[0]!]);
    const manifest = parseManifest(text);
    const files = [...manifest.files];
    const file = files.find(({ reference, sizeBytes }) => reference === full && sizeBytes > 0)!;
    file.repoSizeBytes += 1;
    manifest.files = files;
    for (const path of paths) await Deno.writeTextFile(path, [...renderManifest(manifest)].join(""));
    const { code, report } = await verifyReport(stanza, "--repo=1", "--quick");
    assertEquals(code, DAMAGED);
    assert(report.finding.some(({ kind, backup }) => kind === "mismatch" && backup === incr));
    const repaired = await verifyReport(stanza, "--repo=1", "--repair", "--quick");
    assertEquals([repaired.code, repaired.report.status], [0, "ok"], JSON.stringify(repaired.report.finding));
    assertEquals(await damagesOf(stanza), []);
    assertEquals(parseManifest(await runAs(["cat", paths[0]!])), parseManifest(text));
  });

  await test.step("info files that do not agree are not called repaired", async () => {
    const paths = ["archive.info", "archive.info.copy"].map((name) => `${here}/archive/main/${name}`);
    const text = await runAs(["cat", paths[0]!]);
    const info = parseArchiveInfo(text);
    info.history = info.history.map((entry) => ({ ...entry, systemId: entry.systemId + 1n }));
    for (const path of paths) await Deno.writeTextFile(path, renderArchiveInfo(info));
    const { code, report } = await verifyReport(stanza, "--repo=1", "--repair", "--quick");
    assertEquals([code, report.status], [DAMAGED, "error"]);
    const mismatch = report.finding.find(({ kind, path }) => kind === "mismatch" && path === "backup/main/backup.info");
    assertEquals([mismatch?.severity, mismatch?.repaired], ["damage", undefined]);
    for (const path of paths) await Deno.writeTextFile(path, text);
    assertEquals(await damagesOf(stanza), []);
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
