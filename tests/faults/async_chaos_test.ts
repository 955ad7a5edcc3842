/**
 * Asynchronous archiving to S3 while everything goes wrong: the store refuses, cuts, loses answers and delays, and the background process is
 * killed again and again. What PostgreSQL was told is archived must be there, once, with the content that PostgreSQL wrote.
 */
import { openS3 } from "../../backends/s3.ts";
import { execute, TestFolder } from "../support/accounts.ts";
import {
  acknowledgedSegments,
  assertStoredOnce,
  CHAOS_OPTIONS,
  FAULTS,
  startKeepingCluster,
} from "../support/archive_chaos.ts";
import { assert } from "../support/assert.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import { archiveWith } from "../support/interop_story.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";
import { RGW_PROGRAMS, s3Config, s3Options, startRgw } from "../support/s3_servers.ts";

/** Numbers that look like chance and are the same in every run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

for (const seed of [1, 2]) {
  testWith(
    ["/usr/lib/postgresql/15/bin/postgres", "pkill", ...RGW_PROGRAMS],
    `chaos (seed ${seed}): nothing that was acknowledged is missing, doubled or wrong`,
    async () => {
      const random = chance(seed);
      await using folder = await TestFolder.make();
      await using server = await startRgw();
      await using proxy = await FaultProxy.start(server.port);
      await using cluster = await startKeepingCluster(folder);
      const bucket = await server.makeBucket();
      const stanza = await TestStanza.make(folder, cluster, {
        repositories: [{
          path: "/repo",
          options: s3Options(server, bucket, proxy.port),
        }],
        global: { ...CHAOS_OPTIONS, "process-max": "3" },
      });
      await stanza.must("walferry", ["stanza-create"]);
      await archiveWith(cluster, stanza, "walferry");
      const kill = () => execute(["pkill", "-KILL", "-f", `config=${stanza.config}.*archive-push:async`]);
      try {
        proxy.plan = () => (random() < 0.25 ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined);
        let last = "";
        for (let round = 0; round < 60; round++) {
          last = await cluster.sql("select pg_create_restore_point('x'); select pg_walfile_name(pg_switch_wal())");
          if (round % 12 === 11) await kill();
        }
        await kill();
        proxy.plan = () => undefined;
        await cluster.archiveSegment();
        const acknowledged = acknowledgedSegments(cluster);
        assert(acknowledged.includes(last) && acknowledged.length >= 60, `${acknowledged.length} segments`);

        await using storage = openS3(s3Config(server, bucket));
        for (const segment of acknowledged) await assertStoredOnce(storage, cluster, segment);
      } finally {
        await kill();
      }
    },
  );
}
