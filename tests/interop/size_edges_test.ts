/**
 * Backups where sizes are out of the ordinary: a table of several segments that grows and shrinks over the end of one, and tens of thousands of
 * small tables. They take minutes: `WALFERRY_MATRIX=all`.
 */
import { runAs, TestFolder } from "../support/accounts.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { hasFinalBlocks } from "../support/block_judge.ts";
import { archiveWith, inRestoredCopy, type Program } from "../support/interop_story.ts";
import { TestCluster } from "../support/postgres.ts";
import { labelsIn, TestStanza } from "../support/programs.ts";
import { skipTest, testWith } from "../support/requirements.ts";
import { assertPeerFindsNothing } from "../support/verify_stanza.ts";

const NEEDS = ["pgbackrest", "/usr/lib/postgresql/15/bin/pg_amcheck"];
const IMMEDIATE = ["--type=immediate", "--target-action=promote"];
const GLOBAL = { "compress-type": "zst", "process-max": "2", "archive-timeout": "300s", "archive-async": "y" };
/** Pages of a segment of PostgreSQL as it is usually built: 1 GiB. */
const SEGMENT_PAGES = 1024 ** 3 / 8192;

/** Registers a test of minutes. */
function testOfMinutes(name: string, run: () => Promise<void>): void {
  if (Deno.env.get("WALFERRY_MATRIX") === "all") testWith(NEEDS, name, run);
  else skipTest(name, "takes minutes (set WALFERRY_MATRIX=all)");
}

interface Step {
  readonly type: "full" | "diff" | "incr";
  readonly maker: Program;
  readonly change: (cluster: TestCluster) => Promise<void>;
}

/** Backups into both repositories, each then restored by the program that did not make it, and told by a digest of all rows. */
async function runChain(
  folder: TestFolder,
  cluster: TestCluster,
  stanza: TestStanza,
  steps: readonly Step[],
  digest: string,
  amcheck: readonly string[],
): Promise<void> {
  // The second repository may hold blocks, which an old original cannot make or read.
  const isAlone = (repo: number) => repo === 2 && stanza.repositories.length === 2 && !hasFinalBlocks();
  const digests: string[] = [];
  for (const { type, maker, change } of steps) {
    await change(cluster);
    await cluster.sql("checkpoint");
    for (const repo of [1, 2]) {
      await stanza.must(isAlone(repo) ? "walferry" : maker, [`--repo=${repo}`, `--type=${type}`, "backup"]);
    }
    digests.push(await cluster.sql(digest));
  }
  assertEquals(new Set(digests).size, steps.length, "each step changed something");
  for (const repo of [1, 2]) {
    if (!isAlone(repo)) await assertPeerFindsNothing(stanza, `--repo=${repo}`);
    const labels = await labelsIn(stanza.repositories[repo - 1]!);
    for (const [at, { type, maker }] of steps.entries()) {
      const restorer = isAlone(repo) || maker === "pgbackrest" ? "walferry" : "pgbackrest";
      const set = [`--repo=${repo}`, `--set=${labels[at]}`, ...IMMEDIATE];
      await inRestoredCopy(folder, stanza, restorer, set, async (copy) => {
        assertEquals(await copy.sql(digest), digests[at], `repo${repo}, ${type} by ${maker}, restored by ${restorer}`);
        const place = ["-h", folder.path, "-p", String(copy.port), "-U", "postgres"];
        await runAs([`${copy.bin}/pg_amcheck`, "--install-missing", ...amcheck, ...place, "postgres"]);
      });
    }
  }
}

testOfMinutes(
  "a table of several segments that changes, shrinks into the first and grows into the second again",
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder, {
      settings: "archive_mode = on\narchive_command = 'false'\nmax_wal_size = '2GB'\nautovacuum = off",
    });
    await cluster.start();
    const blocks = { bundle: "y", block: "y" };
    const stanza = await TestStanza.make(folder, cluster, { repositories: [{}, { options: blocks }], global: GLOBAL });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    // One row on each page: what is counted in rows is counted in pages.
    await cluster.sql("create table wide (id bigint, note text); alter table wide alter note set storage plain");
    const pages = async () => Number(await cluster.sql("select pg_relation_size('wide') / 8192"));
    let rows = 0;
    const add = async (count: number) => {
      await cluster.sql(
        `insert into wide select g, repeat(md5(g::text), 245) from generate_series(${rows + 1}, ${rows += count}) g`,
      );
    };
    const steps: Step[] = [
      {
        type: "full",
        maker: "walferry",
        change: async () => {
          await add(Math.round(SEGMENT_PAGES * 1.1));
          assertEquals(await pages(), rows);
          await cluster.sql("create index on wide (id)");
        },
      },
      {
        type: "incr",
        maker: "pgbackrest",
        change: async () => {
          // In both segments.
          await cluster.sql("update wide set note = reverse(note) where id % 1013 = 0");
          await add(10);
        },
      },
      {
        type: "incr",
        maker: "walferry",
        change: async () => {
          await cluster.sql(`delete from wide where (ctid::text::point)[0] >= ${SEGMENT_PAGES - 200}`);
          // The second segment stays as an empty file.
          await cluster.sql("vacuum wide");
          assert(await pages() <= SEGMENT_PAGES - 200);
        },
      },
      {
        type: "diff",
        maker: "pgbackrest",
        change: async () => {
          await add(3000);
          assert(await pages() > SEGMENT_PAGES);
        },
      },
    ];
    const digest = "select count(*) || ' ' || sum(hashtextextended(w::text, 0)::numeric) from wide w";
    await runChain(folder, cluster, stanza, steps, digest, ["--table=wide", "--heapallindexed"]);
  },
);

testOfMinutes("twenty thousand small tables, some of which change, go and come", async () => {
  await using folder = await TestFolder.make();
  await using cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'\nmax_locks_per_transaction = 500",
  });
  await cluster.start();
  const stanza = await TestStanza.make(folder, cluster, {
    repositories: [{}, { cipherPass: "secret", options: { bundle: "y" } }],
    global: GLOBAL,
  });
  await stanza.must("walferry", ["stanza-create"]);
  await archiveWith(cluster, stanza, "walferry");
  const make = (first: number, last: number) =>
    cluster.sql(`do $$ begin for n in ${first}..${last} loop
      execute format('create table small_%s as select g + %s v from generate_series(1, %s) g', n, n, n % 300);
      if n % 500 = 0 then commit; end if;
    end loop; end $$`);
  const steps: Step[] = [
    { type: "full", maker: "walferry", change: async () => void await make(1, 20_000) },
    {
      type: "incr",
      maker: "pgbackrest",
      change: async () => {
        await cluster.sql(`do $$ begin for n in 1..20000 by 100 loop
          execute format('insert into small_%s values (0)', n); execute format('drop table small_%s', n + 1);
        end loop; end $$`);
      },
    },
    {
      type: "diff",
      maker: "walferry",
      change: async () => {
        await make(20_001, 20_200);
        await cluster.sql(
          `do $$ begin for n in 1..20000 by 250 loop execute format('truncate small_%s', n); end loop; end $$`,
        );
      },
    },
  ];
  const digest = `select count(*) || ' ' || sum(hashtextextended(relname ||
    query_to_xml(format('select * from %I order by v', relname), true, false, '')::text, 0)::numeric)
    from pg_class where relname like 'small\\_%'`;
  await runChain(folder, cluster, stanza, steps, digest, ["--schema=pg_catalog"]);
});
