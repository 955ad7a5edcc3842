/**
 * A quorum against real stores while everything goes wrong: one repository is a directory that comes and goes, one an S3 server behind a proxy
 * that refuses, cuts and loses answers, and the background process is killed again and again. After each history: what PostgreSQL was told is
 * archived is where the quorum says, everything else is noted, and with the stores back every repository gets all of it, byte-equal.
 * `WALFERRY_CHAOS` = how many histories, `WALFERRY_CHAOS_FIRST` = seed of the first one.
 */
import { openS3 } from "../../backends/s3.ts";
import { execute, runAs, TestFolder } from "../support/accounts.ts";
import {
  acknowledgedSegments,
  assertStoredOnce,
  CHAOS_OPTIONS,
  FAULTS,
  startKeepingCluster,
  writtenSegment,
} from "../support/archive_chaos.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, s3Config, s3Options, startRgw } from "../support/s3_servers.ts";
import { until } from "../support/until.ts";
import { Chance } from "../simulation/troubled_world.ts";

const HISTORIES = Number(Deno.env.get("WALFERRY_CHAOS") ?? 4);
const FIRST = Number(Deno.env.get("WALFERRY_CHAOS_FIRST") ?? 1);
/** What a history leaves in the store, in bytes, with room to spare. */
const HISTORY_BYTES = 40 * 1024 * 1024;

testWith(
  ["/usr/lib/postgresql/15/bin/postgres", "pkill", "pgrep", ...RGW_PROGRAMS],
  `${HISTORIES} histories of a quorum of two real stores: nothing acknowledged is missing, doubled, wrong or forgotten`,
  async () => {
    await using folder = await TestFolder.make();
    await using server = await startRgw(undefined, Math.max(1024 ** 3, HISTORIES * HISTORY_BYTES));
    await using proxy = await FaultProxy.start(server.port);
    await using cluster = await startKeepingCluster(folder);
    const bucket = await server.makeBucket();
    const stanza = await TestStanza.make(folder, cluster, {
      repositories: [{}, {
        path: "/repo",
        options: s3Options(server, bucket, proxy.port),
      }],
      global: { ...CHAOS_OPTIONS, "archive-push-quorum": "1", "process-max": "2", "log-level-file": "detail" },
    });
    await stanza.must("walferry", ["stanza-create"]);
    await archiveWith(cluster, stanza, "walferry");
    const first = stanza.repositories[0]!;
    await using storage = openS3(s3Config(server, bucket));
    const ledger = `${folder.path}/conf/spool/walferry/main/debt`;
    const owed = async (key: number) =>
      (await execute(["find", `${ledger}/repo${key}`, "-type", "f", "-not", "-name", "*.tmp"])).stdout.split("\n")
        .filter(Boolean).map((path) => path.slice(path.lastIndexOf("/") + 1));
    const kill = () => execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
    const setAway = async (away: boolean) => {
      // A write that was on its way makes directories where the repository was, as below an unmounted file system; also at this very moment,
      // and then the repository must not be moved into them.
      const script = away
        ? `[ -e ${first}.away ] || mv ${first} ${first}.away`
        : `while [ -e ${first}.away ]; do rm -rf ${first}; mv -T ${first}.away ${first} 2>/dev/null; done`;
      await runAs(["sh", "-c", script]);
    };
    const checked = new Set<string>();
    try {
      for (let seed = FIRST; seed < FIRST + HISTORIES; seed++) {
        const chance = new Chance(seed);
        let isAway = false;
        let trouble = 0;
        proxy.plan = () => (chance.is(trouble) ? FAULTS[chance.below(FAULTS.length)] : undefined);
        for (let event = 0; event < 25; event++) {
          if (chance.is(0.2)) {
            // Never both at once for long: then nothing is acknowledged, which the end would wait for.
            isAway = !isAway;
            await setAway(isAway);
            trouble = isAway ? 0.1 : trouble;
          }
          if (chance.is(0.2)) trouble = isAway ? 0.1 : [0, 0.3, 1][chance.below(3)]!;
          if (chance.is(0.15)) await kill();
          await cluster.sql("select pg_create_restore_point('x'); select pg_walfile_name(pg_switch_wal())");
        }
        await setAway(false);
        trouble = 0;
        await kill();
        const last = await cluster.archiveSegment();
        // The process that this archiving started pays everything.
        await until(`seed ${seed}: the debts to be paid`, async () => {
          return (await owed(1)).length + (await owed(2)).length === 0;
        }, 120_000).catch(async (error) => {
          throw new Error(`${error.message}\n${await stanza.must("walferry", ["info"])}`);
        });
        const acknowledged = acknowledgedSegments(cluster);
        assert(acknowledged.includes(last), `seed ${seed}`);
        for (const segment of acknowledged) {
          if (checked.has(segment)) continue;
          checked.add(segment);
          await assertStoredOnce(storage, cluster, segment, `seed ${seed}: repo2, ${segment}`);
          const { directory, checksum: written } = writtenSegment(cluster, segment);
          const file =
            (await runAs(["find", `${first}/${directory}`, "-name", `${segment}-*`, "-not", "-name", "*.tmp"])).trim();
          assertEquals(file, `${first}/${directory}/${segment}-${written}`, `seed ${seed}: repo1`);
          assertEquals((await runAs(["sha1sum", file])).slice(0, 40), written, `seed ${seed}: repo1, ${segment}`);
        }
      }
      assert(checked.size >= HISTORIES * 20, `${checked.size} segments`);
    } finally {
      await kill();
    }
  },
);
