/** What a dump does not tell of a restored cluster: whether every heap and index is in itself sound, and what indexes answer. */
import { runAs } from "./accounts.ts";
import { assertEquals } from "./assert.ts";
import type { TestCluster } from "./postgres.ts";

/** `pg_amcheck` of every database: each heap, and each B-tree with the heap that it stands for. */
export async function assertAmcheckClean(cluster: TestCluster): Promise<void> {
  // Ends with 2 when anything is corrupt, and prints it.
  const said = await runAs([
    `${cluster.bin}/pg_amcheck`,
    "--all",
    "--install-missing",
    "--heapallindexed",
    "--parent-check",
    "--rootdescend",
    ...["-h", cluster.folder.path, "-p", String(cluster.port), "-U", "postgres"],
  ]);
  assertEquals(said, "");
}

/** Conditions that the hash and GIN indexes of the orders can answer. */
const QUESTIONS = [
  "inserted_large where customer in (select customer from inserted_large order by id limit 40)",
  "inserted_large where to_tsvector('simple', note) @@ to_tsquery('simple', 'reminder')",
  "updated_small where customer in (select customer from updated_small order by id limit 40)",
  "updated_small where to_tsvector('simple', note) @@ to_tsquery('simple', 'etal | late')",
];

/** Hash and GIN indexes, which `pg_amcheck` does not know, answer as the tables do. */
export async function assertIndexesAnswer(cluster: TestCluster): Promise<void> {
  await using session = await cluster.session();
  const ask = async (isByIndex: boolean) => {
    for (const way of ["seqscan", "hashjoin", "mergejoin"]) await session.sql(`set enable_${way} = ${!isByIndex}`);
    for (const way of ["indexscan", "bitmapscan"]) await session.sql(`set enable_${way} = ${isByIndex}`);
    const answers: string[] = [];
    for (const question of QUESTIONS) {
      answers.push(await session.sql(`select count(*) || ' ' || coalesce(sum(id), 0) from ${question}`));
    }
    return answers;
  };
  const byIndex = await ask(true);
  assertEquals(byIndex, await ask(false));
  assertEquals(byIndex[0]!.startsWith("0 "), false, "the question finds rows");
}
