/**
 * Many workers, and several backups and restores beside each other on fewer cores: whatever the order in which things happen, the restored
 * bytes are those of the cluster. `WALFERRY_RACE_RUNS=20` runs each `process-max` with each `compress-type` so often; otherwise each of the
 * values is met once.
 */
import { COMPRESS_TYPES, type CompressType } from "../../src/stream/compress_type.ts";
import { runAs, TestFolder } from "../support/accounts.ts";
import { assertEquals, assertIncludes } from "../support/assert.ts";
import { addOrders } from "../support/order_rows.ts";
import { TestCluster } from "../support/postgres.ts";
import { TestStanza } from "../support/programs.ts";
import { testWith } from "../support/requirements.ts";

const RUNS = Number(Deno.env.get("WALFERRY_RACE_RUNS") ?? 0);
const PROCESS_MAX = [1, 2, 4, 16] as const;
/** How a backup stores its files; runs take them in turn. */
const FORMATS: readonly Readonly<Record<string, string>>[] = [{}, { bundle: "y" }, { bundle: "y", block: "y" }];

interface Combination {
  readonly processMax: number;
  readonly compressType: CompressType;
}

/** What runs at the same time, round after round. */
const ROUNDS: readonly (readonly Combination[])[] = RUNS > 0
  ? Array.from(
    { length: RUNS },
    () => COMPRESS_TYPES.map((compressType) => PROCESS_MAX.map((processMax) => ({ processMax, compressType }))),
  ).flat()
  : [COMPRESS_TYPES.map((compressType, at) => ({ processMax: PROCESS_MAX[at % PROCESS_MAX.length]!, compressType }))];

testWith(
  ["/usr/lib/postgresql/15/bin/postgres"],
  `${ROUNDS.flat().length} backups and restores by 1 to 16 workers, several at a time: the bytes are those of the cluster`,
  async () => {
    await using folder = await TestFolder.make();
    await using cluster = await TestCluster.init(folder);
    await cluster.start();
    await addOrders(cluster, 1, 12_000);
    for (let at = 0; at < 40; at++) await addOrders(cluster, 1, at * 10, `orders_${at}`);
    await cluster.sql("create index on orders (customer); create index on orders (at)");
    await cluster.stop();
    const original = await fingerprint(cluster.path);
    for (const [round, combinations] of ROUNDS.entries()) {
      await Promise.all(combinations.map((one, at) => backUpAndRestore(folder, cluster, one, round + at, original)));
    }
  },
);

/** A backup, a restore of it, and a second one over what was damaged of the first. */
async function backUpAndRestore(
  folder: TestFolder,
  cluster: TestCluster,
  { processMax, compressType }: Combination,
  turn: number,
  original: readonly string[],
): Promise<void> {
  const name = `${compressType}-${processMax}-${turn}`;
  const stanza = await TestStanza.make(folder, cluster, {
    name,
    repositories: [{
      cipherPass: turn % 2 === 0 ? undefined : "secret",
      options: FORMATS[turn % FORMATS.length],
    }],
    global: { "compress-type": compressType, "process-max": String(processMax) },
  });
  const copy = await folder.directory(`${name}/copy`, 0o700);
  const restore = async (...more: string[]) => {
    assertQuiet(await stanza.must("walferry", [`--pg1-path=${copy}`, "--type=none", ...more, "restore"]), name);
    assertEquals(await fingerprint(copy), original, name);
  };
  await stanza.must("walferry", ["--no-online", "stanza-create"]);
  const output = await stanza.must("walferry", ["--no-online", "--type=full", "backup"]);
  assertIncludes(output, "full backup size = ");
  assertQuiet(output.replace(/.*no prior backup exists.*/, ""), name);
  await restore();
  // Every seventh file is lost, another one overwritten in its middle and as long as before.
  const damage = `at=0; find base -type f -size +8k | sort | while read -r file; do at=$((at + 1));
    case $((at % 7)) in 0) rm "$file";; 3) dd if=/dev/urandom of="$file" bs=512 seek=9 count=3 conv=notrunc status=none;; esac; done`;
  await runAs(["sh", "-c", damage], { cwd: copy });
  await restore("--delta");
  await Deno.remove(`${folder.path}/${name}`, { recursive: true });
}

function assertQuiet(output: string, name: string): void {
  assertEquals(/WARN|ERROR|panic/.test(output), false, `${name}: ${output}`);
}

/** Name and hash of every file that a backup without a server holds. */
async function fingerprint(path: string): Promise<string[]> {
  const left = ["postmaster.*", "pg_internal.init*", "pgstat.*"].map((name) => `-not -name '${name}'`).join(" ");
  const script = `find . -path ./pg_subtrans -prune -o -type f ${left} -print0 | sort -z | xargs -0 sha256sum`;
  return (await runAs(["sh", "-c", script], { cwd: path })).trim().split("\n");
}
