/** What the histories of archiving under trouble share: the faults of the store, and the look at what was acknowledged. */
import type { Storage } from "../../backends/contract.ts";
import { walDirectory } from "../../src/format/wal_name.ts";
import { sha1Hex } from "../../src/stream/hash.ts";
import { collect } from "../../src/stream/sources.ts";
import type { TestFolder } from "./accounts.ts";
import { assertEquals } from "./assert.ts";
import type { Fault } from "./fault_proxy.ts";
import { TestCluster } from "./postgres.ts";

/** What an S3 store may do to a request. */
export const FAULTS: readonly Fault[] = [
  { kind: "answer", status: 503 },
  { kind: "answer", status: 500 },
  { kind: "cut request", afterBytes: 100_000 },
  { kind: "cut answer", afterBytes: 10 },
  { kind: "lose answer" },
  { kind: "delay", milliseconds: 150 },
];

/** Short times and plain content, so that trouble shows soon and stored files can be compared. */
export const CHAOS_OPTIONS: Readonly<Record<string, string>> = {
  "archive-async": "y",
  "archive-timeout": "4s",
  "io-timeout": "2s",
  "compress-type": "none",
  "log-level-console": "warn",
};

/** A running cluster with small segments that keeps all of them. */
export async function startKeepingCluster(folder: TestFolder): Promise<TestCluster> {
  const cluster = await TestCluster.init(folder, {
    settings: "archive_mode = on\narchive_command = 'false'\nwal_keep_size = '2GB'\nmax_wal_size = '2GB'",
    initdb: ["--wal-segsize=1"],
  });
  await cluster.start();
  return cluster;
}

/** Segments that PostgreSQL was told are archived. */
export function acknowledgedSegments(cluster: TestCluster): string[] {
  return [...Deno.readDirSync(`${cluster.path}/pg_wal/archive_status`)]
    .filter(({ name }) => /^[0-9A-F]{24}\.done$/.test(name)).map(({ name }) => name.slice(0, 24));
}

/** Directory of a segment in a repository, and the SHA-1 of what PostgreSQL wrote. */
export function writtenSegment(cluster: TestCluster, segment: string): { directory: string; checksum: string } {
  return {
    directory: `archive/main/15-1/${walDirectory(segment)}`,
    checksum: sha1Hex(Deno.readFileSync(`${cluster.path}/pg_wal/${segment}`)),
  };
}

/** A store holds a segment once, as PostgreSQL wrote it. */
export async function assertStoredOnce(
  storage: Storage,
  cluster: TestCluster,
  segment: string,
  what = segment,
): Promise<void> {
  const { directory, checksum } = writtenSegment(cluster, segment);
  const stored: string[] = [];
  for await (const { name } of storage.list(directory, { prefix: `${segment}-` })) stored.push(name);
  assertEquals(stored, [`${segment}-${checksum}`], what);
  const content = await collect((await storage.read(`${directory}/${stored[0]}`))!, 1e8);
  assertEquals(sha1Hex(content), checksum, what);
}
