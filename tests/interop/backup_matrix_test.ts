/**
 * The formats of a backup (files, bundles, blocks) against its types and what happens to the data between backups: the two programs take
 * turns in chains, and a restored copy of each link starts, is sound and has the same dump. `WALFERRY_MATRIX=all` runs every combination
 * with both programs restoring each link; otherwise a selection runs in which each value meets each format.
 */
import { parseManifest } from "../../src/format/manifest_codec.ts";
import type { CompressType } from "../../src/stream/compress_type.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { hasFinalBlocks } from "../support/block_judge.ts";
import {
  archiveWith,
  grow,
  makeCluster,
  normalized,
  type Program,
  restoredDump,
  sameInfo,
} from "../support/interop_story.ts";
import { makeOrders, ORDER_CHANGE_NAMES, ORDER_CHANGES, type OrderChange } from "../support/order_changes.ts";
import type { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { assertAmcheckClean, assertIndexesAnswer } from "../support/restored_indexes.ts";
import { assertHealthy, assertPeerFindsNothing } from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/pg_amcheck"];
const IS_WHOLE = Deno.env.get("WALFERRY_MATRIX") === "all";
const IMMEDIATE = ["--type=immediate", "--target-action=promote"];

const FORMATS = {
  files: {},
  bundles: { bundle: "y" },
  blocks: { bundle: "y", block: "y" },
} as const;
type Format = keyof typeof FORMATS;

interface Step {
  readonly change: OrderChange;
  readonly type: "full" | "diff" | "incr";
  readonly maker: Program;
  readonly restorers: readonly Program[];
}

interface Chain {
  readonly format: Format;
  readonly compressType: CompressType;
  readonly cipherPass?: string;
  readonly steps: readonly Step[];
}

function otherThan(program: Program): Program {
  return program === "walferry" ? "pgbackrest" : "walferry";
}

/** Each change followed by a backup of each type, the makers in turn; the chain that the other begins has the other makers. */
function wholeChain(first: Program): Step[] {
  const restorers = ["walferry", "pgbackrest"] as const;
  return ORDER_CHANGE_NAMES.flatMap((change, index) =>
    (["full", "diff", "incr"] as const).map((type, at) => ({
      change,
      type,
      maker: (index + at) % 2 === 0 ? first : otherThan(first),
      restorers,
    }))
  );
}

/** Five links: each change once, by makers in turn, restored by the one that did not make it. */
function shortChain(first: Program, types: readonly Step["type"][], firstChange: number): Step[] {
  return types.map((type, at) => {
    const maker = at % 2 === 0 ? first : otherThan(first);
    const change = ORDER_CHANGE_NAMES[(firstChange + at) % ORDER_CHANGE_NAMES.length]!;
    return { change, type, maker, restorers: [otherThan(maker)] };
  });
}

const SECRET = "correct horse battery staple";
const CHAINS: readonly Chain[] = IS_WHOLE
  ? [
    { format: "files", compressType: "gz", steps: wholeChain("walferry") },
    { format: "files", compressType: "lz4", cipherPass: SECRET, steps: wholeChain("pgbackrest") },
    { format: "bundles", compressType: "zst", cipherPass: SECRET, steps: wholeChain("walferry") },
    { format: "bundles", compressType: "none", steps: wholeChain("pgbackrest") },
    { format: "blocks", compressType: "zst", cipherPass: SECRET, steps: wholeChain("walferry") },
    { format: "blocks", compressType: "gz", steps: wholeChain("pgbackrest") },
  ]
  : [
    {
      format: "files",
      compressType: "lz4",
      steps: shortChain("walferry", ["full", "diff", "incr", "incr", "diff"], 0),
    },
    {
      format: "bundles",
      compressType: "zst",
      cipherPass: SECRET,
      steps: shortChain("pgbackrest", ["full", "incr", "diff", "incr", "incr"], 2),
    },
    {
      format: "blocks",
      compressType: "gz",
      steps: shortChain("walferry", ["full", "incr", "incr", "diff", "incr"], 3),
    },
  ];

for (const { format, compressType, cipherPass, steps } of CHAINS) {
  // An original of other blocks makes and restores none of them; what walferry makes alone is still held against the database.
  const isAlone = format === "blocks" && !hasFinalBlocks();
  const chain = isAlone ? steps.map((step): Step => ({ ...step, maker: "walferry", restorers: ["walferry"] })) : steps;
  testWith(
    NEEDS,
    `${format}, ${compressType}${cipherPass === undefined ? "" : ", encrypted"}: ${chain.length} backups by ${
      isAlone ? "walferry alone" : "both in turns"
    }, the data changed before each; every copy is the database as it was`,
    async () => {
      await using folder = await TestFolder.make();
      await using cluster = await makeCluster(folder);
      await makeOrders(cluster);
      // Temporary and unlogged tables are there while every backup is taken.
      await using session = await cluster.session();
      await session.sql("create temporary table passing as select g, md5(g::text) from generate_series(1, 2000) g");
      const passing = await session.sql("select pg_relation_filepath('passing')");
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{ cipherPass, options: FORMATS[format] }],
        global: { "compress-type": compressType, "process-max": "2", "archive-timeout": "120s" },
      });
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      const dumps: string[] = [];
      const unlogged: string[] = [];
      for (const [at, { change, type, maker }] of chain.entries()) {
        await ORDER_CHANGES[change](cluster, at + 1);
        await grow(cluster);
        unlogged.push(await cluster.sql("select pg_relation_filepath('unlogged_large')"));
        await stanza.must(maker, [`--type=${type}`, "backup"]);
        dumps.push(normalized(await cluster.dump()));
      }
      await sameInfo(stanza);
      await assertHealthy(stanza);
      if (!isAlone) await assertPeerFindsNothing(stanza);
      const labels = await labelsIn(stanza.repositories[0]!);
      assertEquals(labels.length, chain.length);
      for (const [at, { change, type, maker, restorers }] of chain.entries()) {
        const what = `${type} by ${maker} after ${change} (${labels[at]})`;
        if (cipherPass === undefined) await assertLeftOut(stanza, labels[at]!, passing, unlogged[at]!);
        for (const restorer of restorers) {
          const set = [`--set=${labels[at]}`, ...IMMEDIATE];
          const dump = await restoredDump(folder, stanza, restorer, set, judge);
          assert(dump === dumps[at], `${what}: its dump restored by ${restorer} differs`);
        }
      }
    },
  );
}

async function judge(copy: TestCluster): Promise<void> {
  assertEquals(await copy.sql("select count(*) from unlogged_large"), "0");
  await assertIndexesAnswer(copy);
  await assertAmcheckClean(copy);
}

/** No bytes of temporary tables are in a backup, and of unlogged ones only what makes them empty. */
async function assertLeftOut(stanza: TestStanza, label: string, passing: string, unlogged: string): Promise<void> {
  const path = `${stanza.repositories[0]}/backup/main/${label}/backup.manifest`;
  const names = parseManifest(await runAs(["cat", path])).files.values().map(({ name }) => name).toArray();
  assertEquals(names.filter((name) => name === `pg_data/${passing}` || /\/t\d+_\d+/.test(name)), []);
  const fork = (name: string) => new RegExp(`^pg_data/${unlogged}(_\\w+|\\.\\d+)?$`).test(name);
  assertEquals(names.filter(fork), [`pg_data/${unlogged}_init`]);
}
