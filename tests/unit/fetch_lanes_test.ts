/** How many segments are fetched ahead at once, and by how many workers. */
import { fetchLanes } from "../../src/archive/get_filler.ts";
import type { RepositoryConfig } from "../../src/repository/config.ts";
import { assertEquals } from "../support/assert.ts";
import { s3Config } from "../support/s3_servers.ts";
import { repositoryConfig } from "../support/stanza_files.ts";

const MIB = 1024 * 1024;

Deno.test("several small segments at once of a store on a network, in bounded memory; of a directory one for each worker", () => {
  const local = repositoryConfig(1, "/repo");
  const place = { port: 1, key: "k", keySecret: "s", region: "r" };
  const distant: RepositoryConfig = { ...local, key: 2, storage: s3Config(place, "bucket") };
  const lanes = (repositories: readonly RepositoryConfig[], segmentMib: number, processMax = 4, processors = 2) => {
    const { workers, atOnce } = fetchLanes({ processMax, repositories }, segmentMib * MIB, processors);
    return [workers, atOnce];
  };
  assertEquals(lanes([local], 1), [4, 4]);
  assertEquals(lanes([distant], 1), [2, 16]);
  assertEquals(lanes([local, distant], 16), [2, 8]);
  assertEquals(lanes([distant], 64), [4, 4]);
  assertEquals(lanes([distant], 1024), [4, 4]);
  assertEquals(lanes([distant], 1, 1), [1, 4]);
  assertEquals(lanes([distant], 1, 4, 16), [4, 16]);
});
