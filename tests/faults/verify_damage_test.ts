/**
 * Damage of every sort to every kind of object of a repository, chosen by a seed: verify finds each, names the object, and ends with its
 * code. `WALFERRY_TEST_SEED` chooses another seed, `WALFERRY_TEST_DAMAGES` how many of each sort.
 */
import { TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeCluster } from "../support/interop_story.ts";
import { testWith } from "../support/requirements.ts";
import { type Kind, KINDS, namesIt, randomFrom, SORTS, Vandal } from "../support/vandal.ts";
import { assertHealthy, changeTimeline, filesOf, makeFullStanza, verifyReport } from "../support/verify_stanza.ts";

const SEED = Number(Deno.env.get("WALFERRY_TEST_SEED") ?? 20261121);
const EACH = Number(Deno.env.get("WALFERRY_TEST_DAMAGES") ?? 1);
const DAMAGED = 10;

for (
  const [name, options] of [
    ["plain files", { compressType: "gz" }],
    ["encrypted bundles", { compressType: "zst", cipherPass: "secret", bundle: "y" }],
    ["block incremental files", { compressType: "none", bundle: "y", block: "y" }],
  ] as const
) {
  testWith(
    ["pgbackrest", "/usr/lib/postgresql/15/bin/postgres"],
    `every damage to a repository of ${name} is found and named`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      const stanza = await makeFullStanza(folder, cluster, "s", options);
      await changeTimeline(cluster);
      await cluster.stop();
      const healthy = await assertHealthy(stanza);
      const root = stanza.repositories[0]!;
      const files = await filesOf(root);
      const random = randomFrom(SEED + name.length);
      const info = await stanza.must("walferry", ["--output=json", "info"]);
      const firstNeeded = /"start":"([0-9A-F]{24})"/.exec(info)![1]!;
      const vandal = new Vandal(root, files, random, "cipherPass" in options, firstNeeded);
      const missed: string[] = [];
      let done = 0;
      for (const kind of Object.keys(KINDS) as Kind[]) {
        for (const sort of Array.from({ length: EACH }, () => SORTS).flat()) {
          const damage = await vandal.damage(kind, sort);
          if (damage === undefined) continue;
          const there = damage.paths.filter((path) => path !== damage.added);
          const before = await Promise.all(there.map((path) => Deno.readFile(`${root}/${path}`)));
          await damage.apply();
          const { code, report } = await verifyReport(stanza);
          if (code !== DAMAGED || report.status !== "error" || !namesIt(report, damage)) {
            missed.push(`${sort} of ${kind} ${damage.paths.join(", ")}: ${code} ${JSON.stringify(report.finding)}`);
          }
          for (const [at, path] of there.entries()) await Deno.writeFile(`${root}/${path}`, before[at]!);
          if (damage.added !== undefined) await Deno.remove(`${root}/${damage.added}`);
          done += 1;
        }
      }
      assertEquals(missed, [], `seed ${SEED}`);
      assert(done >= 35 * EACH, `only ${done} damages`);
      assertEquals(await assertHealthy(stanza), healthy);
    },
  );
}
