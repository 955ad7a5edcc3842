/** `verify --repair`: what is damaged is put right from its copy or from another repository, checked, and the damaged one is kept. */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals, assertIncludes } from "../support/assert.ts";
import { archiveWith, grow, makeCluster, normalized, restoredDump } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertHealthy, changeTimeline, filesOf, makeFullStanza, verifyReport } from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres", "cmp"];
const DAMAGED = 10;

/** Changes one byte in the middle. */
async function flip(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  // One bit can be without consequence: among packed zeros another distance finds the same zeros.
  const middle = bytes.length >> 1;
  for (let at = middle; at < Math.min(bytes.length, middle + 64); at++) bytes[at]! ^= 0x5a;
  await Deno.writeFile(path, bytes);
}

const truncate = (path: string) => Deno.truncate(path, 10);

interface Case {
  readonly what: string;
  readonly pattern: RegExp;
  readonly damage: (path: string) => Promise<void>;
  /** Text of `repaired`; absent = it cannot be put right. */
  readonly from?: string;
}

/** Applies each damage to the last file of its kind, repairs it, and proves the repository sound again. */
async function repairEach(test: Deno.TestContext, stanza: TestStanza, cases: readonly Case[]): Promise<void> {
  const root = stanza.repositories[0]!;
  const aside = async () => (await filesOf(root)).filter((path) => path.startsWith("walferry/main/damaged/"));
  for (const { what, pattern, damage, from } of cases) {
    await test.step(what, async () => {
      const path = (await filesOf(root)).filter((name) => !name.startsWith("walferry/") && pattern.test(name)).at(-2)!;
      const original = await Deno.readFile(`${root}/${path}`);
      await damage(`${root}/${path}`);
      const isLost = !(await filesOf(root)).includes(path);
      const damaged = isLost ? undefined : await Deno.readFile(`${root}/${path}`);
      const asideBefore = await aside();
      const { code, report } = await verifyReport(stanza, "--repair");
      const damages = report.finding.filter(({ severity }) => severity === "damage");
      assert(damages.length > 0, "nothing was found");
      const kept = (await aside()).filter((name) => !asideBefore.includes(name));
      if (from === undefined) {
        assertEquals([code, report.status, damages[0]!.repaired], [DAMAGED, "error", undefined]);
        assertEquals(kept, [], "what cannot be put right is not touched");
        await Deno.writeFile(`${root}/${path}`, original);
      } else {
        assertEquals(damages.map(({ repaired }) => repaired), damages.map(() => from), JSON.stringify(damages));
        assertEquals([code, report.status], [0, "ok"]);
        // What is stored anew changes manifests, which are kept as they were too.
        const keptItself = kept.filter((name) => name.endsWith(`/${path}`));
        const keptManifests = kept.filter((name) => name.endsWith("/backup.manifest"));
        assertEquals(keptItself.length, isLost ? 0 : 1, kept.join());
        assertEquals(kept, [...new Set([...keptItself, ...keptManifests])].sort());
        if (damaged !== undefined) assertEquals(await Deno.readFile(`${root}/${keptItself[0]}`), damaged);
      }
      await assertHealthy(stanza);
    });
  }
}

const remove = (path: string) => Deno.remove(path);
const SEGMENT = /^archive\/main\/15-1\/[0-9A-F]{16}\/[0-9A-F]{24}-/;

testWith(
  NEEDS,
  "two repositories with other passphrases repair each other's WAL and their own copies",
  async (test) => {
    for (const passphrases of [[undefined, "second"], ["first", "second"], ["first", undefined]]) {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: passphrases.map((cipherPass) => ({ cipherPass })),
        global: { "compress-type": "gz", "log-level-console": "warn", "process-max": "2" },
      });
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
      await grow(cluster);
      await changeTimeline(cluster);
      await stanza.must("walferry", ["--type=full", "--repo=all", "backup"]);
      await grow(cluster);
      const dump = normalized(await cluster.dump());
      await repairEach(
        test,
        stanza,
        [
          { what: "a changed segment", pattern: SEGMENT, damage: flip, from: "repo2" },
          { what: "a segment that is cut off", pattern: SEGMENT, damage: truncate, from: "repo2" },
          { what: "a lost segment", pattern: SEGMENT, damage: remove, from: "repo2" },
          { what: "archive.info", pattern: /archive\.info/, damage: flip, from: "archive.info.copy" },
          { what: "a lost copy of backup.info", pattern: /backup\.info/, damage: remove, from: "backup.info.copy" },
          { what: "a manifest", pattern: /\/backup\.manifest$/, damage: truncate, from: "backup.manifest.copy" },
          {
            what: "a copy of a manifest",
            pattern: /\/backup\.manifest\.copy$/,
            damage: remove,
            from: "backup.manifest",
          },
          { what: "a kept manifest", pattern: /backup\.history\//, damage: truncate, from: "backup.manifest" },
          { what: "a backup label file", pattern: /\.backup$/, damage: truncate, from: "repo2" },
          { what: "a file", pattern: /\/pg_data\/base\/5\/\d+\.gz$/, damage: flip, from: "repo2" },
          { what: "a lost file", pattern: /\/pg_data\/base\/5\/\d+\.gz$/, damage: remove, from: "repo2" },
        ],
      );
      const root = stanza.repositories[0]!;
      await test.step("a lost timeline history", async () => {
        await remove(`${root}/archive/main/15-1/00000002.history`);
        const { code, report } = await verifyReport(stanza, "--repair", "--quick");
        assertEquals([code, report.finding.map(({ repaired }) => repaired)], [0, ["repo2"]]);
        await assertHealthy(stanza);
      });
      await test.step("both programs restore from the repaired repository", async () => {
        const segments = (await filesOf(root)).filter((path) => SEGMENT.test(path));
        // All but the first, which no backup needs, and the last: behind it nobody could know that there was more.
        for (const path of segments.slice(1, -1)) await remove(`${root}/${path}`);
        assertEquals((await verifyReport(stanza)).code, DAMAGED);
        assertEquals((await verifyReport(stanza, "--quick", "--repair")).code, 0);
        await assertHealthy(stanza);
        const digits = (paths: string[]) => paths.map((path) => path.slice(0, path.lastIndexOf("-")));
        assertEquals(digits((await filesOf(root)).filter((path) => SEGMENT.test(path))), digits(segments));
        for (const program of ["walferry", "pgbackrest"] as const) {
          assertEquals(await restoredDump(folder, stanza, program, ["--repo=1"]), dump);
        }
      });
    }
  },
);

testWith(NEEDS, "a mirror repairs files and bundles too, encrypted or not", async (test) => {
  for (const options of [{ compressType: "gz" }, { compressType: "zst", cipherPass: "secret", bundle: "y" }] as const) {
    await using folder = await TestFolder.make();
    await using cluster = await makeCluster(folder);
    const stanza = await makeFullStanza(folder, cluster, "s", options);
    await cluster.stop();
    const root = stanza.repositories[0]!;
    const mirror = `${folder.path}/mirror`;
    await runAs(["cp", "-a", root, mirror]);
    const config = await Deno.readTextFile(stanza.config);
    const second = config.split("\n").filter((line) => line.startsWith("repo1-")).join("\n");
    await Deno.writeTextFile(
      stanza.config,
      config.replace("[main]", `${second.replaceAll("repo1-", "repo2-").replace(root, mirror)}\n[main]`),
    );
    const inBundles = "bundle" in options;
    // Beside bundles hardly a file is stored by itself.
    const stored = inBundles ? /\/bundle\/\d+$/ : /\/pg_data\/base\/5\/\d+\.(gz|zst)$/;
    await repairEach(test, stanza, [
      { what: "a changed segment", pattern: SEGMENT, damage: flip, from: "repo2" },
      ...(inBundles
        ? [
          { what: "a bundle", pattern: /\/bundle\/1$/, damage: flip, from: "repo2" },
          { what: "a bundle that is cut off", pattern: /\/bundle\/\d+$/, damage: truncate, from: "repo2" },
          { what: "a lost bundle", pattern: /\/bundle\/\d+$/, damage: remove, from: "repo2" },
        ]
        : []),
      { what: "a file", pattern: /\/pg_data\/backup_label\./, damage: flip, from: "repo2" },
      { what: "a lost file", pattern: /\/pg_data\/backup_label\./, damage: remove, from: "repo2" },
      { what: "what holds relations, lost", pattern: stored, damage: remove, from: "repo2" },
    ]);
    await test.step("what is damaged in the mirror too is not taken from there", async () => {
      // No other backup has this content.
      const path = (await filesOf(root)).find((name) => /\/pg_data\/backup_label\./.test(name))!;
      await flip(`${root}/${path}`);
      await runAs(["cp", `${root}/${path}`, `${mirror}/${path}`]);
      const { code, report } = await verifyReport(stanza, "--repair");
      assertEquals([code, report.finding[0]!.repaired], [DAMAGED, undefined]);
      const text = await stanza.walferry(["--repo=1", "--repair", "verify"]);
      assertIncludes(text.stdout, "nothing to repair");
    });
    await test.step("a repair keeps out of the way of a backup", async () => {
      assertEquals((await stanza.walferry(["stop"])).code, 0);
      assertEquals((await stanza.walferry(["--repo=1", "--repair", "verify"])).code, 62);
      assertEquals((await stanza.walferry(["--repo=1", "verify"])).code, DAMAGED);
    });
  }
});
